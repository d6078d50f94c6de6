"""GET /v1/messages and one of them."""

from typing import Any
from urllib.parse import quote

import pytest

from tests.api.world import NUMBER, SECRETS, World

OTHERS = "+447911123457"


async def listed(door: World, query: str = "", **more: Any) -> list[str]:
    answer = await door.get(f"/v1/messages{query}", **more)
    assert answer.status_code == 200, answer.text
    return [message["id"] for message in answer.json()["messages"]]


async def sent(door: World, **request: Any) -> str:
    answer = await door.post({"to": NUMBER, "text": "Hello", **request})
    assert answer.status_code == 202
    return str(answer.json()["id"])


async def test_a_message_shows_its_events_and_the_status_of_its_parts(door: World) -> None:
    message_id = await sent(door, text="x" * 200)
    message = (await door.get(f"/v1/messages/{message_id}")).json()
    assert message["status"] == "accepted"
    assert message["part_statuses"] == ["accepted", "accepted"]
    assert [(event["event"], event["part"]) for event in message["events"]] == [
        ("accepted", 1),
        ("accepted", 2),
    ]
    assert all(event["at"].startswith("2026-01-31T09:00:0") for event in message["events"])


async def test_messages_are_listed_newest_first(door: World) -> None:
    ids = [await sent(door) for _ in range(3)]
    assert await listed(door) == ids[::-1]


@pytest.mark.parametrize(
    "spelling",
    [NUMBER, NUMBER[1:], "07911 123456", "0044 7911 123456", "(07911) 123-456", "+44 (0)7911 123456"],
)
async def test_a_number_may_be_asked_for_as_it_may_be_written(door: World, spelling: str) -> None:
    mine, _ = await sent(door), await sent(door, to=OTHERS)
    assert await listed(door, f"?to={quote(spelling)}") == [mine]


async def test_a_plus_that_was_not_escaped_is_still_one(door: World) -> None:
    mine = await sent(door)
    assert await listed(door, f"?to={NUMBER}") == [mine]


async def test_filters_narrow_together(door: World) -> None:
    first = await sent(door)
    door.clock.ahead_s += 60
    later = await sent(door, send_at="2026-02-05T09:00:00Z")
    newest = await sent(door, to=OTHERS)
    assert await listed(door, "?status=scheduled") == [later]
    assert await listed(door, "?since=2026-01-31T09:00:30Z") == [newest, later]
    assert await listed(door, "?since=2026-01-31T10:00:30+01:00&limit=1") == [newest]
    assert await listed(door, f"?to={NUMBER}&status=accepted") == [first]
    assert await listed(door, "?status=delivered") == []


async def test_a_list_longer_than_its_limit_goes_on_behind_the_cursor(door: World) -> None:
    ids = [await sent(door) for _ in range(5)]
    page = (await door.get("/v1/messages?limit=3")).json()
    assert [message["id"] for message in page["messages"]] == ids[:1:-1]
    assert await listed(door, f"?limit=3&before={page['next']}") == ids[1::-1]
    assert (await door.get("/v1/messages?limit=6")).json()["next"] is None


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?too=1", "too"),
        ("?to=nobody", "to"),
        ("?to=", "to"),
        ("?to=07911123456x", "to"),
        ("?status=deliverd", "status"),
        ("?since=yesterday", "since"),
        ("?since=2026-01-31T09:00:00", "since"),
        ("?limit=0", "limit"),
        ("?limit=1001", "limit"),
        ("?limit=ten", "limit"),
        ("?limit=" + "9" * 5_000, "limit"),
        ("?before=x", "before"),
        ("?api_key=", "api_key"),
        ("?limit=1&limit=2", "limit"),
    ],
)
async def test_a_filter_that_makes_no_sense_is_400_and_named(door: World, query: str, field: str) -> None:
    answer = await door.get(f"/v1/messages{query}")
    assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert answer.json()["detail"]


async def test_a_mistyped_status_is_answered_with_the_nearest(door: World) -> None:
    answer = await door.get("/v1/messages?status=deliverd")
    assert 'did you mean "delivered"?' in answer.json()["detail"]


async def test_the_messages_of_another_key_do_not_exist(door: World) -> None:
    mine = await sent(door, lane="promotional")
    other = SECRETS["OTHER"]
    answer = await door.get(f"/v1/messages/{mine}", secret=other)
    assert (answer.status_code, answer.json()["reason"]) == (404, "not_found")
    assert await listed(door, secret=other) == []
    assert await listed(door, f"?to={quote(NUMBER)}", secret=other) == []


async def sent_by_other(door: World) -> str:
    answer = await door.post({"to": NUMBER, "text": "Hello", "from": "Other"}, secret=SECRETS["OTHER"])
    assert answer.status_code == 202
    return str(answer.json()["id"])


async def test_an_operator_sees_the_messages_of_all_keys_and_whose_each_is(door: World) -> None:
    theirs, mine = await sent_by_other(door), await sent(door)
    found = (await door.get("/v1/messages")).json()["messages"]
    assert [(message["id"], message["api_key"]) for message in found] == [(mine, "shop"), (theirs, "other")]
    assert (await door.get(f"/v1/messages/{theirs}")).json()["api_key"] == "other"


async def test_an_operator_narrows_the_list_to_one_key(door: World) -> None:
    theirs, mine = await sent_by_other(door), await sent(door)
    assert await listed(door, "?api_key=other") == [theirs]
    assert await listed(door, "?api_key=shop") == [mine]
    assert await listed(door, "?api_key=nobody") == []


async def test_who_is_no_operator_may_name_only_its_own_key(door: World) -> None:
    theirs, _ = await sent_by_other(door), await sent(door)
    assert await listed(door, "?api_key=other", secret=SECRETS["OTHER"]) == [theirs]
    answer = await door.get("/v1/messages?api_key=shop", secret=SECRETS["OTHER"])
    assert (answer.status_code, answer.json()["field"]) == (400, "api_key")
    assert "only an operator's API key" in answer.json()["detail"]


async def test_an_operator_may_not_take_back_what_it_only_sees(door: World) -> None:
    theirs = await sent_by_other(door)
    async with door.caller() as operator:
        answer = await operator.post(f"/v1/messages/{theirs}/cancel")
        assert (answer.status_code, answer.json()["reason"]) == (403, "not_your_message")
        assert 'API key, "other",' in answer.json()["detail"]
        assert (await operator.post("/v1/messages/0000000000a/cancel")).status_code == 404
    assert (await door.get(f"/v1/messages/{theirs}")).json()["status"] == "accepted"


@pytest.mark.parametrize("message_id", ["0000000000a", "x", "0" * 5_000, "%00", "zzzzzzzzzzz", "ZZZZZZZZZZZ"])
async def test_an_id_that_is_none_is_404(door: World, message_id: str) -> None:
    assert (await door.get(f"/v1/messages/{message_id}")).status_code == 404
