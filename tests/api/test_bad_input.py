"""Whatever is thrown at the door: an answer of the 4xx kind that says what is wrong, never a 500."""

import json
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.api.schemas import FIELDS, MAX_DEPTH
from tests.api.world import NUMBER, SECRETS, World, config, world


async def post(door: World, body: bytes, **headers: str) -> Any:
    async with door.caller() as caller:
        return await caller.post("/v1/messages", content=body, headers=headers)


ROW = f'"to": "{NUMBER}", "text": "Hello"'.encode()

MALFORMED = {
    "nothing": b"",
    "blanks": b"  \n",
    "cut off": b"{" + ROW,
    "two values": b"{" + ROW + b"}{}",
    "NaN": b"{" + ROW + b', "metadata": {"a": NaN}}',
    "Infinity in a list": b"[{" + ROW + b', "metadata": {"a": -Infinity}}]',
    "a trailing comma": b"[{" + ROW + b"},]",
    "a comment": b"{" + ROW + b"} // yes",
    "not UTF-8": b'{"to": "\xff\xfe", "text": "x"}',
    "UTF-16": '{"to": "1"}'.encode("utf-16"),
    "half a surrogate pair": b'{"to": "1", "text": "\\ud83d"}',
    "the other half": b'{"to": "1", "text": "\\ude00"}',
    "half a pair in a name": b'{"\\ud83dx": "1"}',
    "deep lists": b"[" * 100_000,
    "deep lists that close": b"[" * 50_000 + b"]" * 50_000,
    "deep objects": b'{"a":' * 50_000,
    "deep metadata": b"{" + ROW + b', "metadata": {"a": ' + b"[" * 20_000 + b"]" * 20_000 + b"}}",
    "an integer of 5,000 digits": b"{" + ROW + b', "metadata": {"a": ' + b"9" * 5_000 + b"}}",
    "a float out of range": b"{" + ROW + b', "metadata": {"a": 1e999}}',
    "no rows": b"[]",
    "a string": b'"hello"',
    "a number": b"42",
    "null": b"null",
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
async def test_a_body_that_is_no_request_is_400_and_says_why(door: World, body: bytes) -> None:
    answer = await post(door, body)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["reason"] == "bad_request"
    assert answer.json()["detail"]
    assert await door.accepted() == 0


async def test_in_a_list_only_the_row_that_cannot_be_read_is_refused(door: World) -> None:
    deep = b'{"to": "1", "metadata": {"a": ' + b"[" * 500 + b"]" * 500 + b"}}"
    answer = await post(door, b'[{%b}, {"to": "\xff", "text": "x"}, {"to": "\\ud83dx"}, %b]' % (ROW, deep))
    assert answer.status_code in (202, 400)
    if answer.status_code == 202:
        assert [verdict.get("reason") for verdict in answer.json()["verdicts"]] == [
            None,
            *["bad_request"] * 3,
        ]


async def test_an_unknown_field_is_answered_with_the_nearest_name(door: World) -> None:
    answer = await door.post({"to": NUMBER, "text": "x", "metadta": {}})
    assert (answer.status_code, answer.json()["field"]) == (400, "metadta")
    assert answer.json()["detail"] == 'there is no field metadta, did you mean "metadata"?'


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{" + ROW + b', "to": "+447911123457"}', "to"),
        (b"{" + ROW + b', "t\\u0065xt": "Bye"}', "text"),
        (b"{" + ROW + b', "metadata": {"a": 1, "a": 2}}', "a"),
    ],
)
async def test_a_field_given_twice_is_refused_for_nobody_knows_which_is_meant(
    door: World, body: bytes, field: str
) -> None:
    answer = await post(door, body)
    assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert "twice" in answer.json()["detail"]


async def test_colons_in_a_text_and_in_metadata_are_no_fields(door: World) -> None:
    answer = await door.post({"to": NUMBER, "text": 'a: b:: "to": c', "metadata": {"x:": {"x:": ":"}}})
    assert answer.status_code == 202


async def test_metadata_has_a_bottom(door: World) -> None:
    def nested(depth: int) -> Any:
        return {"a": nested(depth - 1)} if depth else 1

    good = {"to": NUMBER, "text": "x", "metadata": nested(MAX_DEPTH), "client_ref": "1"}
    answer = await door.post(good, key="k1")
    assert answer.status_code == 202
    answer = await door.post({**good, "metadata": nested(MAX_DEPTH + 1)})
    assert (answer.status_code, answer.json()["field"]) == (400, "metadata")


async def test_a_large_integer_in_metadata_comes_back_as_it_was(door: World) -> None:
    number = 10**300 + 7
    answer = await door.post({"to": NUMBER, "text": "x", "metadata": {"n": number}})
    assert answer.status_code == 202
    shown = await door.get(f"/v1/messages/{answer.json()['id']}")
    assert json.loads(shown.text)["metadata"] == {"n": number}


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 2**200, -1])
async def test_an_option_that_does_not_fit_its_field_is_refused(door: World, value: int) -> None:
    answer = await door.post({"to": NUMBER, "text": "x", "options": {"priority_flag": value}})
    assert answer.status_code in (400, 422)
    assert answer.json()["field"].startswith("options")


# --- size ---


async def test_a_body_that_says_it_is_too_large_is_413_before_it_is_read(door: World) -> None:
    answer = await post(door, b" " * 400_001)
    assert (answer.status_code, answer.json()["reason"]) == (413, "too_large")


async def test_a_body_that_grows_too_large_without_saying_so_is_413(door: World) -> None:
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/messages",
        "query_string": b"",
        "headers": [(b"authorization", f"Bearer {SECRETS['SHOP']}".encode())],
    }
    read, answered = 0, []

    async def receive() -> dict[str, Any]:
        nonlocal read
        read += 1_000
        return {"type": "http.request", "body": b" " * 1_000, "more_body": True}

    async def send(message: dict[str, Any]) -> None:
        answered.append(message)

    await door.asgi(scope, receive, send)
    assert answered[0]["status"] == 413
    assert read == 401_000, "the rest of it is not read"


@pytest.mark.parametrize("length", ["9" * 5_000, "-1", "x", "²"])
async def test_a_strange_content_length_is_no_mistake_of_ours(door: World, length: str) -> None:
    async with door.caller() as caller:
        headers = {b"content-length": length.encode("latin-1")}
        answer = await caller.post("/v1/messages", content=b"{}", headers=headers)
    assert answer.status_code in (400, 413)


# --- anything ---

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(10**400), max_value=10**400)
    | st.floats()
    | st.text(alphabet=st.characters(codec=None), max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
TIMES = st.sampled_from(["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-02-01T09:00Z", "1e9d", "1s"])
NEAR = st.fixed_dictionaries(
    {"to": st.just(NUMBER) | JSON, "text": st.just("Hello") | JSON},
    optional={name: TIMES | JSON for name in FIELDS if name not in ("to", "text")}
    | {"options": st.dictionaries(st.just("priority_flag") | st.text(max_size=5), JSON, max_size=3)},
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rows=st.lists(JSON | NEAR, min_size=1, max_size=25),
    single=JSON | NEAR,
    key=st.none() | st.text("abc\xe9 ", min_size=1),
)
def test_no_json_value_provokes_anything_but_2xx_and_4xx(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any], single: Any, key: str | None
) -> None:
    async def main() -> None:
        async with world(config(tmp_path_factory.mktemp("any"))) as door:
            headers = {} if key is None else {"Idempotency-Key": key.encode("latin-1")}
            for body in (rows, single):
                for secret in SECRETS.values():
                    async with door.caller(secret) as caller:
                        content = json.dumps(body).encode()
                        answer = await caller.post("/v1/messages", content=content, headers=headers)  # type: ignore[arg-type]
                    assert answer.status_code < 500, answer.text
                    answer.json()
            listed = await door.get("/v1/messages")
            assert listed.status_code == 200
            assert len(listed.json()["messages"]) == await door.accepted()

    trio.run(main)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    bodies=st.lists(st.binary(max_size=60), max_size=10),
    query=st.dictionaries(st.text(), st.text(), max_size=3),
)
def test_no_octets_and_no_query_provoke_anything_but_2xx_and_4xx(
    tmp_path_factory: pytest.TempPathFactory, bodies: list[bytes], query: dict[str, str]
) -> None:
    async def main() -> None:
        async with world(config(tmp_path_factory.mktemp("any"))) as door, door.caller() as caller:
            for body in bodies:
                answer = await caller.post("/v1/messages", content=body)
                assert answer.status_code < 500, answer.text
            for name in ("to", "status", "since", "limit", "before"):
                for value in query.values():
                    answer = await caller.get("/v1/messages", params={name: value})
                    assert answer.status_code < 500, answer.text
            assert (await caller.get("/v1/messages", params=query)).status_code < 500

    trio.run(main)
