"""``carrierline send``: one message, or a list of them from a CSV file."""

import csv
import hashlib
import secrets
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import attrs
import click
import trio

from cli import options, output
from connector.client import Client, RowVerdict
from connector.config import parse_duration
from connector.contacts import ContactList, Repeated, Row, read
from connector.errors import ApiError
from connector.model import SendRequest

ROWS_PER_REQUEST = 500
TRIES = 5
PAUSE_S = 1.0
_AGAIN = frozenset({0, 409, 429, 503})
SHOWN_PROBLEMS, SHOWN_LINES, SHOWN_REPEATS = 10, 8, 4


@attrs.define
class Refused:
    """A row that became no message."""

    line: int
    field: str | None
    reason: str | None
    text: str | None


@attrs.define
class Sent:
    """What became of a list."""

    rows: int = 0
    accepted: int = 0
    replayed: int = 0
    parts: int = 0
    refused: list[Refused] = attrs.field(factory=list)
    repeated: list[Repeated] = attrs.field(factory=list)
    line: int = 0
    """The last line whose batch was answered."""
    stopped: str | None = None
    """Why it ended before the list did."""


@attrs.frozen
class Times:
    """When messages are to leave, and until when they may."""

    send_at: float | None = None
    deadline: float | None = None
    deadline_in_s: float | None = None
    """Counts from when a message may leave."""

    def of(self, request: SendRequest) -> SendRequest:
        """Return the request with these times where it has none of its own."""
        if self == _NO_TIMES:
            return request
        send_at = self.send_at if request.send_at is None else request.send_at
        if request.deadline is not None or request.deadline_in_s is not None:
            return attrs.evolve(request, send_at=send_at)
        return attrs.evolve(request, send_at=send_at, deadline=self.deadline, deadline_in_s=self.deadline_in_s)


_NO_TIMES: Final = Times()


@click.command("send")
@click.option("--to", help="Number, international or in the spelling of --country.")
@click.option("--text", help="Text; with --csv, of rows that have none of their own.")
@click.option("--from", "sender", help="Source address.")
@click.option("--lane", help="Lane; without it the API key's first.")
@click.option("--country", help="ISO 3166 code that national spellings are read by.")
@click.option("--ref", "client_ref", help="Your own name for the message: a second one with it is no second message.")
@click.option("--send-at", metavar="WHEN", help="Not before this time (RFC 3339), or a duration from now such as 2h.")
@click.option(
    "--deadline",
    metavar="WHEN",
    help="Not after this time (RFC 3339), or a duration such as 90s from when it may leave; without it the lane's.",
)
@click.option("--csv", "file", type=click.Path(path_type=Path, dir_okay=False), help="Send the rows of this list.")
@click.option("--one-per-number", is_flag=True, help="With --csv: a number's second row is skipped whatever its text.")
@click.option("--again", is_flag=True, help="With --csv: send anew what was sent from this very list within a day.")
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="With --csv: write what was not sent.")
@options.connection
@options.as_json
def command(
    to: str | None,
    text: str | None,
    sender: str | None,
    lane: str | None,
    country: str | None,
    client_ref: str | None,
    send_at: str | None,
    deadline: str | None,
    file: Path | None,
    one_per_number: bool,
    again: bool,
    report: Path | None,
    url: str,
    key_env: str,
    key_file: Path | None,
    json_: bool,
) -> None:
    """Hand messages to a running connector.  Exit status 1 if any row was refused.

    A list that was cut short is sent by the same call again: what the connector holds already is not sent twice.
    --send-at and --deadline hold for the rows of a list that have none of their own.
    """
    if (to is None) == (file is None):
        raise click.UsageError("give either --to with --text, or --csv FILE")
    times = read_times(send_at, deadline, None if file else time.time())
    key = options.read_key(key_env, key_file)
    if file is None:
        request = SendRequest(to=to or "", text=text, sender=sender, lane=lane, country=country, client_ref=client_ref)
        verdict = trio.run(_send_one, url, key, times.of(request))
        _show_one(verdict, json_)
        return
    read(file)  # a list that cannot be read is said before anybody is asked
    country = country or trio.run(country_of_key, url, key)
    contacts = read(file, country=country, lane=lane, sender=sender, text=text, one_per_number=one_per_number)
    said = repr((country, lane, sender, text, one_per_number)) + (repr(times) if times != _NO_TIMES else "")
    run = secrets.token_urlsafe(12) if again else _digest(file, said)
    sent = Sent()
    try:
        trio.run(_send_list, url, key, contacts, times, sent, run, lines_of(file))
    except ApiError as error:
        output.note(f"carrierline: {error}")
        output.note(f"stopped after line {sent.line}; the same call goes on where it stopped and doubles nothing")
        sent.stopped = str(error)
    if report is not None:
        _write_report(report, sent)
    _show_list(sent, contacts, json_)


# --- times ---


def read_times(send_at: str | None, deadline: str | None, now: float | None) -> Times:
    """Return what --send-at and --deadline say; a usage error where they say nothing that can be read.

    ``now``: None where --send-at may be no duration, for it would be another moment in each call.
    """
    start = None if send_at is None else _start(send_at, now)
    if deadline is None:
        return Times(start)
    in_s = _seconds(deadline)
    if in_s is not None:
        return Times(start, deadline_in_s=in_s)
    at = _moment(deadline)
    if at is None:
        raise click.UsageError(f"--deadline is {_A_TIME} or a duration such as 90s, not {deadline!r}")
    return Times(start, deadline=at)


_A_TIME: Final = "a time with its offset such as 2026-01-31T09:00:00Z"


def _start(text: str, now: float | None) -> float:
    in_s, at = _seconds(text), _moment(text)
    if in_s is not None and now is None:
        problem = "a duration would be another moment when the same call is made again"
        raise click.UsageError(f"--send-at with --csv is {_A_TIME}: {problem}")
    if in_s is not None and now is not None:
        return now + in_s
    if at is None:
        also = "" if now is None else " or a duration such as 2h"
        raise click.UsageError(f"--send-at is {_A_TIME}{also}, not {text!r}")
    return at


def _seconds(text: str) -> float | None:
    try:
        return parse_duration(text)
    except ValueError:
        return None


def _moment(text: str) -> float | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.timestamp() if found.tzinfo is not None else None


# --- one ---


async def _send_one(url: str, key: str, request: SendRequest) -> RowVerdict:
    async with Client(url, key=key) as client:
        return (await client.send([request], idempotency_key=secrets.token_urlsafe(16)))[0]


def _show_one(verdict: RowVerdict, json_: bool) -> None:
    if json_:
        output.as_json(attrs.asdict(verdict))
    elif verdict.accepted:
        parts = f", {output.counted(verdict.parts, 'part')}" if verdict.parts > 1 else ""
        output.line(f"{verdict.id} accepted{' before' if verdict.replayed else ''}{parts}")
    else:
        field = f"{verdict.field}: " if verdict.field else ""
        output.note(f"carrierline: {field}{verdict.detail} ({verdict.reason})")
    if not verdict.accepted:
        raise SystemExit(1)


# --- a list ---


async def country_of_key(url: str, key: str) -> str | None:
    """Return the country the connector reads national spellings by for this key: repetitions are found by it too."""
    async with Client(url, key=key) as client:
        country: str | None = (await client.key())["country"]
        return country


def _digest(file: Path, said: str) -> str:
    """Return what two calls have in common only if they send the same list in the same way."""
    digest = hashlib.blake2b(said.encode("utf-8", "surrogatepass"), digest_size=12)
    with file.open("rb") as octets:
        while chunk := octets.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def lines_of(file: Path) -> int:
    """Return how many lines a file has: how far a progress bar goes."""
    with file.open("rb") as octets:
        return sum(1 for _ in octets)


async def _send_list(url: str, key: str, contacts: ContactList, times: Times, sent: Sent, run: str, lines: int) -> None:
    """Send in batches; a batch whose answer was lost is asked for again under the same key, so nothing doubles."""
    hidden = not sys.stderr.isatty()
    async with Client(url, key=key) as client:
        with click.progressbar(length=lines, label="sending", file=sys.stderr, hidden=hidden) as bar:
            for number, rows in enumerate(batches(contacts, sent, ROWS_PER_REQUEST)):
                verdicts = await send_batch(client, [times.of(row.request) for row in rows], f"{run}-{number}")
                note_verdicts(sent, rows, verdicts)
                bar.update(rows[-1].line - sent.line)
                sent.line = rows[-1].line
            bar.update(lines - sent.line)


def batches(contacts: ContactList, sent: Sent, size: int) -> Iterator[list[Row]]:
    """Yield the rows to send; what is skipped is noted in ``sent`` on the way."""
    rows: list[Row] = []
    for entry in contacts:
        sent.rows += 1
        if isinstance(entry, Row):
            rows.append(entry)
        elif isinstance(entry, Repeated):
            sent.repeated.append(entry)
        else:
            sent.refused.append(Refused(entry.line, entry.field, entry.reason, entry.text))
        if len(rows) == size:
            yield rows
            rows = []
    if rows:
        yield rows


async def send_batch(client: Client, requests: list[SendRequest], idempotency_key: str) -> list[RowVerdict]:
    """Send, and again with the same key while the connector says "not now" or does not answer."""
    for attempt in range(1, TRIES + 1):
        try:
            return await client.send(requests, idempotency_key=idempotency_key)
        except ApiError as error:
            if error.status not in _AGAIN or attempt == TRIES:
                raise
            await trio.sleep(PAUSE_S * attempt)
    raise AssertionError("the loop returns or raises")


def note_verdicts(sent: Sent, rows: list[Row], verdicts: list[RowVerdict]) -> None:
    """Take these verdicts into the tally."""
    for row, verdict in zip(rows, verdicts, strict=True):
        if verdict.accepted:
            sent.accepted += 1
            sent.replayed += verdict.replayed
            sent.parts += verdict.parts
        else:
            sent.refused.append(Refused(row.line, verdict.field, verdict.reason, verdict.detail))


def _show_list(sent: Sent, contacts: ContactList, json_: bool) -> None:
    if json_:
        output.as_json(summary(sent, contacts))
    else:
        before = f" ({sent.replayed} of them before)" if sent.replayed else ""
        output.line(
            f"{output.counted(sent.rows, 'row')}: {sent.accepted} accepted{before}"
            f" in {output.counted(sent.parts, 'part')}, {len(sent.refused)} refused,"
            f" {len(sent.repeated)} repeated"
        )
        if contacts.unknown_columns:
            output.line(f"columns not used: {', '.join(contacts.unknown_columns)}")
        show_refusals(sent)
    if sent.refused or sent.stopped:
        raise SystemExit(1)


def summary(sent: Sent, contacts: ContactList) -> dict[str, Any]:
    """Return the tally as one value."""
    return {
        "rows": sent.rows,
        "accepted": sent.accepted,
        "replayed": sent.replayed,
        "refused": len(sent.refused),
        "duplicates": len(sent.repeated),
        "parts": sent.parts,
        "stopped": sent.stopped,
        "unknown_columns": list(contacts.unknown_columns),
        "refusals": [attrs.asdict(refused) for refused in sent.refused],
        "repetitions": [attrs.asdict(repeated) for repeated in sent.repeated],
    }


def show_refusals(sent: Sent, more: str = "send --report FILE lists them all") -> None:
    """Print what was wrong, most frequent first, with the first lines of each; ``more``: where the others are."""
    by_problem: dict[tuple[str | None, str | None], list[int]] = {}
    for refused in sorted(sent.refused, key=lambda refused: refused.line):
        by_problem.setdefault((refused.reason, refused.text), []).append(refused.line)
    worst = sorted(by_problem.items(), key=lambda item: -len(item[1]))
    for (reason, text), lines in worst[:SHOWN_PROBLEMS]:
        output.line(f"  {len(lines):>5} {reason}: {text}; {_lines(lines)}")
    if len(worst) > SHOWN_PROBLEMS:
        rest = sum(len(lines) for _, lines in worst[SHOWN_PROBLEMS:])
        reasons = len(worst) - SHOWN_PROBLEMS
        output.line(f"  {rest:>5} more, for {reasons} other reasons ({more})")
    if sent.repeated:
        shown = ", ".join(f"line {row.line} repeats {row.of_line}" for row in sent.repeated[:SHOWN_REPEATS])
        others = " …" if len(sent.repeated) > SHOWN_REPEATS else ""
        output.line(f"  {len(sent.repeated):>5} repeated: {shown}{others}")


def _lines(lines: list[int]) -> str:
    shown = ", ".join(str(line) for line in lines[:SHOWN_LINES])
    return f"line{'s'[: len(lines) > 1]} {shown}{' …' if len(lines) > SHOWN_LINES else ''}"


def _write_report(report: Path, sent: Sent) -> None:
    with report.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["line", "verdict", "field", "reason", "text"])
        for refused in sorted(sent.refused, key=lambda refused: refused.line):
            writer.writerow([refused.line, "refused", refused.field or "", refused.reason, refused.text])
        for repeated in sent.repeated:
            writer.writerow([repeated.line, "repeated", "", "duplicate", f"repeats line {repeated.of_line}"])
