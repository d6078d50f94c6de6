"""Seeds of worlds that have failed once, each with what it found.  They are lived through in every run."""

from collections.abc import Mapping
from typing import Final

FOUND: Final[Mapping[int, str]] = {
    8: "a receipt whose answer was lost was read in another form, and went to another part of its message",
}
SEEDS: Final = tuple(FOUND)
