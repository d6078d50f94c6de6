"""What every engine owes: a receipt for a message whose number was erased finds it, and brings back no number."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.lifecycle import Event, Status
from connector.model import Clue, MessageQuery, Moved, Traces, user_message_reference
from connector.store.privacy import key_path
from connector.store.sqlite import SqliteEngine
from tests.store.world import NUMBER, OTHER_NUMBER, World, acknowledged, answered, lost, message, part, receipt

NATIONAL = NUMBER[2:]


def erase(world: World, number: str = NUMBER) -> None:
    found: Traces = world.engine.traces(number)
    world.transaction(lambda: world.engine.erase(number, found))
    assert world.view(5).to.startswith("#") is (number == NUMBER)


def unknown(world: World, key: str = "77", **changes: str) -> None:
    """A message of which no last word came, erased."""
    world.sent(5, key, **changes)
    world.change(Event.SILENCE, part(5), reason="no_final_word")
    assert world.status(5) is Status.UNKNOWN
    erase(world)


def holds_no_number(world: World) -> bool:
    assert world.engine.scrub()
    return not world.engine.remains(NUMBER) and world.engine.traces(NUMBER).receipts == ()


@pytest.mark.parametrize("crash", [False, True])
@pytest.mark.parametrize(
    "named", [NUMBER, NATIONAL, f"0{NATIONAL}", f"60300999 {NUMBER}", f"{NUMBER} 447700900999", ""]
)
def test_a_late_receipt_corrects_a_message_whose_number_was_erased(world: World, named: str, crash: bool) -> None:
    unknown(world)
    if crash:
        world.restart()
    assert world.results(receipt("77", number=named)) == [Moved(part(5), Status.DELIVERED)]
    assert world.engine.ledger().parked == 0
    assert holds_no_number(world)


@pytest.mark.parametrize("event", [Event.UNDELIVERED, Event.EXPIRED, Event.REJECTED])
def test_it_corrects_it_to_any_end(world: World, event: Event) -> None:
    unknown(world)
    [moved] = world.results(receipt("77", event=event))
    assert moved.status is not Status.UNKNOWN


@pytest.mark.parametrize("named", [OTHER_NUMBER, OTHER_NUMBER[2:], f"1{NUMBER}"])
def test_a_receipt_that_names_somebody_else_is_parked(world: World, named: str) -> None:
    unknown(world)
    assert world.results(receipt("77", number=named)) == []
    assert [parked.why for parked in world.engine.parked(0, 9)] == ["other_number"]
    assert world.status(5) is Status.UNKNOWN


def test_the_same_word_again_is_parked_no_more_than_before_the_erasure(world: World) -> None:
    world.sent(5, "77")
    world.results(receipt("77"))
    erase(world)
    before = world.view(5)
    assert world.results(receipt("77")) == []
    assert (world.view(5), world.engine.ledger().parked) == (before, 0)
    assert world.results(receipt("77", event=Event.EXPIRED)) == []
    assert (world.status(5), world.history(5)[-1], world.engine.ledger().parked) == (Status.DELIVERED, "expired", 0)


def test_of_a_reused_id_the_erased_message_is_told_by_its_number(world: World) -> None:
    unknown(world)
    world.sent(6, "77", to=OTHER_NUMBER)
    assert world.results(receipt("77")) == [Moved(part(5), Status.DELIVERED)]
    assert world.results(receipt("77", number=OTHER_NUMBER)) == [Moved(part(6), Status.DELIVERED)]


def test_of_an_id_in_another_form_too(world: World) -> None:
    unknown(world, "4d")
    assert world.results(receipt("77")) == [Moved(part(5), Status.DELIVERED)]


def test_what_a_carrier_says_of_it_later_is_kept_without_the_number(world: World) -> None:
    unknown(world)
    said = f"UNDELIV {NUMBER} 0{NATIONAL}"
    assert world.results(receipt("77", event=Event.UNDELIVERED, detail=said)) == [Moved(part(5), Status.FAILED)]
    assert world.view(5).timeline[-1].detail == "UNDELIV # 07#"
    assert holds_no_number(world)


def test_an_id_that_held_the_number_is_known_without_it(world: World) -> None:
    unknown(world, f"{NUMBER}-77")
    assert world.view(5).carrier_message_id == "#-77"
    assert world.results(receipt(f"{NUMBER}-78")) == []
    assert world.results(receipt(f"{NUMBER}-77")) == [Moved(part(5), Status.DELIVERED)]
    assert world.view(5).carrier_message_id == "#-77"


@pytest.mark.parametrize("key", ["88", f"{NUMBER}-88"])
def test_an_echoed_reference_tells_a_message_whose_answer_was_lost_and_whose_number_was_erased(
    world: World, key: str
) -> None:
    world.sending(message(5))
    world.results(lost(part(5)))
    world.change(Event.SILENCE, part(5), reason="no_final_word")
    erase(world)
    told = Clue("Shop", reference=user_message_reference(part(5)))
    stranger = Clue("Shop", reference=user_message_reference(part(6)))
    assert world.results(receipt("99", clue=stranger)) == []
    assert world.results(receipt(key, clue=told))[-1] == Moved(part(5), Status.DELIVERED)
    assert world.engine.ledger().parked == 1
    assert world.view(5).carrier_message_id == key.replace(NUMBER, "#")
    assert NUMBER not in repr(world.view(5))


def test_a_late_answer_for_an_erased_message_brings_its_parked_receipt(world: World) -> None:
    world.sending(message(5))
    world.results(lost(part(5)))
    world.change(Event.SILENCE, part(5), reason="no_final_word")
    erase(world)
    assert world.results(receipt("77")) == []
    assert world.results(acknowledged(part(5), "77")) == [Moved(part(5), Status.DELIVERED)]
    assert world.engine.ledger().parked == 0


def lost_and_erased(world: World) -> None:
    """A message of which no answer came, erased."""
    world.sending(message(5))
    world.results(lost(part(5)))
    world.change(Event.SILENCE, part(5), reason="no_final_word")
    erase(world)


def test_a_late_answer_brings_back_no_number_and_its_receipt_finds_the_message(world: World) -> None:
    lost_and_erased(world)
    assert world.results(acknowledged(part(5), f"{NUMBER}-1")) == []
    assert world.view(5).carrier_message_id == "#-1"
    assert holds_no_number(world)
    assert world.results(receipt(f"{NUMBER}-1", detail=f"DELIVRD {NATIONAL}")) == [Moved(part(5), Status.DELIVERED)]
    assert world.view(5).timeline[-1].detail == "DELIVRD 7#"
    assert holds_no_number(world)


def test_what_a_receipt_says_after_a_late_answer_is_kept_without_the_number(world: World) -> None:
    """Nothing is remembered of that answer that would spare the receipt the look at the rows."""
    lost_and_erased(world)
    world.results(acknowledged(part(5), "77"))
    assert world.results(receipt("77", detail=f"DELIVRD {NUMBER}")) == [Moved(part(5), Status.DELIVERED)]
    assert holds_no_number(world)


@pytest.mark.parametrize("key", [f"{NUMBER}-1", f"x{NATIONAL}"])
@pytest.mark.parametrize("attempt", [1, 2])
def test_a_late_answer_to_what_has_an_id_brings_back_no_number(world: World, key: str, attempt: int) -> None:
    world.sent(5, "77")
    world.results(receipt("77"))
    erase(world)
    assert world.results(acknowledged(part(5), key, attempt=attempt, at=1_030.0)) == []
    assert world.view(5).timeline[-1].detail == key.replace(NUMBER, "#").replace(NATIONAL[1:], "#")
    assert holds_no_number(world)
    world.results(receipt(key, event=Event.EXPIRED))
    assert (world.status(5), world.engine.ledger().parked) == (Status.DELIVERED, 0)


@pytest.mark.parametrize("event", [Event.REFUSED, Event.DEFERRED])
def test_what_a_late_refusal_says_is_kept_without_the_number(world: World, event: Event) -> None:
    lost_and_erased(world)
    world.results(answered(part(5), event, to=NUMBER, detail=f"refused: {NUMBER}"))
    assert world.view(5).timeline[-1].detail == "refused: #"
    assert holds_no_number(world)


def test_an_answer_that_does_not_name_the_number_keeps_no_id_that_may_hold_it(world: World) -> None:
    lost_and_erased(world)
    assert world.results(acknowledged(part(5), f"{NUMBER}-1", to="")) == []
    assert (world.view(5).carrier_message_id, world.view(5).timeline[-1].detail) == (None, None)
    assert holds_no_number(world)
    assert world.results(acknowledged(part(5), "77-1234567", to="")) == []
    assert world.results(receipt("77-1234567")) == [Moved(part(5), Status.DELIVERED)]


def test_a_late_answer_brings_back_no_sender_that_was_erased(world: World) -> None:
    world.sending(message(5, to=OTHER_NUMBER, sender=f"+{NUMBER}"))
    world.results(lost(part(5)))
    world.change(Event.SILENCE, part(5))
    world.transaction(lambda: world.engine.erase(NUMBER, world.engine.traces(NUMBER)))
    assert world.view(5).sender.startswith("#")
    world.results(acknowledged(part(5), f"{NUMBER}-1", to=OTHER_NUMBER))
    assert holds_no_number(world)


def test_a_long_id_of_an_erased_message_that_an_echoed_reference_tells_is_kept(world: World) -> None:
    lost_and_erased(world)
    told = Clue("Shop", reference=user_message_reference(part(5)))
    assert world.results(receipt("1234567890123", clue=told)) == [Moved(part(5), Status.DELIVERED)]
    assert world.view(5).carrier_message_id == "1234567890123"


def test_a_message_that_was_not_erased_is_found_as_ever(world: World) -> None:
    world.sent(5, "77")
    world.sent(6, "78", to=OTHER_NUMBER)
    erase(world, OTHER_NUMBER)
    assert world.results(receipt("77")) == [Moved(part(5), Status.DELIVERED)]


# --- without the key ---


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[World]:
    path = tmp_path / "store.db"
    world = World(SqliteEngine(path), lambda _engine: SqliteEngine(path))
    yield world
    world.engine.close()


@pytest.mark.parametrize("left", [None, b"", b"half a key"])
def test_without_the_key_nothing_is_told_and_the_receipt_is_parked(
    disk: World, tmp_path: Path, left: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    unknown(disk)
    key = key_path(tmp_path / "store.db")
    kept = key.read_bytes()
    key.unlink()
    if left is not None:
        key.write_bytes(left)
    with caplog.at_level(logging.WARNING):
        assert disk.results(receipt("77")) == []
    assert [parked.why for parked in disk.engine.parked(0, 9)] == ["other_number"]
    assert ("is no key" in caplog.text) is bool(left)
    assert NUMBER not in caplog.text
    key.write_bytes(kept)
    assert disk.results(receipt("77")) == [Moved(part(5), Status.DELIVERED)]
    assert disk.engine.messages(MessageQuery(id=5))[0].status is Status.DELIVERED
