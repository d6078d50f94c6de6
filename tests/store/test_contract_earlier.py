"""What every engine owes: a last word about an attempt whose part was sent again, and is on the wire."""

import attrs
import pytest

from connector.lifecycle import Event, Status
from connector.model import Answer, Clue, Lost, Moved, NotSent, part_id, user_message_reference
from tests.store.world import OTHER_NUMBER, World, acknowledged, answered, claim, lost, message, not_sent, part, receipt

NOTHING = [Event.DEFERRED, Event.REROUTED, Event.REFUSED, Event.EXHAUSTED, Event.NOT_WRITTEN]
"""What says of the newest attempt that the carrier does not have the part."""
ENDS = {Event.UNDELIVERED: Status.FAILED, Event.EXPIRED: Status.EXPIRED, Event.REJECTED: Status.REJECTED}


def came_to_nothing(event: Event, attempt: int = 2, **changes: object) -> Answer | NotSent:
    if event is Event.NOT_WRITTEN:
        return not_sent(part(5), attempt=attempt)
    return answered(part(5), event, attempt=attempt, **changes)


def resent_without_doubt(world: World) -> None:
    """On the wire again; of the first attempt the carrier said that it does not have it, and then that it has."""
    world.sending(message(5))
    world.results(answered(part(5), Event.DEFERRED))
    assert world.claim(claim(part(5), 2)) != []
    world.results(acknowledged(part(5), "old"))


def resent_in_doubt(world: World) -> None:
    """On the wire for the second time; the first attempt was in doubt, and its answer came late."""
    world.resent(message(5))
    world.results(acknowledged(part(5), "old"))


WAYS = pytest.mark.parametrize("resent", [resent_without_doubt, resent_in_doubt])


def noted(world: World) -> list[str | None]:
    """What was only written down of words."""
    return [entry.detail for entry in world.view(5).timeline if entry.event == "receipt"]


def waiting_reasons(world: World) -> list[str]:
    return [parked.why for parked in world.engine.parked(0, 100)]


@WAYS
def test_the_word_waits_for_what_comes_of_the_newest_attempt(world: World, resent: object) -> None:
    resent(world)  # type: ignore[operator]
    before = world.view(5)
    assert world.results(receipt("old")) == []
    assert waiting_reasons(world) == ["earlier_attempt"]
    assert world.engine.ledger().parked == 1
    assert world.view(5) == before, "nothing moves, and nothing is written"


@WAYS
@pytest.mark.parametrize("event", NOTHING)
def test_a_delivered_part_is_delivered_whatever_keeps_the_newest_attempt_from_leaving(
    world: World, resent: object, event: Event
) -> None:
    resent(world)  # type: ignore[operator]
    world.results(receipt("old"))
    assert world.results(came_to_nothing(event))[-1] == Moved(part(5), Status.DELIVERED)
    view = world.view(5)
    assert (view.status, view.reason, view.finished_at) == (Status.DELIVERED, None, 1_020.0)
    assert world.history(5)[-3:] == ["acknowledged", str(event), "delivered"]
    assert view.timeline[-3].detail == "by the receipt of an earlier attempt"
    assert world.waiting_parts() == []
    assert world.due(9_999.0) == {}
    assert world.claim(claim(part(5), 3), claim(part(5), 3, doubts=1)) == []
    assert world.engine.ledger().parked == 0


@WAYS
def test_a_pause_before_another_try_is_no_way_back_to_the_queue(world: World, resent: object) -> None:
    resent(world)  # type: ignore[operator]
    world.results(receipt("old"))
    world.results(came_to_nothing(Event.DEFERRED, due_at=1_100.0, burned=1))
    assert world.due(9_999.0) == {}
    assert world.change(Event.DUE, part(5)) == []
    assert world.status(5) is Status.DELIVERED


@WAYS
@pytest.mark.parametrize("event", NOTHING)
@pytest.mark.parametrize("word", list(ENDS))
def test_another_end_is_the_end_too_where_the_newest_attempt_came_to_nothing(
    world: World, resent: object, event: Event, word: Event
) -> None:
    resent(world)  # type: ignore[operator]
    world.results(receipt("old", event=word, reason="absent_subscriber"))
    world.results(came_to_nothing(event))
    assert (world.status(5), world.view(5).reason) == (ENDS[word], "absent_subscriber")
    assert world.waiting_parts() == []


@WAYS
def test_the_subscriber_has_what_an_earlier_attempt_delivered_though_the_newest_is_taken(
    world: World, resent: object
) -> None:
    resent(world)  # type: ignore[operator]
    world.results(receipt("old"))
    taken = acknowledged(part(5), "new", attempt=2)
    assert world.results(taken) == [Moved(part(5), Status.SENT), Moved(part(5), Status.DELIVERED)]
    assert world.results(receipt("new", event=Event.UNDELIVERED, detail="UNDELIV 001")) == []
    assert (world.status(5), world.history(5)[-2:]) == (Status.DELIVERED, ["delivered", "undelivered"])


@WAYS
@pytest.mark.parametrize("word", list(ENDS))
def test_the_newest_attempt_that_is_taken_has_its_own_end(world: World, resent: object, word: Event) -> None:
    resent(world)  # type: ignore[operator]
    world.results(receipt("old", event=word))
    taken = acknowledged(part(5), "new", attempt=2, at=1_030.0)
    assert world.results(taken) == [Moved(part(5), Status.SENT)]
    assert noted(world) == [f"of an earlier attempt: {word}, DELIVRD 000, id old"], "and no more"
    assert [item.part for item in world.engine.due(9, now=9_999.0)] == [part(5)], "its own word is awaited"
    assert world.results(receipt("new")) == [Moved(part(5), Status.DELIVERED)]
    assert world.engine.ledger().parked == 0


def test_a_carrier_that_knows_its_message_again_gives_it_one_end(world: World) -> None:
    resent_in_doubt(world)
    world.results(receipt("old", event=Event.UNDELIVERED))
    moved = world.results(acknowledged(part(5), "old", attempt=2))
    assert moved == [Moved(part(5), Status.SENT), Moved(part(5), Status.FAILED)]


@WAYS
def test_a_word_of_delivery_ends_the_doubt_when_the_newest_attempt_is_lost(world: World, resent: object) -> None:
    resent(world)  # type: ignore[operator]
    world.results(receipt("old"))
    moved = world.results(lost(part(5), attempt=2))
    assert moved == [Moved(part(5), Status.IN_DOUBT), Moved(part(5), Status.DELIVERED)]
    assert world.due(9_999.0) == {}


@WAYS
@pytest.mark.parametrize("word", list(ENDS))
@pytest.mark.parametrize("crash", [False, True])
def test_another_end_leaves_the_doubt_about_the_newest_attempt_that_is_lost(
    world: World, resent: object, word: Event, crash: bool
) -> None:
    resent(world)  # type: ignore[operator]
    world.results(receipt("old", event=word))
    if crash:
        world.restart()
    moved = world.recover() if crash else world.results(lost(part(5), attempt=2))
    assert moved == [Moved(part(5), Status.IN_DOUBT)]
    assert noted(world) == [f"of an earlier attempt: {word}, DELIVRD 000, id old"]
    assert world.engine.ledger().parked == 0
    assert world.results(acknowledged(part(5), "new", attempt=2))[0].status is Status.SENT
    assert world.results(receipt("new")) == [Moved(part(5), Status.DELIVERED)]


# --- the word comes after what became of the newest attempt ---


@WAYS
@pytest.mark.parametrize("word", list(ENDS))
@pytest.mark.parametrize("crash", [False, True])
def test_an_end_of_an_earlier_attempt_is_not_that_of_one_that_is_taken(
    world: World, resent: object, word: Event, crash: bool
) -> None:
    resent(world)  # type: ignore[operator]
    world.results(acknowledged(part(5), "new", attempt=2))
    if crash:
        world.restart()
    before = world.last_event()
    old = receipt("old", event=word, reason="absent_subscriber", temporary=True)
    assert world.results(old, old) == []
    assert world.results(old) == []
    said = "DELIVRD 000: absent_subscriber, temporary, id old"
    assert noted(world) == [f"of an earlier attempt: {word}, {said}"], "once"
    assert (world.status(5), world.view(5).reason, world.events_after(before)) == (Status.SENT, None, [])
    assert world.results(receipt("new")) == [Moved(part(5), Status.DELIVERED)]
    assert world.results(old) == []
    assert len(noted(world)) == 1
    assert world.engine.ledger().parked == 0


@WAYS
@pytest.mark.parametrize("turned", [False, True])
def test_both_words_in_one_read_come_to_the_newest_ones_end(world: World, resent: object, turned: bool) -> None:
    resent(world)  # type: ignore[operator]
    world.sent(6, "66", to=OTHER_NUMBER)
    world.results(acknowledged(part(5), "new", attempt=2))
    words = [receipt("old", event=Event.UNDELIVERED), receipt("new"), receipt("66", number=OTHER_NUMBER)]
    moved = world.results(*(reversed(words) if turned else words))
    assert {change.part: change.status for change in moved} == dict.fromkeys((part(5), part(6)), Status.DELIVERED)
    assert world.history(5)[-2:] == (["delivered", "receipt"] if turned else ["receipt", "delivered"])


@WAYS
def test_what_an_earlier_attempt_delivered_is_delivered_while_the_newest_ones_word_is_awaited(
    world: World, resent: object
) -> None:
    resent(world)  # type: ignore[operator]
    world.results(acknowledged(part(5), "new", attempt=2))
    assert world.results(receipt("old")) == [Moved(part(5), Status.DELIVERED)]
    assert world.results(receipt("new", event=Event.EXPIRED)) == []


@WAYS
@pytest.mark.parametrize("is_lost", [False, True])
def test_the_newest_attempt_ends_unknown_by_patience_and_its_own_word_corrects_that(
    world: World, resent: object, is_lost: bool
) -> None:
    resent(world)  # type: ignore[operator]
    newest = lost(part(5), attempt=2) if is_lost else acknowledged(part(5), "new", attempt=2)
    world.results(newest)
    world.results(receipt("old", event=Event.UNDELIVERED))
    assert world.change(Event.SILENCE, part(5)) == [Moved(part(5), Status.UNKNOWN)]
    assert world.results(receipt("old", event=Event.UNDELIVERED)) == []
    if is_lost:
        assert world.results(acknowledged(part(5), "new", attempt=2)) == []
    assert world.results(receipt("new")) == [Moved(part(5), Status.DELIVERED)]
    assert len(noted(world)) == 1


@pytest.mark.parametrize("event", [*NOTHING, Event.LOST, Event.ACKNOWLEDGED])
@pytest.mark.parametrize("word", [Event.DELIVERED, *ENDS])
def test_the_end_is_the_same_whether_the_word_or_the_answer_comes_first(
    world: World, word: Event, event: Event
) -> None:
    """As far as the part may still move: what waits without a doubt is our own again."""
    by_event: dict[Event, Answer | Lost] = {
        Event.LOST: lost(part(5), attempt=2),
        Event.ACKNOWLEDGED: acknowledged(part(5), "new", attempt=2),
    }
    newest = by_event.get(event) or came_to_nothing(event)
    old = receipt("old", event=word)
    resent_in_doubt(world)
    world.results(newest)
    world.results(old)
    after = world.status(5)
    world.restart()
    world.resent(message(6))
    world.results(acknowledged(part(6), "old 6"))
    world.results(attrs.evolve(old, keys=("old 6",)))
    world.results(attrs.evolve(newest, part=part(6)))
    assert world.status(6) is after
    assert after in {Status.DELIVERED, ENDS.get(word), Status.SENT, Status.IN_DOUBT}


# --- what is said twice, and what is another word ---


def sent_again_through_south(world: World) -> None:
    """Lost at north, delivered by south; then north answers after all."""
    world.resent(message(5), carrier="south")
    world.results(acknowledged(part(5), "new", attempt=2, carrier="south"))
    assert world.results(receipt("new", carrier="south")) == [Moved(part(5), Status.DELIVERED)]
    world.results(acknowledged(part(5), "old"))


@pytest.mark.parametrize("crash", [False, True])
def test_that_the_handset_has_it_twice_is_noted(world: World, crash: bool) -> None:
    sent_again_through_south(world)
    if crash:
        world.restart()
    assert world.results(receipt("old")) == []
    assert noted(world) == ["of an earlier attempt: delivered, DELIVRD 000, id old"]
    assert world.view(5).timeline[-1].carrier == "north"
    assert (world.results(receipt("old"), receipt("old")), len(noted(world))) == ([], 1)
    assert (world.status(5), world.engine.ledger().parked) == (Status.DELIVERED, 0)


def test_that_the_handset_has_it_twice_is_noted_when_its_own_answer_brings_the_receipt(world: World) -> None:
    world.resent(message(5), carrier="south")
    world.results(acknowledged(part(5), "new", attempt=2, carrier="south"), receipt("new", carrier="south"))
    world.results(receipt("old"))
    assert waiting_reasons(world) == ["unknown_id"]
    world.results(acknowledged(part(5), "old"))
    assert noted(world) == ["of an earlier attempt: delivered, DELIVRD 000, id old"]


@WAYS
def test_that_the_handset_has_it_twice_is_noted_whichever_attempt_is_told_first(world: World, resent: object) -> None:
    resent(world)  # type: ignore[operator]
    world.results(acknowledged(part(5), "new", attempt=2))
    assert world.results(receipt("old")) == [Moved(part(5), Status.DELIVERED)]
    assert world.results(receipt("new"), receipt("new"), receipt("old")) == []
    told = [entry.detail for entry in world.view(5).timeline if entry.event == "delivered"]
    assert told == ["of an earlier attempt: DELIVRD 000, id old", "DELIVRD 000"]
    assert noted(world) == []


def test_two_earlier_attempts_through_one_carrier_are_two_words(world: World) -> None:
    resent_in_doubt(world)
    world.results(answered(part(5), Event.DEFERRED, attempt=2))
    world.claim(claim(part(5), 3, doubts=0), claim(part(5), 3, doubts=1))
    world.results(acknowledged(part(5), "older", attempt=2), acknowledged(part(5), "new", attempt=3))
    words = [receipt(key, event=Event.UNDELIVERED) for key in ("old", "older")]
    assert world.results(*words, *words) == []
    assert noted(world) == [f"of an earlier attempt: undelivered, DELIVRD 000, id {key}" for key in ("old", "older")]


def test_a_word_on_the_way_about_an_earlier_attempt_is_not_one_about_the_newest(world: World) -> None:
    resent_in_doubt(world)
    world.results(acknowledged(part(5), "new", attempt=2))
    words = [receipt(key, event=None, detail="ENROUTE 000") for key in ("new", "old")]
    world.results(*words, *words)
    assert noted(world) == ["ENROUTE 000", "of an earlier attempt: ENROUTE 000, id old"]


def test_the_same_end_in_other_words_is_no_other_word(world: World) -> None:
    world.sent(5, "new")
    world.results(receipt("new"))
    before = world.view(5)
    assert world.results(receipt("new", detail="2"), receipt("new")) == []
    assert world.view(5) == before


def test_the_carriers_word_is_noted_where_an_end_was_only_ours(world: World) -> None:
    world.sent(5, "new")
    world.results(receipt("new", event=None, detail="ACCEPTD 000", hopeful=True))
    assert world.change(Event.SILENCE, part(5)) == [Moved(part(5), Status.DELIVERED)]
    assert world.results(receipt("new"), receipt("new")) == []
    delivered = [(entry.carrier, entry.detail) for entry in world.view(5).timeline if entry.event == "delivered"]
    assert delivered == [(None, "accepted_only"), ("north", "DELIVRD 000")]


# --- several results of one attempt in one read ---


@WAYS
@pytest.mark.parametrize("word", list(ENDS))
def test_a_loss_and_a_late_answer_in_one_read_are_one_attempt_that_was_taken(
    world: World, resent: object, word: Event
) -> None:
    resent(world)  # type: ignore[operator]
    world.results(receipt("old", event=word))
    moved = world.results(lost(part(5), attempt=2), acknowledged(part(5), "new", attempt=2))
    assert moved == [Moved(part(5), Status.IN_DOUBT), Moved(part(5), Status.SENT, None, 1)]
    assert world.results(receipt("new")) == [Moved(part(5), Status.DELIVERED)]


@WAYS
@pytest.mark.parametrize("event", [Event.DEFERRED, Event.REROUTED, Event.REFUSED, Event.EXHAUSTED])
@pytest.mark.parametrize("word", [Event.DELIVERED, *ENDS])
def test_a_loss_and_a_late_refusal_in_one_read_are_one_attempt_that_came_to_nothing(
    world: World, resent: object, event: Event, word: Event
) -> None:
    resent(world)  # type: ignore[operator]
    world.results(receipt("old", event=word))
    world.results(lost(part(5), attempt=2), came_to_nothing(event))
    assert world.status(5) is ENDS.get(word, Status.DELIVERED)
    assert world.waiting_parts() == []


@pytest.mark.parametrize(("word", "end"), [(Event.DELIVERED, Status.DELIVERED), (Event.UNDELIVERED, Status.SENT)])
def test_of_two_answers_in_one_read_the_one_that_took_the_part_counts(world: World, word: Event, end: Status) -> None:
    resent_in_doubt(world)
    world.results(receipt("old", event=word))
    world.results(came_to_nothing(Event.DEFERRED), acknowledged(part(5), "new", attempt=2))
    assert world.status(5) is end
    assert world.engine.ledger().parked == 0


# --- lives that end while it waits ---


@WAYS
@pytest.mark.parametrize("at_rest", [False, True])
def test_the_word_is_still_there_after_a_crash(world: World, resent: object, at_rest: bool) -> None:
    resent(world)  # type: ignore[operator]
    world.results(receipt("old"))
    world.restart()
    if at_rest:
        world.restart()
    assert world.recover() == [Moved(part(5), Status.IN_DOUBT), Moved(part(5), Status.DELIVERED)]
    assert world.engine.ledger().parked == 0
    assert world.recover() == []


def test_delivered_wins_whatever_else_was_said_before_it(world: World) -> None:
    resent_without_doubt(world)
    world.results(receipt("old", event=Event.EXPIRED), receipt("old", event=Event.UNDELIVERED))
    world.results(receipt("old"), receipt("old"))
    world.results(came_to_nothing(Event.REFUSED))
    assert world.status(5) is Status.DELIVERED
    assert world.history(5)[-4:] == ["refused", "delivered", "receipt", "receipt"]
    others = [f"of an earlier attempt: {word}, DELIVRD 000, id old" for word in ("expired", "undelivered")]
    assert noted(world) == others
    assert world.engine.ledger().parked == 0


def test_a_word_that_is_not_final_is_noted_at_once(world: World) -> None:
    resent_in_doubt(world)
    assert world.results(receipt("old", event=None, detail="ENROUTE")) == []
    assert (world.history(5)[-1], world.engine.ledger().parked) == ("receipt", 0)


@WAYS
def test_an_answer_that_is_not_the_newest_attempts_leaves_the_word_where_it_is(world: World, resent: object) -> None:
    resent(world)  # type: ignore[operator]
    world.results(receipt("old"))
    place = world.engine.parked(0, 10)[0].id
    stale = answered(part(5), Event.REFUSED, attempt=1), lost(part(5), attempt=3), not_sent(part(5), attempt=3)
    assert world.results(*stale) == []
    assert (world.status(5), waiting_reasons(world)) == (Status.SENDING, ["earlier_attempt"])
    assert world.engine.parked(0, 10)[0].id == place
    assert "by the receipt of an earlier attempt" not in [entry.detail for entry in world.view(5).timeline]
    assert world.results(came_to_nothing(Event.REFUSED))[-1] == Moved(part(5), Status.DELIVERED)


def test_an_answer_of_an_earlier_life_leaves_the_word_where_it_is(world: World) -> None:
    resent_without_doubt(world)
    world.results(receipt("old"))
    world.restart()
    assert world.results(came_to_nothing(Event.REFUSED)) == []
    assert waiting_reasons(world) == ["earlier_attempt"]
    assert world.recover()[-1] == Moved(part(5), Status.DELIVERED)


def test_the_word_and_the_answer_in_one_read_come_to_the_same(world: World) -> None:
    """Answers are settled first, so what came before them in the read is not known then: the part has its status."""
    resent_in_doubt(world)
    assert world.results(receipt("old"), acknowledged(part(5), "new", attempt=2))[-1] == Moved(
        part(5), Status.DELIVERED
    )


def test_other_parts_of_a_read_are_settled_as_ever(world: World) -> None:
    resent_without_doubt(world)
    world.sending(*(message(n) for n in range(6, 20)))
    world.results(receipt("old"))
    answers = [acknowledged(part(n), str(n)) for n in range(6, 20)]
    moved = world.results(*answers[:7], came_to_nothing(Event.REFUSED), *answers[7:])
    assert len(moved) == 16
    assert {world.status(n) for n in range(6, 20)} == {Status.SENT}
    assert world.status(5) is Status.DELIVERED


@pytest.mark.parametrize("event", NOTHING)
def test_attempts_are_counted_as_they_were(world: World, event: Event) -> None:
    """Submitted are those of which nobody has proved that no octet left."""
    resent_without_doubt(world)
    world.results(receipt("old"))
    world.results(came_to_nothing(event))
    ledger, written = world.engine.ledger(), 1 if event is Event.NOT_WRITTEN else 2
    assert (ledger.submitted, ledger.answered, ledger.doubted) == (written, written, 0)
    assert ledger.in_flight == 0


@pytest.mark.parametrize("event", [Event.DEFERRED, Event.REFUSED])
def test_one_part_of_several_is_delivered_by_its_earlier_attempt(world: World, event: Event) -> None:
    first, second = part_id(5, 1), part_id(5, 2)
    world.sending(message(5, 2))
    world.results(answered(first, Event.DEFERRED), acknowledged(second, "22"))
    world.claim(claim(first, 2))
    world.results(acknowledged(first, "old"), receipt("old"))
    world.results(answered(first, event, attempt=2))
    assert world.part_statuses(5) == ["delivered", "sent"]
    world.results(receipt("22"))
    assert world.status(5) is Status.DELIVERED


# --- told by what else it says ---


@pytest.mark.parametrize("event", [*NOTHING, Event.LOST])
def test_a_word_without_a_known_id_tells_the_part_once_the_newest_attempt_is_off_the_wire(
    world: World, event: Event
) -> None:
    world.resent(message(5))
    told = Clue("Shop", reference=user_message_reference(part(5)))
    assert world.results(receipt("nobody's", clue=told)) == []
    result = lost(part(5), attempt=2) if event is Event.LOST else came_to_nothing(event)
    assert world.results(result)[-1] == Moved(part(5), Status.DELIVERED)
    assert world.engine.ledger().parked == 0


def test_a_final_status_is_never_moved_by_the_word(world: World) -> None:
    """It came when nothing was on the wire: it is another word, noted."""
    resent_without_doubt(world)
    world.results(answered(part(5), Event.REFUSED, attempt=2))
    assert world.results(receipt("old")) == []
    assert (world.status(5), noted(world)) == (
        Status.REJECTED,
        ["of an earlier attempt: delivered, DELIVRD 000, id old"],
    )


def test_a_word_that_goes_back_takes_nobodys_place(world: World) -> None:
    """The late answer to the first attempt brings its receipt, which has to wait; a stranger came in the same read."""
    world.resent(message(5))
    world.results(receipt("old"))
    assert waiting_reasons(world) == ["unknown_id"]
    world.results(acknowledged(part(5), "old"), receipt("a stranger"))
    assert sorted(waiting_reasons(world)) == ["earlier_attempt", "unknown_id"]
    assert world.engine.ledger().parked == 2
    assert world.results(came_to_nothing(Event.REFUSED))[-1] == Moved(part(5), Status.DELIVERED)
    assert [parked.receipt.keys for parked in world.engine.parked(0, 9)] == [("a stranger",)]
