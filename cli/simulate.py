"""``carrierline simulate``: an SMSC on this machine; a scenario with a load and expectations is played and judged."""

import logging
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs
import click
import trio

from cli import first_error, options, output
from cli.played import show
from cli.progress import Progress
from connector.errors import InputError
from simulator.durations import seconds_of
from simulator.play import Outcome, play, played, problems_of_playing
from simulator.scenario import Scenario, load_scenario, profiles
from simulator.scenario.loading import placed
from simulator.scenario.reference import reference
from simulator.smsc import Smsc
from simulator.tls import problem_of_signing
from simulator.trace.lines import TraceFile, json_lines
from simulator.trace.pcapng import capture
from simulator.trace.record import Sink

NOT_HERE: Final = 3
"""Exit status: neither the file nor the command line is at fault, and it could not run on this machine."""


class CouldNotRun(click.ClickException):
    """It could not run here: a file cannot be written, a port is taken, a library is missing."""

    exit_code = NOT_HERE


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
@click.option("--virtual", is_flag=True, help="Play it in virtual time, without a network.")
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
    messages.  In virtual time waiting costs nothing, and a thousand messages take about a second, however fast they
    follow each other.

    Exit status 0: all that the scenario expects is true; 1: something is not, or it expects nothing and its load
    died; 2: the file or the command line cannot be used; 3: it could not run here, since a file cannot be written, a
    port is taken or a library is missing.
    """
    if list_:
        _list(json_)
        return
    if keys:
        output.line(reference().rstrip())
        return
    if check and file is None:
        raise click.UsageError("--check needs a FILE, or profile:NAME")
    scenario = _changed(load_scenario(file, to_play=True) if file else Scenario(), smpp, seed)
    if not virtual:
        _refuse_what_is_not_installed(scenario, file)
    if check:
        output.line(f"{file}: no problem")
        return
    problems = list(problems_of_playing(scenario, virtual=virtual))
    if file and problems:
        raise placed(file, problems)
    level = logging.WARNING if virtual else logging.INFO  # the time of day in front of a line would be the wrong one
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    with _told_if_not_here(scenario), _sinks(trace, pcap) as sinks:
        outcome = _played(scenario, virtual, for_s, keep, record, sinks)
    show(outcome, json_=json_)
    if not outcome.ok:
        raise SystemExit(1)


def _list(json_: bool) -> None:
    loaded = {name: load_scenario(f"profile:{name}") for name in profiles()}
    if json_:
        output.as_json(
            [{"name": name, "about": each.about, "load": each.load is not None} for name, each in loaded.items()]
        )
        return
    rows = [(name, "yes" if each.load else "", each.about) for name, each in loaded.items()]
    output.table(("profile", "load", "about"), rows)


def _refuse_what_is_not_installed(scenario: Scenario, file: str | None) -> None:
    problem = problem_of_signing(scenario.listen)
    if problem and file:  # without one there is no TLS
        raise CouldNotRun(str(placed(file, [(("listen", "tls"), problem)])))


@contextmanager
def _told_if_not_here(scenario: Scenario) -> Iterator[None]:
    """Say in one sentence what kept it from running here."""
    try:
        yield
    except (OSError, ExceptionGroup) as error:
        first = first_error(error)
        if not isinstance(first, OSError):
            raise
        if first.filename is not None:
            raise CouldNotRun(f"{first.filename}: {first.strerror}") from None
        raise CouldNotRun(f"cannot listen on {scenario.listen.smpp}: {first.strerror or first}") from None


def _changed(scenario: Scenario, smpp: str | None, seed: int | None) -> Scenario:
    if seed is not None:
        scenario = attrs.evolve(scenario, seed=seed)
    if smpp is None:
        return scenario
    try:
        return attrs.evolve(scenario, listen=attrs.evolve(scenario.listen, smpp=smpp))
    except ValueError as error:
        raise click.UsageError(f"--smpp {error}") from None


@contextmanager
def _sinks(trace: Path | None, pcap: Path | None) -> Iterator[list[TraceFile]]:
    wanted: Sequence[tuple[Callable[[Path], TraceFile], Path | None]] = ((json_lines, trace), (capture, pcap))
    sinks: list[TraceFile] = []
    try:
        sinks += (made(path) for made, path in wanted if path is not None)
        yield sinks
    finally:
        for sink in sinks:
            sink.close()


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
        with Progress() as progress:
            return played(
                scenario,
                virtual=True,
                duration_s=for_s,
                keep=keep,
                record=record,
                trace=sinks,
                listening=progress.watch,
            )

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

    return trio.run(run)


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
