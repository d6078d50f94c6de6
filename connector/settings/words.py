"""How a problem is told: paths as people write them, values as the file spells them, the name that was meant."""

import difflib
import json
from collections.abc import Iterable

from connector.key_lines import KeyPath


def key_text(path: KeyPath) -> str:
    """Return a path as people write it: ``carrier[0].bind[1].host``."""
    steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return steps.removeprefix(".")


def shown(raw: object) -> str:
    """Return a value the way the file spells it, cut for reading."""
    if isinstance(raw, dict | list | tuple):
        return "a table" if isinstance(raw, dict) else "an array"
    text = json.dumps(raw, ensure_ascii=False) if isinstance(raw, str | bool) else str(raw)
    return text if len(text) <= 60 else text[:57] + "..."


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the question after the name that was probably meant, or nothing; a beginning is enough."""
    names = sorted(known, key=lambda name: (len(name), name))
    matches = [it for it in names if word and it.startswith(word)] or difflib.get_close_matches(word, names, n=1)
    return f', did you mean "{matches[0]}"?' if matches else ""
