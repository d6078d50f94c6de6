"""Second copies of messages from subscribers that came whole: the carrier sends again what it had no answer for.

Two people's votes and one vote sent twice look alike on the wire: the same words from the same number.  So the second
one is a copy only if there is a reason for one: the answer to the first may not have arrived, because its link ended
within seconds, because it was answered "not now" although it was kept after all, or because a life of ours ended
between them.
"""

from collections import deque
from collections.abc import Callable, Iterable

import attrs

from connector.config.inbound import InboundConfig, address_of
from connector.model import Inbound, InboundPart, Repeat
from connector.pipeline.inbound_join import Joined, mark_of

MOST_REMEMBERED = 10_000
"""Messages; the newest stay."""

ANSWER_READ_S = 10.0
"""A link that stands so long after a message came has brought its answer home: the shortest response timer that
carriers are known to use would have ended it otherwise."""

_Words = tuple[str, str, str, bytes]

LinkSince = Callable[[str, str], float | None]
"""(carrier, bind) → when its present link was bound; None while it is down."""


@attrs.define
class _Heard:
    message: int
    bind: str
    at: float
    unsure: bool
    """Whether the carrier was told that it is to send it again."""
    fence: int
    """Of the life that kept it."""
    settled: bool = False
    """Whether its link was seen standing long enough after it: its answer has arrived."""


class Repeats:
    """The whole messages of the last minutes."""

    def __init__(
        self, next_id: Callable[[], int], config: InboundConfig, link_since: LinkSince, *, started_at: float
    ) -> None:
        self.config = config
        """For how long a second copy may come; it may be changed at any time."""
        self._next_id = next_id
        self._link_since = link_since
        self._started_at = started_at
        self._heard: dict[_Words, _Heard] = {}
        self._refused: dict[tuple[_Words, float], None] = {}
        self._young: deque[tuple[str, _Heard]] = deque(maxlen=MOST_REMEMBERED)
        """(carrier, message) whose link has not been looked at again yet, oldest first."""

    def recall(self, parts: Iterable[InboundPart]) -> None:
        """Remember what an earlier life told, oldest first."""
        for part in parts:
            if part.said.reference is None and part.message is not None:
                self._remember(_words(part.said), _Heard(part.message, part.said.bind, part.said.at, False, part.fence))

    def refused(self, said: Inbound) -> None:
        """Note that the carrier was told to send this again, although it may be kept after all."""
        self._refused[_words(said), said.at] = None
        _bound(self._refused)

    def take(self, part: InboundPart) -> Joined | Repeat:
        """Return what a whole message is: new, or the second copy of one that was told."""
        said, words = part.said, _words(part.said)
        unsure = (words, said.at) in self._refused
        self._refused.pop((words, said.at), None)
        first = self._heard.get(words)
        message = first.message if first is not None and self._is_copy(first, part) else None
        new = self._next_id() if message is None else message
        heard = _Heard(new, said.bind, said.at, unsure, part.fence)
        self._remember(words, heard)
        self._young.append((said.carrier, heard))
        return Joined(new, (part.id,)) if message is None else Repeat(part.id, message)

    def next_due_at(self) -> float | None:
        """Return when the link of a message is to be looked at next; None if there is none."""
        return self._young[0][1].at + ANSWER_READ_S if self._young else None

    def settle(self, now: float) -> None:
        """Note of which messages the link has stood long enough: whoever writes their words again means it."""
        links: dict[tuple[str, str], float | None] = {}
        while self._young and self._young[0][1].at + ANSWER_READ_S <= now:
            carrier, heard = self._young.popleft()
            if (carrier, heard.bind) not in links:
                links[carrier, heard.bind] = self._link_since(carrier, heard.bind)
            since = links[carrier, heard.bind]
            heard.settled = since is not None and since <= heard.at

    def _is_copy(self, first: _Heard, part: InboundPart) -> bool:
        said = part.said
        if said.at - first.at > self.config.repeat_within_s:
            return False
        if first.unsure:
            return True
        if first.settled:
            return False
        if part.fence != first.fence:
            return True  # a life ended between them, and perhaps before the answer to the first was out
        if said.at < self._started_at:  # both of one earlier life, of whose links nothing is known
            return False
        since = self._link_since(said.carrier, first.bind)
        return since is None or since > first.at

    def _remember(self, words: _Words, heard: _Heard) -> None:
        self._heard.pop(words, None)
        self._heard[words] = heard
        _bound(self._heard)


def _words(said: Inbound) -> _Words:
    return said.carrier, address_of(said.sender), address_of(said.to), mark_of(said)


def _bound(remembered: "dict[_Words, _Heard] | dict[tuple[_Words, float], None]") -> None:
    while len(remembered) > MOST_REMEMBERED:
        del remembered[next(iter(remembered))]  # type: ignore[arg-type]
