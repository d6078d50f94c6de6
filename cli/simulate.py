"""``carrierline simulate``: an SMSC on this machine, until told to stop."""

import signal
from pathlib import Path

import attrs
import click
import trio

from cli import options, output
from simulator.scenario import Scenario, load_scenario
from simulator.smsc import Smsc


@click.command("simulate")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--smpp", metavar="HOST:PORT", help="Where to listen; port 0 takes a free one.")
@click.option("--record", type=click.Path(path_type=Path, dir_okay=False), help="Write the ledger here as JSON lines.")
@click.option("--keep", type=click.IntRange(min=0), default=100_000, show_default=True, help="Messages held in memory.")
@click.option("--for", "for_s", type=float, help="Stop by itself after so many seconds.")
@options.as_json
def command(
    file: Path | None, smpp: str | None, record: Path | None, keep: int, for_s: float | None, json_: bool
) -> None:
    """Run the SMSC simulator with the scenario in FILE; without one any bind is good and all is delivered.

    Ctrl-C or SIGTERM ends it and prints what it counted.
    """
    scenario = load_scenario(file) if file else Scenario()
    if smpp is not None:
        scenario = attrs.evolve(scenario, listen=attrs.evolve(scenario.listen, smpp=smpp))
    trio.run(_run, Smsc(scenario, keep=keep, record=record), for_s, json_)


async def _run(smsc: Smsc, for_s: float | None, json_: bool) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(smsc.run)
        output.note(f"carrierline: SMSC {smsc.scenario.name} listening on {smsc.scenario.listen.host}:{smsc.port}")
        with trio.move_on_after(trio.CancelScope().deadline if for_s is None else for_s):
            with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
                async for _ in signals:
                    break
        nursery.cancel_scope.cancel()
    numbers = attrs.asdict(smsc.statistics())
    if json_:
        output.as_json(numbers)
    else:
        output.table(("what", "count"), [(name.replace("_", " "), value) for name, value in numbers.items() if value])
