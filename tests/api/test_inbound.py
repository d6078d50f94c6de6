"""GET /v1/inbound and one of them, over a real store."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import trio

from connector.carrier.inbox import Batch
from connector.config import InboundConfig, InboundRouteConfig
from connector.model import Inbound, parse_id
from connector.smpp.pdu import DeliverSmResp, Pdu
from tests.api.conftest import door as door
from tests.api.world import NUMBER, SECRETS, World, config, world

HANDSET, CODE, OTHER_CODE = NUMBER[1:], "60777", "60888"
OTHER = SECRETS["OTHER"]


def settings(folder: Path) -> Any:
    rule = InboundRouteConfig(api_key="other", to=(OTHER_CODE,))
    return config(folder, inbound=InboundConfig(route=(rule,), join_timeout_s=0.2))


async def came(door: World, *texts: str, to: str = CODE, **changes: Any) -> None:
    """Bring these in as a link does, and wait until they are answered."""
    answered = trio.Event()
    statuses: list[int] = []

    def respond(responses: Sequence[Pdu]) -> None:
        statuses.extend(response.command_status for response in responses)
        answered.set()

    given: dict[str, Any] = {"sender": HANDSET, "data_coding": 0, "esm_class": 0, "bind": "north/1"} | changes
    results = [Inbound("north", door.clock(), to=to, text=text, octets=text.encode(), **given) for text in texts]
    door.connector._results.put(Batch(respond, list(results), [DeliverSmResp() for _ in texts]))
    await answered.wait()
    assert statuses == [0] * len(texts)


async def listed(door: World, query: str = "", *, secret: str = SECRETS["SHOP"]) -> list[dict[str, Any]]:
    answer = await door.get(f"/v1/inbound{query}", secret=secret)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["inbound"])


async def until(door: World, count: int) -> list[dict[str, Any]]:
    with trio.fail_after(10):
        while len(found := await listed(door, "?after=0")) < count:  # noqa: ASYNC110 - the store tells nobody
            await trio.sleep(0.01)
    return found


async def test_each_key_sees_its_own_and_an_operator_all(tmp_path: Path) -> None:
    async with world(settings(tmp_path)) as door:
        sent = await door.post({"to": NUMBER, "text": "Yes or no?", "from": CODE, "metadata": {"poll": 3}})
        await came(door, "yes")
        await came(door, "vote", to=OTHER_CODE)
        await came(door, "hello", sender="447911123499")
        reply, vote, nobodys = await until(door, 3)
        assert (reply["text"], reply["api_key"], reply["matched"]) == ("yes", "shop", "reply")
        assert (reply["reply_to"], reply["metadata"]) == (sent.json()["id"], {"poll": 3})
        assert (vote["api_key"], vote["matched"]) == ("other", "rule inbound-1")
        assert (nobodys["api_key"], nobodys["matched"], nobodys["text"]) == (None, None, "hello")
        assert await listed(door, secret=OTHER) == [vote]
        assert await listed(door, "?unmatched=true") == [nobodys]
        assert (await door.get(f"/v1/inbound/{vote['id']}", secret=OTHER)).json() == vote
        assert (await door.get(f"/v1/inbound/{reply['id']}", secret=OTHER)).status_code == 404


async def test_pages_go_back_in_time_or_follow_what_comes(tmp_path: Path) -> None:
    async with world(settings(tmp_path)) as door:
        await came(door, *(f"text {number}" for number in range(5)))
        texts = [message["text"] for message in await until(door, 5)]
        assert texts == [f"text {number}" for number in range(5)]
        first = (await door.get("/v1/inbound?limit=2")).json()
        assert [message["text"] for message in first["inbound"]] == ["text 4", "text 3"]
        rest = (await door.get(f"/v1/inbound?limit=10&before={first['next']}")).json()
        assert [message["text"] for message in rest["inbound"]] == ["text 2", "text 1", "text 0"]
        assert rest["next"] is None
        newest = first["inbound"][0]["id"]
        assert await listed(door, f"?after={newest}") == []
        await came(door, "news")
        await until(door, 6)
        assert [message["text"] for message in await listed(door, f"?after={newest}")] == ["news"]


@pytest.mark.parametrize("query", [f"?from={NUMBER}", f"?from={HANDSET}", f"?from=%2B{HANDSET}", f"?to={CODE}"])
async def test_addresses_may_be_spelled_with_a_plus(query: str, tmp_path: Path) -> None:
    async with world(settings(tmp_path)) as door:
        await came(door, "mine")
        await came(door, "other", to=OTHER_CODE, sender="447911123499")
        await until(door, 2)
        assert [message["text"] for message in await listed(door, query)] == ["mine"]


async def test_a_part_alone_is_shown_with_what_it_lacks(tmp_path: Path) -> None:
    async with world(settings(tmp_path)) as door:
        await came(door, "part", reference=7, total=3, number=2)
        [partial] = await until(door, 1)
        assert (partial["partial"], partial["parts"], partial["missing"]) == (True, 3, [1, 3])
        status = (await door.get("/v1/status")).json()["inbound"]
        assert (status["messages"], status["partial"], status["unmatched"]) == (1, 1, 1)
        assert (status["open_messages"], status["open_parts"], status["refused"]) == (0, 0, 0)


async def test_octets_that_are_no_text_are_shown_in_hexadecimal(tmp_path: Path) -> None:
    async with world(settings(tmp_path)) as door:
        await came(door, "\x01\x02", alphabet="binary", destination_port=2948)
        [found] = await until(door, 1)
        assert (found["text"], found["data"], found["destination_port"]) == ("", "0102", 2948)


async def test_the_next_life_goes_on_where_this_one_ended(tmp_path: Path) -> None:
    async with world(settings(tmp_path)) as door:
        await came(door, "one")
        await until(door, 1)
    async with world(settings(tmp_path)) as door:
        await came(door, "two")
        one, two = await until(door, 2)
        assert (one["text"], two["text"]) == ("one", "two")
        first, second = parse_id(one["id"]), parse_id(two["id"])
        assert first is not None
        assert second is not None
        assert first < second


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?limit=0", "limit"),
        ("?limit=1001", "limit"),
        ("?limit=x", "limit"),
        ("?before=0", "before"),
        ("?after=yesterday", "after"),
        ("?after=0&before=00000000001", "before"),
        ("?unmatched=maybe", "unmatched"),
        ("?from=", "from"),
        ("?too=1", "too"),
        ("?to=1&to=2", "to"),
    ],
)
async def test_a_filter_that_makes_no_sense_is_named(query: str, field: str, door: World) -> None:
    answer = await door.get(f"/v1/inbound{query}")
    assert (answer.status_code, answer.json()["field"]) == (400, field)


@pytest.mark.parametrize("identity", ["00000000001", "x"])
async def test_what_is_not_there_is_not_found(identity: str, door: World) -> None:
    assert (await door.get(f"/v1/inbound/{identity}")).status_code == 404
    assert (await door.get(f"/v1/inbound/{identity}", secret=None)).status_code == 401
