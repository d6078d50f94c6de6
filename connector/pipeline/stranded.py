"""Parts of a queue that may have none of the places there are, where so many wait that they hide what may go.

One carrier refused them, say, and the other is slow or down: the first one's places must not stay empty for that.
"""

from collections.abc import Collection
from typing import Final

from connector.model import Part
from connector.pipeline.queue import Queue
from connector.pipeline.turn import Chooser

HELD: Final = 1_000
"""Stranded parts of one queue that keep their places, and go as soon as they may."""
LOOK_EVERY_S: Final = 0.5
AT_ONCE: Final = 2_000
"""Parts put off by one look."""
PAUSE_S: Final = 10.0
"""The shortest pause of a part that was put off; longer where more wait than `MOST_PER_S` allows."""
MOST_PER_S: Final = 1_000
"""Parts that come back in a second, to be put off again if nothing has changed."""
PART_OF_THE_TIME_LEFT: Final = 0.25
"""A part close to its deadline is looked at sooner."""


def put_off(queue: Queue, choice: Chooser, carriers: Collection[str], now: float) -> list[tuple[Part, float]]:
    """Take out parts that none of these carriers may have, each with the time to look at it again.

    ``carriers``: those that had places which nothing in memory filled.  Parts in doubt stay: they cannot be put off.
    """
    if queue.complete or len(queue.heads) < 2 * HELD or now < queue.look_for_stranded_at:
        return []
    queue.look_for_stranded_at = now + LOOK_EVERY_S
    stranded = [part for _, _, part in queue.heads if choice.is_stranded(part, queue.rule, carriers)]
    gone = {part.id for part in stranded[HELD : HELD + AT_ONCE] if not part.doubts}
    pause = max(PAUSE_S, queue.waiting / MOST_PER_S)
    return [
        (part, now + min(pause, PART_OF_THE_TIME_LEFT * (part.deadline - now)))
        for part in queue.take_out(lambda part: part.id in gone)
    ]
