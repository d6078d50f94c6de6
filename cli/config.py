"""``carrierline config``: check a configuration file, print an example or every key."""

import os
from pathlib import Path

import click

from cli import output
from connector.config import EXAMPLE, effective, load_config
from connector.config.reference import reference as every_key


@click.group("config")
def command() -> None:
    """Check a configuration file, or print an example or every key."""


@command.command("check")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--effective", "show", is_flag=True, help="Print the configuration with every default written out.")
def check(file: Path, show: bool) -> None:
    """Check FILE; all problems are printed at once, each with its line.  Exit status 2 if there are any.

    What is allowed and hardly meant, such as a lane that nobody may use, is a warning and no problem.
    """
    config = load_config(file)
    if show:
        output.line(effective(config).rstrip())
        return
    carriers, keys = len(config.carrier), len(config.api.key)
    output.line(f"{file}: good, {carriers} carrier{'s'[: carriers != 1]}, {keys} API key{'s'[: keys != 1]}")
    for problem in config.unused_lanes():
        output.note(f"warning: {problem}")
    for problem in config.missing_secrets(os.environ):
        output.note(f"note: {problem}; run will need it")


@command.command("example")
def example() -> None:
    """Print a small configuration that is complete."""
    output.line(EXAMPLE.rstrip())


@command.command("reference")
def reference() -> None:
    """Print every key of a configuration file, as Markdown: name, type, default and what it is."""
    output.line(every_key().rstrip())
