"""Three witnesses of where a part stands: its row, its history, the event log.  What disagrees is named."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from connector.lifecycle import Event, Status
from connector.model import format_id
from connector.store import audit
from connector.store.audit import MOST_NAMED, Standing, first_few, replayed, strays
from connector.store.sqlite import SqliteEngine
from tests.store.world import World, acknowledged, answered, claim, lost, message, part, receipt

NAME = f"message {format_id(5)}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def world(path: Path) -> World:
    """Message 5 was delivered; of message 6 one part was cancelled, one waits."""
    world = World(SqliteEngine(path), lambda engine: engine)
    world.sent(5, "55")
    world.results(receipt("55"))
    world.waiting(message(6, parts=2))
    world.change(Event.CANCELLED, part(6, 1))
    return world


def _found_after(world: World, path: Path, *tampering: str) -> list[str]:
    """Close the store, change its rows behind its back, and verify."""
    world.engine.close()
    with closing(sqlite3.connect(path)) as db, db:
        for sql in tampering:
            db.execute(sql)
    with closing(SqliteEngine(path)) as engine:
        return list(engine.verify().problems)


def test_a_status_that_its_history_does_not_give_is_named(world: World, path: Path) -> None:
    found = _found_after(world, path, f"UPDATE part SET status = 'sent' WHERE id = {part(5)}")
    assert f"{NAME}: status sent, its history gives delivered" in found
    assert f"{NAME}: status sent, the event log ends with delivered" in found


def test_a_move_that_the_history_does_not_have_is_named(world: World, path: Path) -> None:
    cut = "UPDATE part SET history = substr(history, 1, instr(history, 'acknowledged') - 9)"
    found = _found_after(world, path, f"{cut} WHERE id = {part(5)}")
    assert found == [f"{NAME}: status delivered, its history gives sending"]


def test_a_history_without_a_beginning_is_named(world: World, path: Path) -> None:
    found = _found_after(world, path, f"UPDATE part SET history = '' WHERE id = {part(5)}")
    assert found == [f"{NAME}: status delivered, its history does not say how it began"]


def test_an_attempt_that_the_history_does_not_have_is_named(world: World, path: Path) -> None:
    found = _found_after(world, path, f"UPDATE part SET attempt = 7 WHERE id = {part(5)}")
    assert found == [f"{NAME}: attempt 7, its history has 1"]


def test_a_doubt_that_the_history_does_not_have_is_named(world: World, path: Path) -> None:
    found = _found_after(world, path, f"UPDATE part SET doubts = 1 WHERE id = {part(5)}")
    assert found == [f"{NAME}: doubts 1, its history has 0"]


def test_a_part_that_the_event_log_ends_elsewhere_with_is_named(world: World, path: Path) -> None:
    found = _found_after(world, path, "DELETE FROM event WHERE status = 'delivered'")
    assert found == [f"{NAME}: status delivered, the event log ends with sent"]


def test_a_part_that_a_whole_event_log_does_not_have_is_named(world: World, path: Path) -> None:
    found = _found_after(world, path, f"UPDATE event SET parts = x'{part(7):016x}' WHERE parts = x'{part(5):016x}'")
    assert found == [f"{NAME}: the event log does not have it"]


def test_what_was_forgotten_of_the_event_log_is_not_missed(world: World, path: Path) -> None:
    assert _found_after(world, path, "DELETE FROM event WHERE seq < (SELECT max(seq) FROM event)") == []


def test_the_status_of_a_message_of_several_parts_is_that_of_its_parts(world: World, path: Path) -> None:
    found = _found_after(world, path, "UPDATE message SET status = 'cancelled' WHERE id = 6")
    assert f"message {format_id(6)}: status cancelled, its parts give accepted" in found


def test_only_the_first_are_named_and_the_others_counted(world: World, path: Path) -> None:
    world.waiting(*(message(n) for n in range(10, 50)))
    found = _found_after(world, path, f"UPDATE part SET attempt = 3 WHERE id >= {part(10)}")
    assert len(found) == MOST_NAMED + 1
    assert found[-1] == f"and {40 - MOST_NAMED} more of this kind"


def test_many_parts_are_compared_with_the_event_log_a_window_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "WINDOW_PARTS", 3)
    opened = 0

    def events() -> list[tuple[str, list[int]]]:
        nonlocal opened
        opened += 1
        return [("accepted", [part(n) for n in range(1, 9)]), ("cancelled", [part(4), part(99)])]

    standings = [Standing(part(n), "accepted", 0, 0, 0, "0|accepted||0|\n") for n in range(1, 9)]
    found = list(strays(standings, events, whole_log=True, fence=1))
    assert found == [f"message {format_id(4)}: status accepted, the event log ends with cancelled"]
    assert opened == 3


# --- lives told again ---


def _told(*lines: str) -> Status:
    replay = replayed("".join(f"0|{line}\n" for line in lines))
    assert replay is not None
    return replay.status


def test_an_answer_behind_a_final_word_moves_nothing() -> None:
    assert _told("accepted||0|", "claimed|north|1|", "lost|north|1|", "delivered|north|0|", "refused|north|1|") == (
        Status.DELIVERED
    )


def test_a_refusal_while_an_earlier_attempt_is_in_doubt_leaves_it_unknown() -> None:
    twice = ("accepted||0|", "claimed|north|1|", "lost|north|1|", "due||1|", "claimed|north|2|")
    assert _told(*twice, "refused|north|2|") is Status.UNKNOWN
    assert _told(*twice, "refused|north|1|") is Status.SENDING
    assert _told(*twice, "acknowledged|north|2|") is Status.SENT


def test_an_answer_to_an_earlier_life_is_no_move_for_the_next_one_says_so() -> None:
    fenced = ("accepted||0|", "claimed|north|1|", "acknowledged|north|1|", "lost|north|1|restarted")
    assert _told(*fenced) is Status.IN_DOUBT


def test_a_part_of_an_earlier_life_may_have_heard_an_answer_that_was_none_of_its_own(path: Path) -> None:
    world = World(SqliteEngine(path), lambda engine: engine)
    world.sending(message(5))
    world.engine.close()
    world = World(SqliteEngine(path), lambda engine: engine)
    assert world.results(acknowledged(part(5), "55")) == []  # each transaction is verified
    world.recover()
    world.engine.close()


def test_a_life_with_every_setback_is_told_right(path: Path) -> None:
    """Each transaction of the world is verified."""
    world = World(SqliteEngine(path), lambda engine: engine)
    world.sending(message(5))
    world.results(answered(part(5), Event.DEFERRED, due_at=1_050.0))
    world.change(Event.DUE, part(5))
    world.claim(claim(part(5), 2))
    world.results(lost(part(5), attempt=2))
    world.change(Event.DUE, part(5))
    world.claim(claim(part(5), 3, doubts=1))
    world.results(answered(part(5), Event.DEFERRED, attempt=3))
    assert world.status(5) is Status.IN_DOUBT
    world.results(answered(part(5), Event.REFUSED, attempt=2))
    world.change(Event.SILENCE, part(5))
    world.engine.close()


def test_few_problems_are_all_told() -> None:
    assert first_few(["one", "two"]) == ["one", "two"]
