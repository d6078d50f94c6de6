"""PDUs and octets that nobody asked for, and what an ESME makes of them that goes by our own session."""

import pytest
import trio
from esme import Esme, bound, linked, submit_sm
from trio.testing import MockClock

from connector.errors import ConfigError
from connector.settings import load
from connector.smpp import tables
from connector.smpp.codec import decode, encode
from connector.smpp.events import LinkDead
from connector.smpp.pdu import DataSm, DeliverSm, EnquireLink, SubmitMulti, Unbind
from simulator import Smsc
from simulator.inject import FIRST_SEQUENCE, octets_of
from simulator.scenario import InjectedPdu, Scenario
from simulator.scenario.fields import COMMANDS
from simulator.trace.record import Packet, Recent

PATIENT = '[carrier]\nsession_init = "1h"\ninactivity = "1h"\n'
DELIVER_SM = 'command = "deliver_sm", from = "1234", to = "4567", text = "hi"'
NO_NUL = "00" + "000161" + "61" * 30  # a source_addr that goes on to the end
SHORT_OF_FIELDS = "00" + "0001" + "3100"
TOO_LONG = "00" + "0001" + "31" * 30 + "00" + "000132" + "00" + "00" * 10


def smsc_of(text: str, **options: object) -> Smsc:
    return Smsc(load(PATIENT + text, Scenario), clock=lambda: 1_700_000_000.0 + trio.current_time(), **options)  # type: ignore[arg-type]


class Heard(Recent):
    """What the carrier heard, as (command, status)."""

    def since(self, at: float) -> list[tuple[str, str]]:
        packets = [event for event in self.events if isinstance(event, Packet)]
        heard = [packet for packet in packets if not packet.outgoing and packet.at >= 1_700_000_000.0 + at]
        pdus = [decode(packet.octets) for packet in heard]
        return [(pdu.command, tables.status_name(pdu.command_status)) for pdu in pdus]


async def reads_on(esme: Esme, until: float) -> None:
    """Read, and answer, until a time or until the session is over; then close as an ESME does."""
    with trio.move_on_at(until):
        while not esme.session.closed and await esme.read():
            pass
    if esme.session.closed:
        await esme.stream.aclose()


# --- octets -----------------------------------------------------------------------------------------------------------


def test_a_pdu_is_as_it_ought_to_be_where_nothing_else_is_said() -> None:
    octets = octets_of(InjectedPdu(command="deliver_sm", from_="447700900123", to="4567", text="[hi]"), 7)
    pdu = decode(octets)
    assert isinstance(pdu, DeliverSm)
    assert pdu.oddities == ()
    assert (pdu.sequence_number, pdu.command_status) == (7, 0)
    assert (pdu.source_addr, pdu.source_addr_ton, pdu.destination_addr) == ("447700900123", 1, "4567")
    assert (pdu.short_message, pdu.data_coding) == (b"\x1b<hi\x1b>", 0)


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "broadcast_sm"])
def test_every_command_can_be_made_without_a_word_about_its_body(command: str) -> None:
    assert decode(octets_of(InjectedPdu(command=command), 7)).oddities == ()


@pytest.mark.parametrize(
    ("pdu", "header"),
    [
        (InjectedPdu(command="enquire_link"), (16, 0x15, 0, 7)),
        (InjectedPdu(command="enquire_link", length=8), (8, 0x15, 0, 7)),
        (InjectedPdu(command="enquire_link", length="+5"), (21, 0x15, 0, 7)),
        (InjectedPdu(command="enquire_link", length="-1"), (15, 0x15, 0, 7)),
        (InjectedPdu(command="enquire_link", sequence="+1"), (16, 0x15, 0, 8)),
        (InjectedPdu(command="enquire_link", sequence=0), (16, 0x15, 0, 0)),
        (InjectedPdu(command="enquire_link", status="ESME_RSYSERR"), (16, 0x15, 8, 7)),
        (InjectedPdu(command=0xFF, body="dead", tail="beef"), (20, 0xFF, 0, 7)),
    ],
)
def test_each_word_of_the_header_can_be_another(pdu: InjectedPdu, header: tuple[int, ...]) -> None:
    octets = octets_of(pdu, 7)
    assert tuple(int.from_bytes(octets[at : at + 4], "big") for at in (0, 4, 8, 12)) == header


@pytest.mark.parametrize(("said", "octet"), [("+1", 4), ("-1", 2), (200, 200), (0, 0)])
def test_sm_length_can_be_another_than_is_true(said: int | str, octet: int) -> None:
    true = octets_of(InjectedPdu(command="deliver_sm", text="abc"), 7)
    other = octets_of(InjectedPdu(command="deliver_sm", text="abc", sm_length=said), 7)
    assert [(there, here) for there, here in zip(true, other, strict=True) if there != here] == [(3, octet)]


def test_a_text_finds_its_place_in_other_commands_too() -> None:
    data_sm = decode(octets_of(InjectedPdu(command="data_sm", from_="1", to="2", text="hi"), 7))
    assert isinstance(data_sm, DataSm)
    assert data_sm.tlv_value("message_payload") == b"hi"
    multi = decode(octets_of(InjectedPdu(command="submit_multi", to="4479", text="\u4f60", sm_length="+0"), 7))
    assert isinstance(multi, SubmitMulti)
    assert (multi.short_message, multi.data_coding) == ("\u4f60".encode("utf-16-be"), 8)


# --- what an ESME makes of it: the rows of what may come -------------------------------------------------------------

ROWS = {
    "length below 16": ('pdu = { command = "enquire_link", length = 8 }', "generic_nack ESME_RINVCMDLEN"),
    "absurd length": ('pdu = { command = "enquire_link", length = 0x7FFFFFFF }', "generic_nack ESME_RINVCMDLEN"),
    "http": ('bytes = "GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n"', None),
    "tls": ('octets = "16030100a5010000a1030300000000000000"', None),
    "unknown request": ("pdu = { command = 0xFF, body = 'dead' }", "generic_nack ESME_RINVCMDID"),
    "unknown response": ("pdu = { command = 0x80000FFF }", None),
    "response without a request": ("pdu = { command = 'submit_sm_resp' }", None),
    "one stray nack": ("pdu = { command = 'generic_nack', status = 'ESME_RINVCMDLEN', sequence = 0 }", None),
    "sequence 0": ("pdu = { command = 'enquire_link', sequence = 0 }", "enquire_link_resp ESME_ROK"),
    "sequence beyond": ("pdu = { command = 'enquire_link', sequence = 0xFFFFFFFF }", "enquire_link_resp ESME_ROK"),
    "submit_sm to an esme": (
        "pdu = { command = 'submit_sm', to = '4479', text = 'x' }",
        "submit_sm_resp ESME_RINVBNDSTS",
    ),
    "bind to an esme": ("pdu = { command = 'bind_receiver' }", "bind_receiver_resp ESME_RALYBND"),
    "outbind when bound": ("pdu = { command = 'outbind' }", None),
    "alert_notification": ("pdu = { command = 'alert_notification', from = '1234', to = '4567' }", None),
    "no nul": (f"pdu = {{ command = 'deliver_sm', body = '{NO_NUL}' }}", "deliver_sm_resp ESME_RINVSRCADR"),
    "too long": (f"pdu = {{ command = 'deliver_sm', body = '{TOO_LONG}' }}", "deliver_sm_resp ESME_RINVSRCADR"),
    "body ends early": (
        f"pdu = {{ command = 'deliver_sm', body = '{SHORT_OF_FIELDS}' }}",
        "deliver_sm_resp ESME_RINVCMDLEN",
    ),
    "sm_length beyond": (f"pdu = {{ {DELIVER_SM}, sm_length = '+9' }}", "deliver_sm_resp ESME_RINVMSGLEN"),
    "an octet left over": (f"pdu = {{ {DELIVER_SM}, sm_length = '-1' }}", "deliver_sm_resp ESME_RINVTLVSTREAM"),
    "tlv longer than the rest": (
        f"pdu = {{ {DELIVER_SM}, tail = '042400410102030405' }}",
        "deliver_sm_resp ESME_RINVTLVSTREAM",
    ),
    "known tlv cut": (f"pdu = {{ {DELIVER_SM}, tail = '0427000301' }}", "deliver_sm_resp ESME_RINVTLVSTREAM"),
    "known tlv too long": (f"pdu = {{ {DELIVER_SM}, tail = '042700020102' }}", "deliver_sm_resp ESME_RINVTLVLEN"),
    "id without nul": (f"pdu = {{ {DELIVER_SM}, tail = '001e0003414243' }}", "deliver_sm_resp ESME_ROK"),
    "unknown tlv": (f"pdu = {{ {DELIVER_SM}, tail = '3fff000141' }}", "deliver_sm_resp ESME_ROK"),
    "a body where none is": ("pdu = { command = 'enquire_link', body = 'beef' }", "enquire_link_resp ESME_ROK"),
    "status in a request": (
        "pdu = { command = 'enquire_link', status = 'ESME_RSYSERR' }",
        "enquire_link_resp ESME_ROK",
    ),
    "two texts": (f"pdu = {{ {DELIVER_SM}, tail = '0424000141' }}", "deliver_sm_resp ESME_ROK"),
    "no text": ("pdu = { command = 'deliver_sm', from = '1', to = '2' }", "deliver_sm_resp ESME_ROK"),
    "half of sar": (f"pdu = {{ {DELIVER_SM}, tail = '020c00020001' }}", "deliver_sm_resp ESME_ROK"),
    "udhi without udh": (f"pdu = {{ {DELIVER_SM}, esm_class = 64 }}", "deliver_sm_resp ESME_ROK"),
    "unbind": ("pdu = { command = 'unbind' }", "unbind_resp ESME_ROK"),
}
"""What is injected, and what a strict ESME says to it."""
DEADLY = ("length below 16", "absurd length", "http", "tls", "unbind")


@pytest.mark.parametrize("row", ROWS)
async def test_a_strict_esme_answers_and_lives_or_dies_as_it_should(row: str, autojump_clock: MockClock) -> None:
    (injected, heard), lives = ROWS[row], row not in DEADLY
    record = Heard()
    smsc = smsc_of(f'[[inject]]\nname = "odd"\nat = "5s"\n{injected}\n', trace=(record,))
    async with bound(smsc) as esme:
        esme.status_of = lambda pdu: pdu.fault or 0
        await reads_on(esme, 6)
        assert [" ".join(each) for each in record.since(5)] == ([] if heard is None else [heard])
        over = esme.session.closed or esme.session.state is tables.State.UNBOUND
        assert over is not lives
        if lives:
            assert (await esme.submitted(submit_sm()))[0].command_status == 0
    assert smsc.statistics().faults == {"odd": 1}
    if lives:
        assert smsc.statistics().strange == {}


async def test_half_a_pdu_and_silence_ends_in_time(autojump_clock: MockClock) -> None:
    smsc = smsc_of('[[inject]]\nat = "5s"\noctets = "0000002000000005"\n')
    async with bound(smsc) as esme:
        await reads_on(esme, 6)
        assert not esme.session.closed
        events = [event for at in range(6, 600) for event in esme.session.tick(float(at))]
        assert any(isinstance(event, LinkDead) for event in events)


async def test_three_nacks_to_nothing_are_too_many(autojump_clock: MockClock) -> None:
    nack = "pdu = { command = 'generic_nack', status = 'ESME_RINVCMDLEN', sequence = 0 }"
    smsc = smsc_of(f'[[inject]]\nat = "5s"\nevery = "10s"\n{nack}\n')
    async with bound(smsc) as esme:
        await reads_on(esme, 60)
        assert esme.session.closed
        assert trio.current_time() == 25


async def test_requests_before_the_bind_are_refused_and_the_third_ends_it(autojump_clock: MockClock) -> None:
    record = Heard()
    smsc = smsc_of(f'[[inject]]\nat = "2s"\nevery = "1s"\npdu = {{ {DELIVER_SM} }}\n', trace=(record,))
    async with linked(smsc) as esme:
        await trio.sleep(1)
        await reads_on(esme, 60)
        assert esme.session.closed
        assert trio.current_time() == 4
    assert record.since(0)[:2] == [("deliver_sm_resp", "ESME_RINVBNDSTS")] * 2


async def test_the_same_number_twice_is_two_requests(autojump_clock: MockClock) -> None:
    twice = f"[[inject]]\nat = '5s'\npdu = {{ {DELIVER_SM}, sequence = 77 }}\n" * 2
    smsc = smsc_of(twice)
    async with bound(smsc) as esme:
        await esme.delivered(2)
        assert [pdu.sequence_number for pdu in esme.received(DeliverSm)] == [77, 77]


async def test_a_flood_is_as_fast_as_its_interval(autojump_clock: MockClock) -> None:
    smsc = smsc_of(f"[[inject]]\nat = '5s'\nevery = '1ms'\npdu = {{ {DELIVER_SM} }}\n")
    async with bound(smsc) as esme:
        await esme.delivered(1_001)
        assert trio.current_time() == pytest.approx(6)
        numbers = [pdu.sequence_number for pdu in esme.received(DeliverSm)]
        assert numbers == list(range(FIRST_SEQUENCE, FIRST_SEQUENCE + 1_001))


async def test_refusals_of_what_was_injected_do_not_end_the_link_on_this_side(autojump_clock: MockClock) -> None:
    smsc = smsc_of("[[inject]]\nat = '5s'\nevery = '1s'\npdu = { command = 0xFF }\n")
    async with bound(smsc) as esme:
        await reads_on(esme, 30.5)
        assert not esme.session.closed
    assert smsc.statistics().ends == {"the peer closed the link": 1}
    assert smsc.statistics().strange == {}


# --- when something happens -------------------------------------------------------------------------------------------


async def test_a_message_may_come_before_the_bind(autojump_clock: MockClock) -> None:
    smsc = smsc_of(f"[[inject]]\non = 'connect'\nnth = 2\npdu = {{ {DELIVER_SM} }}\n")
    for _ in range(3):
        async with linked(smsc) as esme:
            await reads_on(esme, trio.current_time() + 1)
            assert await esme.bind() == 0
    assert smsc.statistics().faults == {"inject 1": 1}


async def test_the_nth_bind_of_an_account_is_asked_to_leave(autojump_clock: MockClock) -> None:
    smsc = smsc_of("[[inject]]\non = 'bind'\nnth = 2\naccount = 'acme'\npdu = { command = 'unbind' }\n")
    left = []
    for account in ("acme", "other", "acme", "acme"):
        async with linked(smsc) as esme:
            assert await esme.bind(system_id=account) == 0
            with trio.move_on_after(1):
                await esme.read_until(lambda: esme.received(Unbind))
            left.append(esme.session.state is tables.State.UNBOUND)
    assert left == [False, False, True, False]


async def test_what_comes_with_a_bind_comes_behind_its_answer(autojump_clock: MockClock) -> None:
    smsc = smsc_of(f"[[inject]]\non = 'bind'\nbind = 2\npdu = {{ {DELIVER_SM} }}\n")
    async with bound(smsc) as first, bound(smsc) as second:
        await second.delivered(1)
        assert [pdu.command for _, pdu in second.pdus] == ["bind_transceiver_resp", "deliver_sm"]
        await first.submitted(submit_sm())
        assert first.received(DeliverSm) == []


async def test_octets_may_follow_the_answer_to_an_unbind(autojump_clock: MockClock) -> None:
    smsc = smsc_of(f"[[inject]]\non = 'unbind'\npdu = {{ {DELIVER_SM} }}\n")
    async with bound(smsc) as esme:
        await esme.stream.send_all(esme.session.request(Unbind(), trio.current_time()))
        data = b""
        while received := await esme.stream.receive_some():
            data += received
        first = int.from_bytes(data[:4], "big")
        assert [decode(data[:first]).command, decode(data[first:]).command] == ["unbind_resp", "deliver_sm"]
    assert smsc.statistics().ends == {"unbound": 1}


async def test_a_time_is_for_the_links_that_are_up_then(autojump_clock: MockClock) -> None:
    smsc = smsc_of(f"[[inject]]\nat = '5s'\nbind = 1\npdu = {{ {DELIVER_SM} }}\n")
    async with bound(smsc) as first, bound(smsc) as second:
        await first.delivered(1)
        assert trio.current_time() == 5
        async with bound(smsc) as third:
            for other in (second, third):
                await other.submitted(submit_sm())
                assert other.received(DeliverSm) == []


async def test_the_budget_and_the_quiet_are_heeded(autojump_clock: MockClock) -> None:
    for limit, count in (("fault_budget = 2", 2), ("quiet_after = '6500ms'", 2), ("", 6)):
        smsc = Smsc(load(f"{limit}\n{PATIENT}[[inject]]\nat = '5s'\nevery = '1s'\npdu = {{ {DELIVER_SM} }}", Scenario))
        begun = trio.current_time()
        async with bound(smsc) as esme:
            await reads_on(esme, begun + 10.5)
            assert len(esme.received(DeliverSm)) == count
        assert smsc.statistics().faults == {"inject 1": count}


async def test_the_trace_says_what_was_injected(autojump_clock: MockClock) -> None:
    recent = Recent()
    smsc = smsc_of(f"[[inject]]\nname = 'odd'\nat = '5s'\npdu = {{ {DELIVER_SM} }}\n", trace=(recent,))
    async with bound(smsc) as esme:
        await esme.delivered(1)
    packets = [event for event in recent.events if isinstance(event, Packet) and event.remark]
    assert [(decode(packet.octets).command, packet.remark) for packet in packets] == [("deliver_sm", "rule 'odd'")]


async def test_an_enquiry_of_the_esme_is_answered_all_the_same(autojump_clock: MockClock) -> None:
    smsc = smsc_of(f"[[inject]]\nat = '1s'\nevery = '1s'\npdu = {{ {DELIVER_SM} }}\n")
    async with bound(smsc) as esme:
        await esme.stream.send_all(encode(EnquireLink(sequence_number=99)))
        await reads_on(esme, 3.5)
        assert "enquire_link_resp" in [decode_name(data) for _, data in esme.reads]


def decode_name(data: bytes) -> str:
    return decode(data[: int.from_bytes(data[:4], "big")]).command


# --- the file ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("pdu = { command = 'enquire_link', text = 'x' }", "pdu.text: enquire_link has no field for it"),
        ("pdu = { command = 'submit_sm_resp', from = 'x' }", "pdu.from: submit_sm_resp has no field for it"),
        ("pdu = { command = 'enquire_link', sm_length = 1 }", "pdu.sm_length: enquire_link has no sm_length"),
        ("pdu = { command = 0xFF, text = 'x' }", "pdu.text: 255 has no field for it"),
        ("pdu = { command = 'deliver_sm', text = 'x', body = '00' }", "pdu.text: body says it all already"),
        ("pdu = { command = 'deliver_sm', from = '1234567890123456789012' }", "pdu.body: is needed"),
        ("pdu = { command = 'broadcast_sm' }", "pdu.body: is needed"),
        ("pdu = { command = 'deliver' }", 'pdu.command: "deliver" is no command, did you mean "deliver_sm"?'),
        ("pdu = { command = -1 }", "pdu.command: must be a command_id of 32 bits"),
        ("pdu = { command = 'deliver_sm', tail = 'x' }", "pdu.tail: must be octets in hex digits"),
    ],
)
def test_what_cannot_be_made_is_told_when_the_file_is_read(entry: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(f"[[inject]]\nat = '1s'\n{entry}", Scenario)
    assert f"inject[0].{problem}" in caught.value.problems[0]


def test_nobody_is_bound_when_a_link_comes_up() -> None:
    with pytest.raises(ConfigError, match="nobody is bound yet"):
        load("[[inject]]\non = 'connect'\nbind = 1\nbytes = 'x'", Scenario)
