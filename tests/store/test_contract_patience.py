"""What every engine owes: how long the last word is awaited for a part that only a word on the way has told of."""

from collections.abc import Mapping

import attrs
import pytest

from connector.lifecycle import Event, Status
from connector.model import Clue, DoubtPolicy, Moved, Receipt, user_message_reference
from connector.store.joining import TOLD_PATIENCE_S
from connector.store.rules import NO_POLICIES
from tests.store.world import OTHER_QUEUE, QUEUE, World, lost, message, part, receipt

WORD_AT = 1_020.0


def on_the_way(number: int = 5) -> Receipt:
    clue = Clue("Shop", "", user_message_reference(part(number)))
    return receipt("77", event=None, detail="ENROUTE 000", at=WORD_AT, clue=clue)


def due_at(world: World) -> float | None:
    """The moment at which the part is looked at again."""
    [entry] = world.due(1e9).values()
    assert part(5) not in world.due(entry.due_at - 1)
    return entry.due_at


@pytest.mark.parametrize(
    ("policies", "patience_s"),
    [
        ({"otp": DoubtPolicy(60.0), "promotional": DoubtPolicy(3_600.0)}, 60.0),
        ({"otp": DoubtPolicy(60.0, resends=3, resend_after_s=5.0)}, 60.0),
        ({"promotional": DoubtPolicy(3_600.0), "transactional": DoubtPolicy(60.0)}, 3_600.0),
        (NO_POLICIES, TOLD_PATIENCE_S),
    ],
    ids=["its lane's", "never another try", "the longest where its lane is gone", "a day where nobody says"],
)
def test_it_is_awaited_for_the_patience_of_its_lane_from_that_word_on(
    world: World, policies: Mapping[str, DoubtPolicy], patience_s: float
) -> None:
    world.policies = policies
    world.doubted(message(5))
    assert world.results(on_the_way()) == [Moved(part(5), Status.SENT, None, QUEUE)]
    assert due_at(world) == WORD_AT + patience_s
    assert world.change(Event.SILENCE, part(5)) == [Moved(part(5), Status.UNKNOWN)]


def test_the_lane_is_that_of_the_queue_in_which_it_is(world: World) -> None:
    world.doubted(message(5, queue=OTHER_QUEUE, lane="promotional"))
    world.results(on_the_way())
    assert due_at(world) == WORD_AT + world.policies["promotional"].patience_s


def test_a_reload_counts_for_what_comes_after_it(world: World) -> None:
    world.doubted(message(5), message(6, to="447700900456"))
    world.policies = {"otp": DoubtPolicy(30.0)}
    world.results(on_the_way())
    world.policies = {"otp": DoubtPolicy(90.0)}
    world.results(attrs.evolve(on_the_way(6), number="447700900456"))
    assert {it.part: it.due_at for it in world.due(1e9).values()} == {part(5): WORD_AT + 30, part(6): WORD_AT + 90}


def test_a_word_that_was_parked_counts_from_when_it_came(world: World) -> None:
    world.sending(message(5))
    world.results(on_the_way())
    assert [each.why for each in world.engine.parked(0, 9)] == ["unknown_id"]
    world.results(lost(part(5), at=1_030.0))
    assert (world.status(5), due_at(world)) == (Status.SENT, WORD_AT + world.policies["otp"].patience_s)


def test_one_that_a_restart_finds_parked_has_it_too(world: World) -> None:
    world.sending(message(5))
    world.results(on_the_way())
    world.restart()
    world.policies = {"otp": DoubtPolicy(45.0)}
    assert world.recover()[-1].status is Status.SENT
    assert due_at(world) == WORD_AT + 45.0
