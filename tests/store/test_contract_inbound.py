"""Messages from subscribers: parts are open until a message has them, and no message has a part of another one."""

from typing import Any

import attrs
import pytest

from connector.model import Inbound, InboundMessage, InboundPart, InboundQuery, Recipient, Repeat, Sent
from connector.store.rules import SENT_LOOKED_AT
from tests.store.world import NUMBER, OTHER_NUMBER, World, acknowledged, claim, message, part


def said(number: int | None = None, total: int | None = None, **changes: Any) -> Inbound:
    given: dict[str, Any] = {
        "carrier": "north",
        "at": 1_020.0,
        "sender": NUMBER,
        "to": "60300",
        "text": "STOP",
        "octets": b"STOP",
        "data_coding": 0,
        "esm_class": 0,
        "bind": "north/1",
        "reference": None if number is None else 7,
    } | changes
    return Inbound(number=number, total=total, **given)


def told(identity: int, *parts: int, **changes: Any) -> InboundMessage:
    given: dict[str, Any] = {
        "carrier": "north",
        "at": 1_020.0,
        "sender": NUMBER,
        "to": "60300",
        "text": "STOP",
        "api_key": "shop",
        "matched": "rule stop",
    } | changes
    return InboundMessage(id=identity, parts=parts, **given)


def tell(world: World, *messages: InboundMessage, repeats: tuple[Repeat, ...] = ()) -> list[int]:
    [kept] = world.transaction(lambda: world.engine.tell(messages, repeats))
    return list(kept)


def listed(world: World, **query: Any) -> list[int]:
    return [found.id for found in world.engine.inbound(InboundQuery(**query))]


def numbers(world: World) -> dict[str, int]:
    return dict(world.engine.ledger().inbound)


def test_a_part_is_open_until_a_message_has_it(world: World) -> None:
    first, second = said(1, 2), said(2, 2, wide=True, header_bytes=7, destination_port=5, source_port=6)
    world.results(first, second)
    one, two = (InboundPart(n, each, fence=world.engine.owner.fence) for n, each in ((1, first), (2, second)))
    assert world.engine.inbound_open(0, 10) == [one, two]
    assert world.engine.inbound_open(1, 10) == [two]
    assert world.engine.inbound_open(0, 1) == [one]
    assert numbers(world) == {"parts": 2, "open": 2}
    assert tell(world, told(70, 1, 2)) == [70]
    assert world.engine.inbound_open(0, 10) == []
    assert numbers(world) == {"parts": 2, "messages": 1}


def test_a_message_is_read_as_it_was_told(world: World) -> None:
    world.results(said(2, 3), said(1, 3), said())
    whole = told(
        70, 2, 1, data=b"\0\xff", text="", alphabet="binary", total=3, missing=(3,), continues=60, destination_port=5
    )
    nobodys = told(71, 3, api_key=None, matched=None)
    tell(world, whole, nobodys)
    assert world.engine.inbound(InboundQuery(after=0)) == [whole, nobodys]
    assert numbers(world) == {"parts": 3, "messages": 2, "partial": 1, "unmatched": 1}
    world.restart()
    assert world.engine.inbound(InboundQuery(after=0)) == [whole, nobodys]


def test_a_part_is_told_in_one_message_only(world: World) -> None:
    world.results(said(1, 2), said(2, 2), said())
    tell(world, told(70, 1))
    assert tell(world, told(71, 1, 2), told(72, 3)) == [72]
    assert [found.id for found in world.engine.inbound_open(0, 10)] == [2]
    assert listed(world) == [72, 70]
    assert numbers(world) == {"parts": 3, "messages": 2, "open": 1}


def test_a_part_that_is_not_there_takes_its_message_with_it(world: World) -> None:
    world.results(said(1, 2))
    assert tell(world, told(70, 1, 99)) == []
    assert len(world.engine.inbound_open(0, 10)) == 1


def test_a_second_copy_is_no_part_of_its_message_and_not_open(world: World) -> None:
    world.results(said(1, 2), said(1, 2), said(2, 2))
    tell(world, told(70, 1, 3), repeats=(Repeat(2, 70),))
    [found] = world.engine.inbound(InboundQuery())
    assert found.parts == (1, 3)
    assert world.engine.inbound_open(0, 10) == []
    assert numbers(world) == {"parts": 3, "messages": 1, "repeats": 1}
    # told again, as after a commit whose end nobody saw, it counts no second time
    tell(world, repeats=(Repeat(2, 70),))
    assert numbers(world) == {"parts": 3, "messages": 1, "repeats": 1}


def test_what_was_told_of_late_can_be_looked_at_again(world: World) -> None:
    world.results(said(at=1_000.0), said(at=1_010.0), said(at=1_020.0), said(at=1_030.0))
    tell(world, told(70, 1), told(71, 2), told(72, 3))
    tell(world, repeats=(Repeat(4, 72),))
    found = world.engine.inbound_told(10, since=1_010.0)
    assert [(it.id, it.message, it.repeated) for it in found] == [(4, 72, True), (3, 72, False), (2, 71, False)]
    assert [it.id for it in world.engine.inbound_told(2, since=0.0)] == [4, 3]


def test_parts_are_found_by_their_ids(world: World) -> None:
    world.results(said(1, 2), said(2, 2))
    assert [it.id for it in world.engine.inbound_parts([2, 99, 1])] == [2, 1]


def test_an_open_transaction_shows_nothing_and_leaves_nothing_when_it_fails(world: World) -> None:
    world.results(said())
    world.engine.begin()
    world.engine.results([said()], owner=world.engine.owner, now=world.now)
    world.engine.tell([told(70, 1)], [])
    assert [it.id for it in world.engine.inbound_open(0, 10)] == [1]
    assert listed(world) == []
    world.engine.rollback()
    assert [it.id for it in world.engine.inbound_open(0, 10)] == [1]
    assert numbers(world) == {"parts": 1, "open": 1}
    world.results(said())
    assert [it.id for it in world.engine.inbound_open(0, 10)] == [1, 2]


def test_a_restart_finds_what_was_open(world: World) -> None:
    world.results(said(1, 2), said())
    tell(world, told(70, 2))
    world.restart()
    assert [it.id for it in world.engine.inbound_open(0, 10)] == [1]
    assert numbers(world) == {"parts": 2, "messages": 1, "open": 1}
    world.results(said(2, 2))
    assert [it.id for it in world.engine.inbound_open(0, 10)] == [1, 3]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, [74, 73, 72, 71, 70]),
        ({"limit": 2}, [74, 73]),
        ({"before": 73}, [72, 71, 70]),
        ({"after": 71}, [72, 73, 74]),
        ({"after": 71, "limit": 1}, [72]),
        ({"api_key": "shop"}, [74, 71, 70]),
        ({"unmatched": True}, [73]),
        ({"sender": OTHER_NUMBER}, [72, 71]),
        ({"to": "60400"}, [74]),
        ({"id": 72}, [72]),
        ({"id": 72, "api_key": "shop"}, []),
        ({"sender": OTHER_NUMBER, "api_key": "shop"}, [71]),
    ],
)
def test_a_list_is_narrowed_and_turned_by_pages(query: dict[str, Any], found: list[int], world: World) -> None:
    world.results(*[said()] * 5)
    tell(
        world,
        told(70, 1),
        told(71, 2, sender=OTHER_NUMBER),
        told(72, 3, sender=OTHER_NUMBER, api_key="poll"),
        told(73, 4, api_key=None),
        told(74, 5, to="60400"),
    )
    assert listed(world, **query) == found


def test_ids_go_on_behind_the_largest_of_both_kinds(world: World) -> None:
    assert world.engine.last_id() == 0
    world.waiting(message(50))
    assert world.engine.last_id() == 50
    world.results(said())
    tell(world, told(70, 1))
    assert world.engine.last_id() == 70


# --- who wrote last ---------------------------------------------------------------------------------------------------


def test_the_newest_messages_to_a_number_are_known_with_their_carriers(world: World) -> None:
    world.waiting(
        message(5, created_at=1_000.0),
        message(6, created_at=1_010.0, parts=2, api_key="poll", sender="60300"),
        message(7, created_at=1_020.0, to=OTHER_NUMBER),
        message(8, created_at=1_030.0),
    )
    world.claim(claim(part(5)), *(claim(part(6, number), carrier="south") for number in (1, 2)))
    world.results(acknowledged(part(5), "77"))
    newest = [Sent(8, "shop", "Shop", None), Sent(6, "poll", "60300", "south"), Sent(5, "shop", "Shop", "north")]
    asked = [Recipient(NUMBER, 0.0), Recipient("447700900999", 0.0), Recipient(NUMBER, 1_010.0)]
    assert world.engine.last_sent(asked) == [newest, [], newest[:2]]


def test_so_many_messages_to_a_number_are_looked_at_and_no_more(world: World) -> None:
    world.waiting(*(message(number) for number in range(1, SENT_LOOKED_AT + 11)))
    [found] = world.engine.last_sent([Recipient(NUMBER, 0.0)])
    assert [it.id for it in found] == list(range(SENT_LOOKED_AT + 10, 10, -1))


def test_a_reply_shows_what_the_caller_knows_its_message_by(world: World) -> None:
    world.waiting(message(5, client_ref="order 7", metadata='{"order":7}'))
    world.results(said())
    reply = told(70, 1, matched="reply", reply_to=5)
    tell(world, reply)
    [found] = world.engine.inbound(InboundQuery())
    assert found == attrs.evolve(reply, client_ref="order 7", metadata='{"order":7}')
    assert (found.client_ref, found.metadata) == ("order 7", '{"order":7}')


def test_a_part_tells_which_life_kept_it(world: World) -> None:
    world.results(said(1, 2))
    before = world.engine.owner.fence
    world.restart()
    world.results(said(2, 2))
    assert [part.fence for part in world.engine.inbound_open(0, 10)] == [before, world.engine.owner.fence]
    assert world.engine.owner.fence > before
