"""``carrierline demo``: the main job in a minute, with nothing else installed or running."""

import random
import secrets
import socket
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from importlib import resources
from itertools import count
from pathlib import Path
from typing import Any

import attrs
import click
import trio

from cli import output
from cli.options import as_json
from cli.send import Refused, Sent, note_verdicts, send_batch, show_refusals
from connector import app, opening
from connector.api.app import listen
from connector.client import Client
from connector.config import ApiConfig, BindConfig, CarrierConfig, Config, KeyConfig, LaneConfig, StoreConfig
from connector.contacts import Repeated, Row, Unreadable, read
from connector.lifecycle import FINAL, Status
from connector.model import MessageQuery, MessageView
from connector.smpp.receipt import UDH_INDICATOR
from simulator.ledger import Ledger
from simulator.scenario import AccountRules, Delay, Listen, ReceiptRules, Response, Scenario
from simulator.smsc import Smsc

MESSAGES = 1_000
ROWS_PER_REQUEST = 250
COUNTRY = "GB"
PATIENCE_S = 4.0
"""A demo does not wait three days for a carrier that says UNKNOWN."""
LONGEST_S = 120.0
POLL_S = 0.1
KEY_VARIABLE, PASSWORD_VARIABLE = "DEMO_KEY", "DEMO_PASSWORD"

SCENARIO = Scenario(
    name="demo",
    listen=Listen(smpp="127.0.0.1:0"),
    response=Response(delay=Delay(dist="lognormal", median_s=0.02, p99_s=0.1)),
    receipt=ReceiptRules(
        delay=Delay(dist="lognormal", median_s=0.4, p99_s=1.5),
        mix={"DELIVRD": 93, "UNDELIV": 3, "EXPIRED": 1.5, "REJECTD": 1.5, "UNKNOWN": 1},
    ),
)


@click.command("demo")
@click.option("--messages", type=click.IntRange(min=1), help="How many to send.  [default: 1000; with --csv: all]")
@click.option(
    "--csv", "file", type=click.Path(path_type=Path, dir_okay=False), help="Send the rows of this list instead."
)
@click.option("--one-per-number", is_flag=True, help="A number's second row is skipped whatever its text.")
@click.option("--serve", is_flag=True, help="Keep both running afterwards, and say where to look.")
@as_json
def command(messages: int | None, file: Path | None, one_per_number: bool, serve: bool, json_: bool) -> None:
    """Send sample messages through a simulated carrier and show what became of them.

    Starts the SMSC simulator and a connector (SQLite in a temporary folder, free ports of this machine), hands the
    messages over by HTTP, carries them through a real bind, waits for the receipts, and recounts the ledger.  Exit
    status 0 only if it balances and nothing is left on the way.
    """
    if messages is None and file is None:
        messages = MESSAGES
    good = trio.run(_demo, messages, file, one_per_number, serve, json_)
    raise SystemExit(0 if good else 1)


async def _demo(messages: int | None, file: Path | None, one_per_number: bool, serve: bool, json_: bool) -> bool:
    with tempfile.TemporaryDirectory(prefix="carrierline-demo-") as folder:
        async with running(Path(folder)) as stage:
            began = trio.current_time()
            sent = await send(stage, rounds(file, one_per_number), messages, quiet=json_)
            await wait_for_the_end(stage, sent, quiet=json_)
            outcome = await outcome_of(stage, sent, trio.current_time() - began)
            output.as_json(outcome.figures) if json_ else _show(outcome, sent)
            if serve:
                await _serve(stage)
            return outcome.good


# --- the stage: a carrier, a connector, a caller ---


@attrs.frozen
class _Stage:
    connector: app.Connector
    smsc: Smsc
    client: Client
    url: str
    key: str
    store: Path


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[_Stage]:
    """Run a simulated carrier, and a connector with its store in ``folder``; drain it at the end of the block."""
    key, password = secrets.token_urlsafe(16), secrets.token_hex(4)
    smsc = Smsc(attrs.evolve(SCENARIO, account=(AccountRules(system_id="demo", password=password),)))
    with ExitStack() as closed_last:  # the store closes when nothing runs any more that writes to it
        async with trio.open_nursery() as nursery:
            await nursery.start(smsc.run)
            config = _config(folder, smsc.port)
            environ = {KEY_VARIABLE: key, PASSWORD_VARIABLE: password}
            engine, store = opening.open_store(config)
            closed_last.callback(engine.close)
            listener = closed_last.enter_context(listen(config.api))
            connector = app.Connector(
                config, store, clock=opening.steady_wall_clock(), random=random.Random(), environ=environ
            )
            await nursery.start(_run, connector, listener, environ)
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            async with Client(url, key=key) as client:
                yield _Stage(connector, smsc, client, url, key, Path(config.store.path))
            await connector.drain()
            nursery.cancel_scope.cancel()


async def _run(
    connector: app.Connector,
    listener: socket.socket,
    environ: dict[str, str],
    *,
    task_status: "trio.TaskStatus[None]",
) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(connector.run)
        await nursery.start(lambda task_status: connector.serve(listener, environ=environ, task_status=task_status))
        task_status.started()


def _config(folder: Path, port: int) -> Config:
    bind = BindConfig(host="127.0.0.1", port=port, system_id="demo", password_env=PASSWORD_VARIABLE, window_size=100)
    key = KeyConfig(name="demo", secret_env=KEY_VARIABLE, country=COUNTRY, sender="Carrierline", operator=True)
    return Config(
        store=StoreConfig(path=str(folder / "demo.db"), min_free_mb=20),
        api=ApiConfig(listen="127.0.0.1:0", key=(key,)),
        carrier=(CarrierConfig(name="simulated", bind=(bind,)),),
        lane={"transactional": LaneConfig(patience_s=PATIENCE_S), "otp": LaneConfig(), "promotional": LaneConfig()},
    )


# --- what goes in ---


def rounds(file: Path | None, one_per_number: bool) -> Iterator[Row | Repeated | Unreadable]:
    """Yield the records of the list; of the sample list again and again, with other texts, until enough are sent."""
    if file is not None:
        yield from read(file, country=COUNTRY, one_per_number=one_per_number)
        return
    data = resources.files("cli.samples").joinpath("contacts.csv").read_bytes()
    for number in count(1):
        for entry in read(None, data, country=COUNTRY, one_per_number=one_per_number):
            yield _again(entry, number) if isinstance(entry, Row) and number > 1 else entry


def _again(row: Row, number: int) -> Row:
    request = row.request
    text = f"{request.text} ({number})" if request.text else request.text
    ref = f"{request.client_ref}-{number}" if request.client_ref else None
    return attrs.evolve(row, request=attrs.evolve(request, text=text, client_ref=ref))


async def send(
    stage: _Stage, entries: Iterator[Row | Repeated | Unreadable], messages: int | None, *, quiet: bool
) -> Sent:
    """Hand rows over until ``messages`` are accepted, or the list ends."""
    sent = Sent()
    with _bar(messages, "handing over", quiet) as bar:
        while messages is None or sent.accepted < messages:
            most = ROWS_PER_REQUEST if messages is None else min(ROWS_PER_REQUEST, messages - sent.accepted)
            rows = _next_rows(entries, sent, most)
            if not rows:
                break
            before = sent.accepted
            verdicts = await send_batch(stage.client, [row.request for row in rows], secrets.token_urlsafe(12))
            note_verdicts(sent, rows, verdicts)
            bar.update(sent.accepted - before)
    return sent


def _next_rows(entries: Iterator[Row | Repeated | Unreadable], sent: Sent, most: int) -> list[Row]:
    rows: list[Row] = []
    while len(rows) < most:
        entry = next(entries, None)
        if entry is None:
            break
        sent.rows += 1
        if isinstance(entry, Row):
            rows.append(entry)
        elif isinstance(entry, Repeated):
            sent.repeated.append(entry)
        else:
            sent.refused.append(Refused(entry.line, entry.field, entry.reason, entry.text))
    return rows


# --- what comes out ---


async def wait_for_the_end(stage: _Stage, sent: Sent, *, quiet: bool) -> None:
    """Wait until every message has its final status."""
    with _bar(sent.accepted, "final word   ", quiet) as bar, trio.move_on_after(LONGEST_S):
        done = 0
        while done < sent.accepted:
            ledger = await stage.connector.queries.ledger()
            final = sum(count for status, count in ledger.messages.items() if Status(status) in FINAL)
            bar.update(final - done)
            done = final
            if done < sent.accepted:
                await trio.sleep(POLL_S)


def _bar(length: int | None, label: str, quiet: bool) -> "Any":
    return click.progressbar(length=length or 1, label=label, file=sys.stderr, hidden=quiet or not sys.stderr.isatty())


@attrs.frozen
class _Outcome:
    figures: dict[str, Any]
    latencies: dict[str, Sequence[float]]
    disagreements: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def good(self) -> bool:
        return bool(self.figures["ledger_balanced"]) and not self.figures["live"] and not self.disagreements


async def outcome_of(stage: _Stage, sent: Sent, seconds: float) -> _Outcome:
    verification = await stage.connector.queries.verify()
    ledger = verification.ledger
    counts = {str(status): ledger.messages.get(status, 0) for status in Status}
    final = {str(status): counts[status] for status in Status if status in FINAL}
    views = [view async for view in _all_messages(stage)]
    figures = {
        "rows": sent.rows,
        "refused": len(sent.refused),
        "duplicates": len(sent.repeated) + sent.replayed,
        "accepted": ledger.accepted,
        **final,
        "live": sum(counts.values()) - sum(final.values()),
        "in_doubt": counts[Status.IN_DOUBT],
        "parts": ledger.parts_accepted,
        "seconds": round(seconds, 3),
        "messages_per_second": round(ledger.accepted / seconds, 1) if seconds else 0.0,
        "ledger_balanced": verification.ok,
    }
    return _Outcome(figures, _latencies(views), _judge(stage.smsc.ledger, views), verification.problems)


async def _all_messages(stage: _Stage) -> AsyncIterator[MessageView]:
    before = None
    while page := await stage.connector.queries.messages(MessageQuery(limit=500, before=before)):
        for view in page:
            yield view
        before = page[-1].id


def _latencies(views: Sequence[MessageView]) -> dict[str, Sequence[float]]:
    sent = [view for view in views if view.sent_at is not None]
    told = [view for view in sent if view.status is not Status.UNKNOWN and view.finished_at is not None]
    return {
        "accepted → sent": sorted(view.sent_at - view.created_at for view in sent if view.sent_at),
        "sent → receipt": sorted(view.finished_at - view.sent_at for view in told if view.finished_at and view.sent_at),
    }


def _judge(ledger: Ledger, views: Sequence[MessageView]) -> tuple[str, ...]:
    """Compare what we say with what the carrier counted: every part once, and the fate it gave it."""
    ours = sum(view.parts for view in views if view.sent_at is not None)
    theirs = len(ledger)
    problems = []
    if ours != theirs:
        problems.append(f"we say that {_many(ours, 'part')} left, the carrier accepted {theirs}")
    whole = [entry for entry in ledger if not entry.pdu.esm_class & UDH_INDICATOR]
    fates = Counter(_STATUS_OF[entry.state] for entry in whole)
    singles = Counter(view.status for view in views if view.parts == 1 and view.sent_at is not None)
    problems += [
        f"{status}: we say {_many(singles[status], 'message')} of one part, the carrier {fates[status]}"
        for status in sorted(set(fates) | set(singles))
        if fates[status] != singles[status]
    ]
    return tuple(problems)


_STATUS_OF = {
    "DELIVRD": Status.DELIVERED,
    "UNDELIV": Status.FAILED,
    "EXPIRED": Status.EXPIRED,
    "REJECTD": Status.REJECTED,
    "UNKNOWN": Status.UNKNOWN,
}

# --- for people ---

_COLOURS = {"delivered": "green", "failed": "red", "expired": "yellow", "rejected": "red", "unknown": "yellow"}
_BAR_WIDTH = 40


def _show(outcome: _Outcome, sent: Sent) -> None:
    figures = outcome.figures
    accepted, seconds = figures["accepted"], figures["seconds"]
    output.rich("")
    output.rich(output.styled(f"{_many(accepted, 'message')} accepted of {_many(figures['rows'], 'row')}", bold=True))
    for status in (*(str(s) for s in Status if s in FINAL), "live"):
        count = figures[status]
        bar = "█" * round(_BAR_WIDTH * count / max(1, accepted)) or ("▏" if count else "")
        if count or status in ("delivered", "live"):
            output.rich(f"  {status:<10} {count:>7,}  {output.styled(bar, fg=_COLOURS.get(status))}")
    output.rich(
        f"  {_many(figures['parts'], 'part')}; {_many(figures['messages_per_second'], 'message')} a second,"
        f" {seconds:.1f} s from the first row to the last final word"
    )
    output.rich(f"\n  {'latency':<18}{'p50':>10}{'p95':>10}{'p99':>10}")
    for name, values in outcome.latencies.items():
        cells = "".join(f"{_quantile(values, q) * 1000:>7,.0f} ms" for q in (0.5, 0.95, 0.99))
        output.rich(f"  {name:<18}{cells}")
    left_out = figures["refused"] + figures["duplicates"]
    if left_out:
        output.rich(f"\n{_many(left_out, 'row')} not sent")
        show_refusals(sent)
    output.rich("")
    for problem in (*outcome.problems, *outcome.disagreements):
        output.rich(output.styled("PROBLEM ", fg="red") + problem)
    if outcome.good:
        says = "the ledger balances: every accepted message has its final word, and the carrier counts the same"
        output.rich(output.styled("✓ ", fg="green") + says)
    elif figures["live"]:
        output.rich(output.styled("✗ ", fg="red") + f"still on the way: {_many(figures['live'], 'message')}")


def _many(number: float, noun: str) -> str:
    return f"{number:,} {noun}{'s'[: number != 1]}"


def _quantile(values: Sequence[float], q: float) -> float:
    if not values:
        return 0.0
    return values[min(len(values) - 1, int(q * len(values)))] if len(values) < 100 else _hundredth(values, q)


def _hundredth(values: Sequence[float], q: float) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[round(q * 100) - 1]


async def _serve(stage: _Stage) -> None:
    from cli.run import signalled

    output.note("")
    output.note(f"Connector  {stage.url}   (health, ready, metrics, v1/messages)")
    output.note(f"SMSC       127.0.0.1:{stage.smsc.port}")
    output.note(f"Store      {stage.store}")
    output.note(f"\n  export CARRIERLINE_URL={stage.url} CARRIERLINE_KEY={stage.key}")
    output.note("  carrierline send --to +447400123456 --text 'Hello'")
    output.note("  carrierline messages list --limit 5")
    output.note("\nCtrl-C ends both.")
    await signalled()
