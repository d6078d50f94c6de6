"""Compares what we read in a vector with what the vector says, field by field; a difference is a sentence."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from connector.errors import EncodeError, FramingError
from connector.smpp.codec import decode, encode
from connector.smpp.describe import describe
from connector.smpp.framing import Framer
from connector.smpp.pdu import Pdu
from connector.smpp.receipt import MessageState, is_receipt, parse_receipt
from connector.smpp.tlv import tlv
from tests.smpp.vectors.expectations import differences_in_conduct

Row = Mapping[str, Any]
Differences = Iterator[str]


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


# --- PDUs -----------------------------------------------------------------------------------------------------


def pdu_differences(row: Row) -> list[str]:
    """What we see differently in one PDU vector."""
    octets = bytes.fromhex(row["hex"])
    return [*_framing(octets, row), *_content(octets, row), *differences_in_conduct(octets, row)]


def _framing(octets: bytes, row: Row) -> Differences:
    """Compare how the stream is cut: whole and the rest, not yet whole, or never."""
    framer = Framer()
    try:
        cut = framer.feed(octets)
    except FramingError:
        cut = []
    length = row["pdu"].get("command_length", 0)
    if row["pdu"].get("incomplete") or len(octets) < length <= framer.max_length:
        yield from _unequal("octets held", framer.partial, len(octets))
        yield from _unequal("PDUs cut from an unfinished one", len(cut), 0)
    elif not 16 <= length <= framer.max_length:
        yield from _unequal("refused by the framer", framer.error is not None, True)
    else:
        yield from _unequal("first PDU", cut[0].hex() if cut else None, octets[:length].hex())
        yield from _unequal("octets behind it", octets[length:].hex(), row["pdu"].get("following_hex", ""))


def _content(octets: bytes, row: Row) -> Differences:
    """Compare header, body and TLVs of what can be decoded: exactly when valid, else all that the vector names."""
    expected = row["pdu"]
    length = expected.get("command_length", 0)
    if expected.get("incomplete") or length < 16:
        return
    pdu = decode(octets[:length])
    found = describe(pdu, show_secrets=True)
    for name in ("command", "command_id", "command_status", "sequence_number"):
        yield from _unequal(name, found[name], expected[name])
    yield from _body(found["body"], expected, exactly=row["valid"])
    yield from _tlvs(found["tlvs"], expected.get("tlvs"), exactly=row["valid"])
    if row["valid"]:
        yield from _unequal("body_omitted", pdu.body_omitted, expected.get("body_omitted", False))
        yield from _unequal("status of a strict receiver", pdu.fault, 0)
        yield from _written_back(pdu, octets[:length])


def _body(found: Row, expected: Row, *, exactly: bool) -> Differences:
    fields = dict(expected.get("body") or {})
    if "body_hex" in expected:
        fields["body_hex"] = expected["body_hex"]
    names = set(fields) | set(found) if exactly else set(fields)
    for name in sorted(names):
        yield from _unequal(name, found.get(name), fields.get(name))


def _tlvs(found: list[dict[str, Any]], expected: list[Row] | None, *, exactly: bool) -> Differences:
    if expected is None:
        if exactly:
            yield from _unequal("number of TLVs", len(found), 0)
        return
    yield from _unequal("number of TLVs", len(found), len(expected))
    for ours, theirs in zip(found, expected, strict=False):
        for name, value in theirs.items():
            yield from _unequal(f"TLV {theirs['tag']} {name}", ours.get(name), value)


def _written_back(pdu: Pdu, octets: bytes) -> Differences:
    try:
        again = encode(pdu)
    except EncodeError as error:
        # Latin-1 in an address is read and never written, nor is a text in two places
        in_two_places = any("both short_message" in oddity.text for oddity in pdu.oddities)
        yield from _unequal(f"refused to write {error}", octets.isascii() and not in_two_places, False)
        return
    # SMPP 3.4, 4.4.2: a refusal has no body, whatever the empty one that was read
    if not (pdu.command_status and decode(again).body_omitted):
        yield from _unequal("octets written back", again.hex(), octets.hex())


def _unequal(what: str, found: object, expected: object) -> Differences:
    if found != expected:
        yield f"{what}: we have {found!r}, the vector {expected!r}"


# --- receipts -------------------------------------------------------------------------------------------------

_STATE_TLVS = ("receipted_message_id", "message_state", "network_error_code")


def receipt_differences(row: Row) -> list[str]:
    """What we see differently in one receipt vector."""
    tlvs, expected = row["tlvs"], row["expected"]
    error = tlvs.get("network_error_code")
    receipt = parse_receipt(
        bytes.fromhex(row["text_hex"]),
        esm_class=row["esm_class"],
        data_coding=row.get("data_coding", 0),
        receipted_message_id=_id_octets(tlvs.get("receipted_message_id")),
        message_state=tlvs.get("message_state"),
        network_error_code=bytes.fromhex(error) if error else None,
    )
    has_id = "receipted_message_id" in tlvs
    ours = {
        "is_receipt": is_receipt(row["esm_class"], has_id),
        "submit_date": receipt.submit_date and receipt.submit_date.isoformat(),
        "done_date": receipt.done_date and receipt.done_date.isoformat(),
        "stat": receipt.stat and receipt.stat.upper(),
        "text": _trimmed(receipt.text),
        "state": None if receipt.stat is None and receipt.message_state is None else str(receipt.state),
        "final": _final(receipt.is_final, receipt.state, receipt.stat, receipt.message_state),
    }
    return [
        difference
        for name, value in expected.items()
        for difference in _unequal(
            name, ours.get(name, getattr(receipt, name, None)), _READINGS.get(name, _as_it_is)(value)
        )
    ]


def _id_octets(value: str | None) -> bytes | None:
    return None if value is None else tlv("receipted_message_id", value).value


def _final(is_final: bool, state: MessageState, stat: str | None, message_state: int | None) -> bool | None:
    """True, false, or None where nothing was said or the route decides, as about ACCEPTED."""
    if (stat is None and message_state is None) or state is MessageState.ACCEPTED:
        return None
    return is_final


def _trimmed(text: str | None) -> str | None:
    return None if text is None else text.rstrip(" \0").removeprefix(" ")


def _as_it_is(value: Any) -> Any:
    return value


_READINGS: Mapping[str, Callable[[Any], Any]] = {
    "stat": lambda value: value and value.upper(),
    "text": _trimmed,
    "final": lambda value: value if isinstance(value, bool) else None,  # a sentence says that the route decides
}
