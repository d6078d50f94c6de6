"""What the octets of a message say, as plain values for people: the text, its header, the receipt it may be."""

from datetime import datetime, tzinfo
from typing import Any

from connector.smpp.alphabet import Alphabet
from connector.smpp.parts import UserData, read_user_data
from connector.smpp.pdu import DataSm, DeliverSm, Pdu
from connector.smpp.receipt import MessageState, Receipt, is_intermediate, is_receipt, parse_receipt
from connector.smpp.udh import Udh


def reading_of(pdu: Pdu, default: Alphabet = Alphabet.GSM) -> dict[str, Any] | None:
    """What the text of a message says: ``text``, ``alphabet``, ``udh`` and ``receipt``; None where there is none.

    ``text`` is None where the octets are 8-bit data.  ``default`` is what the carrier means by its default alphabet.
    """
    octets = getattr(pdu, "short_message", b"") or pdu.tlv_octets("message_payload") or b""
    receipt = _receipt_in(pdu, octets)
    if not octets and receipt is None:
        return None
    esm_class, data_coding = getattr(pdu, "esm_class", 0), getattr(pdu, "data_coding", 0)
    data = read_user_data(octets, esm_class=esm_class, data_coding=data_coding, default=default)
    return {
        "text": None if data.alphabet is Alphabet.BINARY else data.text,
        "alphabet": str(data.alphabet),
        "udh": _header(data),
        "receipt": None if receipt is None else _described(receipt),
    }


def _described(receipt: Receipt) -> dict[str, Any]:
    contradiction = {"contradiction": receipt.contradiction} if receipt.contradiction else {}
    return describe_receipt(receipt) | contradiction


def _receipt_in(pdu: Pdu, octets: bytes) -> Receipt | None:
    """The receipt a deliver_sm or data_sm is; in what an ESME sends the same bits mean something else."""
    if not isinstance(pdu, DeliverSm | DataSm):
        return None
    tlv_id, state = pdu.tlv_octets("receipted_message_id"), pdu.tlv_value("message_state")
    if not (is_receipt(pdu.esm_class, tlv_id is not None) or is_intermediate(pdu.esm_class)):
        return None
    return parse_receipt(
        octets,
        esm_class=pdu.esm_class,
        data_coding=pdu.data_coding,
        receipted_message_id=tlv_id,
        message_state=state if isinstance(state, int) else None,
        network_error_code=pdu.tlv_octets("network_error_code"),
    )


def _header(data: UserData) -> dict[str, Any] | None:
    header = data.udh
    if header is None:
        return None
    return {name: getattr(header, name) for name in _HEADER_FIELDS} | {"elements": _elements(header)}


_HEADER_FIELDS = (
    "length_bytes", "reference", "total", "number", "wide", "destination_port", "source_port", "locking", "single"
)  # fmt: skip


def _elements(header: Udh) -> list[dict[str, str]]:
    return [{"identifier": f"0x{number:02X}", "data_hex": data.hex()} for number, data in header.elements]


def says_something(receipt: Receipt) -> bool:
    """Whether any field of a receipt was found but for its text: without one the octets are no receipt."""
    fields = (receipt.sub, receipt.dlvrd, receipt.submit_date_raw, receipt.done_date_raw, receipt.stat, receipt.err)
    return any(field is not None for field in (receipt.id, receipt.tlv_id, receipt.message_state, *fields))


def describe_receipt(receipt: Receipt, zone: tzinfo | None = None) -> dict[str, Any]:
    """The fields of a receipt; dates in ISO 8601, without zone unless the carrier's is given.

    ``final`` is None where the carrier's dialect decides (ACCEPTED) and where no state was named.
    """
    open_ = receipt.state is MessageState.ACCEPTED or (receipt.stat is None and receipt.message_state is None)
    return {
        "id": receipt.id,
        "effective_id": receipt.effective_id,
        "sub": receipt.sub,
        "dlvrd": receipt.dlvrd,
        "submit_date": _date(receipt.submit_date, zone),
        "done_date": _date(receipt.done_date, zone),
        "stat": receipt.stat,
        "err": receipt.err,
        "text": receipt.text,
        "state": str(receipt.state),
        "final": None if open_ else receipt.is_final,
    }


def _date(date: datetime | None, zone: tzinfo | None) -> str | None:
    if date is None:
        return None
    return (date if zone is None else date.replace(tzinfo=zone)).isoformat()
