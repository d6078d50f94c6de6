"""What every engine owes to those who only read: messages and their timelines, the event log, the books."""

import pytest

from connector.lifecycle import Event, Status
from connector.model import MessageQuery, Wanted
from connector.store.history import entries, line
from tests.store.world import (
    NUMBER,
    OTHER_NUMBER,
    OTHER_QUEUE,
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

# --- messages ---


def _listed(world: World, **asked: object) -> list[int]:
    return [view.id for view in world.engine.messages(MessageQuery(**asked))]  # type: ignore[arg-type]


def _some(world: World) -> None:
    """5 accepted, 6 in doubt (two parts), 7 sent, 8 sending, 9 scheduled, 10 delivered (two parts)."""
    world.waiting(message(5, created_at=900.0))
    world.sending(message(6, parts=2, created_at=901.0, api_key="bank"))
    world.sent(7, "77", to=OTHER_NUMBER, created_at=902.0)
    world.sending(message(8, created_at=903.0))
    world.waiting(message(9, send_at=1_500.0, created_at=904.0, api_key="bank"))
    world.sending(message(10, parts=2, created_at=905.0))
    world.results(
        lost(part(6, 2)),
        *(acknowledged(part(10, n), f"10-{n}") for n in (1, 2)),
        *(receipt(f"10-{n}") for n in (1, 2)),
    )


def test_messages_are_listed_newest_first(world: World) -> None:
    _some(world)
    assert _listed(world) == [10, 9, 8, 7, 6, 5]
    assert _listed(world, limit=2) == [10, 9]
    assert _listed(world, limit=2, before=9) == [8, 7]
    assert _listed(world, before=5) == []


def test_a_message_is_read_with_its_text_for_as_long_as_that_is_kept(world: World) -> None:
    world.sent(5, "5")
    world.results(receipt("5"))
    assert world.view(5).text == "your code is 1234"
    assert "1234" not in repr(world.view(5))
    world.transaction(lambda: world.engine.erase_bodies(100, before={"otp": 9e9, "transactional": 9e9}))
    assert world.view(5).text is None


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"id": 6}, [6]),
        ({"id": 6, "api_key": "shop"}, []),
        ({"id": 77}, []),
        ({"api_key": "bank"}, [9, 6]),
        ({"api_key": "nobody"}, []),
        ({"to": OTHER_NUMBER}, [7]),
        ({"to": NUMBER, "limit": 2}, [10, 9]),
        ({"since": 903.0}, [10, 9, 8]),
        ({"since": 903.0, "to": NUMBER, "api_key": "bank"}, [9]),
        ({"status": Status.ACCEPTED}, [5]),
        ({"status": Status.IN_DOUBT}, [6]),
        ({"status": Status.SENT}, [7]),
        ({"status": Status.SENDING}, [8]),
        ({"status": Status.SCHEDULED}, [9]),
        ({"status": Status.DELIVERED}, [10]),
        ({"status": Status.FAILED}, []),
        ({"status": Status.DELIVERED, "before": 10}, []),
        ({"status": Status.IN_DOUBT, "api_key": "shop"}, []),
    ],
)
def test_messages_are_found_by_what_is_asked(world: World, asked: dict[str, object], found: list[int]) -> None:
    _some(world)
    assert _listed(world, **asked) == found


def test_a_view_says_all_there_is_to_say(world: World) -> None:
    extra = {"country": "GB", "client_ref": "order-1", "metadata": '{"order":1}', "queue": OTHER_QUEUE}
    world.sent(5, "77", created_at=990.0, **extra)
    world.results(receipt("77"))
    view = world.view(5)
    assert (view.to, view.sender, view.lane, view.api_key) == (NUMBER, "Shop", "promotional", "shop")
    assert (view.country, view.client_ref, view.metadata) == ("GB", "order-1", '{"order":1}')
    assert (view.created_at, view.deadline, view.send_at) == (990.0, 2_000.0, None)
    assert (view.parts, view.part_statuses) == (1, (Status.DELIVERED,))


def test_a_timeline_is_what_happened_in_order(world: World) -> None:
    world.waiting(message(5))
    world.now = 1_001.5
    world.claim(claim(part(5)))
    world.results(not_sent(part(5)))
    world.now = 1_011.0
    world.claim(claim(part(5), attempt=2))
    world.results(answered(part(5), Event.DEFERRED, attempt=2, at=1_012.0))
    world.now = 1_013.0
    world.claim(claim(part(5), attempt=3, carrier="south"))
    world.results(acknowledged(part(5), "77", attempt=3, carrier="south", at=1_014.0))
    world.results(receipt("77", carrier="south"))
    told = [(at.at, at.event, at.carrier, at.attempt, at.detail) for at in world.view(5).timeline]
    assert told == [
        (1_000.0, "accepted", None, 0, None),
        (1_001.5, "claimed", "north", 1, None),
        (1_010.0, "not_written", "north", 1, "no_bind"),
        (1_011.0, "claimed", "north", 2, None),
        (1_012.0, "deferred", "north", 2, "ESME_RSYSERR"),
        (1_013.0, "claimed", "south", 3, None),
        (1_014.0, "acknowledged", "south", 3, "77"),
        (1_020.0, "delivered", "south", 0, "DELIVRD 000"),
    ]


def test_the_timelines_of_parts_are_one(world: World) -> None:
    world.sending(message(5, parts=2))
    world.results(acknowledged(part(5, 2), "52", at=1_010.0), acknowledged(part(5, 1), "51", at=1_011.0))
    told = [(entry.event, entry.part & 0xFF) for entry in world.view(5).timeline]
    assert sorted(told[:4]) == [("accepted", 1), ("accepted", 2), ("claimed", 1), ("claimed", 2)]
    assert told[4:] == [("acknowledged", 2), ("acknowledged", 1)]


@pytest.mark.parametrize("detail", ["a|b|c", "two\nlines", "\x00\x01", "ré\u2028ceipt", "\r", " "])
def test_whatever_a_carrier_says_is_one_entry(world: World, detail: str) -> None:
    world.sent(5, "77")
    world.results(receipt("77", detail=detail))
    entry = world.view(5).timeline[-1]
    assert (entry.event, entry.detail) == ("delivered", detail.replace("\n", " "))


def test_a_history_line_is_readable_as_it_is() -> None:
    assert line(1.5, Event.CLAIMED, "north", 2, None) == "1500|claimed|north|2|\n"
    [entry] = entries(7, line(1.5, "receipt", None, 0, "x|y"))
    assert (entry.at, entry.part, entry.event, entry.carrier, entry.detail) == (
        1.5,
        7,
        "receipt",
        None,
        "x|y",
    )


# --- the event log ---


def test_every_move_is_in_the_event_log(world: World) -> None:
    world.waiting(message(5), message(6, parts=2), message(7, send_at=1_500.0))
    world.claim(claim(part(5)), claim(part(6, 1)))
    world.results(acknowledged(part(5), "55"), lost(part(6, 1)), receipt("55"))
    world.change(Event.CANCELLED, part(6, 2), part(7))
    assert world.events_after(0) == [
        ("accepted", (part(5), part(6, 1), part(6, 2))),
        ("scheduled", (part(7),)),
        ("sending", (part(5), part(6, 1))),
        ("sent", (part(5),)),
        ("in_doubt", (part(6, 1),)),
        ("delivered", (part(5),)),
        ("cancelled", (part(6, 2), part(7))),
    ]


def test_events_are_read_behind_a_cursor(world: World) -> None:
    for number in range(5, 10):
        world.waiting(message(number))
    whole = world.engine.events(0, 100)
    assert [batch.seq for batch in whole] == sorted({batch.seq for batch in whole})
    assert world.engine.events(0, 2) == whole[:2]
    assert world.engine.events(whole[1].seq, 2) == whole[2:4]
    assert world.engine.events(whole[-1].seq, 2) == []
    world.restart()
    world.waiting(message(10))
    assert world.engine.events(0, 100)[:-1] == whole
    assert world.engine.events(0, 100)[-1].seq > whole[-1].seq


def test_events_carry_the_time_of_their_commit(world: World) -> None:
    world.waiting(message(5))
    world.now = 1_234.5
    world.claim(claim(part(5)))
    assert [batch.at for batch in world.engine.events(0, 9)] == [1_000.0, 1_234.5]


def test_one_commit_tells_each_status_once(world: World) -> None:
    world.waiting(message(5), message(6))
    before, owner = world.last_event(), world.engine.owner
    world.transaction(
        lambda: world.engine.claim([claim(part(5))], owner=owner, now=1_001.0),
        lambda: world.engine.append([message(7)], [claim(part(7))], owner=owner, now=1_001.0),
        lambda: world.engine.claim([claim(part(6))], owner=owner, now=1_001.0),
    )
    assert world.events_after(before) == [("sending", (part(5), part(7), part(6)))]


def test_the_log_never_swaps_two_moves_of_a_part(world: World) -> None:
    """In one commit part 6 is delivered first, and part 5 is sent and then delivered: its rows stand in that order."""
    world.sending(message(5))
    world.sent(6, "66")
    before, owner = world.last_event(), world.engine.owner
    world.transaction(
        lambda: world.engine.results([receipt("66")], owner=owner, now=1_030.0),
        lambda: world.engine.results([acknowledged(part(5), "55"), receipt("55")], owner=owner, now=1_030.0),
    )
    assert world.events_after(before) == [
        ("delivered", (part(6),)),
        ("sent", (part(5),)),
        ("delivered", (part(5),)),
    ]


# --- the books ---


def test_the_ledger_counts_every_message_and_part_once(world: World) -> None:
    _some(world)
    ledger = world.engine.ledger()
    assert (ledger.accepted, ledger.parts_accepted, ledger.parked) == (6, 8, 0)
    assert ledger.messages == {
        "accepted": 1,
        "in_doubt": 1,
        "sent": 1,
        "sending": 1,
        "scheduled": 1,
        "delivered": 1,
    }
    assert ledger.parts == {
        "accepted": 1,
        "in_doubt": 1,
        "sending": 2,
        "sent": 1,
        "scheduled": 1,
        "delivered": 2,
    }
    world.restart()
    assert world.engine.ledger() == ledger
    assert world.engine.verify().ok


def test_an_empty_store_balances(world: World) -> None:
    verification = world.engine.verify()
    assert verification.ok
    assert (verification.ledger.accepted, verification.ledger.messages) == (0, {})
    assert world.engine.last_id() == 0
    assert world.engine.heads([Wanted(99, None, 5)]) == {99: []}


# --- facts ---


def test_facts_stay_over_a_restart_and_an_empty_text_forgets_one(world: World) -> None:
    assert world.engine.facts() == {}
    world.transaction(lambda: world.engine.record({"suspended north": "yes", "ramp north": "1"}))
    world.transaction(lambda: world.engine.record({"ramp north": "2", "suspended north": ""}))
    world.restart()
    assert world.engine.facts() == {"ramp north": "2"}
