"""Does a flash sale delay a password reset?

One connector process as users run it (SQLite, synchronous=FULL), a simulated carrier that takes so many messages a
second and throttles what is above, and this process as the caller.  OTPs arrive open-loop: at moments drawn before the
run, whatever was answered.  The same moments come four times, one by one and in bursts, with no other traffic and then
with a promotional backlog that was accepted through HTTP before.

*accepted → wire* is from the moment intake took the message on (``created_at``, so its commit is inside) to the moment
the carrier wrote it into its book; *scheduled → wire* also holds the caller and HTTP.  All processes read the clock of
one machine; how far the connector's and the wall clock parted during the run is told as ``clock_drift_ms``.
"""

import json
import random
import secrets
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import attrs
import click
import trio

from connector.client import Client, RowVerdict
from connector.clock import steady_wall_clock
from connector.model import SendRequest
from connector.store.sqlite import open_read_only
from perf import processes

CONFIG = """
[store]
path = "{folder}/store.db"
[api]
listen = "127.0.0.1:0"
[[api.key]]
name = "login"
secret_env = "PERF_LOGIN"
lanes = ["otp"]
[[api.key]]
name = "shop"
secret_env = "PERF_SHOP"
lanes = ["promotional"]
[[carrier]]
name = "limited"
rate_per_s = {rate:g}
[[carrier.bind]]
host = "127.0.0.1"
port = {port}
system_id = "perf"
window_size = {window}
"""
SCENARIO = """
schema = 1
name = "limited"
[listen]
smpp = "127.0.0.1:0"
[limits.rate]
per_second = {rate:g}
burst = {burst}
[response]
delay = "{response}"
[receipt]
delay = "1s"
"""
CARRIER_BURST_S = 0.1
"""The simulated carrier counts in tenths of a second: so much of its rate may come at once."""
OTP_SENDER, PROMOTIONAL_SENDER = "Carrierline", "Sale"
OTP_FROM, PROMOTIONAL_FROM = 447_900_000_000, 447_400_000_000
PROMOTIONAL_NUMBERS = 1_000_000
ROWS = 1_000
"""Of one request while the backlog is handed over."""
POLL_S = 0.1
COME_UP_WITHIN_S = 30.0
GOAL_RATIO, GOAL_SHARE = 1.5, 0.95

Schedule = Sequence[tuple[float, int]]
"""When, in seconds from the beginning of a phase, how many OTPs arrive in one request."""


@attrs.frozen
class Phase:
    """OTPs that arrived under the same circumstances, as it went."""

    name: str
    began: float
    ended: float
    cpu_s: float
    """Of the connector."""
    scheduled: Mapping[str, float]
    """Moment by number."""


@attrs.define
class Caller:
    """Sends OTPs at their moments, each phase with numbers of its own."""

    client: Client
    pid: int
    rest_s: float
    phases: list[Phase] = attrs.field(factory=list)
    _next: int = OTP_FROM

    async def phase(self, name: str, schedule: Schedule, seconds: float) -> None:
        """Let the OTPs of a schedule arrive; the phase is over when its time is and all are answered."""
        await trio.sleep(self.rest_s)
        scheduled: dict[str, float] = {}
        began, start, used = time.time(), trio.current_time(), processes.cpu_s(self.pid)
        async with trio.open_nursery() as nursery:
            for after_s, count in schedule:
                numbers = [str(number) for number in range(self._next, self._next + count)]
                self._next += count
                scheduled.update((number, began + after_s) for number in numbers)
                await trio.sleep_until(start + after_s)
                nursery.start_soon(self._send, numbers)
            await trio.sleep_until(start + seconds)
            ended, used = time.time(), processes.cpu_s(self.pid) - used
        self.phases.append(Phase(name, began, ended, used, scheduled))

    async def _send(self, numbers: Sequence[str]) -> None:
        text = "Your code is 482913. It is good for two minutes; do not pass it on."
        _check(await self.client.send([SendRequest(to=f"+{to}", text=text, sender=OTP_SENDER) for to in numbers]))


def _check(verdicts: Sequence[RowVerdict]) -> None:
    refused = [verdict for verdict in verdicts if not verdict.accepted]
    if refused:
        raise SystemExit(f"refused: {refused[0]}")


def one_by_one(rate_per_s: float, seconds: float, seed: int) -> Schedule:
    """Return arrivals that know nothing of each other (a Poisson process), so that no phase keeps step with a timer."""
    drawn, at = random.Random(seed), 0.0
    schedule = []
    while (at := at + drawn.expovariate(rate_per_s)) < seconds:
        schedule.append((at, 1))
    return schedule


def in_bursts(count: int, every_s: float, seconds: float) -> Schedule:
    """Return arrivals of ``count`` OTPs in one request, the first after half an interval."""
    return [((number + 0.5) * every_s, count) for number in range(max(1, int(seconds / every_s)))]


async def _load(client: Client, messages: int, callers: int) -> float:
    """Have a backlog accepted; return how many seconds it took."""
    began = time.perf_counter()
    starts = iter(range(0, messages, ROWS))
    async with trio.open_nursery() as nursery:
        for _ in range(callers):
            nursery.start_soon(_load_some, client, starts, messages)
    return time.perf_counter() - began


async def _load_some(client: Client, starts: Iterator[int], messages: int) -> None:
    for first in starts:
        numbers = range(first, min(first + ROWS, messages))
        _check(await client.send([_promotion(number) for number in numbers]))


def _promotion(number: int) -> SendRequest:
    to = PROMOTIONAL_FROM + number % PROMOTIONAL_NUMBERS
    return SendRequest(to=f"+{to}", text="Everything must go: half price until midnight.", sender=PROMOTIONAL_SENDER)


@attrs.frozen
class Plan:
    """What the run is to be."""

    rate_per_s: float
    backlog: int
    seconds: float
    """Of each phase."""
    rest_s: float
    """Before each phase: what the one before has left is answered and on disk."""
    alone: Schedule
    bursts: Schedule


async def _run(running: processes.RunningConnector, plan: Plan, keys: Mapping[str, str]) -> tuple[list[Phase], float]:
    async with Client(running.url, key=keys["PERF_LOGIN"]) as login, Client(running.url, key=keys["PERF_SHOP"]) as shop:
        with trio.fail_after(COME_UP_WITHIN_S):
            while not any(carrier["bound"] for carrier in (await login.ready())["carriers"]):  # noqa: ASYNC110 - another process
                await trio.sleep(POLL_S)
        caller = Caller(login, running.pid, plan.rest_s)
        await caller.phase("warm_up", plan.alone[:50], min(plan.seconds, 3.0))
        await caller.phase("idle", plan.alone, plan.seconds)
        await caller.phase("idle_bursts", plan.bursts, plan.seconds)
        loading_s = await _load(shop, plan.backlog, 2)
        await caller.phase("campaign", plan.alone, plan.seconds)
        await caller.phase("campaign_bursts", plan.bursts, plan.seconds)
        await trio.sleep(plan.rest_s)
    return caller.phases[1:], loading_s


# --- what was found ---


class _Drift:
    """How far the connector's clock, which nobody sets, and the wall clock part from now on."""

    def __init__(self) -> None:
        self._steady = steady_wall_clock()

    def ms(self) -> float:
        return round((time.time() - self._steady()) * 1e3, 3)


@attrs.frozen
class Book:
    """What both sides wrote down."""

    accepted: Mapping[str, float]
    """When intake took each OTP on, by number."""
    arrived: Mapping[str, float]
    """When the carrier got it."""
    promotional: Sequence[float]
    """When the carrier got each promotional message, in order."""
    doubles: int
    """OTPs that the carrier got a second time."""


def read_book(store: Path, record: Path) -> Book:
    """Read the connector's store and the carrier's ledger, when both have ended."""
    with closing(open_read_only(store)) as db:
        accepted = dict(db.execute("SELECT to_addr, created_at FROM message WHERE sender = ?", (OTP_SENDER,)))
    arrived: dict[str, float] = {}
    promotional, doubles = [], 0
    with record.open() as lines:
        for line in lines:
            entry = json.loads(line)
            if "accepted" not in entry:
                continue
            if entry["source_addr"] == OTP_SENDER:
                doubles += entry["destination_addr"] in arrived
                arrived.setdefault(entry["destination_addr"], entry["at"])
            else:
                promotional.append(entry["at"])
    return Book(accepted, arrived, sorted(promotional), doubles)


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Return p50, p99 and the highest, in milliseconds; a percentile is a value that occurred (nearest rank)."""
    ordered = sorted(seconds)
    ranks = {"p50": -(-len(ordered) // 2), "p99": -(-len(ordered) * 99 // 100), "max": len(ordered)}
    return {name: round(ordered[rank - 1] * 1e3, 2) for name, rank in ranks.items()} if ordered else {}


@attrs.frozen(kw_only=True)
class Found:
    """The numbers of a phase."""

    seconds: float
    otp: int
    """That arrived."""
    otp_missing: int
    accepted_to_wire_ms: Mapping[str, float]
    scheduled_to_wire_ms: Mapping[str, float]
    promotional_per_second: float
    promotional_share_of_rest: float
    """Of what the OTPs leave of the carrier's rate."""
    messages_per_second: float
    cpu_us_per_message: float
    cpu_share: float
    """Of one core."""


def find(phase: Phase, book: Book, rate_per_s: float) -> Found:
    """Return what a phase has shown."""
    seconds = phase.ended - phase.began
    came = [number for number in phase.scheduled if number in book.arrived]
    promotional = sum(phase.began <= at < phase.ended for at in book.promotional)
    otp = sum(phase.began <= at < phase.ended for at in book.arrived.values())
    messages = promotional + otp
    return Found(
        seconds=round(seconds, 2),
        otp=len(came),
        otp_missing=len(phase.scheduled) - len(came),
        accepted_to_wire_ms=spread([book.arrived[number] - book.accepted[number] for number in came]),
        scheduled_to_wire_ms=spread([book.arrived[number] - phase.scheduled[number] for number in came]),
        promotional_per_second=round(promotional / seconds, 1),
        promotional_share_of_rest=round(promotional / (rate_per_s * seconds - otp), 3),
        messages_per_second=round(messages / seconds, 1),
        cpu_us_per_message=round(phase.cpu_s / max(1, messages) * 1e6, 1),
        cpu_share=round(phase.cpu_s / seconds, 3),
    )


def ratio(before: Found, after: Found, of: str) -> float | None:
    """Return how many times longer accepted → wire took; None where nothing arrived."""
    if not (before.otp and after.otp):
        return None
    return round(after.accepted_to_wire_ms[of] / before.accepted_to_wire_ms[of], 3)


def summary(found: Mapping[str, Found]) -> dict[str, float | None]:
    """Return the numbers that the goals are about."""
    campaign, bursts = found["campaign"], found["campaign_bursts"]
    return {
        "messages_per_second": campaign.messages_per_second,
        "cpu_us_per_message": campaign.cpu_us_per_message,
        "p99_ratio": ratio(found["idle"], campaign, "p99"),
        "p50_ratio": ratio(found["idle"], campaign, "p50"),
        "p99_ratio_bursts": ratio(found["idle_bursts"], bursts, "p99"),
        "p50_ratio_bursts": ratio(found["idle_bursts"], bursts, "p50"),
        "promotional_share": campaign.promotional_share_of_rest,
        "promotional_share_bursts": bursts.promotional_share_of_rest,
    }


def missed(numbers: Mapping[str, float | None], losses: Mapping[str, int], backlog_left: int) -> list[str]:
    """Return the names of the goals that were not met."""
    names = [name for name in ("p99_ratio", "p99_ratio_bursts") if not 0 < (numbers[name] or 0.0) <= GOAL_RATIO]
    shares = ("promotional_share", "promotional_share_bursts")
    names += [name for name in shares if (numbers[name] or 0.0) < GOAL_SHARE]
    names += [name for name, count in losses.items() if count]
    return names + ["backlog_left"] * (backlog_left <= 0)


def _measure(plan: Plan, keys: Mapping[str, str], window: int, response: str) -> dict[str, object]:
    """Run the four phases and read what both sides wrote down."""
    drift, burst = _Drift(), max(1, round(plan.rate_per_s * CARRIER_BURST_S))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scenario = SCENARIO.format(rate=plan.rate_per_s, burst=burst, response=response)
        with processes.carrier(folder, scenario) as carrier:
            config = CONFIG.format(folder=folder, port=carrier.port, window=window, rate=plan.rate_per_s)
            with processes.connector(folder, config, keys) as running:
                phases, loading_s = trio.run(partial(_run, running, plan, keys))
        book = read_book(folder / "store.db", carrier.record)
    found = {phase.name: find(phase, book, plan.rate_per_s) for phase in phases}
    numbers, left = summary(found), plan.backlog - len(book.promotional)
    losses = {
        "throttles": sum(count for status, count in carrier.submits.items() if status != "ESME_ROK"),
        "otp_missing": sum(each.otp_missing for each in found.values()),
        "otp_doubles": book.doubles,
    }
    return {
        **numbers,
        **losses,
        "missed": missed(numbers, losses, left),
        "backlog": plan.backlog,
        "backlog_left": left,
        "backlog_accepted_per_second": round(plan.backlog / loading_s),
        "clock_drift_ms": drift.ms(),
        "phases": {name: attrs.asdict(each) for name, each in found.items()},
    }


@click.command()
@click.option("--seconds", default=60.0, show_default=True, help="Of each of the four phases.")
@click.option("--backlog", default=200_000, show_default=True, help="Promotional messages that wait.")
@click.option("--rate", default=500.0, show_default=True, help="Messages a second that the carrier takes.")
@click.option("--otp-rate", default=20.0, show_default=True, help="OTPs a second, one by one.")
@click.option("--burst", default=200, show_default=True, help="OTPs of one burst.")
@click.option("--burst-every", default=10.0, show_default=True, help="Seconds from one burst to the next.")
@click.option("--window", default=50, show_default=True)
@click.option("--response", default="20ms", show_default=True, help="Until the carrier answers.")
@click.option("--rest", default=3.0, show_default=True, help="Seconds before each phase, for what the last one left.")
@click.option("--seed", default=1, show_default=True, help="Of the arrivals.")
def main(
    seconds: float,
    backlog: int,
    rate: float,
    otp_rate: float,
    burst: int,
    burst_every: float,
    window: int,
    response: str,
    rest: float,
    seed: int,
) -> None:
    """Measure OTPs before and beside a campaign, on one connector process."""
    keys = {"PERF_LOGIN": secrets.token_urlsafe(16), "PERF_SHOP": secrets.token_urlsafe(16)}
    alone, bursts = one_by_one(otp_rate, seconds, seed), in_bursts(burst, burst_every, seconds)
    plan = Plan(rate, backlog, seconds, rest, alone, bursts)
    told = {"question": "lanes", "rate_per_s": rate, "window": window, "response": response}
    print(json.dumps({**told, **_measure(plan, keys, window, response)}))


if __name__ == "__main__":
    main()
