"""Receipts whose answers were lost, that say less than they should, or come to nothing: at the carrier's side."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from connector.config import DialectConfig
from connector.lifecycle import Status
from connector.model import Reason
from simulator import Scenario
from simulator.scenario import Delay, Duplicate, IdForm, MessageId, ReceiptRules, Response
from tests.pipeline.books import counts_hold, events
from tests.pipeline.test_world import lane
from tests.pipeline.world import World, carrier_config, config, world

TIMER_S, RECEIPT_S, PATIENCE_S = 10.0, 60.0, 300.0
LONG = "a text of several parts, as long as it takes " * 8


@asynccontextmanager
async def carrier(dialect: DialectConfig, receipts: ReceiptRules, *, answers: bool = True) -> AsyncIterator[World]:
    """A world of one carrier, whose lane holds what is in doubt; its counts are checked at the end."""
    north = carrier_config("north", bind={"response_timeout_s": TIMER_S}, dialect=dialect)
    async with world(config(north, lane=lane("promotional", patience_s=PATIENCE_S))) as it:
        it.play(Scenario(response=Response(delay=Delay(never=not answers)), receipt=receipts))
        await it.start()
        await it.bound()
        yield it
        await counts_hold(it)


def dialect(settled_by: Any, **changes: Any) -> DialectConfig:
    return DialectConfig(doubt_settled_by=settled_by, **changes)


def after(seconds: float, **changes: Any) -> ReceiptRules:
    return ReceiptRules(delay=Delay(value_s=seconds), **changes)


ECHOED = ("receipted_message_id", "message_state", "user_message_reference")


# --- answers that were lost -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("settled_by", "tlv"), [("text", ()), ("reference", ECHOED)])
@pytest.mark.parametrize("delay_s", [RECEIPT_S, 2.0], ids=["after the doubt", "before it"])
async def test_a_receipt_settles_the_doubt_about_the_message_it_tells(
    settled_by: str, tlv: tuple[str, ...], delay_s: float, autojump_clock: MockClock
) -> None:
    async with carrier(dialect(settled_by), after(delay_s, tlv=tlv), answers=False) as it:
        [message] = await it.send(text="your code is 1234")
        await it.counted(Status.DELIVERED, 1)
        found = events(await it.message(message))
        assert sorted(found) == ["accepted", "acknowledged", "claimed", "delivered", "lost"], "each at its own time"
        assert (await it.connector.queries.ledger()).parked == 0


@pytest.mark.parametrize("settled_by", ["id", "text", "reference"])
async def test_without_what_the_dialect_allows_a_receipt_tells_nothing_and_is_kept(
    settled_by: str, autojump_clock: MockClock
) -> None:
    """Of two messages with one text to one number it tells neither; an echo that does not come tells nothing."""
    async with carrier(dialect(settled_by), after(RECEIPT_S), answers=False) as it:
        await it.send(text="the same")
        await it.send(text="the same")
        await it.counted(Status.UNKNOWN, 2)
        assert (await it.connector.queries.ledger()).parked == 2


async def test_an_echo_tells_two_messages_apart_that_are_alike_and_the_parts_of_a_long_one(
    autojump_clock: MockClock,
) -> None:
    async with carrier(dialect("reference"), after(RECEIPT_S, tlv=ECHOED), answers=False) as it:
        await it.send(text="the same")
        await it.send(text="the same")
        await it.send(text=LONG)
        await it.counted(Status.DELIVERED, 3)


async def test_a_word_on_the_way_settles_the_doubt_and_the_last_one_ends_it(autojump_clock: MockClock) -> None:
    receipts = after(RECEIPT_S, intermediate={"ENROUTE": 1.0})
    async with carrier(dialect("text", registered_delivery=17), receipts, answers=False) as it:
        [message] = await it.send()
        await it.counted(Status.SENT, 1, within_s=RECEIPT_S - 1)
        await it.counted(Status.DELIVERED, 1)
        found = events(await it.message(message))
        assert found == ["accepted", "claimed", "lost", "acknowledged", "receipt", "delivered"]


@pytest.mark.parametrize("reloaded_s", [None, 40.0, 600.0])
async def test_what_only_a_word_on_the_way_has_told_of_has_its_lanes_patience(
    reloaded_s: float | None, autojump_clock: MockClock
) -> None:
    """The carrier says nothing more; a reload before that word has the lane wait for ``reloaded_s``."""
    receipts = after(RECEIPT_S, intermediate={"ENROUTE": 1.0})
    async with carrier(dialect("text", registered_delivery=16), receipts, answers=False) as it:
        if reloaded_s is not None:
            lanes = lane("promotional", patience_s=reloaded_s)
            await it.reload(attrs.evolve(it.config, lane={**it.config.lane, **lanes}))
        [message] = await it.send()
        await it.counted(Status.SENT, 1)
        await it.counted(Status.UNKNOWN, 1, within_s=4 * PATIENCE_S)
        [word] = [entry for entry in (await it.message(message)).timeline if entry.event == "receipt"]
        [end] = [entry for entry in (await it.message(message)).timeline if entry.event == "silence"]
        assert 0 <= end.at - word.at - (reloaded_s or PATIENCE_S) < 15


# --- words that are not the last ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "success", "end"),
    [
        ("ENROUTE", False, (Status.UNKNOWN, Reason.NO_FINAL_WORD)),
        ("ENROUTE", True, (Status.UNKNOWN, Reason.NO_FINAL_WORD)),
        ("ACCEPTD", False, (Status.UNKNOWN, Reason.NO_FINAL_WORD)),
        ("ACCEPTD", True, (Status.DELIVERED, Reason.ACCEPTED_ONLY)),
    ],
)
async def test_what_a_message_comes_to_whose_last_word_is_none(
    word: str, success: bool, end: tuple[Status, Reason], autojump_clock: MockClock
) -> None:
    habits = DialectConfig(accepted_is_success=success, registered_delivery=17)
    async with carrier(habits, after(PATIENCE_S + 100, intermediate={word: 1.0})) as it:
        [message] = await it.send()
        await it.counted(Status.SENT, 1)
        await trio.sleep(PATIENCE_S - 10)
        assert await it.statuses([message]) == {Status.SENT: 1}, "not before the patience ends"
        await it.counted(end[0], 1)
        view = await it.message(message)
        assert (view.status, view.reason) == end
        assert "receipt" in events(view)


async def test_a_last_word_that_comes_after_the_patience_still_counts(autojump_clock: MockClock) -> None:
    async with carrier(DialectConfig(), after(PATIENCE_S + 100)) as it:
        await it.send()
        await it.counted(Status.UNKNOWN, 1)
        await it.counted(Status.DELIVERED, 1)


async def test_a_failure_after_acceptd_is_a_failure(autojump_clock: MockClock) -> None:
    habits = DialectConfig(accepted_is_success=True, registered_delivery=17)
    async with carrier(habits, after(RECEIPT_S, intermediate={"ACCEPTD": 1.0}, mix={"UNDELIV": 1.0})) as it:
        await it.send()
        await it.counted(Status.FAILED, 1)


# --- a storm --------------------------------------------------------------------------------------------------------


async def test_receipts_of_four_binds_in_every_disorder_are_each_on_their_message(autojump_clock: MockClock) -> None:
    """Before the answer and long after it, twice, on any bind, in another base than the answer's; and a restart."""
    north = carrier_config(
        "north",
        bind={"count": 4, "window_size": 50},
        dialect=DialectConfig(id_in_response="hex", id_in_receipt="decimal", registered_delivery=17),
    )
    receipts = ReceiptRules(
        delay=Delay(dist="uniform", min_s=0.0, max_s=120.0),
        mix={"DELIVRD": 0.8, "UNDELIV": 0.2},
        intermediate={"ENROUTE": 0.5},
        id=IdForm(form="decimal"),
        tlv=(),
        early=0.3,
        duplicate=Duplicate(rate=0.3, gap_s=5.0),
    )
    response = Response(delay=Delay(dist="uniform", min_s=0.0, max_s=0.5), message_id=MessageId(form="hex"))
    async with world(config(north)) as it:
        it.play(Scenario(response=response, receipt=receipts))
        await it.start()
        await it.bound()
        sent = [message for start in range(0, 2_000, 500) for message in await it.send(500, first=start)]
        await it.until(lambda: len(it.arrivals()) == 2_000)
        await trio.sleep(30)
        await it.kill()
        await it.start()
        await it.bound()
        await trio.sleep(200)
        views = {view.to.removeprefix("+"): view for view in [await it.message(message) for message in sent]}
        ends = {"DELIVRD": Status.DELIVERED, "UNDELIV": Status.FAILED}
        assert {entry.destination_addr: ends[entry.state] for entry in it.smsc["north"].ledger} == {
            to: view.status for to, view in views.items()
        }
        assert (await it.connector.queries.ledger()).parked == 0
        await counts_hold(it)
