"""Taking a message back at the HTTP door: what is done, what is too late, and whose message it is."""

from typing import Any

import pytest

from connector.lifecycle import Event
from connector.model import Answer, Claim, parse_id, part_id
from tests.api.world import NUMBER, SECRETS, World

LONG = "a text that needs more than one part " * 8


async def ask(door: World, message: str, *, secret: str | None = SECRETS["SHOP"], method: str = "POST") -> Any:
    async with door.caller(secret) as caller:
        return await caller.request(method, f"/v1/messages/{message}/cancel")


async def kept(door: World, text: str = "Hello") -> str:
    return str((await door.post({"to": NUMBER, "text": text})).json()["id"])


async def claimed(door: World, message: str, number: int = 0) -> int:
    """Let a part be on its way."""
    identity = parse_id(message)
    assert identity is not None
    part = part_id(identity, number)
    assert await door.store.claim([Claim(part, 1, "north")], now=door.clock())
    return part


async def test_what_waits_is_taken_back_and_asking_again_says_the_same(door: World) -> None:
    message = await kept(door, LONG)
    answer = await ask(door, message)
    assert answer.status_code == 200
    assert answer.json() == {
        "id": message,
        "status": "cancelled",
        "parts": 2,
        "cancelled": 2,
        "already_out": 0,
        "recalled": 0,
        "carriers": [],
    }
    again = await ask(door, message)
    assert (again.status_code, again.json()) == (200, answer.json())
    shown = (await door.get(f"/v1/messages/{message}")).json()
    assert (shown["status"], shown["reason"]) == ("cancelled", "cancelled_by_caller")
    assert [entry["event"] for entry in shown["events"]] == ["accepted", "accepted", "cancelled", "cancelled"]


async def test_parts_that_have_left_are_counted(door: World) -> None:
    message = await kept(door, LONG)
    await claimed(door, message, 1)
    answer = await ask(door, message)
    assert answer.status_code == 200
    said = answer.json()
    assert (said["status"], said["parts"], said["cancelled"], said["already_out"]) == ("sending", 2, 1, 1)


async def test_what_is_on_the_wire_is_409_with_how_it_stands(door: World) -> None:
    message = await kept(door)
    await claimed(door, message)
    answer = await ask(door, message)
    problem = answer.json()
    assert (answer.status_code, problem["reason"], problem["status"]) == (409, "not_cancellable", 409)
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["detail"] == "nothing of it can be taken back: it is sending"
    assert (problem["message"]["status"], problem["message"]["already_out"]) == ("sending", 1)


@pytest.mark.parametrize(
    ("event", "status", "detail"),
    [
        (
            Event.ACKNOWLEDGED,
            "sent",
            "nothing of it can be taken back: it is sent; carrier north is not asked to give messages back",
        ),
        (Event.REFUSED, "rejected", "nothing of it can be taken back: it is rejected"),
    ],
)
async def test_what_a_carrier_has_answered_is_409_and_says_why(
    event: Event, status: str, detail: str, door: World
) -> None:
    message = await kept(door)
    part = await claimed(door, message)
    await door.store.results([Answer(part, 1, event, door.clock(), "north", "77", "77")], now=door.clock())
    problem = (await ask(door, message)).json()
    assert (problem["message"]["status"], problem["detail"]) == (status, detail)


@pytest.mark.parametrize("message", ["00000000000", "nonsense", "%2e%2e", "0" * 10_000])
async def test_a_message_that_is_not_there_is_404(message: str, door: World) -> None:
    answer = await ask(door, message)
    assert (answer.status_code, answer.json()["reason"]) == (404, "not_found")


async def test_a_message_of_another_key_is_404_and_stays(door: World) -> None:
    message = await kept(door)
    answer = await ask(door, message, secret=SECRETS["OTHER"])
    assert (answer.status_code, answer.json()["field"]) == (404, "id")
    assert (await door.get(f"/v1/messages/{message}")).json()["status"] == "accepted"


async def test_without_a_key_nobody_may(door: World) -> None:
    assert (await ask(door, await kept(door), secret=None)).status_code == 401


async def test_nothing_is_taken_back_by_looking(door: World) -> None:
    message = await kept(door)
    assert (await ask(door, message, method="GET")).status_code == 405
    assert (await door.get(f"/v1/messages/{message}")).json()["status"] == "accepted"
