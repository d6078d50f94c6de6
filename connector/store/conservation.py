"""The conservation law: what the counters say, against what the rows say."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import itemgetter

import attrs

from connector.lifecycle import Status, message_status
from connector.model import Ledger, format_id


def ledger_of(counters: Mapping[str, int]) -> Ledger:
    """Return the ledger that the counters hold: ``m:`` and ``p:`` count messages and parts by status."""
    return Ledger(
        accepted=counters.get("messages", 0),
        messages={name[2:]: n for name, n in counters.items() if name.startswith("m:") and n},
        parts_accepted=counters.get("parts", 0),
        parts={name[2:]: n for name, n in counters.items() if name.startswith("p:") and n},
        parked=counters.get("parked", 0),
        submitted=counters.get("submitted", 0),
        answered=counters.get("answered", 0),
        doubted=counters.get("doubted", 0),
        gone=counters.get("gone:messages", 0),
        gone_parked=counters.get("parked_gone", 0),
        inbound={name[2:]: n for name, n in counters.items() if name.startswith("i:") and n},
    )


def with_gone(counted: Ledger, counters: Mapping[str, int]) -> Ledger:
    """Return what was counted in the rows with what has no rows any more: ``gone:`` counts that, as it was erased."""
    of = Counter({name[5:]: n for name, n in counters.items() if name.startswith("gone:")})
    messages, parts = Counter(counted.messages), Counter(counted.parts)
    messages.update({name[2:]: n for name, n in of.items() if name.startswith("m:")})
    parts.update({name[2:]: n for name, n in of.items() if name.startswith("p:")})
    return attrs.evolve(
        counted,
        accepted=counted.accepted + of["messages"],
        messages=messages,
        parts_accepted=counted.parts_accepted + of["parts"],
        parts=parts,
    )


def differences(kept: Ledger, counted: Ledger) -> list[str]:
    """Return one line for each number the ledger has wrong."""
    pairs = [
        ("messages accepted", {"all": kept.accepted}, {"all": counted.accepted}),
        ("messages", kept.messages, counted.messages),
        ("parts accepted", {"all": kept.parts_accepted}, {"all": counted.parts_accepted}),
        ("parts", kept.parts, counted.parts),
        ("receipts parked", {"all": kept.parked}, {"all": counted.parked}),
        ("inbound parts", _open(kept), _open(counted)),
    ]
    problems = []
    for what, ledger_says, rows_say in pairs:
        for name in sorted(set(ledger_says) | set(rows_say)):
            left, right = ledger_says.get(name, 0), rows_say.get(name, 0)
            if left != right:
                problems.append(f"{what}, {name}: the ledger says {left}, the rows say {right}")
    if counted.imbalance - counted.unaccounted_attempts:
        problems.append("messages or parts have no status that counts")
    if kept.unaccounted_attempts:
        sums = f"{kept.answered} answered, {kept.in_flight} in flight, {kept.doubted} in doubt"
        problems.append(f"attempts: {kept.submitted} submitted, but {sums}")
    return problems


def _open(ledger: Ledger) -> Mapping[str, int]:
    return {"open": ledger.inbound.get("open", 0)}


def wrong_statuses(parts: Iterable[tuple[int, str | None, str]]) -> Iterator[str]:
    """Return one line for each message of several parts whose stored status its parts do not give.

    ``parts``: (message, its stored status, the part's status) of every part of several, by message.
    """
    for message, group in groupby(parts, key=itemgetter(0)):
        rows = list(group)
        stored, given = rows[0][1], message_status(Status(status) for _, _, status in rows)
        if stored != given:
            yield f"message {format_id(message)}: status {stored}, its parts give {given}"
