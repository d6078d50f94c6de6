"""The text of a receipt: a format of the scenario, compiled once into a function."""

import re
import string
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import attrs

APPENDIX_B: Final = (
    "id:{id} sub:001 dlvrd:{dlvrd:03} submit date:{submitted:%y%m%d%H%M} "
    "done date:{done:%y%m%d%H%M} stat:{stat} err:{err:03} text:{text:.20}"
)
"""The form of SMPP 3.4, Appendix B."""
DATE_PARTS: Final = frozenset("aAwdbBmyYHIMSpfzZjUWcxXGuVDeFRT%")
"""Behind a %: those that mean the same wherever Python runs; others are left as they are, or are an error."""
_DATE_PART: Final = re.compile(r"%(.|$)", re.DOTALL)


@attrs.define
class ReceiptFacts:
    """What a format may speak of; dates are seconds since the epoch and are written in UTC."""

    id: str
    dlvrd: int
    submitted: float
    done: float
    stat: str
    err: int
    text: str


Piece = Callable[[ReceiptFacts], str]


def compile_format(text: str) -> Callable[[ReceiptFacts], str]:
    """Return the function that writes a receipt in this format; `problem_of_format` tells what it may hold."""
    literals: list[str] = []
    pieces: list[Piece] = []
    for literal, field, spec, _ in string.Formatter().parse(text):
        literals.append(literal.replace("%", "%%"))
        if field is not None:
            literals.append("%s")
            pieces.append(_PIECES[field](spec or ""))
    template = "".join(literals)
    return lambda facts: template % tuple([piece(facts) for piece in pieces])


def problem_of_format(text: str) -> str | None:
    """Say in a sentence what is wrong with a format, or None."""
    try:
        for _, field, _, conversion in string.Formatter().parse(text):
            if field is not None and (field not in _PIECES or conversion):
                return f"{{{field}}} is not known here: the fields are {', '.join(_PIECES)}"
        compile_format(text)(ReceiptFacts("0", 1, 0.0, 0.0, "DELIVRD", 0, ""))
    except ValueError as error:
        return f"is no format ({error})"
    return None


def _text(name: str) -> Callable[[str], Piece]:
    def piece(spec: str) -> Piece:
        if not spec:
            return lambda facts: str(getattr(facts, name))
        return lambda facts: format(getattr(facts, name), spec)

    return piece


def _date(name: str) -> Callable[[str], Piece]:
    def piece(spec: str) -> Piece:
        for part in _DATE_PART.findall(spec):
            if part not in DATE_PARTS:
                raise ValueError(f"%{part} is no part of a date: write one such as %y%m%d%H%M%S")
        # Many receipts share a second, and strftime costs more than all the rest of a receipt.
        at_second = lru_cache(maxsize=1_024)(lambda second: format(datetime.fromtimestamp(second, UTC), spec))
        return lambda facts: at_second(int(getattr(facts, name)))

    return piece


_PIECES: Final[dict[str, Callable[[str], Piece]]] = {
    "id": _text("id"),
    "dlvrd": _text("dlvrd"),
    "submitted": _date("submitted"),
    "done": _date("done"),
    "stat": _text("stat"),
    "err": _text("err"),
    "text": _text("text"),
}
