"""What a rule is known by where it draws: its name, or else what it says, so that its place does not matter."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import attrs

from connector.settings import key_of
from simulator.scenario.names import Named


def identities(entries: Sequence[Named]) -> list[str]:
    """Return what each entry is known by; of those that say the same the second is told from the first."""
    seen: Counter[str] = Counter()
    known = []
    for entry in entries:
        identity = entry.name or content(entry)
        seen[identity] += 1
        known.append(identity if seen[identity] == 1 else f"{identity} #{seen[identity]}")
    return known


def content(value: Any) -> str:
    """Return what a settings value says beyond the defaults of its class, the same for the same in every process."""
    if attrs.has(type(value)):
        fields = [(field, getattr(value, field.name)) for field in attrs.fields(type(value))]
        said = [f"{key_of(field)}={content(each)}" for field, each in fields if each != field.default]
        return f"{{{', '.join(said)}}}"
    if isinstance(value, tuple):
        return f"[{', '.join(map(content, value))}]"
    return repr(value)
