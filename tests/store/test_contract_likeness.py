"""What every engine owes: an id that only looks like an attempt's is no proof while another attempt has none."""

import random
from typing import Any

import attrs
import pytest

from connector.lifecycle import Event, Status
from connector.model import Answer, Clue, Moved, Receipt, user_message_reference
from connector.store.joining import MOST_HELD
from tests.store.world import (
    OTHER_NUMBER,
    World,
    acknowledged,
    answered,
    claim,
    lost,
    message,
    not_sent,
    part,
    receipt,
)

FIRST, SECOND = part(5, 1), part(5, 2)
ID_15, ID_21 = "0000000015", "0000000021"
"""What a carrier gave that counts in decimal: 15 read as hexadecimal is 21."""


def answer(of: int, number: int, **changes: Any) -> Answer:
    """The answer of a carrier that writes its counter with ten digits."""
    return attrs.evolve(acknowledged(of, str(number), **changes), carrier_message_id=f"{number:010}")


def of_15(**changes: Any) -> Receipt:
    return receipt("15", **{"ids": (ID_15,)} | changes)


def kept(world: World) -> list[str]:
    return [each.why for each in world.engine.parked(0, 100)]


def half_lost(world: World) -> None:
    """The answer to the first part is lost; the second one has the id 21."""
    world.sending(message(5, parts=2))
    world.results(lost(FIRST), answer(SECOND, 21))


# --- it may be about one without an id ------------------------------------------------------------------------------


@pytest.mark.parametrize("crash", [False, True])
def test_the_receipt_of_a_part_whose_answer_was_lost_is_not_guessed_onto_its_sibling(world: World, crash: bool) -> None:
    half_lost(world)
    if crash:
        world.restart()
    assert world.results(of_15()) == []
    assert (world.part_statuses(5), kept(world)) == (["in_doubt", "sent"], ["unknown_id"])
    if crash:
        world.restart()
    assert world.results(receipt("21", ids=(ID_21,), event=Event.UNDELIVERED)) == [Moved(SECOND, Status.FAILED)]
    assert world.part_statuses(5) == ["in_doubt", "failed"]


@pytest.mark.parametrize("crash", [False, True])
def test_the_answer_that_comes_late_with_its_id_has_the_receipt(world: World, crash: bool) -> None:
    half_lost(world)
    world.results(of_15())
    if crash:
        world.restart()
    moved = world.results(answer(FIRST, 15))
    assert moved == [Moved(FIRST, Status.SENT), Moved(FIRST, Status.DELIVERED)]
    assert (world.part_statuses(5), kept(world)) == (["delivered", "sent"], [])


def test_the_answer_that_comes_after_all_patience_has_it_too(world: World) -> None:
    half_lost(world)
    world.change(Event.SILENCE, FIRST)
    assert world.results(of_15()) == []
    assert world.results(answer(FIRST, 15)) == [Moved(FIRST, Status.DELIVERED)]


def test_a_part_on_the_wire_may_be_meant_as_well(world: World) -> None:
    world.sending(message(5, parts=2))
    world.results(answer(SECOND, 21), of_15())
    assert (world.part_statuses(5), kept(world)) == (["sending", "sent"], ["unknown_id"])


def test_a_part_that_was_lost_and_sent_again_may_be_meant_by_its_first_attempt(world: World) -> None:
    world.resent(message(5))
    world.results(acknowledged(part(5), "77", attempt=2))
    world.sent(6, "21")
    assert world.results(of_15()) == []
    assert world.results(acknowledged(part(5), "78")) == [Moved(part(6), Status.DELIVERED)]


def test_a_part_that_was_lost_and_sent_again_through_another_carrier_may_be_meant(world: World) -> None:
    world.resent(message(5), carrier="south")
    world.results(acknowledged(part(5), "77", attempt=2, carrier="south"))
    world.sent(6, "21")
    assert world.results(of_15()) == []
    assert world.status(6) is Status.SENT


def test_an_answer_without_an_id_leaves_its_part_without_one(world: World) -> None:
    world.sending(message(5, parts=2))
    world.results(acknowledged(FIRST), answer(SECOND, 21))
    assert world.results(of_15()) == []
    assert kept(world) == ["unknown_id"]


def test_a_receipt_that_was_early_is_not_guessed_when_the_look_alike_is_answered(world: World) -> None:
    world.sending(message(5, parts=2))
    world.results(of_15(at=1_008.0))
    assert world.results(answer(SECOND, 21)) == [Moved(SECOND, Status.SENT)]
    assert world.results(answer(FIRST, 15)) == [
        Moved(FIRST, Status.SENT),
        Moved(FIRST, Status.DELIVERED),
    ]


# --- and when nothing is without an id any more ---------------------------------------------------------------------


@pytest.mark.parametrize("crash", [False, True])
@pytest.mark.parametrize("number", ["447700900123", "07700900123", "60300 447700900123"])
@pytest.mark.parametrize(
    "last",
    [
        answer(FIRST, 99),
        answered(FIRST, Event.REFUSED, to=""),
        answered(FIRST, Event.DEFERRED, to="", due_at=1_500.0),
        not_sent(FIRST),
    ],
)
def test_it_counts_as_soon_as_the_last_answer_names_another_or_none(
    world: World, number: str, last: Any, crash: bool
) -> None:
    world.sending(message(5, parts=2))
    world.results(answer(SECOND, 21), of_15(number=number))
    assert kept(world) == ["unknown_id"]
    if crash:
        world.restart()
        world.recover()
    assert Moved(SECOND, Status.DELIVERED) in world.results(last)
    assert kept(world) == []


@pytest.mark.parametrize("crash", [False, True])
def test_it_counts_when_a_late_answer_settles_the_doubt(world: World, crash: bool) -> None:
    half_lost(world)
    world.results(of_15())
    if crash:
        world.restart()
    assert world.results(answer(FIRST, 99)) == [Moved(FIRST, Status.SENT), Moved(SECOND, Status.DELIVERED)]
    assert kept(world) == []


def test_it_waits_on_while_one_is_left_without_an_id_and_keeps_its_place(world: World) -> None:
    world.sending(message(4))
    half_lost(world)
    world.results(of_15())
    before = world.engine.parked(0, 10)
    assert world.results(answer(FIRST, 99)) == [Moved(FIRST, Status.SENT)]
    assert world.engine.parked(0, 10) == before
    assert world.results(acknowledged(part(4), "98")) == [Moved(part(4), Status.SENT), Moved(SECOND, Status.DELIVERED)]


def test_in_one_read_the_answers_count_before_the_receipts(world: World) -> None:
    world.sending(message(5, parts=2))
    moved = world.results(of_15(), answer(SECOND, 21), answer(FIRST, 99))
    assert moved[-1] == Moved(SECOND, Status.DELIVERED)


# --- what is no doubt -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("crash", [False, True])
@pytest.mark.parametrize("key", ["15", "21", "f"])
def test_where_every_attempt_has_its_id_the_other_forms_count_as_ever(world: World, key: str, crash: bool) -> None:
    world.sending(message(5, parts=2))
    world.results(acknowledged(FIRST, key), answer(SECOND, 99))
    if crash:
        world.restart()
    assert world.results(of_15()) == [Moved(FIRST, Status.DELIVERED)]


@pytest.mark.parametrize("crash", [False, True])
def test_an_id_as_it_is_written_needs_no_such_proof(world: World, crash: bool) -> None:
    half_lost(world)
    if crash:
        world.restart()
    assert world.results(receipt("21", ids=(ID_21,))) == [Moved(SECOND, Status.DELIVERED)]


def test_an_id_in_a_declared_form_needs_none(world: World) -> None:
    half_lost(world)
    assert world.results(receipt("21", ids=("0021",), numeric=True)) == [Moved(SECOND, Status.DELIVERED)]


@pytest.mark.parametrize(
    ("carrier", "to"), [("south", "447700900123"), ("north", OTHER_NUMBER)], ids=["another carrier", "another number"]
)
def test_what_went_elsewhere_is_not_meant(world: World, carrier: str, to: str) -> None:
    world.sent(5, "21")
    world.waiting(message(6, to=to))
    world.claim(claim(part(6), carrier=carrier))
    assert world.results(of_15()) == [Moved(part(5), Status.DELIVERED)]


def test_what_was_written_before_ids_came_round_is_not_meant(world: World) -> None:
    world.doubted(message(5))
    world.sent(6, "21")
    assert world.results(of_15(lifetime_s=5.0)) == []
    world.sending(message(7))
    world.results(acknowledged(part(7), "98", at=1_900.0), acknowledged(part(6), "22"))
    assert world.results(receipt("98", ids=("0098",), at=1_901.0, lifetime_s=5.0)) == [Moved(part(7), Status.DELIVERED)]


def test_which_of_its_attempts_has_reached_the_subscriber_is_all_one(world: World) -> None:
    world.resent(message(5))
    world.results(acknowledged(part(5), "21", attempt=2))
    assert world.results(of_15(event=Event.UNDELIVERED)) == [], "the other one may still arrive"
    assert world.results(of_15()) == [Moved(part(5), Status.DELIVERED)]


# --- what else a receipt says ---------------------------------------------------------------------------------------


def test_our_own_reference_says_which_of_the_two_is_meant(world: World) -> None:
    half_lost(world)
    second = of_15(clue=Clue("Shop", "", user_message_reference(SECOND)), event=Event.UNDELIVERED)
    assert world.results(second) == [Moved(SECOND, Status.FAILED)]
    first = of_15(clue=Clue("Shop", "", user_message_reference(FIRST)))
    assert world.results(first)[-1] == Moved(FIRST, Status.DELIVERED)


def test_a_text_that_both_may_have_says_nothing(world: World) -> None:
    world.doubted(message(5))
    world.sent(6, "21")
    assert world.results(of_15(clue=Clue("Shop", "your code is 1", None))) == []
    assert (world.status(5), world.status(6), kept(world)) == (Status.IN_DOUBT, Status.SENT, ["unknown_id"])


# --- bounds ---------------------------------------------------------------------------------------------------------


def test_of_a_number_only_the_newest_messages_are_looked_at(world: World) -> None:
    world.doubted(message(5))
    numbers = range(6, 6 + MOST_HELD)
    world.sending(*(message(n) for n in numbers))
    world.results(*(acknowledged(part(n), f"9{n:03}") for n in numbers[1:]), acknowledged(part(6), "21"))
    assert world.results(of_15()) == [Moved(part(6), Status.DELIVERED)]


# --- a carrier that counts in decimal, loses answers, and answers late ----------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_lost_and_late_each_word_is_about_the_part_that_has_its_id(world: World, seed: int) -> None:
    """All parts go to one number; those with an odd id are undeliverable."""
    draw = random.Random(seed)
    world.sending(*(message(n, parts=2) for n in range(1, 16)))
    numbers = draw.sample(range(1, 61), 30)
    ids = {part(n, of): numbers.pop() for n in range(1, 16) for of in (1, 2)}
    lost_ones = draw.sample(list(ids), 8)
    answers = [answer(of, number) for of, number in ids.items() if of not in lost_ones]
    late = [answer(of, ids[of], at=1_060.0) for of in draw.sample(lost_ones, 5)]
    words = [
        receipt(
            str(number),
            ids=(f"{number:010}",),
            event=Event.UNDELIVERED if number % 2 else Event.DELIVERED,
            at=1_020.0 + draw.randrange(60),
        )
        for number in ids.values()
    ]
    steps: list[Any] = [*map(lost, lost_ones), *answers, *words]
    draw.shuffle(steps)
    while steps:
        world.results(*(steps.pop() for _ in range(min(len(steps), draw.randint(1, 6)))))
        if draw.random() < 0.1:
            world.restart()
            world.recover()
    world.results(*late)
    ends = {Event.DELIVERED: Status.DELIVERED, Event.UNDELIVERED: Status.FAILED}
    named = {it.part for it in (*answers, *late)}
    for n in range(1, 16):
        for of, status in zip((part(n, 1), part(n, 2)), world.view(n).part_statuses, strict=True):
            truth = ends[Event.UNDELIVERED if ids[of] % 2 else Event.DELIVERED]
            assert status in ({truth} if of in named else {Status.IN_DOUBT}), (of, ids[of])
    assert len(kept(world)) == 3
