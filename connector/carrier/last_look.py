"""The last step before a part is written: between choice and wire lies a commit, and a disk may take seconds."""

from collections.abc import Callable
from typing import TypeAlias

from connector.model import Part, Reason

LastLook: TypeAlias = Callable[[Part, float], Reason | None]
"""Says why a part must not leave now after all; None where it may.  Asked for each part: it must be quick."""


def no_objection(part: Part, now: float) -> Reason | None:
    """Let everything leave."""
    return None
