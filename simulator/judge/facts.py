"""What expectations may ask: the facts of a run by name, with what each is counted in."""

import re
from collections.abc import Iterable
from typing import Final

import attrs

from connector.settings import nearest, shown
from connector.smpp import tables


@attrs.frozen
class Fact:
    """Something that is known when a run is over."""

    name: str
    """``submit.status.<NAME>`` stands for as many facts as there are names."""
    unit: str
    """What it counts; "s" for seconds, "" for what is true or false."""
    sentence: str
    needs_load: bool = False


FACTS: Final = (
    Fact("submit.count", "messages", "submit_sm, data_sm and destinations of submit_multi that came in."),
    Fact("submit.status.<NAME>", "messages", "Those that were decided with this command_status."),
    Fact("submit.rate.mean", "messages/s", "Their number in a second, from the first second with one to the last."),
    Fact("submit.rate.p99", "messages/s", "In 99 of 100 of these seconds there were no more."),
    Fact("submit.rate.max", "messages/s", "In the busiest second."),
    Fact("deliver.sent", "deliver_sm", "Receipts and messages from subscribers that left, repetitions included."),
    Fact("deliver.answered", "deliver_sm", "Those that were answered for good, well or not."),
    Fact("deliver.unanswered", "deliver_sm", "Those whose response timer ran out, and those that still wait."),
    Fact("deliver.refused", "deliver_sm", "Those answered with an error that no repetition cures."),
    Fact("deliver.given_up", "deliver_sm", "Those not answered well in all their attempts."),
    Fact("receipt.sent", "receipts", "Receipts that left, repetitions included."),
    Fact("receipt.acknowledged", "receipts", "Receipts that the ESME took."),
    Fact("receipt.missing", "receipts", "Receipts that were asked for and that the scenario swallowed."),
    Fact("message.accepted", "messages", "Messages that the carrier accepted, doubles included."),
    Fact("message.lost", "messages", "Messages handed to the ESME, or to its door, of which a part never came.", True),
    Fact(
        "message.not_accepted",
        "messages",
        "Messages of the load that came and were never accepted, but for those that were refused for good.",
        True,
    ),
    Fact("message.duplicated", "messages", "Messages accepted once more although their answer had been heard."),
    Fact("message.unanswered", "messages", "Accepted messages whose ESME went before their answer."),
    Fact("message.excused", "messages", "Messages lost, doubled or unanswered that a fault of the scenario explains."),
    Fact("bind.attempts", "binds", "Bind requests, good and bad."),
    Fact("bind.count", "binds", "Bind requests that were let in."),
    Fact("bind.restored.max", "s", "The longest time that an account that had been bound had no bind."),
    Fact("bind.attempts.per_minute.max", "binds", "The most bind requests within 60 seconds."),
    Fact("enquire_link.sent_before_bind", "enquire_link", "enquire_link on links that were not bound."),
    Fact("conformance.failed", "times", "Things an ESME must not do, as the numbers tell them under strange."),
    Fact("carrier.penalties", "times", "Times that an account was sent away for not heeding the limits."),
    Fact("faults.accept_without_response", "messages", "Accepted messages whose answer a fault kept from the ESME."),
    Fact("faults.<kind or name>", "faults", "Wrong things done on purpose, by kind (no_response) or by name."),
    Fact("rule.<name>", "requests", "Requests that this rule decided."),
    Fact("throughput.before_faults", "messages/s", "Messages accepted in a second, before the first fault."),
    Fact("throughput.after_quiet", "messages/s", "The same, from when the faults had ended."),
    Fact("load.planned", "messages", "Messages that the load had to send by the end.", True),
    Fact("load.sent", "messages", "Messages that it sent, or posted, each counted once.", True),
    Fact("load.answered", "messages", "Messages that were accepted in all their parts.", True),
    Fact("load.failed", "messages", "Messages refused for good, or given up after all their attempts.", True),
    Fact("load.dropped_arrivals", "messages", "Messages planned and never sent: the windows stayed full.", True),
    *(
        Fact(f"load.latency.{which}.{part}", "s", sentence, True)
        for which, sentence in (
            ("service", "From writing a request to its answer."),
            ("corrected", "From when a message was planned to when it was accepted, all waiting included."),
        )
        for part in ("p50", "p99", "max")
    ),
    Fact("load.receipts.matched", "receipts", "Receipts that the load's ESME could tell the message of.", True),
    Fact("load.receipts.unmatched", "receipts", "Receipts of no message of its own, repetitions included.", True),
    Fact("esme.crashed", "", "Whether the ESME of the load died.", True),
)
SECONDS: Final = "s"
"""Unit of the facts that are durations; what else has a unit is a count or a rate."""
FACT_BY_NAME: Final = {fact.name: fact for fact in FACTS}
STATUS_FAMILY: Final = "submit.status."
RULE_FAMILY: Final = "rule."
FAULT_FAMILY: Final = "faults."
ALL_FACTS: Final = ": carrierline simulate --keys ends with all there are"
_FAMILIES: Final = {name.partition("<")[0]: fact for name, fact in FACT_BY_NAME.items() if "<" in name}
_STATUSES: Final = [row.name for row in tables.STATUSES]
_NUMBER: Final = re.compile(r"0x[0-9A-F]{8}")


def slug(name: str) -> str:
    """Return a name as it stands in an expectation: "barred prefix" is barred_prefix."""
    return re.sub(r"\W", "_", name)


def fact_of(name: str) -> Fact | None:
    """Return the fact of a name, or of the family that the name is of."""
    found = FACT_BY_NAME.get(name)
    if found is not None:
        return found
    family = next((family for family in _FAMILIES if name.startswith(family) and name != family), None)
    if family is None or (family == STATUS_FAMILY and not _is_status(name.removeprefix(family))):
        return None
    return _FAMILIES[family]


def _is_status(name: str) -> bool:
    return name in _STATUSES or bool(_NUMBER.fullmatch(name))


def problem_of_fact(name: str, names: Iterable[str] | None = None) -> str | None:
    """Say in a sentence that there is no such fact and which was meant, or None.

    ``names`` are the facts of the families "rule." and "faults." that there are; without them any is.
    """
    fact = fact_of(name)
    known = None if names is None else set(names)
    if fact is not None and (known is None or "<" not in fact.name or name.startswith(STATUS_FAMILY) or name in known):
        return None
    choices = [each for each in FACT_BY_NAME if "<" not in each] + sorted(known or ())
    if name.startswith(STATUS_FAMILY):
        choices = [STATUS_FAMILY + status for status in _STATUSES]
    return f"there is no fact {shown(name)}{nearest(name, choices) or ALL_FACTS}"
