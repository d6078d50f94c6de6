"""What changes by the clock: values of keys for a while, and outages."""

import pytest
import trio
from esme import Esme, bound, linked, submit_sm
from trio.testing import MockClock

from connector.errors import ConfigError
from connector.settings import load
from connector.smpp import tables
from connector.smpp.codec import encode
from connector.smpp.events import UnbindReceived, Unbound
from connector.smpp.pdu import BindTransceiverResp, DeliverSm, EnquireLink, SubmitSmResp, Unbind
from simulator import Smsc
from simulator.scenario import Scenario, TimelineEntry
from simulator.scenario.changes import changed, nested
from simulator.scenario.play import SetValue
from simulator.timeline import Timeline

PATIENT = '[carrier]\nsession_init = "1h"\ninactivity = "1h"\n'


def smsc_of(text: str) -> Smsc:
    return Smsc(load(PATIENT + text, Scenario), clock=lambda: 1_700_000_000.0 + trio.current_time())


def entry(at_s: float, for_s: float | None = None, **keys: object) -> TimelineEntry:
    return TimelineEntry(at_s=at_s, for_s=for_s, **keys)  # type: ignore[arg-type]


# --- what has begun and ended -----------------------------------------------------------------------------------------


def test_entries_begin_and_end_in_the_order_of_time_and_ends_come_first() -> None:
    first, second, for_good = entry(10, 10, name="first"), entry(20, 5), entry(20, name="for good")
    timeline = Timeline((second, first, for_good))
    assert timeline.next_at_s == 10
    moments = timeline.advance(20)
    assert [(moment.at_s, moment.name, moment.begins) for moment in moments] == [
        (10, "first", True),
        (20, "first", False),
        (20, "timeline 1", True),
        (20, "for good", True),
    ]
    assert timeline.active == [second, for_good]
    assert timeline.advance(24.9) == []
    assert [moment.entry for moment in timeline.advance(1e9)] == [second]
    assert (timeline.active, timeline.next_at_s) == ([for_good], float("inf"))


def test_of_two_entries_for_one_key_the_later_counts() -> None:
    scenario = load("[limits]\nrate = { per_second = 40, burst = 9 }", Scenario)
    slow, slower = entry(1, set={"limits.rate.per_second": 10}), entry(2, set={"limits.rate.per_second": 5.5})
    rate = changed(scenario, [slow, slower]).limits.rate
    assert rate is not None
    assert (rate.per_second, rate.burst) == (5.5, 9)
    assert changed(scenario, []) is scenario


def test_dotted_keys_are_tables_in_tables() -> None:
    values: dict[str, SetValue] = {"limits.rate.per_second": 1, "limits.window": 2, "receipt.tlv": ("a", "b")}
    assert nested(values) == {"limits": {"rate": {"per_second": 1}, "window": 2}, "receipt": {"tlv": ["a", "b"]}}


# --- values for a while -----------------------------------------------------------------------------------------------


async def test_a_limit_is_another_while_the_entry_lasts_and_then_what_it_was(autojump_clock: MockClock) -> None:
    smsc = smsc_of('[[timeline]]\nat = "1m"\nfor = "30s"\nset = { "limits.window" = 1 }')
    async with bound(smsc) as esme:
        for at, refused in ((59, 0), (60, 4), (89, 4), (90, 0)):
            await trio.sleep_until(at)
            answers = await esme.submitted(*[submit_sm() for _ in range(5)])
            assert sum(answer.command_status == tables.ESME_RTHROTTLED for answer in answers) == refused
    assert smsc.scenario.limits.window is None


async def test_a_rate_squeezes_what_passes(autojump_clock: MockClock) -> None:
    smsc = smsc_of(
        "[limits]\nrate = { per_second = 100, burst = 100 }\n"
        '[[timeline]]\nat = "1m"\nfor = "30s"\nset = { "limits.rate.per_second" = 10, "limits.rate.burst" = 10 }'
    )
    async with bound(smsc) as esme:
        passed = []
        for at in (59, 60, 89, 90):
            await trio.sleep_until(at)
            answers = await esme.submitted(*[submit_sm() for _ in range(50)])
            passed.append(sum(answer.command_status == 0 for answer in answers))
    assert passed == [50, 10, 10, 50]


async def test_overlapping_entries_each_hold_their_time(autojump_clock: MockClock) -> None:
    smsc = smsc_of(
        '[[timeline]]\nat = "10s"\nfor = "20s"\nset = { response.delay = "1s", receipt.when = "always" }\n'
        '[[timeline]]\nat = "20s"\nfor = "20s"\nset = { response.delay = "3s" }'
    )
    async with bound(smsc) as esme:
        for at, delay, receipts in ((5, 0, 0), (15, 1, 1), (25, 3, 2), (35, 3, 2), (45, 0, 2)):
            await trio.sleep_until(at)
            await esme.submitted(submit_sm())
            assert esme.times_of(SubmitSmResp)[-1] == at + delay
            assert smsc.statistics().receipts_sent + smsc.statistics().deliveries_pending == receipts


async def test_the_mix_of_receipts_can_change(autojump_clock: MockClock) -> None:
    smsc = smsc_of('[[timeline]]\nat = "1m"\n[timeline.set.receipt]\nmix = { REJECTD = 1 }\ntlv = []')
    async with bound(smsc) as esme:
        await esme.submitted(submit_sm(registered_delivery=1))
        (before,) = await esme.delivered(1)
        await trio.sleep_until(61)
        await esme.submitted(submit_sm(registered_delivery=1))
        after = (await esme.delivered(2))[1]
    assert [b"stat:DELIVRD" in before.short_message, b"stat:REJECTD" in after.short_message] == [True, True]
    assert before.tlvs
    assert not after.tlvs


async def test_rules_go_on_counting_through_a_change(autojump_clock: MockClock) -> None:
    smsc = smsc_of(
        '[[rule]]\nwhen = { nth = 2 }\nreply = "ESME_RSYSERR"\n'
        '[[timeline]]\nat = "10s"\nfor = "10s"\nset = { "limits.window" = 5 }'
    )
    async with bound(smsc) as esme:
        for at in (5, 15, 25):
            await trio.sleep_until(at)
            await esme.submitted(submit_sm())
    assert [tables.status_name(answer.command_status) for answer in esme.answers] == [
        "ESME_ROK",
        "ESME_RSYSERR",
        "ESME_ROK",
    ]


async def test_a_scenario_given_meanwhile_keeps_what_the_timeline_has_set(autojump_clock: MockClock) -> None:
    text = '{}[[timeline]]\nat = "10s"\nfor = "10s"\nset = {{ response.delay = "2s" }}'
    smsc = smsc_of(text.format(""))
    async with bound(smsc) as esme:
        await trio.sleep_until(12)
        smsc.change(load(PATIENT + text.format('[receipt]\nwhen = "never"\n[response]\ndelay = "1s"\n'), Scenario))
        await esme.submitted(submit_sm(registered_delivery=1))
        assert trio.current_time() == 14
        await trio.sleep_until(30)
        await esme.submitted(submit_sm(registered_delivery=1))
        assert trio.current_time() == 31
    assert smsc.statistics().receipts_sent == 0


async def test_of_a_timeline_given_meanwhile_what_lies_behind_does_nothing(autojump_clock: MockClock) -> None:
    smsc = smsc_of('[[timeline]]\nat = "1h"\ndo = "drop"')
    async with bound(smsc) as esme:
        await trio.sleep_until(30)
        smsc.change(
            load(PATIENT + '[[timeline]]\nat = "10s"\ndo = "drop"\n[[timeline]]\nat = "40s"\ndo = "drop"', Scenario)
        )
        await esme.submitted(submit_sm())
        await esme.closed()
        assert trio.current_time() == 40


def test_a_scenario_may_be_given_before_anything_runs() -> None:
    smsc = Smsc()
    smsc.change(load('[[timeline]]\nat = "0s"\nset = { limits.window = 3 }', Scenario))
    assert smsc.scenario.limits.window is None


# --- links ------------------------------------------------------------------------------------------------------------


async def test_unbind_asks_binds_to_leave_and_lets_them_come_again(autojump_clock: MockClock) -> None:
    smsc = smsc_of('[[timeline]]\nat = "10s"\ndo = "unbind"')
    async with bound(smsc) as esme, linked(smsc) as unbound:
        await esme.closed()
        assert trio.current_time() == 10
        assert UnbindReceived() in esme.events
        assert await unbound.bind() == 0
        assert smsc.statistics().ends == {"sent away": 1}


async def test_drop_cuts_all_links_without_a_word(autojump_clock: MockClock) -> None:
    smsc = smsc_of('[[timeline]]\nat = "10s"\ndo = "drop"')
    async with bound(smsc) as esme, linked(smsc) as unbound:
        await esme.closed()
        await unbound.closed()
        assert trio.current_time() == 10
        assert UnbindReceived() not in esme.events
        async with bound(smsc) as again:
            await again.submitted(submit_sm())
    assert smsc.statistics().ends["dropped"] == 2


OUTAGE = '[[timeline]]\nname = "maintenance"\nat = "10s"\nfor = "20s"\ndo = "outage"\nmode = "{}"'


async def test_an_outage_sends_binds_away_and_refuses_new_ones_until_it_ends(autojump_clock: MockClock) -> None:
    smsc = smsc_of(OUTAGE.format("unbind-then-refuse"))
    async with bound(smsc) as esme:
        await esme.closed()
        assert trio.current_time() == 10
        assert UnbindReceived() in esme.events
        async with linked(smsc) as early:
            assert tables.status_name(await early.bind()) == "ESME_RBINDFAIL"
            await trio.sleep_until(29.9)
            early.pdus.clear()
            assert tables.status_name(await early.bind()) == "ESME_RBINDFAIL"
            await trio.sleep_until(30)
            early.pdus.clear()
            assert await early.bind() == 0


async def test_an_outage_that_only_refuses_leaves_those_who_are_bound(autojump_clock: MockClock) -> None:
    smsc = smsc_of(OUTAGE.format("refuse-bind"))
    async with bound(smsc) as esme:
        await trio.sleep_until(15)
        await esme.submitted(submit_sm())
        async with linked(smsc) as early:
            assert tables.status_name(await early.bind()) == "ESME_RBINDFAIL"
        await trio.sleep_until(31)
        async with bound(smsc):
            assert smsc.statistics().binds == 2


async def test_an_outage_that_drops_lets_no_link_come_up(autojump_clock: MockClock) -> None:
    smsc = smsc_of(OUTAGE.format("drop"))
    async with bound(smsc) as esme:
        await esme.closed()
        assert trio.current_time() == 10
        for _ in range(3):
            async with linked(smsc) as early:
                await early.closed()
        await trio.sleep_until(30)
        async with bound(smsc):
            pass
    assert smsc.statistics().ends == {"outage": 4, "the peer closed the link": 1}
    assert smsc._director.links == {}


async def test_in_a_black_hole_nothing_moves_on_old_links_and_new_ones(autojump_clock: MockClock) -> None:
    smsc = smsc_of(OUTAGE.format("blackhole"))
    async with bound(smsc) as esme:
        await trio.sleep_until(15)
        await esme.submit(submit_sm())
        async with bound(smsc) as other:
            assert other.times_of(BindTransceiverResp) == [30]
            await other.stream.send_all(other.session.request(Unbind(), trio.current_time()))
            await other.closed()
            assert Unbound() in other.events
        await esme.read_until(lambda: esme.answers)
        assert esme.times_of(SubmitSmResp)[0] == 30
        assert smsc.statistics().accepted == 1


async def test_of_two_outages_the_longer_one_lasts(autojump_clock: MockClock) -> None:
    again = OUTAGE.replace("10s", "20s").replace("maintenance", "more")
    smsc = smsc_of(OUTAGE.format("refuse-bind") + "\n" + again.format("unbind-then-refuse"))
    async with linked(smsc) as esme:
        for at, status in ((15, "ESME_RBINDFAIL"), (35, "ESME_RBINDFAIL"), (40, "ESME_ROK")):
            await trio.sleep_until(at)
            esme.pdus.clear()
            assert tables.status_name(await esme.bind()) == status


async def test_time_counts_from_the_start_and_not_from_the_first_link(mock_clock: MockClock) -> None:
    scenario = load('[listen]\nsmpp = "127.0.0.1:0"\n[[timeline]]\nat = "1m"\nfor = "1m"\ndo = "outage"', Scenario)
    async with trio.open_nursery() as nursery:
        smsc = await nursery.start(Smsc(scenario).run)
        for jump, status in ((90, "ESME_RBINDFAIL"), (60, "ESME_ROK")):
            mock_clock.jump(jump)
            async with linked(smsc) as esme:
                assert tables.status_name(await esme.bind()) == status
        nursery.cancel_scope.cancel()


# --- the file ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ('"limits.rte.per_second" = 10', "limits.rte: is not known here, did you mean"),
        ('"limits.rate.per_second" = 0', "timeline[0].set.limits.rate.per_second: must be more than 0, not 0"),
        ('"limits.window" = "ten"', "timeline[0].set.limits.window: must be a whole number"),
        ('"queue.drain.per_second" = 5', "queue.capacity: is missing"),
        ('"response.delay.dist" = "uniform", "response.delay.min" = "2s"', "must not be longer than max"),
        ('"seed" = 7', "timeline[0].set.seed: cannot change while the simulator runs"),
        ('"listen.smpp" = "127.0.0.1:1"', "timeline[0].set.listen.smpp: cannot change while the simulator runs"),
        ('"wire.chunk" = 1', "wire: must be an array"),
        ('"limits.over_rate" = "ESME_RTHROTLED"', 'is no command_status, did you mean "ESME_RTHROTTLED"?'),
    ],
)  # fmt: skip
def test_what_cannot_be_set_is_told_with_its_line_when_the_file_is_read(value: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(f'name = "x"\n\n[[timeline]]\nat = "1s"\nset = {{ {value} }}\n', Scenario, source="x.toml")
    (text,) = caught.value.problems
    assert text.startswith("x.toml:5: timeline[0].set")
    assert problem in text


def test_entries_that_do_not_go_together_are_told() -> None:
    queue = '[[timeline]]\nname = "{}"\nat = "{}"\nfor = "10s"\nset = {{ {} }}\n'
    low = queue.format("low", "1s", '"response.delay" = "1s"')
    uniform = '"response.delay.dist" = "uniform"'
    table = queue.format("table", "5s", f'{uniform}, "response.delay.min" = "10s", "response.delay.max" = "20s"')
    shorter = queue.format("shorter", "8s", f'{uniform}, "response.delay.max" = "9s"')
    with pytest.raises(ConfigError) as caught:
        load(low + table + shorter, Scenario)
    assert [text.split(": ", 1)[1] for text in caught.value.problems] == [
        "timeline[2].set: together with low, table: response.delay.min: must not be longer than max",
        "timeline[2].set: together with table: response.delay.min: must not be longer than max",
    ]


def test_a_timeline_is_judged_though_the_rest_of_the_file_is_in_order_or_not() -> None:
    with pytest.raises(ConfigError) as caught:
        load('[[timeline]]\nat = "1s"\nset = { "limits.window" = 0 }\n[[account]]\nsystem_id = 1\n', Scenario)
    assert any("account[0].system_id" in text for text in caught.value.problems)


# --- links that are open already --------------------------------------------------------------------------------------


async def test_ids_are_spelled_otherwise_on_open_links_too(autojump_clock: MockClock) -> None:
    smsc = smsc_of(
        "[response.message_id]\nstart = 171\nwidth = 0\n"
        '[[timeline]]\nat = "10s"\nfor = "10s"\n'
        'set = { "response.message_id.form" = "hex", "response.message_id.prefix" = "x" }'
    )
    async with bound(smsc) as esme:
        said = []
        for at in (5, 15, 25):
            await trio.sleep_until(at)
            [answer] = await esme.submitted(submit_sm(registered_delivery=1))
            receipt = (await esme.delivered(len(said) + 1))[-1]
            assert receipt.short_message.startswith(f"id:{answer.message_id} ".encode())
            said.append(answer.message_id)
    assert said == ["171", "xac", "173"]


async def test_a_carrier_becomes_deaf_to_enquire_link_on_open_links_too(autojump_clock: MockClock) -> None:
    deaf = '[[rule]]\nname = "deaf"\nwhen = { command = "enquire_link" }\nfault = { kind = "no-response" }\n'
    smsc = smsc_of("")
    async with bound(smsc) as esme:
        heard = []
        for rules in (deaf, ""):
            smsc.change(load(PATIENT + rules, Scenario))
            await esme.stream.send_all(encode(EnquireLink(sequence_number=500)))
            with trio.move_on_after(5):
                await esme.read()
            heard.append(len(esme.reads))
    assert heard == [1, 2]  # the answer to the bind was the first
    assert smsc.statistics().faults == {"deaf": 1}


# --- messages from subscribers ----------------------------------------------------------------------------------------

STOPS = '[[mo]]\nfrom = "4477{{n}}"\nto = "60777"\ntext = "{}"\nrate = {{ per_minute = {} }}\n'


async def mo(smsc: Smsc, esme: Esme, until: float) -> list[tuple[float, str, str]]:
    """Return when which message from whom has come by this time."""
    with trio.move_on_at(until):
        await esme.delivered(10_000)
    found = [(at, pdu.short_message.decode(), pdu.source_addr) for at, pdu in esme.pdus if isinstance(pdu, DeliverSm)]
    esme.pdus.clear()
    return found


async def test_subscribers_write_at_another_rate_as_soon_as_it_is_given(autojump_clock: MockClock) -> None:
    smsc = smsc_of(STOPS.format("STOP", 1))
    async with bound(smsc) as esme:
        assert await mo(smsc, esme, 65) == [(60, "STOP", "44771")]
        smsc.change(load(PATIENT + STOPS.format("STOP", 6), Scenario))
        assert await mo(smsc, esme, 90) == [(75, "STOP", "44772"), (85, "STOP", "44773")]
        smsc.change(load(PATIENT, Scenario))
        assert await mo(smsc, esme, 600) == []


async def test_who_else_writes_begins_and_who_stays_goes_on(autojump_clock: MockClock) -> None:
    smsc = smsc_of(STOPS.format("STOP", 1))
    once = '[[mo]]\nfrom = "1"\nto = "2"\ntext = "{}"\nat = "{}"\n'
    async with bound(smsc) as esme:
        assert await mo(smsc, esme, 30) == []
        text = PATIENT + once.format("past", "10s") + once.format("soon", "40s") + STOPS.format("START", 2)
        smsc.change(load(text + STOPS.format("STOP", 1), Scenario))
        came = await mo(smsc, esme, 65)
    assert came == [(40, "soon", "1"), (60, "START", "44771"), (60, "STOP", "44771")]


@pytest.mark.parametrize("named", ["", 'account = "rx"\n'])
async def test_subscribers_write_to_the_first_account_that_may_receive(named: str, autojump_clock: MockClock) -> None:
    account = '[[account]]\nsystem_id = "{}"\npassword = "secret"\nbind_types = ["{}"]\n'
    accounts = account.format("tx", "transmitter") + account.format("rx", "receiver")
    smsc = smsc_of(accounts + STOPS.format("STOP", 60) + named)
    async with linked(smsc) as sender, linked(smsc) as receiver:
        assert [await sender.bind("transmitter", "tx"), await receiver.bind("receiver", "rx")] == [0, 0]
        smsc.deliver("4477", "60777", "by hand")
        assert [text for _, text, _ in await mo(smsc, receiver, 2.5)] == ["by hand", "STOP", "STOP"]
