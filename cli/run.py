"""``carrierline run``: the connector of a configuration file, until told to stop."""

import gc
import logging
import os
import random
import signal
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import click
import trio

from cli import output
from cli.output import note
from connector import app, opening
from connector.api.app import listen
from connector.config import Config, load_config
from connector.errors import CarrierlineError, ConfigError


@click.command("run")
@click.argument("config", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--verbose", is_flag=True, help="Log what is only of interest while looking for a fault.")
def command(config: Path, verbose: bool) -> None:
    """Run the connector of CONFIG until SIGTERM or Ctrl-C, then drain it and say what was left behind.

    Carriers that are down do not keep it from taking messages; it keeps trying to bind.  SIGHUP (or `carrierline
    reload`) makes it read CONFIG and every secret again and change only what differs; a bad file changes nothing.
    """
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    for name in ("httpx2", "hypercorn", "httpcore2"):
        logging.getLogger(name).setLevel(logging.WARNING)
    trio.run(run, load_config(config), config)


YOUNGEST, OLDER, OLDEST = 20_000, 20, 50
"""Allocations before Python looks for cycles among the youngest objects, and how often before among older ones.  What
passes through here is freed by its last reference; a look at everything held holds up the event loop."""


def _calm_collector() -> None:
    """Let Python's collector leave alone what lives as long as we do, and look at the rest less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNGEST, OLDER, OLDEST)


async def run(config: Config, source: Path) -> None:
    """Run until a signal comes, then drain and return; SIGHUP reads ``source`` again."""
    secrets = app.read_secrets(config, os.environ)
    engine, store = opening.open_store(config)
    try:
        with _listen(config) as listener:
            clock = opening.steady_wall_clock()
            connector = app.Connector(
                config,
                store,
                clock=clock,
                random=random.Random(),
                source=source,
                secrets=secrets,
                wall=time.time,
            )
            async with trio.open_nursery() as nursery:
                await nursery.start(app.Watchdog().run)
                # heard from here on: a signal that comes while we start must not kill, it is obeyed once we are up
                with trio.open_signal_receiver(signal.SIGHUP) as hangups:
                    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
                        await nursery.start(connector.run)
                        await nursery.start(connector.serve, listener)
                        nursery.start_soon(_reload_on, hangups, connector)
                        _calm_collector()
                        note(f"carrierline: listening on {_address(listener)}, {_carriers(config)}")
                        await anext(signals)
                    note("carrierline: stopping: no new messages; waiting for answers that are due")
                    report = await connector.drain()  # another SIGTERM ends it at once
                note("carrierline: " + "\n".join(report.lines()))
                nursery.cancel_scope.cancel()
    finally:
        engine.close()


async def _reload_on(hangups: AsyncIterator[int], connector: app.Connector) -> None:
    async for _ in hangups:
        try:
            done = await connector.reload()
        except ConfigError as error:
            problems = output.counted(len(error.problems), "problem")
            note(f"carrierline: reload: nothing was changed: {problems}, logged above")
        else:
            changes = (
                output.counted(len(done.changed), "change") + ", logged above" if done.changed else "nothing differs"
            )
            kept = f"; unchanged: {', '.join(done.unchanged)}" if done.unchanged else ""
            note(f"carrierline: reload: {changes}{kept}")


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _carriers(config: Config) -> str:
    names = [carrier.name for carrier in config.carrier]
    return f"{len(names)} carriers" if len(names) > 1 else f"carrier {names[0]}"


def _listen(config: Config) -> socket.socket:
    try:
        return listen(config.api)
    except OSError as error:
        raise CarrierlineError(f"api.listen: cannot listen on {config.api.listen}: {error.strerror}") from None


async def signalled() -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            return
