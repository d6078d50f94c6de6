"""A carrier that comes to the ESME."""

import gc

import pytest
import trio
from esme import Esme, submit_sm
from trio.testing import wait_all_tasks_blocked

from connector.smpp import tables
from connector.smpp.events import Notified
from connector.smpp.pdu import DeliverSm, Outbind
from simulator import Smsc
from simulator.link.peer import Peer
from simulator.scenario import Listen, Scenario
from simulator.scenario import Outbind as OutbindRules

HERE = Listen(smpp="127.0.0.1:0")


async def listening() -> tuple[trio.SocketListener, str]:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    return listener, f"127.0.0.1:{listener.socket.getsockname()[1]}"


def calling(address: str, **keys: object) -> Smsc:
    rules = OutbindRules(to=address, system_id="NORTH", password="knock", **keys)  # type: ignore[arg-type]
    return Smsc(Scenario(listen=HERE, outbind=(rules,)))


@pytest.mark.parametrize("mode", ["receiver", "transceiver", "transmitter"])
async def test_the_carrier_calls_says_outbind_and_is_bound_to(mode: str, nursery: trio.Nursery) -> None:
    listener, address = await listening()
    async with listener:
        smsc = await nursery.start(calling(address).run)
        async with await listener.accept() as stream:
            esme = Esme(stream)
            await esme.read()
            (event,) = esme.events
            assert isinstance(event, Notified)
            assert isinstance(event.pdu, Outbind)
            assert (event.pdu.system_id, event.pdu.password) == ("NORTH", "knock")
            assert esme.session.state is tables.State.OUTBOUND
            assert await esme.bind(mode) == 0
            if mode != "transmitter":
                smsc.deliver("447700900123", "60777", "hello")
                await esme.delivered(1)
                assert esme.received(DeliverSm)[0].source_addr == "447700900123"
            if mode != "receiver":
                assert (await esme.submitted(submit_sm()))[0].command_status == 0


async def test_an_esme_that_does_not_listen_yet_is_called_again(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.smsc.CALL_AGAIN_S", 0.01)
    listener, address = await listening()
    await listener.aclose()
    smsc = await nursery.start(calling(address).run)
    while smsc.statistics().strange.get("an ESME was not reached for outbind", 0) < 2:
        await trio.lowlevel.checkpoint()
    host, port = address.rsplit(":", 1)
    (again,) = await trio.open_tcp_listeners(int(port), host=host)
    async with again, await again.accept() as stream:
        esme = Esme(stream)
        await esme.read()
        assert isinstance(esme.events[0], Notified)


async def test_who_is_called_and_does_not_bind_is_left(nursery: trio.Nursery) -> None:
    listener, address = await listening()
    async with listener:
        smsc = await nursery.start(calling(address).run)
        stream = await listener.accept()
        await stream.aclose()
        await smsc.wait_until(lambda numbers: bool(numbers.ends))
        assert smsc.statistics().binds == 0


async def test_nothing_is_kept_of_links_that_have_ended(nursery: trio.Nursery) -> None:
    smsc = await nursery.start(Smsc(Scenario(listen=HERE)).run)
    for number in range(1, 301):
        async with await trio.open_tcp_stream("127.0.0.1", smsc.port) as stream:
            if number % 3 == 0:
                assert await Esme(stream).bind() == 0
        await smsc.wait_until(lambda numbers, number=number: sum(numbers.ends.values()) == number)
    await wait_all_tasks_blocked()
    gc.collect()
    assert [each for each in gc.get_objects() if isinstance(each, Peer)] == []
    assert smsc._director.links == {}
    assert smsc._carrier._places == set()
    assert [len(account.binds) for account in smsc._carrier.accounts.values()] == [0]
