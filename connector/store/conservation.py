"""The conservation law: what the counters say, against what the rows say."""

from collections.abc import Iterable, Mapping

from connector.lifecycle import Status, message_status
from connector.model import Ledger


def ledger_of(counters: Mapping[str, int]) -> Ledger:
    """Return the ledger that the counters hold: ``m:`` and ``p:`` count messages and parts by status."""
    return Ledger(
        accepted=counters.get("messages", 0),
        messages={name[2:]: n for name, n in counters.items() if name.startswith("m:") and n},
        parts_accepted=counters.get("parts", 0),
        parts={name[2:]: n for name, n in counters.items() if name.startswith("p:") and n},
        parked=counters.get("parked", 0),
    )


def differences(kept: Ledger, counted: Ledger) -> list[str]:
    """Return one line for each number the ledger has wrong."""
    pairs = [
        ("messages accepted", {"all": kept.accepted}, {"all": counted.accepted}),
        ("messages", kept.messages, counted.messages),
        ("parts accepted", {"all": kept.parts_accepted}, {"all": counted.parts_accepted}),
        ("parts", kept.parts, counted.parts),
        ("receipts parked", {"all": kept.parked}, {"all": counted.parked}),
    ]
    problems = []
    for what, ledger_says, rows_say in pairs:
        for name in sorted(set(ledger_says) | set(rows_say)):
            left, right = ledger_says.get(name, 0), rows_say.get(name, 0)
            if left != right:
                problems.append(f"{what}, {name}: the ledger says {left}, the rows say {right}")
    if counted.imbalance:
        problems.append(f"{counted.imbalance} messages or parts have no status that counts")
    return problems


def wrong_statuses(stored: Mapping[int, Status], parts: Iterable[tuple[int, Status]]) -> list[str]:
    """Return one line for each message of several parts whose stored status its parts do not give."""
    found: dict[int, set[Status]] = {}
    for message, status in parts:
        found.setdefault(message, set()).add(status)
    return [
        f"message {message}: status {stored.get(message)}, its parts give {message_status(statuses)}"
        for message, statuses in found.items()
        if stored.get(message) != message_status(statuses)
    ]
