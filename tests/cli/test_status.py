"""What an operator reads: columns that align, short times, and the words of what holds a carrier back."""

import json
from typing import Any

import pytest

from cli import status
from connector.client import Client
from connector.errors import ConfigError
from tests.cli.calls import Caller

BIND = {
    "name": "north/1",
    "state": "bound",
    "host": "smpp.north.example:3550",
    "window_used": 10,
    "window_size": 10,
    "response_s": 0.1,
    "response_p99_s": 0.45,
    "oldest_in_flight_s": 0.31,
    "attempts": 1,
    "next_try_in_s": None,
    "reason": None,
}
HEALTH = {
    "state": "well",
    "share": 1.0,
    "samples": 4_000,
    "bad_share": 0.0,
    "response_p50_s": 0.1,
    "receipts": 900,
    "delivered_share": 0.98,
    "delivered_p50_s": 2.4,
    "silent_share": 0.01,
    "text": "",
}
LANE = {"max_rate_per_s": None, "ceiling_reached": False, "quiet": False}
STATUS: dict[str, Any] = {
    "up_s": 187_500.0,
    "draining": False,
    "carriers": [
        {
            "name": "north",
            "state": "partly bound",
            "bound": 1,
            "rate_per_s": 100.0,
            "contract_per_s": None,
            "credit": 0,
            "waiting": 12_000,
            "throttled": 3,
            "ramp_halted": "12 of 100 were refused, more than 10%",
            "limited_by": {"cause": "window", "share": 0.93, "text": "the window of 10 is full 93 % of the time"},
            "limits": [{"scope": "sender", "value": "Sh\x1bop", "rate_per_s": 2.5, "eased": True, "throttled": 7}],
            "health": {
                **HEALTH,
                "countries": [
                    {
                        **HEALTH,
                        "country": "FR",
                        "state": "reduced",
                        "share": 0.25,
                        "samples": 200,
                        "bad_share": 0.315,
                        "delivered_share": None,
                        "delivered_p50_s": None,
                        "text": "carrier north, country FR: gets 25 % of its traffic",
                    }
                ],
            },
            "binds": [
                BIND,
                {**BIND, "name": "north/2", "state": "down", "next_try_in_s": 42.3, "reason": "refused by it"},
            ],
        }
    ],
    "lanes": [
        {**LANE, "lane": "otp", "waiting": 0},
        {**LANE, "lane": "transactional", "waiting": 7, "max_rate_per_s": 50.0, "ceiling_reached": True},
        {**LANE, "lane": "promotional", "waiting": 12_000, "quiet": True},
    ],
    "in_doubt": 3,
    "inbound": {
        "messages": 1,
        "partial": 0,
        "unmatched": 1,
        "repeats": 2,
        "open_messages": 3,
        "open_parts": 4,
        "refused": 5,
    },
    "notices": [{"at": "2026-11-22T22:00:00Z", "kind": "health", "text": "carrier north: gets 50 % of its traffic"}],
    "store": {"last_commit_s": 0.004},
    "loop": {"lag_s": 0.0, "lag_max_s": 1.25, "busy": 0.1},
}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(self: Client, *, notices: int) -> dict[str, Any]:
        return {**STATUS, "notices": STATUS["notices"][:notices]}

    monkeypatch.setattr(Client, "status", answer)
    monkeypatch.setenv("CARRIERLINE_KEY", "key")


@pytest.mark.usefixtures("told")
def test_carriers_and_binds_stand_in_columns_with_the_words_between(carrierline: Caller) -> None:
    ended = carrierline("status")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.splitlines() == [
        "up 2 d 4 h; waiting: otp 0, transactional 7 (its 50/s are used), promotional 12000 (quiet hours); "
        "in doubt: 3; loop late -, at most 1.25 s; commit 4 ms",
        "",
        "carrier  state         bound  rate/s  contract  credit  waiting  throttled  limited by",
        "north    partly bound  1/2    100     any       0       12000    3          window 93 %",
        "",
        "north: the window of 10 is full 93 % of the time; ramp halted: 12 of 100 were refused, more than 10%",
        "  sender Sh\ufffdop: 2.5/s, throttled 7, eased: the carrier complained",
        "",
        "carrier  country  health   share  answers  bad     resp    receipts  delivered  in     silent",
        "north    all      well     100 %  4000     0 %     100 ms  900       98 %       2.4 s  1 %",
        "         FR       reduced  25 %   200      31.5 %  100 ms  900       -          -      1 %",
        "carrier north, country FR: gets 25 % of its traffic",
        "",
        "bind     state  host                     window  resp    p99     oldest  tries  next try  reason",
        "north/1  bound  smpp.north.example:3550  10/10   100 ms  450 ms  310 ms  1      -",
        "north/2  down   smpp.north.example:3550  10/10   100 ms  450 ms  310 ms  1      in 42 s   refused by it",
        "",
        "inbound: 1 message from subscribers (1 of nobody, 0 partial, 2 sent twice); 3 wait for parts; "
        "5 left to carriers: the disk did not keep up",
        "",
        "2026-11-22T22:00:00Z health: carrier north: gets 50 % of its traffic",
    ]


@pytest.mark.usefixtures("told")
def test_json_is_what_the_door_said(carrierline: Caller) -> None:
    assert json.loads(carrierline("status", "--json").out) == STATUS
    assert json.loads(carrierline("status", "--json", "--notices", "0").out) == {**STATUS, "notices": []}


def test_a_store_that_does_not_answer_leaves_only_the_doubts_unknown(
    carrierline: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(self: Client, *, notices: int) -> dict[str, Any]:
        return {**STATUS, "in_doubt": None}

    monkeypatch.setattr(Client, "status", answer)
    monkeypatch.setenv("CARRIERLINE_KEY", "key")
    ended = carrierline("status")
    assert (ended.status, "in doubt: unknown, the store does not answer;" in ended.out) == (0, True)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0 s"), (42.4, "42 s"), (185, "3 m 5 s"), (3_600, "1 h"), (187_500, "2 d 4 h"), (86_400, "1 d")],
)
def test_long_times_are_short_to_read(seconds: float, shown: str) -> None:
    assert status._age(seconds) == shown


def test_without_a_key_it_says_where_one_is_looked_for(carrierline: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CARRIERLINE_KEY", raising=False)
    for call in (["status"], ["reload"], ["carrier", "suspend", "north"], ["carrier", "resume", "north"]):
        ended = carrierline(*call)
        assert ended.status == 2
        assert "set CARRIERLINE_KEY" in ended.err


def test_every_problem_of_a_reload_is_a_line_and_the_status_is_2(
    carrierline: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(self: Client) -> dict[str, Any]:
        raise ConfigError(["a.toml:3: one", "a.toml:9: two"])

    monkeypatch.setattr(Client, "reload", refuse)
    monkeypatch.setenv("CARRIERLINE_KEY", "key")
    ended = carrierline("reload")
    assert (ended.status, ended.out, ended.err) == (2, "", "a.toml:3: one\na.toml:9: two\n")


def test_a_suspended_carrier_names_the_command_that_ends_it(
    carrierline: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = {"cause": "suspended", "share": 1.0, "text": "suspended by an operator"}
    carriers = [{**STATUS["carriers"][0], "limited_by": held, "ramp_halted": None}]

    async def answer(self: Client, *, notices: int) -> dict[str, Any]:
        return {**STATUS, "carriers": carriers}

    monkeypatch.setattr(Client, "status", answer)
    monkeypatch.setenv("CARRIERLINE_KEY", "key")
    words = "north: suspended by an operator: nothing is sent until `carrierline carrier resume north`"
    assert words in carrierline("status").out.splitlines()
