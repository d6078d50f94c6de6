"""Where a question is put: to a running connector, or to the file of its store."""

from collections.abc import Awaitable, Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import click
import trio

from cli import options
from connector.client import Client
from connector.errors import ApiError, InputError

if TYPE_CHECKING:
    from connector.reader import Reader

T = TypeVar("T")
OfStore = Callable[["Reader"], T]
OfConnector = Callable[[Client], Awaitable[T]]

BAD_REQUEST, NOT_FOUND = 400, 404


@attrs.frozen
class Source:
    """What the options of a command name: a store, or a connector and the key to show it."""

    store: Path | None
    url: str
    key_env: str
    key_file: Path | None

    def ask(self, of_store: OfStore[T], of_connector: OfConnector[T]) -> T:
        """Return what the store answers where one is named, else what the connector does.

        Raises UsageError for what a connector calls a bad request: the same words are one where a store is read.
        """
        if self.store is None:
            return trio.run(_answer, of_connector, self.url, options.read_key(self.key_env, self.key_file))
        from connector.reader import open_reader

        with open_reader(self.store) as reader:
            return of_store(reader)

    def ask_for(self, what: str, identity: str, of_store: OfStore[T], of_connector: OfConnector[T]) -> T:
        """Return the one thing of this id; ClickException, a sentence about it, where there is none."""
        try:
            return self.ask(of_store, of_connector)
        except ApiError as error:
            raise about(what, identity, error) from None
        except InputError as error:
            if self.store is None:  # it is about the address or the key, not about the id
                raise
            raise click.ClickException(str(error)) from None


async def _answer(question: OfConnector[T], url: str, key: str) -> T:
    async with Client(url, key=key) as client:
        try:
            return await question(client)
        except ApiError as error:
            if error.status == BAD_REQUEST:
                raise click.UsageError(error.problem) from None
            raise


def about(what: str, identity: str, error: ApiError) -> Exception:
    """Return what a connector says of the id it was asked for as a sentence about that thing; all else as it is."""
    said = error.problem.removeprefix("id: ")
    if said == error.problem:
        return error
    return click.ClickException(
        f"there is no {what} {identity}" if error.status == NOT_FOUND else f"{what} {identity}: {said}"
    )


async def rows(answer: Awaitable[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """Return the rows of a connector's answer, which has them under this name."""
    found: list[dict[str, Any]] = (await answer)[name]
    return found


def source_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --store, --url, --key-env and --key-file; the command gets them as one ``source``."""

    @wraps(function)
    def gathered(*, store: Path | None, url: str, key_env: str, key_file: Path | None, **others: Any) -> Any:
        return function(source=Source(store, url, key_env, key_file), **others)

    return options.store(options.connection(gathered))
