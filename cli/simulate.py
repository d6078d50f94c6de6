"""``carrierline simulate``: an SMSC on this machine; a scenario with a load and expectations is played and judged."""

import logging
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs
import click
import trio

from cli import first_error, options, output
from cli.played import show
from connector.errors import CarrierlineError, InputError
from simulator.durations import seconds_of
from simulator.play import Outcome, play, played, problems_of_playing
from simulator.scenario import Scenario, load_scenario, profiles
from simulator.scenario.loading import placed
from simulator.scenario.reference import reference
from simulator.smsc import Smsc
from simulator.trace.lines import TraceFile, json_lines
from simulator.trace.pcapng import capture
from simulator.trace.record import Sink


def _duration(_context: click.Context, _parameter: click.Parameter, value: str | None) -> float | None:
    """Read "10m", or a number of seconds."""
    if value is None:
        return None
    try:
        return seconds_of(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command("simulate")
@click.argument("file", required=False)
@click.option("--smpp", metavar="HOST:PORT", help="Where to listen; port 0 takes a free one.")
@click.option("--virtual", is_flag=True, help="Play it in virtual time, without a network: an hour takes a second.")
@click.option(
    "--for",
    "for_s",
    metavar="DURATION",
    callback=_duration,
    help="Stop by itself after so long, as in 10m, whatever is under way; a number is seconds.",
)
@click.option("--seed", type=click.IntRange(min=0), help="Draw from another seed than the file's.")
@click.option("--check", is_flag=True, help="Only read the file and say every problem of it.")
@click.option("--list", "list_", is_flag=True, help="List the profiles that are shipped, for profile:NAME.")
@click.option("--keys", is_flag=True, help="Print every key of a scenario file and every fact, as Markdown.")
@click.option("--record", type=click.Path(path_type=Path, dir_okay=False), help="Write the ledger here as JSON lines.")
@click.option("--trace", type=click.Path(path_type=Path, dir_okay=False), help="Write every PDU here as JSON lines.")
@click.option("--pcap", type=click.Path(path_type=Path, dir_okay=False), help="Write every PDU here for Wireshark.")
@click.option("--keep", type=click.IntRange(min=0), default=100_000, show_default=True, help="Messages held in memory.")
@options.as_json
def command(
    file: str | None,
    smpp: str | None,
    virtual: bool,
    for_s: float | None,
    seed: int | None,
    check: bool,
    list_: bool,
    keys: bool,
    record: Path | None,
    trace: Path | None,
    pcap: Path | None,
    keep: int,
    json_: bool,
) -> None:
    """Run the SMSC simulator with the scenario in FILE, or of profile:NAME; without one any bind is good.

    It ends with its load, after --for, or on Ctrl-C or SIGTERM, and prints what it counted and what became of the
    messages.  Exit status 1: something the scenario expects is not true, or it expects nothing and its load
    died; 2: the file cannot be used.
    """
    if list_:
        _list(json_)
        return
    if keys:
        output.line(reference().rstrip())
        return
    scenario = _changed(load_scenario(file, to_play=True) if file else Scenario(), smpp, seed)
    if check:
        output.line(f"{file or scenario.name}: no problem")
        return
    problems = list(problems_of_playing(scenario, virtual=virtual))
    if file and problems:
        raise placed(file, problems)
    level = logging.WARNING if virtual else logging.INFO  # the time of day in front of a line would be the wrong one
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    sinks = _sinks(trace, pcap)
    try:
        outcome = _played(scenario, virtual, for_s, keep, record, sinks)
    finally:
        for sink in sinks:
            sink.close()
    show(outcome, json_=json_)
    if not outcome.ok:
        raise SystemExit(1)


def _list(json_: bool) -> None:
    rows = [(name, load_scenario(f"profile:{name}").about) for name in profiles()]
    if json_:
        output.as_json([{"name": name, "about": about} for name, about in rows])
    else:
        output.table(("profile", "about"), rows)


def _changed(scenario: Scenario, smpp: str | None, seed: int | None) -> Scenario:
    if seed is not None:
        scenario = attrs.evolve(scenario, seed=seed)
    if smpp is None:
        return scenario
    try:
        return attrs.evolve(scenario, listen=attrs.evolve(scenario.listen, smpp=smpp))
    except ValueError as error:
        raise click.UsageError(f"--smpp {error}") from None


def _sinks(trace: Path | None, pcap: Path | None) -> list[TraceFile]:
    wanted: Sequence[tuple[Callable[[Path], TraceFile], Path | None]] = ((json_lines, trace), (capture, pcap))
    return [made(path) for made, path in wanted if path is not None]


def _played(
    scenario: Scenario,
    virtual: bool,
    for_s: float | None,
    keep: int,
    record: Path | None,
    sinks: Sequence[Sink],
) -> Outcome:
    if virtual:
        if scenario.load is None and for_s is None:
            raise InputError("nothing ends a virtual run without a [load] but --for")
        return played(scenario, virtual=True, duration_s=for_s, keep=keep, record=record, trace=sinks)

    async def run() -> Outcome:
        ended = trio.Event()
        async with trio.open_nursery() as nursery:
            await nursery.start(_heed_signals, ended)
            outcome = await play(
                scenario,
                duration_s=for_s,
                ended=ended,
                keep=keep,
                record=record,
                trace=sinks,
                listening=_tell_where,
            )
            nursery.cancel_scope.cancel()
        return outcome

    try:
        return trio.run(run)
    except (OSError, ExceptionGroup) as error:
        raise _listening_failed(error, scenario) from None


async def _heed_signals(ended: trio.Event, *, task_status: trio.TaskStatus[None]) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async for _ in signals:  # all of them: one left over would break off the end that is on its way
            ended.set()


def _tell_where(smsc: Smsc) -> None:
    where = f"{smsc.scenario.listen.host}:{smsc.port}"
    output.note(f"carrierline: SMSC {smsc.scenario.name} listening on {where}")
    if smsc.tls_port:
        output.note(f"carrierline: and for TLS on port {smsc.tls_port}")


def _listening_failed(error: Exception, scenario: Scenario) -> Exception:
    """Return a port that cannot be had as one sentence that names it; anything else as it is."""
    first = first_error(error)
    if isinstance(first, OSError) and first.filename is None:
        return CarrierlineError(f"cannot listen on {scenario.listen.smpp}: {first.strerror}")
    return error
