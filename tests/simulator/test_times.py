"""The times that a message brings: read, refused, heeded."""

from typing import Any

import pytest
import trio
from esme import bound, submit_sm
from trio.testing import MockClock

from connector.settings import load
from connector.smpp import tables
from connector.smpp.pdu import DataSm, DeliverSm, QuerySm, QuerySmResp
from connector.smpp.tlv import tlv
from simulator import Smsc
from simulator.scenario import Scenario
from simulator.times import Times, has_times, moment_of, times_of

NOW = 1_700_000_000.0
"""2023-11-14 22:13:20 UTC."""
MINUTE, HOUR = "000000000100000R", "000000010000000R"


def smsc_of(text: str) -> Smsc:
    return Smsc(load(text, Scenario), clock=lambda: NOW + trio.current_time())


@pytest.mark.parametrize(
    ("text", "after_s"),
    [
        ("000000000005000R", 5),
        (MINUTE, 60),
        ("000001020304000R", 86_400 + 2 * 3_600 + 3 * 60 + 4),
        ("000100000000000R", 30 * 86_400),
        ("010000000000000R", 360 * 86_400),
        ("231114221320000+", 0),
        ("231114221320500+", 0.5),
        ("231114231320004+", 0),  # an hour ahead of UTC
        ("231114211320004-", 0),
        ("231114221320004-", 3_600),
    ],
)
def test_a_time_is_from_now_or_of_the_day(text: str, after_s: float) -> None:
    assert moment_of(text, NOW) - NOW == pytest.approx(after_s, abs=1e-6)


def test_a_year_from_38_on_is_of_the_last_century() -> None:
    assert moment_of("380101000000000+", NOW) < 0 < moment_of("370101000000000+", NOW)


@pytest.mark.parametrize(
    "text",
    ["", "tomorrow", "00000000010000R", "000000000100000X", "231314000000000+", "231114221320049+", "²" * 15 + "R"],
)
def test_what_is_no_time_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"no time|distance|month"):
        moment_of(text, NOW)


def test_a_lifetime_overrides_the_validity() -> None:
    pdu = submit_sm(validity_period=HOUR, schedule_delivery_time=MINUTE, tlvs=(tlv("qos_time_to_live", 7),))
    assert times_of(pdu, NOW) == Times(60.0, 7.0)
    assert times_of(DataSm(tlvs=(tlv("qos_time_to_live", 7),)), NOW) == Times(0.0, 7.0)
    assert times_of(submit_sm(validity_period="231114221319000+"), NOW) == Times(0.0, 0.0)
    assert not has_times(submit_sm())
    assert not has_times(DataSm())


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"validity_period": "000000000100000X"}, "ESME_RINVEXPIRY"),
        ({"schedule_delivery_time": "991399000000000+"}, "ESME_RINVSCHED"),
        ({"validity_period": MINUTE}, "ESME_ROK"),
    ],
)
async def test_a_time_that_is_none_is_refused(fields: Any, status: str, autojump_clock: MockClock) -> None:
    async with bound(smsc_of("")) as esme:
        [answer] = await esme.submitted(submit_sm(**fields))
    assert tables.status_name(answer.command_status) == status
    async with bound(smsc_of("[receipt]\nheed_times = false")) as esme:
        [answer] = await esme.submitted(submit_sm(**fields))
    assert answer.command_status == 0


async def told(text: str, **fields: Any) -> list[str]:
    """Return when the receipts of one message came, and what they say."""
    smsc = smsc_of(text)
    async with bound(smsc) as esme:
        await esme.submit(submit_sm(registered_delivery=fields.pop("asks", 1), **fields))
        with trio.move_on_after(7_200):
            await esme.delivered(1_000)
        [entry] = smsc.ledger
        receipts = [(at, pdu.short_message.decode()) for at, pdu in esme.pdus if isinstance(pdu, DeliverSm)]
    assert receipts[-1][1].split("stat:")[1].startswith(entry.state)
    return [f"{at:g} {said.split('stat:')[1][:7]}" for at, said in receipts]


BOTH = 0x11
AT_ITS_END = ["60 ENROUTE", "60 EXPIRED"]
LATER = '[receipt]\ndelay = "10m"\n'


@pytest.mark.parametrize(
    ("text", "fields", "words"),
    [
        (LATER, {}, ["600 DELIVRD"]),
        (LATER, {"validity_period": MINUTE}, ["60 EXPIRED"]),
        (LATER, {"validity_period": HOUR}, ["600 DELIVRD"]),
        (LATER + "heed_times = false", {"validity_period": MINUTE}, ["600 DELIVRD"]),
        (LATER + "mix = { REJECTD = 1 }", {"validity_period": MINUTE}, ["60 EXPIRED"]),
        (LATER, {"validity_period": MINUTE, "asks": BOTH}, ["30 ENROUTE", "60 EXPIRED"]),
        (LATER, {"validity_period": "231114221000000+"}, ["0 EXPIRED"]),
        (LATER, {"schedule_delivery_time": HOUR}, ["4200 DELIVRD"]),
        (LATER, {"schedule_delivery_time": HOUR, "validity_period": MINUTE}, ["60 EXPIRED"]),
        (LATER, {"schedule_delivery_time": HOUR, "validity_period": MINUTE, "asks": BOTH}, AT_ITS_END),
        (LATER + '[response]\ndelay = "2m"', {"validity_period": MINUTE}, ["120 EXPIRED"]),
        (LATER + "early = 1.0", {"validity_period": MINUTE}, ["0 DELIVRD"]),
        (LATER + "[[rule]]\nreceipt = 'UNDELIV'", {"validity_period": MINUTE}, ["600 UNDELIV"]),
        ("[[rule]]\nreceipt = { delay = '5m' }", {"validity_period": MINUTE}, ["60 EXPIRED"]),
    ],
)  # fmt: skip
async def test_a_message_ends_with_its_validity_and_waits_for_its_schedule(
    text: str, fields: Any, words: list[str], autojump_clock: MockClock
) -> None:
    assert await told('[carrier]\ninactivity = "3h"\n' + text, **fields) == words


async def test_a_query_tells_the_end_that_the_validity_brings(autojump_clock: MockClock) -> None:
    async with bound(smsc_of('[receipt]\ndelay = "10m"')) as esme:
        [answer] = await esme.submitted(submit_sm(validity_period=MINUTE))
        for at, state, date in ((59, 1, ""), (61, 3, "231114221420000+")):
            await trio.sleep_until(at)
            await esme.submitted(QuerySm(message_id=answer.message_id, source_addr="60777"))
            last = esme.received(QuerySmResp)[-1]
            assert (last.message_state, last.final_date) == (state, date)
