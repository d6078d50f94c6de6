"""``carrierline simulate``: an SMSC on this machine, until told to stop."""

import logging
import math
import signal
from pathlib import Path

import attrs
import click
import trio

from cli import first_error, options, output
from connector.errors import CarrierlineError
from simulator.scenario import Scenario, load_scenario
from simulator.smsc import Smsc


@click.command("simulate")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--smpp", metavar="HOST:PORT", help="Where to listen; port 0 takes a free one.")
@click.option("--record", type=click.Path(path_type=Path, dir_okay=False), help="Write the ledger here as JSON lines.")
@click.option("--keep", type=click.IntRange(min=0), default=100_000, show_default=True, help="Messages held in memory.")
@click.option("--for", "for_s", type=click.FloatRange(min=0), help="Stop by itself after so many seconds.")
@options.as_json
def command(
    file: Path | None, smpp: str | None, record: Path | None, keep: int, for_s: float | None, json_: bool
) -> None:
    """Run the SMSC simulator with the scenario in FILE; without one any bind is good and all is delivered.

    Ctrl-C or SIGTERM ends it and prints what it counted.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    scenario = load_scenario(file) if file else Scenario()
    if smpp is not None:
        try:
            scenario = attrs.evolve(scenario, listen=attrs.evolve(scenario.listen, smpp=smpp))
        except ValueError as error:
            raise click.UsageError(f"--smpp {error}") from None
    trio.run(_run, Smsc(scenario, keep=keep, record=record), for_s, json_)


async def _run(smsc: Smsc, for_s: float | None, json_: bool) -> None:
    async with trio.open_nursery() as nursery:
        try:
            await nursery.start(smsc.run)
        except (OSError, ExceptionGroup) as error:
            raise _listening_failed(error, smsc.scenario) from None
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            where = f"{smsc.scenario.listen.host}:{smsc.port}"
            output.note(f"carrierline: SMSC {smsc.scenario.name} listening on {where}")
            with trio.move_on_after(math.inf if for_s is None else for_s):
                await anext(signals)
        nursery.cancel_scope.cancel()
    _show(smsc, json_)


def _listening_failed(error: Exception, scenario: Scenario) -> Exception:
    """Return a port that cannot be had as one sentence that names it; anything else as it is."""
    first = first_error(error)
    if isinstance(first, OSError) and first.filename is None:
        return CarrierlineError(f"cannot listen on {scenario.listen.smpp}: {first.strerror}")
    return error


def _show(smsc: Smsc, json_: bool) -> None:
    numbers = attrs.asdict(smsc.statistics())
    if json_:
        output.as_json(numbers)
    else:
        output.table(("what", "count"), [(name.replace("_", " "), value) for name, value in numbers.items() if value])
