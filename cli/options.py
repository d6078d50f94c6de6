"""Options that several commands share: where the connector is, and which key to show it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

KEY_VARIABLE = "CARRIERLINE_KEY"


def connection(function: F) -> F:
    """Add --url, --key-env and --key-file."""
    function = click.option(
        "--url", envvar="CARRIERLINE_URL", default="http://127.0.0.1:8080", show_default=True, help="The connector."
    )(function)
    function = click.option(
        "--key-env", default=KEY_VARIABLE, show_default=True, help="Environment variable that holds the API key."
    )(function)
    return click.option(
        "--key-file", type=click.Path(path_type=Path, dir_okay=False), help="File that holds the API key."
    )(function)


def as_json(function: F) -> F:
    """Add --json."""
    return click.option("--json", "json_", is_flag=True, help="Print JSON for programs.")(function)


def store(function: F) -> F:
    """Add --store."""
    return click.option(
        "--store",
        type=click.Path(path_type=Path, dir_okay=False),
        callback=_existing,
        help="Read this store, not a connector.",
    )(function)


def _existing(_context: click.Context, _parameter: click.Parameter, value: Path | None) -> Path | None:
    if value is not None and not value.is_file():
        raise click.UsageError(f"there is no store at {value}")
    return value


def read_key(key_env: str, key_file: Path | None) -> str:
    """Return the API key; a usage error says where it was looked for."""
    if key_file is not None:
        try:
            key = key_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise click.UsageError(f"the key file {key_file} cannot be read: {error.strerror}") from None
    else:
        key = os.environ.get(key_env, "")
    if not key:
        raise click.UsageError(f"no API key: set {key_env} or give --key-file")
    return key
