"""Answers to requests about messages that were accepted before, and about broadcasts.  No I/O."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from connector.smpp import tables
from connector.smpp.pdu import (
    BroadcastSm,
    BroadcastSmResp,
    CancelBroadcastSm,
    CancelBroadcastSmResp,
    CancelSm,
    CancelSmResp,
    EnquireLink,
    EnquireLinkResp,
    Pdu,
    QueryBroadcastSm,
    QueryBroadcastSmResp,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    ReplaceSmResp,
)
from connector.smpp.tlv import tlv
from simulator.accounts import Account
from simulator.ledger import Entry, Ledger
from simulator.link.answers import refusal
from simulator.scenario import STATES, STATUS_BY_NAME

ENROUTE: Final = STATES["ENROUTE"].message_state
FIRST_BROADCAST: Final = 1


class Requests:
    """Answers what is neither a bind nor a message.  ``ends_at`` tells when a message comes to its final state."""

    def __init__(
        self,
        ledger: Ledger,
        accounts: Mapping[str, Account],
        clock: Callable[[], float],
        ends_at: Callable[[Entry], float | None],
        error_of: Callable[[str], int],
    ) -> None:
        self._ledger = ledger
        self._accounts = accounts
        self._clock = clock
        self._ends_at = ends_at
        self._error_of = error_of
        self._asking = ""
        self._broadcast = FIRST_BROADCAST
        self._broadcasts: dict[str, BroadcastSm] = {}

    def answer(self, pdu: Pdu, interface_version: int, account: str) -> Pdu:
        """Return the answer to a request of an account other than a bind or a submit.

        A version does not know what came after it, and an account only what is its own.
        """
        self._asking = account
        answer = _ANSWERS.get(type(pdu))
        if _SINCE[pdu.command] > interface_version or (answer is None and not pdu.fault):
            return refusal(pdu, tables.ESME_RINVCMDID)
        return refusal(pdu, pdu.fault) if pdu.fault or answer is None else answer(self, pdu)

    # --- messages

    def _ended_at(self, entry: Entry) -> float | None:
        """Return when a message came to its end; None while it has not."""
        if entry.cancelled_at is not None:
            return entry.cancelled_at
        ends_at = entry.receipt_sent_at or self._ends_at(entry)
        return ends_at if ends_at is not None and ends_at <= self._clock() else None

    def _answer_query(self, pdu: QuerySm) -> Pdu:
        """Tell the state: ENROUTE until the final one, then that with its time (SMPP 3.4, 4.8.2)."""
        entry = self._ledger.find(pdu.message_id)
        if entry is None or not self._is_of(pdu, entry):
            return refusal(pdu, STATUS_BY_NAME["ESME_RQUERYFAIL"])
        ended_at, word = self._ended_at(entry), STATES[entry.state]
        return QuerySmResp(
            message_id=pdu.message_id,
            final_date="" if ended_at is None else absolute_time(ended_at),
            message_state=ENROUTE if ended_at is None else word.message_state,
            error_code=0 if ended_at is None else self._error_of(entry.state) & 0xFF,
            sequence_number=pdu.sequence_number,
        )

    def _is_of(self, pdu: QuerySm | CancelSm | ReplaceSm, entry: Entry) -> bool:
        """Say whether it is the account's, and the source the submission's, TON and NPI included (SMPP 3.4, 4.8.1)."""
        submitted = entry.pdu
        theirs = (submitted.source_addr_ton, submitted.source_addr_npi, submitted.source_addr)
        return entry.account == self._asking and theirs == (pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr)

    def _is_meant(self, pdu: CancelSm, entry: Entry) -> bool:
        """Say whether the addresses of a cancel_sm are the message's; with its id the destination may be left out."""
        if not self._is_of(pdu, entry):
            return False
        anywhere = bool(pdu.message_id) and not pdu.destination_addr
        return anywhere or pdu.destination_addr == entry.destination_addr

    def _answer_cancel(self, pdu: CancelSm) -> Pdu:
        """Give back what has no final word yet: one message by its id, without an id all that fit (SMPP 3.4, 4.9)."""
        named = self._ledger.find(pdu.message_id)
        entries = ([named] if named else []) if pdu.message_id else list(self._ledger)
        given = [entry for entry in entries if self._is_meant(pdu, entry) and self._ended_at(entry) is None]
        if not given:
            return refusal(pdu, tables.ESME_RCANCELFAIL)
        for entry in given:
            self._ledger.cancelled(entry, self._clock())
            self._accounts[entry.account].cancel(entry)
        return CancelSmResp(sequence_number=pdu.sequence_number)

    def _answer_replace(self, pdu: ReplaceSm) -> Pdu:
        """Change the text of what has no final word yet; an empty time keeps the old one (SMPP 3.4, 4.10)."""
        entry = self._ledger.find(pdu.message_id)
        if entry is None or not self._is_of(pdu, entry) or self._ended_at(entry) is not None:
            return refusal(pdu, STATUS_BY_NAME["ESME_RREPLACEFAIL"])
        self._ledger.replaced(entry, pdu, self._clock())
        return ReplaceSmResp(sequence_number=pdu.sequence_number)

    # --- broadcasts: nobody hears them, so a table of what was asked for is all there is

    def _answer_broadcast(self, pdu: BroadcastSm) -> Pdu:
        message_id = pdu.message_id or f"B{self._broadcast:07}"
        self._broadcast += not pdu.message_id
        self._broadcasts[message_id] = pdu
        return BroadcastSmResp(message_id=message_id, sequence_number=pdu.sequence_number)

    def _answer_query_broadcast(self, pdu: QueryBroadcastSm) -> Pdu:
        asked = self._broadcasts.get(pdu.message_id)
        if asked is None or asked.source_addr != pdu.source_addr:
            return refusal(pdu, STATUS_BY_NAME["ESME_RBCASTQUERYFAIL"])
        areas = [item for item in asked.tlvs if item.tag == _AREA]
        found = [tlv("message_state", STATES["DELIVRD"].message_state), *areas]
        found += [tlv("broadcast_area_success", WHOLE_AREA) for _ in areas]
        return QueryBroadcastSmResp(message_id=pdu.message_id, tlvs=tuple(found), sequence_number=pdu.sequence_number)

    def _answer_cancel_broadcast(self, pdu: CancelBroadcastSm) -> Pdu:
        asked = self._broadcasts.get(pdu.message_id)
        if asked is None or asked.source_addr != pdu.source_addr:
            return refusal(pdu, STATUS_BY_NAME["ESME_RBCASTCANCELFAIL"])
        del self._broadcasts[pdu.message_id]
        return CancelBroadcastSmResp(sequence_number=pdu.sequence_number)

    def _answer_enquire_link(self, pdu: EnquireLink) -> Pdu:
        return EnquireLinkResp(sequence_number=pdu.sequence_number)


_AREA: Final = tables.TLV_BY_NAME["broadcast_area_identifier"].tag
WHOLE_AREA: Final = 100
"""Per cent of an area that heard it (SMPP 5.0, 4.8.4.3)."""

_SINCE: Final = {row.name: row.since for row in tables.COMMANDS}
_ANSWERS: Final[dict[type[Pdu], Callable[[Requests, Any], Pdu]]] = {
    QuerySm: Requests._answer_query,
    CancelSm: Requests._answer_cancel,
    ReplaceSm: Requests._answer_replace,
    BroadcastSm: Requests._answer_broadcast,
    QueryBroadcastSm: Requests._answer_query_broadcast,
    CancelBroadcastSm: Requests._answer_cancel_broadcast,
    EnquireLink: Requests._answer_enquire_link,
}


def absolute_time(at: float) -> str:
    """Return a time of day as SMPP writes it: YYMMDDhhmmsstnnp, in UTC (SMPP 3.4, 7.1.1)."""
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment:%y%m%d%H%M%S}{moment.microsecond // 100_000}00+"
