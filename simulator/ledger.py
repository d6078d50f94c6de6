"""The simulator's own book: what was accepted, what became of it, and what was told to whom.

It is the judge of a run, so it is written before an answer leaves: what an ESME was told, the book knows.
"""

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec

from connector.smpp import tables
from connector.smpp.pdu import DataSm, ReplaceSm, SubmitSm

_PAYLOAD: Final = tables.TLV_BY_NAME["message_payload"].tag
DELETED: Final = "DELETED"
"""State of what an ESME has cancelled."""


@attrs.define(kw_only=True)
class Entry:
    """One accepted message."""

    number: int
    message_id: str
    """As submit_sm_resp spells it."""
    account: str
    pdu: SubmitSm | DataSm = attrs.field(repr=False)
    accepted_at: float
    """Seconds since the epoch, as all times here."""
    state: str
    """The final ``stat:`` word that the scenario gave it."""
    id_number: int | None = None
    """The number that its id spells, where that is another one's: of a submit_multi all have the first one's."""
    held: bool = False
    """Whether a black hole had held it back: it came when the ESME may have given it up."""
    fault: str = ""
    """Name of the rule that does something wrong to it or its answer, if one does."""
    waits_s: float = 0.0
    """From acceptance to when the delay of its receipt begins: its answer, and its way through the queue."""
    link: int = 0
    """Number of the link it came on, from 1."""
    answer_due_at: float | None = None
    """When its answer leaves, if nothing comes between; None: never."""
    delay_s: float | None = None
    """From acceptance to the final state, where a rule gave another one than the scenario."""
    receipts_sent: int = 0
    receipt_sent_at: float | None = None
    """First final receipt."""
    receipt_acknowledged_at: float | None = None
    cancelled_at: float | None = None
    """When a cancel_sm for it was answered with ESME_ROK."""

    @property
    def source_addr(self) -> str:
        """Who sent it."""
        return self.pdu.source_addr

    @property
    def destination_addr(self) -> str:
        """To whom."""
        return self.pdu.destination_addr

    @property
    def octets(self) -> bytes:
        """The text as submitted, with its UDH."""
        return self.pdu.message_octets


class Ledger:
    """Entries by carrier message id, newest last; ``keep`` bounds how many stay in memory (None: all).

    With ``record`` every line is also appended to a file as JSON: ``accepted``, ``receipt``, ``acknowledged`` and
    ``cancelled``.
    """

    def __init__(self, *, keep: int | None = None, record: Path | None = None) -> None:
        self.keep = keep
        self.accepted = 0
        """Messages ever accepted, be they kept or not."""
        self._entries: OrderedDict[int, Entry] = OrderedDict()
        self._by_id: dict[str, Entry] = {}
        self._lines: list[dict[str, Any]] = []
        self._encoder = msgspec.json.Encoder()
        self._file: int | None = None
        self.watcher: Callable[[Sequence[Entry]], None] | None = None
        """Shown all that is accepted, before its answer leaves."""
        if record is not None:
            self._file = os.open(record, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    @property
    def wanted(self) -> bool:
        """Whether entries are kept or recorded at all."""
        return self.keep != 0 or self._file is not None or self.watcher is not None

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self._entries.values()))

    def find(self, message_id: str) -> Entry | None:
        """Return the newest entry with this id of ours, if it is still kept."""
        return self._by_id.get(message_id)

    def accept(self, entries: Sequence[Entry]) -> None:
        """Note messages that are about to be answered with ESME_ROK."""
        self.accepted += len(entries)
        if self.watcher is not None:
            self.watcher(entries)
        for entry in entries:
            if self._file is not None:
                self._lines.append(_accepted_line(entry))
            if self.keep != 0:
                self._entries[entry.number] = self._by_id[entry.message_id] = entry
        while self.keep is not None and len(self._entries) > self.keep:
            _, old = self._entries.popitem(last=False)
            if self._by_id.get(old.message_id) is old:
                del self._by_id[old.message_id]

    def sent(self, entry: Entry, stat: str, at: float, *, final: bool) -> None:
        """Note a receipt that is about to leave."""
        entry.receipts_sent += 1
        if final and entry.receipt_sent_at is None:
            entry.receipt_sent_at = at
        self._note({"receipt": entry.message_id, "stat": stat, "at": at})

    def acknowledged(self, entry: Entry, stat: str, at: float, *, final: bool) -> None:
        """Note a receipt that the ESME took."""
        if final and entry.receipt_acknowledged_at is None:
            entry.receipt_acknowledged_at = at
        self._note({"acknowledged": entry.message_id, "stat": stat, "at": at})

    def cancelled(self, entry: Entry, at: float) -> None:
        """Note a message that the ESME is about to be told it got back."""
        entry.state = DELETED
        entry.cancelled_at = at
        self._note({"cancelled": entry.message_id, "at": at})

    def replaced(self, entry: Entry, pdu: ReplaceSm, at: float) -> None:
        """Note another text, and other times where they are given, for a message that is still under way."""
        submitted = entry.pdu = copy(entry.pdu)
        if isinstance(submitted, SubmitSm):
            submitted.short_message = pdu.short_message
            submitted.schedule_delivery_time = pdu.schedule_delivery_time or submitted.schedule_delivery_time
            submitted.validity_period = pdu.validity_period or submitted.validity_period
        payload = tuple(item for item in pdu.tlvs if item.tag == _PAYLOAD)
        submitted.tlvs = (*(item for item in submitted.tlvs if item.tag != _PAYLOAD), *payload)
        submitted.registered_delivery = pdu.registered_delivery
        self._note({"replaced": entry.message_id, "octets": entry.octets.hex(), "at": at})

    def flush(self) -> None:
        """Hand the noted lines to the operating system; it costs one write per batch."""
        if self._lines and self._file is not None:
            octets = self._encoder.encode_lines(self._lines)
            self._lines.clear()
            while octets:
                octets = octets[os.write(self._file, octets) :]

    def close(self) -> None:
        """Flush and close the file."""
        self.flush()
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _note(self, line: dict[str, Any]) -> None:
        if self._file is not None:
            self._lines.append(line)


def _accepted_line(entry: Entry) -> dict[str, Any]:
    pdu = entry.pdu
    return {
        "accepted": entry.message_id,
        "account": entry.account,
        "source_addr": pdu.source_addr,
        "destination_addr": pdu.destination_addr,
        "octets": pdu.message_octets.hex(),
        "esm_class": pdu.esm_class,
        "data_coding": pdu.data_coding,
        "registered_delivery": pdu.registered_delivery,
        "state": entry.state,
        "at": entry.accepted_at,
    }
