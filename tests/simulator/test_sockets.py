"""The simulator over TCP, with our session and with an ESME that nobody here wrote."""

import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
import smpplib.client
import smpplib.consts
import trio
from esme import Esme, submit_sm

from connector.smpp.pdu import DeliverSm
from simulator import Smsc
from simulator.scenario import AccountRules, Delay, Listen, ReceiptRules, Response, Scenario

ANY_PORT = Listen(smpp="127.0.0.1:0")


@asynccontextmanager
async def connected(smsc: Smsc) -> AsyncIterator[Esme]:
    """An ESME over TCP, bound."""
    async with await trio.open_tcp_stream("127.0.0.1", smsc.port) as stream:
        esme = Esme(stream)
        assert await esme.bind() == 0
        yield esme


async def test_it_listens_when_start_returns_and_no_longer_when_cancelled() -> None:
    smsc = Smsc(Scenario(listen=ANY_PORT))
    async with trio.open_nursery() as nursery:
        assert await nursery.start(smsc.run) is smsc
        async with connected(smsc) as esme:
            (answer,) = await esme.submitted(submit_sm(registered_delivery=1))
            assert answer.message_id == "0000000001"
            await esme.delivered(1)
        nursery.cancel_scope.cancel()
    with pytest.raises(OSError, match="all attempts to connect"):
        await trio.open_tcp_stream("127.0.0.1", smsc.port)


async def test_a_port_that_is_taken_is_an_error_at_once(nursery: trio.Nursery) -> None:
    first = await nursery.start(Smsc(Scenario(listen=ANY_PORT)).run)
    with pytest.raises(OSError, match="in use"):
        await Smsc(Scenario(listen=Listen(smpp=f"127.0.0.1:{first.port}"))).run()


async def test_a_reset_ends_one_link_and_no_other(nursery: trio.Nursery) -> None:
    response = Response(delay=Delay(value_s=0.05))
    smsc = await nursery.start(Smsc(Scenario(listen=ANY_PORT, response=response)).run)
    async with connected(smsc) as healthy, connected(smsc) as dying:
        await dying.submit(*[submit_sm(registered_delivery=1) for _ in range(100)])
        linger = struct.pack("ii", 1, 0)  # close with RST instead of FIN
        assert isinstance(dying.stream, trio.SocketStream)
        dying.stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, linger)
        await dying.stream.aclose()
        await smsc.wait_until(lambda numbers: numbers.binds == 1)
        assert (await healthy.submitted(submit_sm()))[0].command_status == 0
        await healthy.delivered(smsc.statistics().accepted - 1)


async def test_dropped_links_are_closed_without_an_unbind(nursery: trio.Nursery) -> None:
    smsc = await nursery.start(Smsc(Scenario(listen=ANY_PORT)).run)
    async with connected(smsc) as esme:
        assert smsc.drop_links() == 1
        await esme.closed()
        assert len(esme.pdus) == 1  # the answer to the bind
    await smsc.wait_until(lambda numbers: numbers.binds == 0)
    assert smsc.statistics().ends == {"dropped": 1}


async def test_hundreds_of_connects_leave_nothing_behind(nursery: trio.Nursery) -> None:
    smsc = await nursery.start(Smsc(Scenario(listen=ANY_PORT)).run)
    for _ in range(300):
        stream = await trio.open_tcp_stream("127.0.0.1", smsc.port)
        await stream.aclose()
    await smsc.wait_until(lambda numbers: sum(numbers.ends.values()) == 300)
    async with connected(smsc):
        assert smsc.statistics().binds == 1


async def test_receipts_keep_up_with_submits(nursery: trio.Nursery) -> None:
    smsc = await nursery.start(Smsc(Scenario(listen=ANY_PORT), keep=0).run)
    async with connected(smsc) as esme:
        for _ in range(40):
            await esme.submitted(*[submit_sm(registered_delivery=1) for _ in range(50)])
        await esme.delivered(2_000)
        await smsc.wait_until(lambda numbers: numbers.receipts_acknowledged == 2_000)
    assert len({pdu.tlv_value("receipted_message_id") for pdu in esme.received(DeliverSm)}) == 2_000


# --- an ESME from elsewhere -------------------------------------------------------------------------------------------


@contextmanager
def smpplib_client(port: int) -> Iterator[Any]:
    client = smpplib.client.Client("127.0.0.1", port, timeout=10, allow_unknown_opt_params=True)
    client.connect()
    try:
        yield client
    finally:
        client.disconnect()


def converse(port: int, heard: dict[str, Any]) -> None:
    """Bind, submit, read the answer and the receipt, unbind: what every ESME does, the blocking way."""
    with smpplib_client(port) as client:
        client.set_message_sent_handler(lambda pdu: heard.update(message_id=pdu.message_id))
        client.set_message_received_handler(lambda pdu: heard.update(receipt=pdu) or 0)
        client.bind_transceiver(system_id="acme", password="secret")
        client.send_message(
            source_addr_ton=smpplib.consts.SMPP_TON_INTL,
            source_addr="60777",
            dest_addr_ton=smpplib.consts.SMPP_TON_INTL,
            destination_addr="447911123456",
            short_message=b"hello from elsewhere",
            registered_delivery=1,
        )
        while len(heard) < 2:
            client.read_once()
        client.unbind()


async def test_smpplib_binds_submits_gets_its_receipt_and_unbinds(nursery: trio.Nursery) -> None:
    scenario = Scenario(
        listen=ANY_PORT,
        account=(AccountRules(system_id="acme", password="secret"),),
        receipt=ReceiptRules(delay=Delay(value_s=0.02)),
    )
    smsc = await nursery.start(Smsc(scenario).run)
    heard: dict[str, Any] = {}
    await trio.to_thread.run_sync(converse, smsc.port, heard)
    await smsc.wait_until(lambda numbers: numbers.binds == 0)
    assert heard["message_id"] == b"0000000001"
    assert heard["receipt"].short_message.startswith(b"id:0000000001 sub:001 dlvrd:001 submit date:")
    assert heard["receipt"].receipted_message_id == b"0000000001"
    numbers = smsc.statistics()
    assert (numbers.accepted, numbers.receipts_acknowledged, numbers.ends) == (1, 1, {"unbound": 1})


async def test_smpplib_hears_why_it_may_not_bind(nursery: trio.Nursery) -> None:
    scenario = Scenario(listen=ANY_PORT, account=(AccountRules(system_id="acme", password="secret"),))
    smsc = await nursery.start(Smsc(scenario).run)

    def refused() -> None:
        with smpplib_client(smsc.port) as client, pytest.raises(smpplib.exceptions.PDUError, match=r"\(14\)"):
            client.bind_transceiver(system_id="acme", password="wrong")

    await trio.to_thread.run_sync(refused)
