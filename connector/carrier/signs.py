"""What a link shows that no PDU says: it answers nothing any more, or it was cut for being too fast.  Pure."""

import math
from typing import Final

import attrs

BURST: Final = 10
"""Requests in flight that make a burst: the window SMPP 3.4 (2.9) suggests."""
AT_ONCE_S: Final = 1.0
"""A link that the carrier closes so soon after a submit_sm was closed because of it."""


@attrs.define
class Signs:
    """The signs of one link: when requests left and when answers came."""

    submitted_at: float = -math.inf
    answered_at: float = -math.inf
    lost_in_row: int = 0
    """Requests without an answer, and none to anything since the first of them was sent."""

    def lost(self, sent_at: float) -> int:
        """Take note of a request whose answer did not come in time; return how many these are in a row.

        One that was passed over while others were answered says nothing about the link.
        """
        self.lost_in_row = self.lost_in_row + 1 if sent_at > self.answered_at else 0
        return self.lost_in_row

    def answered(self, now: float) -> None:
        """Take note of an answer."""
        self.answered_at = now
        self.lost_in_row = 0

    def cut_for_speed(self, in_flight: int, window_size: int, now: float) -> bool:
        """Tell whether a link that the carrier closes now is closed right after a burst of submit_sm."""
        return in_flight >= min(BURST, window_size) and now - self.submitted_at <= AT_ONCE_S
