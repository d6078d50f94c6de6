"""The connector as users run it, but that it kills itself with SIGKILL at a named step: ``python -m tests.crash.child
CONFIG``, with CRASH_STEP and, where the first time is not meant, CRASH_AT in the environment.

The steps are put around the engine and the links from outside, so that the connector itself knows nothing of them.
"""

import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, Final

import trio

from connector.app import Connector
from connector.carriers import Carriers
from connector.errors import StoreBroken
from connector.model import Answer, Inbound, Receipt
from connector.store.sqlite import SqliteEngine

VERBS: Final = ("append", "claim", "recover", "refile", "change", "tell")
KINDS: Final = {Answer: "answers", Receipt: "receipts", Inbound: "inbound"}
"""Results of one kind make a step of their own."""
PDUS: Final = {0x00000004: "submit_sm", 0x80000005: "deliver_sm_resp", 0x00000006: "unbind"}

ALWAYS: Final = tuple(
    f"{when} the commit of {what}"
    for what in ("append", "claim", "answers", "receipts", "inbound", "tell")
    for when in ("before", "after")
) + tuple(
    f"{when} the write of {pdu}" for pdu in ("submit_sm", "deliver_sm_resp") for when in ("before", "half", "after")
)
"""Steps that every life under load comes to."""
AT_THE_START: Final = tuple(
    f"{when} the commit of {what}" for what in ("recover", "change") for when in ("before", "after")
)
"""Steps of a start that finds something on the wire, and of its sending it again."""
REFILING: Final = ("before the commit of refile", "after the commit of refile")
"""Steps of a start with other routes, where something waits."""
IN_THE_END: Final = ("before the drain", "before the carriers drain", "after the carriers drain", "after the drain")
"""Steps after SIGTERM."""
IO_ERROR: Final = "an I/O error at a commit"


class Steps:
    """Counts how often each step was come to, and dies at the one that was named."""

    def __init__(self, name: str, at: int) -> None:
        self._name = name
        self._at = at
        self._reached: Counter[str] = Counter()

    def reach(self, name: str) -> None:
        self._reached[name] += 1
        if name == self._name and self._reached[name] >= self._at:
            os.kill(os.getpid(), signal.SIGKILL)

    def is_at(self, name: str) -> bool:
        return name == self._name


def _watch_engine(steps: Steps) -> None:
    """Put steps before and after each commit, named by what is committed."""
    doing: set[str] = set()
    begin, commit, results = SqliteEngine.begin, SqliteEngine.commit, SqliteEngine.results

    def watched_begin(engine: SqliteEngine) -> None:
        doing.clear()
        begin(engine)

    def watched_commit(engine: SqliteEngine) -> None:
        for name in sorted(doing):
            steps.reach(f"before the commit of {name}")
        if steps.is_at(IO_ERROR) and "answers" in doing:
            raise StoreBroken("the store cannot be read or written: disk I/O error")
        commit(engine)
        for name in sorted(doing):
            steps.reach(f"after the commit of {name}")

    def watched_results(engine: SqliteEngine, given: Any, **rest: Any) -> Any:
        doing.update(KINDS[type(result)] for result in given if type(result) in KINDS)
        return results(engine, given, **rest)

    SqliteEngine.begin, SqliteEngine.commit, SqliteEngine.results = (  # type: ignore[method-assign]
        watched_begin,
        watched_commit,
        watched_results,
    )
    for name in VERBS:
        setattr(SqliteEngine, name, _noting(getattr(SqliteEngine, name), name, doing))


def _noting(verb: Callable[..., Any], name: str, doing: set[str]) -> Callable[..., Any]:
    @wraps(verb)
    def noted(engine: SqliteEngine, *arguments: Any, **rest: Any) -> Any:
        found = verb(engine, *arguments, **rest)
        if found:
            doing.add(name)
        return found

    return noted


def _watch_links(steps: Steps) -> None:
    """Put steps before, within and after each write of PDUs."""
    send_all = trio.SocketStream.send_all

    async def watched(stream: trio.SocketStream, data: Any) -> None:
        names = sorted(set(_pdus(bytes(data))))
        for name in names:
            steps.reach(f"before the write of {name}")
        if any(steps.is_at(f"half the write of {name}") for name in names):
            await send_all(stream, data[: len(data) // 2])
            for name in names:
                steps.reach(f"half the write of {name}")
        await send_all(stream, data)
        for name in names:
            steps.reach(f"after the write of {name}")

    trio.SocketStream.send_all = watched  # type: ignore[method-assign]


def _pdus(data: bytes) -> Iterator[str]:
    """Return the names of the PDUs in these octets, if they are any."""
    at = 0
    while at + 16 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if not 16 <= length <= len(data) - at:
            return
        name = PDUS.get(int.from_bytes(data[at + 4 : at + 8], "big"))
        if name is not None:
            yield name
        at += length


def _watch_drain(steps: Steps) -> None:
    whole, carriers = Connector.drain, Carriers.drain

    async def drain(connector: Connector) -> Any:
        steps.reach("before the drain")
        report = await whole(connector)
        steps.reach("after the drain")
        return report

    async def drain_carriers(fleet: Carriers) -> None:
        steps.reach("before the carriers drain")
        await carriers(fleet)
        steps.reach("after the carriers drain")

    Connector.drain, Carriers.drain = drain, drain_carriers  # type: ignore[method-assign]


def main() -> None:
    steps = Steps(os.environ.get("CRASH_STEP", ""), int(os.environ.get("CRASH_AT", "1")))
    _watch_engine(steps)
    _watch_links(steps)
    _watch_drain(steps)
    from cli import main as carrierline

    carrierline(["run", *sys.argv[1:]])


if __name__ == "__main__":
    main()
