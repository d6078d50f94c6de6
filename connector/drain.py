"""The end: rooms that close one after the other, and what a drain has left behind for the one who restarts."""

from collections.abc import Awaitable, Callable, Mapping

import attrs
import trio

from connector.pipeline.results import Came


@attrs.frozen
class DrainReport:
    """What a drain found and what it left."""

    carriers: Mapping[str, Came]
    waiting: Mapping[str, int]
    """Parts that wait for the next start, by lane."""
    in_doubt: int
    """Parts that fell in doubt since the start, in the drain or before."""
    sent: int | None
    """Parts that the carriers have taken and not yet given their last word on; None where it is not known."""
    seconds: float

    def lines(self) -> list[str]:
        """Return it for people, one line each."""
        width = max((len(name) for name in self.carriers), default=0)
        found = [f"  carrier {name:<{width}}  {came}" for name, came in self.carriers.items()]
        waiting = [f"{lane} {count}" for lane, count in self.waiting.items() if count]
        doubtful = [f"{name} {came.in_doubt}" for name, came in self.carriers.items() if came.in_doubt]
        now = sum(came.in_doubt for came in self.carriers.values())
        sent = "unknown, the store did not say" if self.sent is None else _parts(self.sent)
        return [
            f"drained in {self.seconds:.1f} s",
            *found,
            f"  wait for the next start: {_parts(sum(self.waiting.values()))}{_in(waiting)}",
            f"  sent, and wait for the carrier's word: {sent}",
            f"  fell in doubt in this run: {_parts(self.in_doubt)}; "
            f"of these {now} fell in doubt during the drain{_in(doubtful)}",
        ]


def _in(listed: list[str]) -> str:
    return f" ({', '.join(listed)})" if listed else ""


async def outlasting(*tasks: Callable[..., Awaitable[None]], task_status: "trio.TaskStatus[trio.CancelScope]") -> None:
    """Run these until their own scope is cancelled; a cancellation from outside does not reach them."""
    with trio.CancelScope(shield=True) as scope:
        async with trio.open_nursery() as nursery:
            for task in tasks:
                await nursery.start(task)
            task_status.started(scope)


def _parts(count: int) -> str:
    return f"{count} part{'' if count == 1 else 's'}"
