"""Messages from subscribers in memory: the parts as they came, and what was joined from them."""

import heapq
from collections.abc import Sequence

import attrs

from connector.model import Inbound, InboundMessage, InboundPart, InboundQuery, Message, Owner, Recipient, Repeat, Sent
from connector.store.memory_rows import Rows
from connector.store.rules import SENT_LOOKED_AT
from connector.store.tally import Tally


class InboundVerbs:
    """The verbs of the memory engine that are about messages from subscribers."""

    _rows: Rows
    _tally: Tally

    def _keep_inbound(self, said: Inbound, owner: Owner) -> None:
        # counted and not looked up: an id whose row was erased must not come again
        number = (self._rows.counters.get("i:parts") or 0) + self._tally.counters["i:parts"] + 1
        self._rows.inbound.set(number, InboundPart(number, attrs.evolve(said), fence=owner.fence))
        self._tally.kept_inbound(1)

    def tell(self, messages: Sequence[InboundMessage], repeats: Sequence[Repeat]) -> list[int]:
        told = []
        for message in messages:
            parts = [self._rows.inbound.get(part) for part in message.parts]
            still_open = [part for part in parts if part is not None and part.message is None]
            if len(still_open) == len(parts):
                for part in still_open:
                    self._rows.inbound.set(part.id, attrs.evolve(part, message=message.id))
                self._rows.inbound_messages.set(message.id, message)
                self._tally.told_inbound(message)
                told.append(message.id)
        for repeat in repeats:
            again = self._rows.inbound.get(repeat.part)
            if again is not None and again.message is None:
                self._rows.inbound.set(again.id, attrs.evolve(again, message=repeat.message, repeated=True))
                self._tally.repeated_inbound(1)
        return told

    def inbound_open(self, after: int, limit: int) -> list[InboundPart]:
        inbound = self._rows.inbound.committed
        return [inbound.rows[part] for part in heapq.nsmallest(limit, (it for it in inbound.at("open") if it > after))]

    def inbound_told(self, limit: int, *, since: float) -> list[InboundPart]:
        rows = self._rows.inbound.committed.rows
        newest = [rows[part] for part in heapq.nlargest(limit, rows)]
        return [part for part in newest if part.message is not None and part.said.at >= since]

    def inbound_parts(self, ids: Sequence[int]) -> list[InboundPart]:
        rows = self._rows.inbound.committed.rows
        return [rows[identity] for identity in ids if identity in rows]

    def last_sent(self, recipients: Sequence[Recipient]) -> list[list[Sent]]:
        return [self._last_sent(recipient) for recipient in recipients]

    def _last_sent(self, recipient: Recipient) -> list[Sent]:
        kept = self._rows.messages.committed.rows
        newest = heapq.nlargest(SENT_LOOKED_AT, (it for it, message in kept.items() if message.to == recipient.to))
        return [self._sent(kept[it]) for it in newest if kept[it].created_at >= recipient.since]

    def _sent(self, message: Message) -> Sent:
        first = self._rows.parts.committed.rows[message.parts()[0].id]
        return Sent(message.id, message.api_key, message.sender, first.carrier)

    def inbound(self, query: InboundQuery) -> list[InboundMessage]:
        kept = self._rows.inbound_messages.committed.rows
        asked = [identity for identity, message in kept.items() if _asked_for(message, query)]
        pick = heapq.nlargest if query.after is None else heapq.nsmallest
        return [self._inbound_view(kept[identity]) for identity in pick(query.limit, asked)]

    def _inbound_view(self, message: InboundMessage) -> InboundMessage:
        inbound = self._rows.inbound.committed
        told = [inbound.rows[part] for part in inbound.at(("told", message.id))]
        numbered = sorted((part.said.number or 0, part.id) for part in told if not part.repeated)
        parts = tuple(part for _, part in numbered)
        ours = self._rows.messages.committed.rows.get(message.reply_to or 0)
        if ours is None:
            return attrs.evolve(message, parts=parts)
        return attrs.evolve(message, parts=parts, client_ref=ours.client_ref, metadata=ours.metadata)

    def _last_inbound(self) -> int:
        return max(self._rows.inbound_messages.committed.rows, default=0)


def _asked_for(message: InboundMessage, query: InboundQuery) -> bool:
    return (
        query.id in (None, message.id)
        and query.api_key in (None, message.api_key)
        and query.sender in (None, message.sender)
        and query.to in (None, message.to)
        and (query.after is None or message.id > query.after)
        and (query.before is None or message.id < query.before)
        and not (query.unmatched and message.api_key is not None)
    )
