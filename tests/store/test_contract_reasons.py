"""What every engine owes: why a message stands where it stands, and the answers that come after all patience."""

from typing import Any

import pytest

from connector.lifecycle import Event, Status
from connector.model import MessageView, Moved
from tests.store.world import World, acknowledged, answered, claim, lost, message, part, receipt

ABSENT: dict[str, Any] = {
    "event": Event.UNDELIVERED,
    "detail": "UNDELIV 027",
    "reason": "absent_subscriber",
    "temporary": True,
}


def why(view: MessageView) -> tuple[str | None, bool | None, float | None]:
    return view.reason, view.temporary, view.done_at


def test_a_message_that_failed_says_why_and_whether_it_may_pass_later(world: World) -> None:
    world.sent(5, "77")
    world.sent(6, "78")
    world.results(
        receipt("77", **ABSENT, done_at=1_015.0),
        receipt("78", event=Event.REJECTED, detail="REJECTD 011", reason="barred", temporary=False),
    )
    assert why(world.view(5)) == ("absent_subscriber", True, 1_015.0)
    assert world.view(5).timeline[-1].detail == "UNDELIV 027: absent_subscriber, temporary"
    assert why(world.view(6)) == ("barred", False, None)
    assert world.view(6).timeline[-1].detail == "REJECTD 011: barred, permanent"


def test_a_receipt_that_gives_no_reason_leaves_only_its_words(world: World) -> None:
    world.sent(5, "77")
    world.results(receipt("77", event=Event.UNDELIVERED, detail="UNDELIV 4A6"))
    assert why(world.view(5)) == (None, None, None)
    assert world.view(5).timeline[-1].detail == "UNDELIV 4A6"


def test_what_was_delivered_needs_no_reason(world: World) -> None:
    world.sent(5, "77")
    world.results(receipt("77", reason="absent_subscriber", temporary=True, done_at=1_015.0))
    assert (world.status(5), why(world.view(5))) == (Status.DELIVERED, (None, None, 1_015.0))


@pytest.mark.parametrize("temporary", [True, False, None])
@pytest.mark.parametrize("crash", [False, True])
def test_a_receipt_that_was_parked_says_the_same_as_one_that_was_not(
    world: World, crash: bool, temporary: bool | None
) -> None:
    said = receipt("77", **{**ABSENT, "temporary": temporary}, done_at=1_015.5)
    world.sending(message(5))
    world.results(said)
    if crash:
        world.restart()
        world.recover()
    world.results(acknowledged(part(5), "77"))
    at_once = receipt("78", **{**ABSENT, "temporary": temporary}, done_at=1_015.5)
    world.sent(6, "78")
    world.results(at_once)
    parked, prompt = world.view(5), world.view(6)
    assert why(parked) == why(prompt) == ("absent_subscriber", temporary, 1_015.5)
    assert (parked.status, parked.timeline[-1].detail) == (prompt.status, prompt.timeline[-1].detail)


def test_a_message_of_several_parts_gives_the_reason_of_the_part_that_failed(world: World) -> None:
    world.sending(message(5, parts=2))
    world.results(acknowledged(part(5, 1), "51"), acknowledged(part(5, 2), "52"))
    world.results(receipt("51", **ABSENT), receipt("52", at=1_030.0))
    view = world.view(5)
    assert (view.status, view.reason, view.temporary) == (Status.FAILED, "absent_subscriber", True)
    assert view.finished_at == 1_030.0


def test_a_contradicting_reason_is_only_noted(world: World) -> None:
    world.sent(5, "77")
    world.results(receipt("77", done_at=1_015.0), receipt("77", **ABSENT, done_at=1_016.0))
    assert (world.status(5), why(world.view(5))) == (Status.DELIVERED, (None, None, 1_015.0))
    assert world.view(5).timeline[-1].detail == "UNDELIV 027: absent_subscriber, temporary"


# --- answers after the patience -----------------------------------------------------------------------------------


def unknown(world: World, number: int = 5) -> int:
    """Bring a message to `unknown` whose answer never came."""
    world.sending(message(number))
    world.results(lost(part(number)))
    world.change(Event.SILENCE, part(number), reason="no_final_word")
    assert world.status(number) is Status.UNKNOWN
    return part(number)


@pytest.mark.parametrize("crash", [False, True])
def test_a_late_answer_in_doubt_is_an_answer_and_its_receipt_finds_the_part(world: World, crash: bool) -> None:
    world.sending(message(5))
    world.results(lost(part(5)))
    assert world.status(5) is Status.IN_DOUBT
    assert world.results(acknowledged(part(5), "77", at=1_080.0)) == [Moved(part(5), Status.SENT)]
    assert (world.view(5).sent_at, world.view(5).reason) == (1_080.0, None)
    if crash:
        world.restart()
    assert world.results(receipt("77")) == [Moved(part(5), Status.DELIVERED)]


@pytest.mark.parametrize("crash", [False, True])
def test_an_answer_after_the_patience_gives_the_id_by_which_its_receipt_is_found(world: World, crash: bool) -> None:
    late = unknown(world)
    before = world.last_event()
    assert world.results(acknowledged(late, "77", at=1_080.0)) == []
    view = world.view(5)
    assert (view.status, view.reason, view.carrier_message_id) == (Status.UNKNOWN, "no_final_word", "77")
    assert (view.sent_at, world.history(5)[-1], world.last_event()) == (1_080.0, "acknowledged", before)
    assert world.engine.due(9, now=9_999.0) == []
    if crash:
        world.restart()
    assert world.results(receipt("77", **ABSENT)) == [Moved(late, Status.FAILED)]
    assert world.view(5).reason == "absent_subscriber"


def test_a_receipt_parked_for_an_answer_after_the_patience_is_joined(world: World) -> None:
    late = unknown(world)
    assert world.results(receipt("77")) == []
    assert world.results(acknowledged(late, "77")) == [Moved(late, Status.DELIVERED)]
    assert world.engine.ledger().parked == 0


def test_an_id_that_is_known_is_not_changed_by_a_second_answer_after_the_patience(world: World) -> None:
    world.sent(5, "77")
    world.change(Event.SILENCE, part(5), reason="no_final_word")
    assert world.results(acknowledged(part(5), "78")) == []
    assert world.view(5).carrier_message_id == "77"
    assert world.results(receipt("78")) == [Moved(part(5), Status.DELIVERED)], "the carrier has both"
    assert world.results(receipt("77")) == []
    assert world.engine.ledger().parked == 0


@pytest.mark.parametrize("event", [Event.DEFERRED, Event.REFUSED, Event.EXHAUSTED])
def test_a_refusal_after_the_patience_is_only_noted(world: World, event: Event) -> None:
    late = unknown(world)
    assert world.results(answered(late, event)) == []
    assert (world.status(5), world.history(5)[-1]) == (Status.UNKNOWN, str(event))


def test_an_answer_for_an_old_attempt_gives_its_id_to_receipts_alone(world: World) -> None:
    world.sending(message(5))
    world.results(answered(part(5), Event.DEFERRED))
    world.claim(claim(part(5), attempt=2))
    world.results(lost(part(5), attempt=2))
    world.change(Event.SILENCE, part(5), reason="no_final_word")
    world.results(acknowledged(part(5), "old", attempt=1))
    assert world.view(5).carrier_message_id is None
    assert world.results(receipt("old")) == [Moved(part(5), Status.DELIVERED)]
