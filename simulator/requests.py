"""Answers to requests about messages that were accepted before: query, cancel.  No I/O."""

from collections.abc import Callable, Mapping
from typing import Final

from connector.smpp import tables
from connector.smpp.pdu import CancelSm, CancelSmResp, Pdu, QuerySm, QuerySmResp
from simulator.accounts import Account
from simulator.answers import refusal
from simulator.ledger import Entry, Ledger
from simulator.scenario import STATES, STATUS_BY_NAME

ENROUTE: Final = STATES["ENROUTE"].message_state


class Requests:
    """Answers what is neither a bind nor a message."""

    def __init__(self, ledger: Ledger, accounts: Mapping[str, Account], clock: Callable[[], float]) -> None:
        self._ledger = ledger
        self._accounts = accounts
        self._clock = clock

    def answer(self, pdu: Pdu) -> Pdu:
        """Return the answer to a request other than a bind or a submit."""
        if pdu.fault:
            return refusal(pdu, pdu.fault)
        if isinstance(pdu, QuerySm):
            return self._answer_query(pdu)
        if isinstance(pdu, CancelSm):
            return self._answer_cancel(pdu)
        return refusal(pdu, tables.ESME_RINVCMDID)

    def _answer_query(self, pdu: QuerySm) -> Pdu:
        entry = self._ledger.find(pdu.message_id)
        if entry is None or entry.source_addr != pdu.source_addr:
            return refusal(pdu, STATUS_BY_NAME["ESME_RQUERYFAIL"])
        word = STATES[entry.state]
        told = entry.receipt_sent_at is not None
        return QuerySmResp(
            message_id=pdu.message_id,
            message_state=word.message_state if told else ENROUTE,
            error_code=word.err if told else 0,
            sequence_number=pdu.sequence_number,
        )

    def _answer_cancel(self, pdu: CancelSm) -> Pdu:
        """Give back what has no final word yet: one message by its id, without an id all that fit (SMPP 3.4, 4.9)."""
        named = self._ledger.find(pdu.message_id)
        entries = ([named] if named else []) if pdu.message_id else list(self._ledger)
        given = [entry for entry in entries if _is_meant(pdu, entry) and _is_open(entry)]
        if not given:
            return refusal(pdu, tables.ESME_RCANCELFAIL)
        for entry in given:
            self._ledger.cancelled(entry, self._clock())
            self._accounts[entry.account].cancel(entry)
        return CancelSmResp(sequence_number=pdu.sequence_number)


def _is_meant(pdu: CancelSm, entry: Entry) -> bool:
    """Say whether the addresses of a cancel_sm are the message's; with its id the destination may be left out."""
    submitted = entry.pdu
    theirs = (submitted.source_addr_ton, submitted.source_addr_npi, submitted.source_addr)
    if (pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr) != theirs:
        return False
    anywhere = bool(pdu.message_id) and not pdu.destination_addr
    return anywhere or pdu.destination_addr == submitted.destination_addr


def _is_open(entry: Entry) -> bool:
    return entry.cancelled_at is None and entry.receipt_sent_at is None
