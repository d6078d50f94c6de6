"""What previews say, for people: a block for one message, tables and totals for a list."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from cli import output
from cli.send import Refused, Sent, show_refusals, summary
from connector.contacts import ContactList

Shown = Mapping[str, Any]
"""A preview as the HTTP door shows it."""

SHOWN_GROUPS: Final = 30
_GIVEN_BY: Final = {
    "request": "as asked for",
    "key": "the API key's default",
    "none": "the carrier fills one in",
}


# --- one message ----------------------------------------------------------------------------------------------------


def show_one(preview: Shown) -> None:
    """Print what would become of one message, and why."""
    output.line(_verdict(preview))
    for label, text in _facts(preview):
        output.line(f"  {label:<9} {text}")
    for number, carrier in enumerate(preview["carriers"], 1):
        output.line(f"  {'carriers' if number == 1 else '':<9} {number}. {_carrier(carrier)}")
    for number, rule in enumerate(preview["rules"]):
        said = "fits" if rule["fits"] else rule["why_not"]
        output.line(f"  {'rules' if not number else '':<9} {rule['rule']}: {said}")
    for label, passed in (("passed", True), ("failed", False)):
        names = [check["name"] for check in preview["checks"] if check["passed"] is passed]
        if names:
            output.line(f"  {label:<9} {', '.join(names)}")


def _verdict(preview: Shown) -> str:
    if preview["status"] == "accepted":
        return "accepted"
    field = f"{preview['field']}: " if preview["field"] else ""
    return f"refused: {field}{preview['detail']} ({preview['reason']})"


def _facts(preview: Shown) -> Iterator[tuple[str, str]]:
    if preview["to"]:
        yield "to", f"{preview['to']} ({preview['country']})"
    if preview["lane"]:
        yield "lane", preview["lane"]
    if preview["from_given_by"]:
        yield "from", f"{preview['from'] or '-'} ({_GIVEN_BY[preview['from_given_by']]})"
    if preview["parts"]:
        yield "text", f"{preview['alphabet']}, {output.counted(preview['parts'], 'part')}{_forced(preview)}"
    if preview["leaves_at"]:
        quiet = ", the end of quiet hours" if preview["quiet_until"] else ""
        yield "leaves", f"{preview['leaves_at']}{quiet}; deadline {preview['deadline']}"
    if preview["route"]:
        yield "route", preview["route"]


def _forced(preview: Shown) -> str:
    lacking = preview["forced_by"]
    return f", for the default alphabet lacks {' '.join(lacking)}" if lacking else ""


def _carrier(carrier: Shown) -> str:
    cost = "price unknown" if carrier["price"] is None else f"{_money(carrier['price'])} a part"
    if carrier["cost"] is not None:
        cost += f", {_money(carrier['cost'])} in all"
    present = carrier["present"]
    fares = "not running"
    if present is not None:
        bound = "suspended" if present["suspended"] else "bound" if present["bound"] else "not bound"
        fares = f"{bound}, {present['state']}, {present['share']:.0%} of its share; {present['text']}"
    over = f"; passed over: {carrier['passed_over']}" if carrier["passed_over"] else ""
    return f"{carrier['name']}: {cost}; {fares}{over}"


def _money(amount: float) -> str:
    return f"{round(amount, 6):.10g}"


# --- a list ---------------------------------------------------------------------------------------------------------


@attrs.define
class Cost:
    """What a carrier would get of a list."""

    first_parts: int = 0
    """Parts of messages that it would be tried for first."""
    first_cost: float = 0.0
    parts: int = 0
    """Parts of messages that it may get at all."""
    cost: float = 0.0
    unpriced: int = 0
    """Parts among them whose price is not known; they are in no cost."""

    def add(self, parts: int, cost: float | None, *, first: bool) -> None:
        """Take a message into account."""
        self.parts += parts
        self.cost += cost or 0.0
        self.unpriced += parts if cost is None else 0
        if first:
            self.first_parts += parts
            self.first_cost += cost or 0.0


@attrs.define
class Totals:
    """The previews of a list, added up."""

    sent: Sent = attrs.field(factory=Sent)
    """Rows, as sending would count them."""
    groups: Counter[tuple[str, ...]] = attrs.field(factory=Counter)
    """Accepted messages by lane, country, sender, route and the carrier tried first."""
    group_parts: Counter[tuple[str, ...]] = attrs.field(factory=Counter)
    carriers: dict[str, Cost] = attrs.field(factory=dict)

    def add(self, line: int, preview: Shown) -> None:
        """Take the preview of a row into account."""
        if preview["status"] != "accepted":
            self.sent.refused.append(Refused(line, preview["field"], preview["reason"], preview["detail"]))
            return
        parts = preview["parts"]
        self.sent.accepted += 1
        self.sent.parts += parts
        first = next((carrier["name"] for carrier in preview["carriers"] if not carrier["passed_over"]), None)
        group = (
            preview["lane"],
            preview["country"] or "-",
            preview["from"] or "-",
            preview["route"],
            first or "nobody now",
        )
        self.groups[group] += 1
        self.group_parts[group] += parts
        for carrier in preview["carriers"]:
            cost = self.carriers.setdefault(carrier["name"], Cost())
            cost.add(parts, carrier["cost"], first=carrier["name"] == first)

    def summary(self, contacts: ContactList) -> dict[str, Any]:
        """Return the totals as one value."""
        counted = summary(self.sent, contacts)
        for name in ("replayed", "stopped"):
            del counted[name]  # a dry run never is
        by_reason = Counter(refused.reason for refused in self.sent.refused)
        columns = ("lane", "country", "from", "route", "carrier")
        return {
            **counted,
            "refused_by_reason": dict(by_reason.most_common()),
            "groups": [
                {**dict(zip(columns, group, strict=True)), "messages": messages, "parts": self.group_parts[group]}
                for group, messages in self.groups.most_common()
            ],
            "carriers": {name: attrs.asdict(cost) for name, cost in self.carriers.items()},
        }


def show_totals(totals: Totals, contacts: ContactList) -> None:
    """Print what would go where, what it costs, and what would be refused."""
    sent = totals.sent
    if totals.groups:
        _show_groups(totals)
        _show_costs(totals)
    output.line(
        f"{output.counted(sent.rows, 'row')}: {sent.accepted} would be accepted"
        f" in {output.counted(sent.parts, 'part')}, {len(sent.refused)} refused,"
        f" {len(sent.repeated)} repeated"
    )
    if contacts.unknown_columns:
        output.line(f"columns not used: {', '.join(contacts.unknown_columns)}")
    show_refusals(sent, "preview --json lists them all")


def _show_groups(totals: Totals) -> None:
    rows = [(*group, count, totals.group_parts[group]) for group, count in totals.groups.most_common(SHOWN_GROUPS)]
    output.table(("lane", "country", "from", "route", "first carrier", "messages", "parts"), rows)
    if len(totals.groups) > SHOWN_GROUPS:
        others = sum(totals.groups.values()) - sum(count for _, count in totals.groups.most_common(SHOWN_GROUPS))
        smaller = output.counted(len(totals.groups) - SHOWN_GROUPS, "smaller group")
        output.line(f"and {output.counted(others, 'message')} in {smaller}")
    output.line()


def _show_costs(totals: Totals) -> None:
    columns = ("carrier", "first for parts", "cost", "may get parts", "cost if it got all", "without a price")
    rows = [
        (name, cost.first_parts, _money(cost.first_cost), cost.parts, _money(cost.cost), cost.unpriced)
        for name, cost in totals.carriers.items()
    ]
    output.table(columns, rows)
    output.line()
