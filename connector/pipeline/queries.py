"""The read door: what the outer doors may ask about messages, without touching the store themselves."""

from connector.model import (
    EventBatch,
    InboundMessage,
    InboundQuery,
    Ledger,
    MessageQuery,
    MessageView,
    ParkedReceipt,
    Verification,
)
from connector.pipeline.privacy import Privacy
from connector.store.store import Store


class Queries:
    """Questions about what is kept."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.privacy = Privacy(store)

    async def message(self, message_id: int, *, api_key: str | None = None) -> MessageView | None:
        """Return one message with its timeline; None if there is none, or it is another API key's."""
        found = await self._store.messages(MessageQuery(id=message_id, api_key=api_key, limit=1))
        return found[0] if found else None

    async def messages(self, query: MessageQuery) -> list[MessageView]:
        """Return messages, newest first."""
        return await self._store.messages(query)

    async def inbound(self, query: InboundQuery) -> list[InboundMessage]:
        """Return messages from subscribers: newest first, or behind a cursor oldest first."""
        return await self._store.inbound(query)

    async def parked(self, after: int, limit: int) -> list[ParkedReceipt]:
        """Return receipts that are kept without a part, behind this id, oldest first."""
        return await self._store.parked(after, limit)

    async def events(self, after: int, limit: int) -> list[EventBatch]:
        """Return the event log behind a cursor."""
        return await self._store.events(after, limit)

    async def ledger(self) -> Ledger:
        """Return the counters of the conservation law."""
        return await self._store.ledger()

    async def verify(self) -> Verification:
        """Recount the whole store against its counters."""
        return await self._store.verify()
