"""The typed client, against the real door and against what is none."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import attrs
import httpx2
import pytest

from connector.client import Client, request_body
from connector.errors import ApiError, InputError
from connector.model import SendRequest
from tests.api.conftest import door as door
from tests.api.world import NUMBER, SECRETS, World

HELLO = SendRequest(to=NUMBER, text="Hello")


def client_of(transport: httpx2.AsyncBaseTransport, key: str = SECRETS["SHOP"]) -> Client:
    """Return a client whose requests go to this transport."""
    client = Client("http://door", key=key)
    client._http = httpx2.AsyncClient(
        transport=transport, base_url="http://door", headers={"Authorization": f"Bearer {key}"}
    )
    return client


@pytest.fixture
async def client(door: World) -> AsyncIterator[Client]:
    async with client_of(httpx2.ASGITransport(door.asgi)) as client:
        yield client


async def test_send_returns_a_verdict_for_each_row_in_order(client: Client, door: World) -> None:
    first, second = await client.send([HELLO, SendRequest(to="12", text="x")])
    assert first.accepted
    assert (first.to, first.parts, first.replayed) == (NUMBER[1:], 1, False)
    assert not second.accepted
    assert (second.reason, second.field) == ("number_invalid", "to")
    assert second.detail
    assert await door.accepted() == 1


async def test_where_no_row_is_accepted_the_verdicts_still_come(client: Client) -> None:
    (verdict,) = await client.send([SendRequest(to="12", text="x")])
    assert verdict.reason == "number_invalid"


async def test_a_list_with_an_idempotency_key_is_replayed(client: Client) -> None:
    first = await client.send([HELLO, HELLO], idempotency_key="k1")
    again = await client.send([HELLO, HELLO], idempotency_key="k1")
    assert [verdict.id for verdict in again] == [verdict.id for verdict in first]
    assert all(verdict.replayed for verdict in again)
    with pytest.raises(ApiError) as error:
        await client.send([HELLO], idempotency_key="k1")
    assert error.value.status == 422
    assert "Idempotency-Key" in str(error.value)


async def test_a_preview_comes_for_each_row_and_nothing_is_kept(client: Client, door: World) -> None:
    good, bad = await client.preview([HELLO, SendRequest(to="12", text="x")])
    assert (good["status"], good["to"], good["parts"]) == ("accepted", NUMBER[1:], 1)
    assert (bad["status"], bad["reason"], bad["field"]) == ("refused", "number_invalid", "to")
    assert await door.accepted() == 0


async def test_an_answer_without_a_preview_of_each_row_is_no_connector_s() -> None:
    transport = httpx2.MockTransport(lambda _request: httpx2.Response(200, json={"previews": []}))
    async with client_of(transport) as client:
        with pytest.raises(ApiError, match="no preview of each row"):
            await client.preview([HELLO])


async def test_messages_are_found_again(client: Client) -> None:
    (verdict,) = await client.send([HELLO])
    assert verdict.id is not None
    assert (await client.message(verdict.id))["events"][0]["event"] == "accepted"
    found = await client.messages(to=NUMBER, status="accepted", limit=1, since=None)
    assert [message["id"] for message in found["messages"]] == [verdict.id]
    assert found["next"] == verdict.id
    assert (await client.messages(before=found["next"]))["messages"] == []


async def test_the_text_of_a_message_comes_only_if_it_is_asked_for(client: Client) -> None:
    (verdict,) = await client.send([HELLO])
    assert verdict.id is not None
    assert "text" not in await client.message(verdict.id)
    assert (await client.message(verdict.id, text=True))["text"] == "Hello"


async def test_an_operator_asks_for_the_messages_of_one_key(client: Client) -> None:
    (verdict,) = await client.send([HELLO])
    assert [it["id"] for it in (await client.messages(api_key="shop"))["messages"]] == [verdict.id]
    assert (await client.messages(api_key="other"))["messages"] == []


async def test_readiness_is_told_ready_or_not(client: Client, door: World) -> None:
    assert (await client.ready())["ready"] is True
    door.connector.intake.draining = True
    assert (await client.ready())["ready"] is False


async def test_verify_tells_the_ledger(client: Client) -> None:
    await client.send([HELLO])
    assert (await client.verify())["messages"] == {"accepted": 1}


async def test_an_error_carries_its_status_and_the_connectors_sentence(client: Client, door: World) -> None:
    with pytest.raises(ApiError, match="there is no message with this id") as error:
        await client.message("00000000000")
    assert error.value.status == 404
    async with client_of(httpx2.ASGITransport(door.asgi), key="wrong") as stranger:
        with pytest.raises(ApiError, match="this API key is not known here") as error:
            await stranger.send([HELLO])
    assert error.value.status == 401
    assert "wrong" not in str(error.value)


async def test_everything_of_a_request_goes_over_as_the_door_reads_it(client: Client) -> None:
    request = SendRequest(
        to="07911 123456",
        text="Hello",
        sender="Bakery",
        lane="promotional",
        client_ref="order-1",
        country="GB",
        send_at=1_770_000_000.5,
        deadline_in_s=90.0,
        metadata={"a": 1},
        receipt=False,
        options={"priority_flag": 1},
    )
    (verdict,) = await client.send([request])
    assert verdict.id is not None
    shown = await client.message(verdict.id)
    assert (shown["from"], shown["lane"], shown["client_ref"]) == ("Bakery", "promotional", "order-1")
    assert shown["send_at"] == "2026-02-02T02:40:00.500Z"
    assert shown["deadline"] == "2026-02-02T02:41:30.500Z"
    assert shown["metadata"] == {"a": 1}


def test_what_is_not_set_is_not_sent() -> None:
    assert request_body(HELLO) == {"to": NUMBER, "text": "Hello"}
    assert request_body(attrs.evolve(HELLO, receipt=False))["receipt"] is False
    assert request_body(attrs.evolve(HELLO, deadline=1_770_000_000.0))["deadline"] == "2026-02-02T02:40:00+00:00"


@pytest.mark.parametrize("seconds", [0.001, 0.00004, 90.0, 1_234_567.5, 86_400.0])
def test_a_relative_deadline_survives_the_way(seconds: float) -> None:
    from connector.settings import parse_duration

    body = request_body(attrs.evolve(HELLO, deadline_in_s=seconds))
    assert parse_duration(body["deadline"]) == pytest.approx(seconds, rel=1e-9)


# --- what is no connector ---


async def test_where_nothing_listens_the_error_says_where_it_asked() -> None:
    async with Client("http://127.0.0.1:1", key="k") as client:
        with pytest.raises(ApiError, match=r"no connector answers at http://127\.0\.0\.1:1") as error:
            await client.send([HELLO])
    assert error.value.status == 0


ANSWERS: list[tuple[Callable[[], httpx2.Response], int]] = [
    (lambda: httpx2.Response(200, html="<h1>Hello</h1>"), 0),
    (lambda: httpx2.Response(200, content=b'{"half', headers={"content-type": "application/json"}), 0),
    (lambda: httpx2.Response(200, json=["a", "list"]), 0),
    (lambda: httpx2.Response(200, json={"something": "else"}), 0),
    (lambda: httpx2.Response(502, html="<h1>Bad gateway</h1>"), 502),
]


@pytest.mark.parametrize(("answer", "status"), ANSWERS)
async def test_something_else_that_answers_is_an_error_and_no_traceback(answer: Any, status: int) -> None:
    async with client_of(httpx2.MockTransport(lambda _: answer())) as client:
        with pytest.raises(ApiError, match="no connector") as error:
            await client.send([HELLO])
        assert error.value.status == status


@pytest.mark.parametrize("url", ["", "foo", "ftp://x", "http://", "http://[::1", "127.0.0.1:8080"])
def test_an_address_that_cannot_be_one_is_told_before_anything_is_asked(url: str) -> None:
    with pytest.raises(InputError, match="is no address of a connector"):
        Client(url, key="k")


@pytest.mark.parametrize("key", ["line\nbreak", "ключ", "nul\0"])
def test_a_key_that_no_header_carries_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(InputError, match="API key") as error:
        Client(key=key)
    assert key not in str(error.value)


async def test_a_message_is_taken_back(client: Client) -> None:
    (verdict,) = await client.send([HELLO])
    assert verdict.id is not None
    done = await client.cancel(verdict.id)
    assert (done["status"], done["parts"], done["cancelled"]) == ("cancelled", 1, 1)
    for nobody in ("nonsense", "../reload"):  # an id is never a path
        with pytest.raises(ApiError, match=r"there is no(thing| message)") as error:
            await client.cancel(nobody)
        assert error.value.status == 404
