"""A carrier's habits, turned from data into small pure functions: here, how it spells the ids it gives."""

from collections.abc import Callable

import attrs

from connector.config import DialectConfig
from connector.lifecycle import Event
from connector.smpp.receipt import MessageState


def _same(text: str) -> str:
    bare = text.strip(" \0").casefold()
    return bare.lstrip("0") or bare[:1]


def _as_number(base: int) -> Callable[[str], str]:
    def normal(text: str) -> str:
        try:
            return str(int(text.strip(" \0"), base))
        except ValueError:
            return _same(text)  # not of that base after all: carriers mix in UUIDs and prefixes

    return normal


_FORMS: dict[str, Callable[[str], str]] = {"same": _same, "hex": _as_number(16), "decimal": _as_number(10)}

_EVENTS: dict[MessageState, Event] = {
    MessageState.DELIVERED: Event.DELIVERED,
    MessageState.UNDELIVERABLE: Event.UNDELIVERED,
    MessageState.DELETED: Event.UNDELIVERED,
    MessageState.SKIPPED: Event.UNDELIVERED,
    MessageState.EXPIRED: Event.EXPIRED,
    MessageState.REJECTED: Event.REJECTED,
}


@attrs.frozen
class Dialect:
    """What is needed to read one carrier's answers and receipts."""

    config: DialectConfig

    def key_of_response(self, message_id: str) -> str | None:
        """Return the normal form of an id in submit_sm_resp; None where the carrier gave none."""
        return _FORMS[self.config.id_in_response](message_id) if message_id.strip(" \0") else None

    def keys_of_receipt(self, tlv_id: str | None, text_id: str | None) -> tuple[str, ...]:
        """Return the normal forms a receipt may be found by, the TLV's first.

        The TLV should hold the id as the response did (SMPP 3.4, 5.3.2.12); the text spells it as it likes.
        """
        keys = []
        if tlv_id:
            keys.append(_FORMS[self.config.id_in_response](tlv_id))
        if text_id:
            keys.append(_FORMS[self.config.id_in_receipt](text_id))
        return tuple(dict.fromkeys(keys))

    def event_of(self, state: MessageState) -> Event | None:
        """Return what a receipt's state does to a part; None where it is not the last word."""
        if state is MessageState.ACCEPTED and self.config.accepted_is_final:
            return Event.DELIVERED
        return _EVENTS.get(state)
