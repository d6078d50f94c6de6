"""``carrierline status``: carriers and binds as they fare now, and what holds each carrier back."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import trio

from cli import options, output
from connector.client import Client

REDRAW_S = 1.0

_CARRIERS = ("carrier", "state", "bound", "rate/s", "contract", "credit", "waiting", "throttled", "limited by")
_HEALTH = ("carrier", "country", "health", "share", "answers", "bad", "resp", "receipts", "delivered", "in", "silent")
_BINDS = ("bind", "state", "host", "window", "resp", "p99", "oldest", "tries", "next try", "reason")


@click.command("status")
@options.connection
@options.as_json
@click.option(
    "--notices", type=click.IntRange(0, 500), default=20, show_default=True, help="Show so many of the latest notices."
)
@click.option("--watch", is_flag=True, help="Draw it anew every second, until Ctrl-C; with --json, one line a second.")
def command(url: str, key_env: str, key_file: Path | None, json_: bool, notices: int, watch: bool) -> None:
    """Show every carrier and bind of a running connector.  An operator's API key is needed.

    First how many parts wait in each lane, and how many are in doubt: sent, never answered, and undecided (`carrierline
    messages list --status in_doubt` names them).  For each carrier: its state, binds that are up, parts a second it may
    get now and by contract, credit, parts that wait, how often it said that it is too much, and what limited it in the
    last ten seconds; then its health, and that of every country that fares otherwise: share of its traffic, answers and
    those that were no acceptance, median response time, final receipts, what was delivered, in how long, and receipts
    that never came.  For each bind: places of the window in use, response time (smoothed, and p99), age of the oldest
    request in flight, tries to bind, and why it is not bound.  At the end the latest notices: what changed in carriers'
    health, and what went wrong.
    """
    trio.run(_show, url, options.read_key(key_env, key_file), json_, notices, watch)


async def _show(url: str, key: str, json_: bool, notices: int, watch: bool) -> None:
    async with Client(url, key=key) as client:
        while True:
            status = await client.status(notices=notices)
            if json_:
                output.as_json(status)
            else:
                _draw(status, clear=watch)
            if not watch:
                return
            await trio.sleep(REDRAW_S)


def _draw(status: Mapping[str, Any], *, clear: bool) -> None:
    if clear:
        click.clear()
    output.line(_headline(status))
    output.line()
    output.table(_CARRIERS, [_carrier(carrier) for carrier in status["carriers"]])
    output.line()
    for carrier in status["carriers"]:
        output.line(f"{carrier['name']}: {_held(carrier)}{_ramp(carrier)}")
        for limit in carrier["limits"]:
            output.line(f"  {_limit(limit)}")
    output.line()
    output.table(_HEALTH, [row for carrier in status["carriers"] for row in _health_rows(carrier)])
    for text in [text for carrier in status["carriers"] for text in _health_texts(carrier)]:
        output.line(text)
    output.line()
    output.table(_BINDS, [_bind(bind) for carrier in status["carriers"] for bind in carrier["binds"]])
    output.line()
    output.line(_inbound(status["inbound"]))
    if status["notices"]:
        output.line()
    for notice in status["notices"]:
        output.line(f"{notice['at']} {notice['kind']}: {notice['text']}")


def _headline(status: Mapping[str, Any]) -> str:
    waiting = ", ".join(_lane(lane) for lane in status["lanes"])
    loop, store = status["loop"], status["store"]
    late = f"loop late {_time(loop['lag_s'])}, at most {_time(loop['lag_max_s'])}"
    state = "DRAINING, " if status["draining"] else ""
    doubt = "unknown, the store does not answer" if status["in_doubt"] is None else f"{status['in_doubt']}"
    return (
        f"{state}up {_age(status['up_s'])}; waiting: {waiting}; in doubt: {doubt}; {late};"
        f" commit {_time(store['last_commit_s'])}"
    )


def _inbound(inbound: Mapping[str, Any]) -> str:
    """Return how messages from subscribers fare, since the start."""
    told = f"{output.counted(inbound['messages'], 'message')} from subscribers"
    some = f"{inbound['unmatched']} of nobody, {inbound['partial']} partial, {inbound['repeats']} sent twice"
    left = f"; {inbound['refused']} left to carriers: the disk did not keep up" if inbound["refused"] else ""
    return f"inbound: {told} ({some}); {inbound['open_messages']} wait for parts{left}"


def _lane(lane: Mapping[str, Any]) -> str:
    held = " (quiet hours)" if lane["quiet"] else ""
    if lane["ceiling_reached"] and not held:
        held = f" (its {lane['max_rate_per_s']:g}/s are used)"
    return f"{lane['lane']} {lane['waiting']}{held}"


def _carrier(carrier: Mapping[str, Any]) -> tuple[object, ...]:
    held = carrier["limited_by"]
    return (
        carrier["name"],
        carrier["state"],
        f"{carrier['bound']}/{len(carrier['binds'])}",
        _rate(carrier["rate_per_s"]),
        _rate(carrier["contract_per_s"]),
        carrier["credit"],
        carrier["waiting"],
        carrier["throttled"],
        f"{held['cause']} {held['share'] * 100:.0f} %",
    )


def _health_rows(carrier: Mapping[str, Any]) -> list[tuple[object, ...]]:
    health = carrier["health"]
    return [
        _health(carrier["name"], "all", health),
        *(_health("", each["country"], each) for each in health["countries"]),
    ]


def _health(carrier: str, country: str, health: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        carrier,
        country,
        health["state"],
        _percent(health["share"]),
        health["samples"],
        _percent(health["bad_share"] if health["samples"] else None),
        _time(health["response_p50_s"] or 0.0),
        health["receipts"],
        _percent(health["delivered_share"]),
        _time(health["delivered_p50_s"] or 0.0),
        _percent(health["silent_share"]),
    )


def _health_texts(carrier: Mapping[str, Any]) -> list[str]:
    """Return why a carrier and its countries stand as they do, where that is not well."""
    health = carrier["health"]
    return [each["text"] for each in (health, *health["countries"]) if each["share"] < 1]


def _held(carrier: Mapping[str, Any]) -> str:
    """Return what holds a carrier back, and where a command ends that, the command as it is to be typed."""
    held = carrier["limited_by"]
    if held["cause"] != "suspended":
        return str(held["text"])
    return f"suspended by an operator: nothing is sent until `carrierline carrier resume {carrier['name']}`"


def _ramp(carrier: Mapping[str, Any]) -> str:
    return f"; ramp halted: {carrier['ramp_halted']}" if carrier["ramp_halted"] else ""


def _limit(limit: Mapping[str, Any]) -> str:
    eased = ", eased: the carrier complained" if limit["eased"] else ""
    name = f"{limit['scope']} {limit['value']}" if limit["value"] else f"messages without a {limit['scope']}"
    return f"{name}: {_rate(limit['rate_per_s'])}/s, throttled {limit['throttled']}{eased}"


def _bind(bind: Mapping[str, Any]) -> tuple[object, ...]:
    next_try = bind["next_try_in_s"]
    return (
        bind["name"],
        bind["state"],
        bind["host"],
        f"{bind['window_used']}/{bind['window_size']}",
        _time(bind["response_s"]),
        _time(bind["response_p99_s"]),
        _time(bind["oldest_in_flight_s"]),
        bind["attempts"],
        "-" if next_try is None else f"in {_age(next_try)}",
        bind["reason"] or "",
    )


def _rate(rate: float | None) -> str:
    return "any" if rate is None else f"{rate:.4g}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share * 100:.3g} %"


def _time(seconds: float) -> str:
    """Return a short time: "-" for none, "450 ms", "1.8 s"."""
    if not seconds:
        return "-"
    return f"{seconds * 1000:.3g} ms" if seconds < 0.9995 else f"{seconds:.3g} s"


def _age(seconds: float) -> str:
    """Return a long time in its two largest units: "42 s", "3 m 5 s", "2 d 4 h"."""
    words: list[str] = []
    left = round(seconds)
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or (unit == "s" and not words):
            words.append(f"{count} {unit}")
    return " ".join(words[:2])
