"""carrierline send: when messages are to leave, and until when they may."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from connector.client import Client, RowVerdict
from connector.model import SendRequest
from tests.cli.calls import Caller

NINE = 1_769_850_000.0
"""2026-01-31T09:00:00Z."""


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[SendRequest, str | None]]:
    """Every request a running connector was handed, with the key that keeps it from doubling."""
    taken: list[tuple[SendRequest, str | None]] = []

    async def send(
        self: Client, requests: Sequence[SendRequest], *, idempotency_key: str | None = None
    ) -> list[RowVerdict]:
        taken.extend((request, idempotency_key) for request in requests)
        return [RowVerdict(id="abc", parts=1) for _ in requests]

    async def key(self: Client) -> dict[str, Any]:
        return {"country": "GB"}

    monkeypatch.setattr(Client, "send", send)
    monkeypatch.setattr(Client, "key", key)
    monkeypatch.setenv("CARRIERLINE_KEY", "key")
    return taken


Sent = list[tuple[SendRequest, str | None]]


def one(carrierline: Caller, sent: Sent, *arguments: str) -> SendRequest:
    ended = carrierline("send", "--to", "1", "--text", "x", *arguments)
    assert (ended.status, ended.out) == (0, "abc accepted\n")
    (request, _) = sent[-1]
    return request


def test_without_them_it_leaves_at_once_and_the_lane_has_its_deadline(carrierline: Caller, sent: Sent) -> None:
    assert one(carrierline, sent) == SendRequest(to="1", text="x")


@pytest.mark.parametrize("text", ["2026-01-31T09:00:00Z", "2026-01-31T10:00:00+01:00"])
def test_a_time_is_one_moment(carrierline: Caller, sent: Sent, text: str) -> None:
    assert one(carrierline, sent, "--send-at", text, "--deadline", text) == SendRequest(
        to="1", text="x", send_at=NINE, deadline=NINE
    )


def test_a_duration_counts_from_now_and_a_deadline_s_from_when_it_may_leave(carrierline: Caller, sent: Sent) -> None:
    before = time.time()
    request = one(carrierline, sent, "--send-at", "2h", "--deadline", "1m30s")
    assert request.send_at is not None
    assert before + 7_200 <= request.send_at <= time.time() + 7_200
    assert (request.deadline, request.deadline_in_s) == (None, 90.0)


def listed(tmp_path: Path, *lines: str) -> str:
    path = tmp_path / "list.csv"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def test_they_hold_for_rows_that_have_none_of_their_own(carrierline: Caller, sent: Sent, tmp_path: Path) -> None:
    rows = listed(tmp_path, "to,text,send_at,deadline", "1,a,,", "2,b,2026-01-31T09:00:00Z,2026-01-31T09:00:00Z")
    later = "2026-01-31T09:00:01Z"
    ended = carrierline("send", "--csv", rows, "--send-at", later, "--deadline", "90s")
    assert (ended.status, ended.out) == (0, "2 rows: 2 accepted in 2 parts, 0 refused, 0 repeated\n")
    times = [(request.send_at, request.deadline, request.deadline_in_s) for request, _ in sent]
    assert times == [(NINE + 1, None, 90.0), (NINE, NINE, None)]


def test_a_list_that_is_sent_at_another_time_is_another_list(carrierline: Caller, sent: Sent, tmp_path: Path) -> None:
    rows = listed(tmp_path, "to,text", "1,a")
    for times in ((), (), ("--deadline", "90s"), ("--deadline", "90s"), ("--deadline", "2m")):
        assert carrierline("send", "--csv", rows, *times).status == 0
    first, again, other, other_again, third = (key for _, key in sent)
    assert (first, other) == (again, other_again)
    assert len({first, other, third}) == 3


def test_one_row_in_one_part_is_told_as_one(carrierline: Caller, sent: Sent, tmp_path: Path) -> None:
    ended = carrierline("send", "--csv", listed(tmp_path, "to,text", "1,a"))
    assert ended.out == "1 row: 1 accepted in 1 part, 0 refused, 0 repeated\n"
