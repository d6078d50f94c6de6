"""Strict TOML for everyone: a frozen attrs class in, its value or every problem of the file out.

A settings class is a frozen, keyword-only attrs class whose fields are text, numbers, booleans, `Literal`, other
settings classes, `tuple[T, ...]` (an array), `dict[str, T]` (a table of tables) or any of them `| None`.
It may say more about itself:

- ``REFUSED``, a ClassVar ``{key: sentence}``: keys that are understood and not allowed;
- ``WHOLE``, a ClassVar True: where it overrides another value, nothing of that one stays;
- ``shorthand(raw)``, a static method: the table that a short form (``delay = "25ms"``) stands for, or ``raw`` itself;
- metadata ``{"instead": name}`` of a field: the property that holds what counts where it is not set;
- ``problems()``: pairs of (path below this value, sentence) for what only several fields together can show, or
  iterators of such pairs: rules, each judged by itself.  Where some fields could not be read, those rules speak that
  look at none of them.

Nothing is coerced: 2775.9 is no port, "1" no number, 1 no boolean.  A whole number may stand where a number may.
"""

from connector.key_lines import KeyPath
from connector.settings.durations import format_duration, parse_duration
from connector.settings.fields import Validator, above, at_least_one, duration, durations, key_of, named, secret, within
from connector.settings.partial import Problems, Rules, evolved
from connector.settings.reading import check, load, load_table, parse_table
from connector.settings.words import key_text, nearest, shown
from connector.settings.writing import as_toml

__all__ = [
    "KeyPath",
    "Problems",
    "Rules",
    "Validator",
    "above",
    "as_toml",
    "at_least_one",
    "check",
    "duration",
    "durations",
    "evolved",
    "format_duration",
    "key_of",
    "key_text",
    "load",
    "load_table",
    "named",
    "nearest",
    "parse_duration",
    "parse_table",
    "secret",
    "shown",
    "within",
]
