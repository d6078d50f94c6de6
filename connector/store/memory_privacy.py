"""Everything that is kept of a number, in memory: the same as `connector.store.sqlite_privacy`, on dicts."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs

from connector.lifecycle import Status
from connector.model import DoubtPolicy, Message, MessageQuery, Moved, Traces, format_id
from connector.store.memory_rows import PartRow, Rows
from connector.store.privacy import is_of, names, national, pseudonym, spellings, spells
from connector.store.restored import ALL_DOUBTED, BACKUP, DOUBTED_TO, unsure_lines, was_due, was_resent
from connector.store.rules import policy_of
from connector.store.tally import Tally

KEY = b"the key of a store that no disk has"


class PrivacyVerbs:
    """The verbs of the memory engine about one number, and about being a backup."""

    _rows: Rows
    _tally: Tally
    _rows_of: Callable[[int], list[PartRow]]
    _move: Callable[..., Moved]
    _now: float

    def _widened(self, query: MessageQuery) -> MessageQuery:
        return query if query.to is None else attrs.evolve(query, alias=pseudonym(query.to, KEY))

    # --- what is kept ---

    def traces(self, number: str) -> Traces:
        rows = self._rows
        ours = sorted(it for it, row in rows.messages.committed.rows.items() if is_of(number, row.to, row.sender))
        live = {it for it in ours if any(row.finished_at is None for row in self._rows_of(it))}
        final = tuple(it for it in ours if it not in live)
        inbound = rows.inbound.committed.rows.values()
        told = rows.inbound_messages.committed.rows.values()
        return Traces(
            messages=final,
            refs=tuple(self._refs(number, final, live)),
            receipts=tuple(self._parked_of(number)),
            inbound_parts=tuple(it.id for it in inbound if names(number, it.said.sender) or names(number, it.said.to)),
            inbound=tuple(sorted(it.id for it in told if names(number, it.sender) or names(number, it.to))),
            other_ids=tuple(self._other_ids(number, live)),
            live=len(live),
            under_way=tuple(sorted(live)),
        )

    def _refs(self, number: str, final: tuple[int, ...], live: set[int]) -> Iterator[tuple[str, str]]:
        for (api_key, ref), row in sorted(self._rows.refs.committed.rows.items()):
            own = "\x1f" not in ref and row.message in final
            if row.message not in live and (own or number in ref):
                yield api_key, ref

    def _other_ids(self, number: str, live: set[int]) -> Iterator[tuple[str, str, int]]:
        for name, row in sorted(self._rows.other_ids.committed.rows.items()):
            if spells(number, (row.key, row.carrier_message_id)) and row.part >> 8 not in live:
                yield name

    def _parked_of(self, number: str) -> Iterator[int]:
        for parked, row in sorted(self._rows.parked.committed.rows.items()):
            said = (*row.receipt.keys, *row.receipt.ids, row.receipt.detail, row.receipt.clue and row.receipt.clue.text)
            if any(names(number, it) for it in row.receipt.number.split()) or spells(number, said):
                yield parked

    def export(self, number: str) -> list[dict[str, Any]]:
        found, rows = self.traces(number), self._rows
        shown: list[dict[str, Any]] = [self._shown(rows.messages.committed.rows[it]) for it in found.messages]
        shown += [_row("parked", rows.parked.committed.rows[it]) for it in found.receipts]
        shown += [_row("inbound", rows.inbound.committed.rows[it]) for it in found.inbound_parts]
        shown += [_row("inbound_message", rows.inbound_messages.committed.rows[it]) for it in found.inbound]
        ours = [row for _, row in sorted(rows.messages.committed.rows.items()) if is_of(number, row.to, row.sender)]
        shown += [self._shown(row) for row in ours if row.id not in found.messages]
        return shown + [{"table": "ref", "api_key": api_key, "ref": ref} for api_key, ref in found.refs]

    def _shown(self, message: Message) -> dict[str, Any]:
        parts = [_row("part", row) for row in self._rows_of(message.id)]
        return {**_row("message", message), "id": format_id(message.id), "text": message.text or None, "parts": parts}

    # --- what is erased ---

    def erase(self, number: str, wish: Traces) -> None:
        alias = pseudonym(number, KEY)
        for identity in wish.messages:
            self._erase_message(self._rows.messages.working.rows[identity], number, alias)
        for ref in wish.refs:
            self._rows.refs.set(ref, None)
        for parked in wish.receipts:
            self._tally.counters["parked"] -= self._rows.parked.get(parked) is not None
            self._rows.parked.set(parked, None)
        for other in wish.other_ids:
            self._rows.other_ids.set(other, None)
        for identity in wish.inbound:
            self._rows.inbound_messages.set(identity, None)
        for part in wish.inbound_parts:
            kept = self._rows.inbound.get(part)
            self._tally.counters["i:open"] -= kept is not None and kept.message is None
            self._rows.inbound.set(part, None)

    def _erase_message(self, message: Message, number: str, alias: str) -> None:
        to = alias if message.to == number else message.to
        sender = alias if message.sender in spellings(number) else message.sender
        left = attrs.evolve(message, to=to, sender=sender, text="", client_ref=None, metadata=None, options=None)
        self._rows.messages.set(message.id, attrs.evolve(left, refs=(), guard=None))
        for row in self._rows_of(message.id):
            said = {name: getattr(row, name) for name in ("history", "key", "carrier_message_id")}
            changed = {name: text and text.replace(number, "#") for name, text in said.items()}
            changed["history"] = row.history.replace(number, "#").replace(national(number), "#")
            if changed != said:
                self._rows.parts.set(row.id, attrs.evolve(row, **changed))

    def scrub(self) -> bool:
        return True

    def remains(self, number: str) -> bool:
        whose = (*spellings(number), pseudonym(number, KEY))
        ours = [it for it, row in self._rows.messages.committed.rows.items() if {row.to, row.sender} & set(whose)]
        history = (row.history for it in ours for row in self._rows_of(it))
        return number in repr(self._rows.kept()) or spells(national(number), history)

    # --- a backup that runs ---

    def restored_from(self) -> float | None:
        return self._rows.counters.committed.rows.get(BACKUP)

    def distrust(self, limit: int, *, now: float, policies: Mapping[str, DoubtPolicy]) -> list[Moved]:
        self._now = max(self._now, now)
        unsure = self._doubted(limit, now, policies)
        rows = [row for _, row in sorted(self._rows.parts.working.rows.items())]
        unsure += [row for row in rows if was_due(row.status, row.due_at, now)][: limit - len(unsure)]
        if not unsure:
            self._rows.counters.set(BACKUP, None)
            self._rows.counters.set(DOUBTED_TO, None)
        return [self._doubt(row, now, policies) for row in unsure]

    def _doubted(self, limit: int, now: float, policies: Mapping[str, DoubtPolicy]) -> list[PartRow]:
        after = self._rows.counters.get(DOUBTED_TO) or 0
        rows = [row for it, row in sorted(self._rows.parts.working.rows.items()) if it > after]
        waiting = [row for row in rows if row.status is Status.IN_DOUBT and self._resent(row, now, policies)][:limit]
        self._rows.counters.set(DOUBTED_TO, waiting[-1].id if len(waiting) == limit else ALL_DOUBTED)
        return waiting

    def _resent(self, row: PartRow, now: float, policies: Mapping[str, DoubtPolicy]) -> bool:
        policy = policy_of(self._rows.queues.working.rows[row.queue].lane, policies)
        return was_resent(policy, row.due_at, row.deadline, row.doubts, now)

    def _doubt(self, row: PartRow, now: float, policies: Mapping[str, DoubtPolicy]) -> Moved:
        policy = policy_of(self._rows.queues.working.rows[row.queue].lane, policies)
        attempt = row.attempt + 1
        due_at = policy.due_at(now, row.deadline, row.doubts + 1)
        doubt = {"attempt": attempt, "doubts": row.doubts + 1, "lost": attempt}
        note = unsure_lines(row.status, row.due_at, attempt, now)
        moved = self._move(row, Status.IN_DOUBT, note, due_at=due_at, **doubt)
        self._tally.attempted(submitted=1, doubted=1)
        return attrs.evolve(moved, left=None)


def _row(table: str, row: Any) -> dict[str, Any]:
    """Return a row as plain values; octets are hexadecimal."""
    plain = attrs.asdict(row, value_serializer=lambda _row, _field, value: _plain(value))
    return {"table": table, **plain}


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value
