"""``carrierline run``: the connector of a configuration file, until told to stop."""

import logging
import os
import random
import signal
import socket
from pathlib import Path

import click
import trio

from cli.output import note
from connector import app
from connector.api.app import listen
from connector.config import Config, load_config
from connector.errors import CarrierlineError, ConfigError


@click.command("run")
@click.argument("config", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--verbose", is_flag=True, help="Log what is only of interest while looking for a fault.")
def command(config: Path, verbose: bool) -> None:
    """Run the connector of CONFIG until SIGTERM or Ctrl-C, then drain it.

    Carriers that are down do not keep it from taking messages; it keeps trying to bind.
    """
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    for name in ("httpx2", "hypercorn", "httpcore2"):
        logging.getLogger(name).setLevel(logging.WARNING)
    trio.run(run, load_config(config))


async def run(config: Config) -> None:
    """Run until a signal comes, then drain and return."""
    if missing := config.missing_secrets(os.environ):
        raise ConfigError(missing)
    engine, store = app.open_store(config)
    try:
        with _listen(config) as listener:
            connector = app.Connector(config, store, clock=app.steady_wall_clock(), random=random.Random())
            async with trio.open_nursery() as nursery:
                # heard from here on: a signal that comes while we start must not kill, it is obeyed once we are up
                with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
                    await nursery.start(connector.run)
                    await nursery.start(connector.serve, listener)
                    note(f"carrierline: listening on {_address(listener)}, {_carriers(config)}")
                    await anext(signals)
                note("carrierline: stopping: no new messages; waiting for answers that are due")
                await connector.drain()
                _report(connector)
                nursery.cancel_scope.cancel()
    finally:
        engine.close()


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


def _report(connector: app.Connector) -> None:
    statistics = connector.statistics()
    waiting = sum(queue.waiting for queue in statistics.queues)
    doubt = statistics.parts.get("in_doubt", 0)
    note(
        f"carrierline: stopped; parts that wait for the next start: {waiting}, that fell in doubt in this run: {doubt}"
    )
