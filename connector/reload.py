"""A new configuration against the one that runs: what must not change, and what does.  `compare` is pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import attrs

from connector.config import CarrierConfig, Config, Credentials, InboundConfig, KeyConfig, RouteConfig, load_config
from connector.config.differences import differences, differing, differing_keys
from connector.errors import ConfigError

T = TypeVar("T")

_APPLIED_LIVE = frozenset({"rate_per_s", "limit", "max_parts"})
"""Keys of a carrier that are obeyed while its binds stay up; any other one needs new binds."""


@attrs.frozen
class Secrets:
    """Every secret of a configuration as it was when it was read."""

    credentials: Mapping[str, Sequence[Credentials]]
    """By carrier, one for each of its binds."""
    keys: tuple[tuple[KeyConfig, str], ...]
    """Each API key with its secret."""


class Act(StrEnum):
    """What is done to one carrier."""

    ADD = "added"
    REMOVE = "removed"
    RESTART = "restarted"
    """Drained, and then started anew: never more binds than its account has."""
    CHANGE = "changed"
    """Rate or limits, while its binds stay up."""
    KEEP = "unchanged"


@attrs.frozen
class Change:
    """One difference, with what follows from it."""

    what: str
    """What it is about: ``carrier "north"``."""
    text: str

    def __str__(self) -> str:
        return f"{self.what}: {self.text}"


@attrs.frozen
class Difference:
    """Everything in which two configurations differ, and what is to be done."""

    acts: Mapping[str, Act]
    """By carrier, those that are gone included."""
    changes: tuple[Change, ...]


def read(path: Path, environ: Mapping[str, str]) -> tuple[Config, Secrets]:
    """Return the configuration in a file, with its secrets.

    It reads files and may run a ``*_command``: call it in a thread.  Raises ConfigError with every problem, one line
    each, those of the file with their line number.
    """
    config = load_config(path)
    return config, read_secrets(config, environ)


def read_secrets(config: Config, environ: Mapping[str, str]) -> Secrets:
    """Return the secrets of a configuration, each read once: a ``*_command`` may cost something or ask somebody.

    Raises ConfigError with every one that cannot be read.
    """
    problems: list[str] = []

    def tried(read: Callable[[Mapping[str, str]], T]) -> Iterator[T]:
        try:
            yield read(environ)
        except ConfigError as error:
            problems.extend(error.problems)

    keys = tuple((key, secret) for key in config.api.key for secret in tried(key.read_secret))
    credentials = {
        carrier.name: tuple(each for bind in carrier.bind for each in tried(bind.read_credentials))
        for carrier in config.carrier
    }
    if problems:
        raise ConfigError(problems)
    return Secrets(credentials, keys)


def needs_restart(before: Config, after: Config) -> list[str]:
    """Return, in words, each difference that a running connector cannot follow."""
    problems = []
    if before.api.listen != after.api.listen:
        problems.append(f"api.listen: from {before.api.listen} to {after.api.listen} needs a restart")
    stores = differing_keys(before.store, after.store)
    return [*problems, *(f"store.{key}: a change of the store needs a restart" for key in stores)]


def compare(before: Config, after: Config, *, rotated: Iterable[str] = ()) -> Difference:
    """Return how two configurations differ.  ``rotated``: what has another secret, such as ``carrier "north"``."""
    acts = _acts({c.name: c for c in before.carrier}, {c.name: c for c in after.carrier})
    changes = [*_of_carriers(before, after, acts)]
    changes += _of_named("API key", before.api.key, after.api.key, lambda key: key.name)
    changes += _of_named("route", before.route, after.route, lambda route: str(route.name))
    old, new = ([str(route.name) for route in config.route] for config in (before, after))
    if old != new and sorted(old) == sorted(new):
        changes.append(Change("routes", "come in another order"))
    if _criteria(before) != _criteria(after):
        changes.append(Change("routes", "what waits is looked at again, in the background, and goes by the new ones"))
    lanes = _of_named("lane", before.lane.items(), after.lane.items(), lambda item: item[0], lambda item: item[1])
    changes += [attrs.evolve(it, text=_LANE_GONE) if it.text == "removed" else it for it in lanes]
    changes += _of_inbound(before.inbound, after.inbound)
    for name in ("max_body_kb", "max_concurrent", "allow_plaintext"):
        if getattr(before.api, name) != getattr(after.api, name):
            changes.append(Change("api", f"another {name}"))
    changes += [Change(what, "another secret") for what in rotated]
    return Difference(acts, tuple(changes))


def _of_inbound(before: InboundConfig, after: InboundConfig) -> Iterator[Change]:
    yield from _of_named("inbound route", before.route, after.route, lambda route: str(route.name))
    old, new = ([str(route.name) for route in each.route] for each in (before, after))
    if old != new and sorted(old) == sorted(new):
        yield Change("inbound routes", "come in another order")
    yield from (Change("inbound", text) for text in differences(before, attrs.evolve(after, route=before.route)))


def _criteria(config: Config) -> list[RouteConfig]:
    """Return the routes without what is decided only when a part leaves."""
    return [attrs.evolve(route, carriers=("any",), prefer="order") for route in config.route]


def _acts(before: Mapping[str, CarrierConfig], after: Mapping[str, CarrierConfig]) -> dict[str, Act]:
    acts = {name: Act.REMOVE for name in before if name not in after}
    for name, config in after.items():
        acts[name] = _act(before[name], config) if name in before else Act.ADD
    return acts


def _act(before: CarrierConfig, after: CarrierConfig) -> Act:
    different = set(differing(before, after))
    if not different:
        return Act.KEEP
    return Act.CHANGE if different <= _APPLIED_LIVE else Act.RESTART


def _of_carriers(before: Config, after: Config, acts: Mapping[str, Act]) -> Iterator[Change]:
    old = {carrier.name: carrier for carrier in before.carrier}
    new = {carrier.name: carrier for carrier in after.carrier}
    for name, act in acts.items():
        if act is Act.KEEP:
            continue
        keys = ""
        if act in (Act.CHANGE, Act.RESTART):
            keys = f" ({'; '.join(differences(old[name], new[name]))})"
        yield Change(f'carrier "{name}"', f"{_CONSEQUENCES[act]}{keys}")


_CONSEQUENCES = {
    Act.ADD: "added; it binds now",
    Act.REMOVE: "removed; it drains, what waits takes the other carriers of its rule, receipts it owes are not heard",
    Act.CHANGE: "changed while its binds stay up",
    Act.RESTART: "drains and binds anew",
}


_LANE_GONE = "removed; what waits in it is not sent any more, and ends at its deadline"


def _of_named(
    what: str,
    before: Iterable[T],
    after: Iterable[T],
    name_of: Callable[[T], str],
    value_of: Callable[[T], Any] = lambda item: item,
) -> Iterator[Change]:
    old = {name_of(item): value_of(item) for item in before}
    new = {name_of(item): value_of(item) for item in after}
    for name in [*old, *(name for name in new if name not in old)]:
        label = f'{what} "{name}"'
        if name not in new:
            yield Change(label, "removed")
        elif name not in old:
            yield Change(label, "added")
        elif old[name] != new[name]:
            yield Change(label, f"changed ({'; '.join(differences(old[name], new[name]))})")
