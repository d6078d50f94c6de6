"""Writes ``receipts.jsonl``: receipt texts as carriers spell them, each with what it says, written out by hand.

``python -m tests.smpp.vectors.write_receipts`` writes the file anew; a test holds file and script equal.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

Row = dict[str, Any]
FILE: Final = Path(__file__).parent / "receipts.jsonl"

DATES: Final = {
    "submit_date_raw": "2601310900",
    "submit_date": "2026-01-31T09:00:00",
    "done_date_raw": "2601310901",
    "done_date": "2026-01-31T09:01:00",
}
PLAIN: Final[Mapping[str, Any]] = {
    "id": "0123456789",
    "sub": "001",
    "dlvrd": "001",
    **DATES,
    "stat": "DELIVRD",
    "err": "000",
    "text": "Your code is 482913",
    "state": "delivered",
    "final": True,
}
NOTHING: Final = dict.fromkeys(PLAIN)
HEAD: Final = "id:0123456789 sub:001 dlvrd:001 submit date:2601310900 done date:2601310901"
TAIL: Final = "err:000 text:Your code is 482913"


def _row(
    name: str,
    text: str | bytes,
    expected: Mapping[str, Any],
    *,
    base: Mapping[str, Any] = PLAIN,
    esm_class: int = 4,
    tlvs: Mapping[str, Any] | None = None,
    data_coding: int = 0,
) -> Row:
    octets = text if isinstance(text, bytes) else text.encode("latin-1")
    told = {"is_receipt": True, **base, **expected}
    told.setdefault("effective_id", told["id"] or (tlvs or {}).get("receipted_message_id"))
    row: Row = {
        "name": name,
        "text_hex": octets.hex(),
        "text_latin1": octets.decode("latin-1"),
        "esm_class": esm_class,
        "tlvs": tlvs or {},
        "expected": told,
    }
    return row | ({"data_coding": data_coding} if data_coding else {})


# --- state words: word, state, final ----------------------------------------------------------------------------

STATES: Final[tuple[tuple[str, str, bool | None], ...]] = (
    ("SCHEDULED", "scheduled", False),
    ("ENROUTE", "enroute", False),
    ("BUFFRED", "enroute", False),
    ("BUFFERD", "enroute", False),
    ("BUFFERED", "enroute", False),
    ("ACKED", "enroute", False),
    ("SENT", "enroute", False),
    ("QUEUED", "enroute", False),
    ("DELIVRD", "delivered", True),
    ("DELIVERD", "delivered", True),
    ("DELIVERED", "delivered", True),
    ("EXPIRED", "expired", True),
    ("DELETED", "deleted", True),
    ("CANCELED", "deleted", True),
    ("UNDELIV", "undeliverable", True),
    ("FAILED", "undeliverable", True),
    ("UNDELIVERABLE", "undeliverable", True),
    ("ACCEPTD", "accepted", None),
    ("ACCEPTED", "accepted", None),
    ("UNKNOWN", "unknown", False),
    ("REJECTD", "rejected", True),
    ("REJECTED", "rejected", True),
    ("SKIPPED", "skipped", True),
    ("DND_REJECTED", "unknown", False),
    ("BADSTAT", "unknown", False),
)


def _every_state() -> Iterator[Row]:
    for word, state, final in STATES:
        told = {"stat": word, "state": state, "final": final}
        yield _row(f"stat {word}", f"{HEAD} stat:{word} {TAIL}", told)
    for word in ("delivrd", "Delivrd", "dELIVRD"):
        yield _row(f"stat {word}", f"{HEAD} stat:{word} {TAIL}", {})
    yield _row("a state word without its key", f"{HEAD} UNDELIV {TAIL}", {"stat": "UNDELIV", "state": "undeliverable"})
    gone = {"stat": None, "state": None, "final": None}
    yield _row("no state at all", f"{HEAD} {TAIL}", gone)
    yield _row("stat misspelt", f"{HEAD} sta:DELIVRD {TAIL}", gone)


# --- ids --------------------------------------------------------------------------------------------------------

IDS: Final = (
    "1",
    "0000000001",
    "98765432109876543210",
    "4d19c83c",
    "4D19C83C",
    "0x4D19C83C",
    "7d9c0b1e-2f31-4c6a-9d0e-5b8f7a6c5d4e",
    "9e107d9d372bb6826bd81d3542a419d6",
    "SAR-4711-2-1",
    "ns:12345",
    "a.b_c:d@smsc-3",
    "1101C1-C9D03D-F000",
)


def _every_id() -> Iterator[Row]:
    rest = f"{HEAD.partition(' ')[2]} stat:DELIVRD {TAIL}"
    for spelled in IDS:
        yield _row(f"id {spelled}", f"id:{spelled} {rest}", {"id": spelled})
    tlv = {"receipted_message_id": "38601fa", "message_state": 2}
    yield _row("id in text and TLV, other bases", f"id:0059113978 {rest}", {"id": "0059113978"}, tlvs=tlv)
    yield _row("id empty, TLV has it", f"id: {rest}", {"id": "", "effective_id": "38601fa"}, tlvs=tlv)
    yield _row("id absent, TLV has it", rest, {"id": None, "effective_id": "38601fa"}, tlvs=tlv)
    yield _row("id absent everywhere", rest, {"id": None, "effective_id": None})
    yield _row("id behind a blank", f"id: 77 {rest}", {"id": "77"})
    yield _row("id key in capitals", f"ID:77 {rest}", {"id": "77"})


# --- dates: as spelled, as read ---------------------------------------------------------------------------------

DATE_FORMS: Final[tuple[tuple[str, str, str | None], ...]] = (
    ("10 digits", "2601312359", "2026-01-31T23:59:00"),
    ("12 digits with seconds", "260131235958", "2026-01-31T23:59:58"),
    ("12 digits with the whole year", "202601312359", "2026-01-31T23:59:00"),
    ("12 digits of a month that cannot be", "201906190720", "2019-06-19T07:20:00"),
    ("14 digits", "20260131235958", "2026-01-31T23:59:58"),
    ("SMPP's absolute time", "260131235958412+", "2026-01-31T23:59:58"),
    ("SMPP's absolute time, behind", "260131235958448-", "2026-01-31T23:59:58"),
    ("milliseconds since 1970", "1769903998000", "2026-01-31T23:59:58"),
    ("all zeros", "0000000000", None),
    ("year 37", "3712312359", "2037-12-31T23:59:00"),
    ("year 38", "3812312359", "1938-12-31T23:59:00"),
    ("no such day", "2602302359", None),
    ("11 digits", "26013123595", None),
    ("letters", "yesterday", None),
    ("nothing", "", None),
)


def _every_date() -> Iterator[Row]:
    for name, spelled, read in DATE_FORMS:
        text = f"id:0123456789 sub:001 dlvrd:001 submit date:2601310900 done date:{spelled} stat:DELIVRD {TAIL}"
        yield _row(f"done date, {name}", text, {"done_date_raw": spelled, "done_date": read})
    both = {"submit_date_raw": "260131090000", "done_date_raw": "2601310859", "done_date": "2026-01-31T08:59:00"}
    yield _row(
        "done before submitted, and dates of two lengths",
        f"id:0123456789 sub:001 dlvrd:001 submit date:260131090000 done date:2601310859 stat:DELIVRD {TAIL}",
        both,
    )
    none = dict.fromkeys(DATES)
    yield _row("no dates", f"id:0123456789 sub:001 dlvrd:001 stat:DELIVRD {TAIL}", none)
    keys = "id:0123456789 sub:001 dlvrd:001 submit_date:2601310900 donedate:2601310901"
    yield _row("date keys without their blank", f"{keys} stat:DELIVRD {TAIL}", {})


# --- the other fields -------------------------------------------------------------------------------------------


def _every_err() -> Iterator[Row]:
    for err in ("0", "000", "0000", "21b", "4A6", "000004A6", "00B", "xxx", "E_NETWORK", "255"):
        yield _row(f"err {err}", f"{HEAD} stat:DELIVRD err:{err} text:Hi", {"err": err, "text": "Hi"})
    yield _row("err absent", f"{HEAD} stat:DELIVRD text:Hi", {"err": None, "text": "Hi"})
    for count in ("0", "1", "SSS"):
        rest = f"submit date:2601310900 done date:2601310901 stat:DELIVRD {TAIL}"
        yield _row(f"sub {count}", f"id:0123456789 sub:{count} dlvrd:{count} {rest}", {"sub": count, "dlvrd": count})
    rest = f"submit date:2601310900 done date:2601310901 stat:DELIVRD {TAIL}"
    yield _row("sub and dlvrd absent", f"id:0123456789 {rest}", {"sub": None, "dlvrd": None})
    yield _row("sub misspelt", f"id:0123456789 su:001 dlvrd:001 {rest}", {"sub": None})


def _every_text() -> Iterator[Row]:
    start = f"{HEAD} stat:DELIVRD err:000"
    for name, ending, text in (
        ("empty", " text:", ""),
        ("absent", "", None),
        ("key cut short", " te", None),
        ("key in capitals", " TEXT:Hi", "Hi"),
        ("Text", " Text:Hi", "Hi"),
        ("none", " text:none", "none"),
        ("a dash", " text:-", "-"),
        ("Latin-1", " text:Grüße", "Grüße"),
        ("with a colon and blanks", " text:Call 12:30  now", "Call 12:30  now"),
        ("two lines", " text:one\ntwo", "one\ntwo"),
    ):
        yield _row(f"text, {name}", start + ending, {"text": text})
    wide = start.encode() + b" text:" + "Привет".encode("utf-16-be")
    yield _row("text, UTF-16 behind ASCII keys", wide, {"text": "Привет".encode("utf-16-be").decode("latin-1")})
    yield _row("text, NULs behind it", start.encode() + b" text:Hi\0\0", {"text": "Hi"})


def _forms() -> Iterator[Row]:
    whole = f"{HEAD} stat:DELIVRD {TAIL}"
    yield _row("Appendix B", whole, {})
    yield _row("double blanks", whole.replace(" sub", "  sub").replace(" err", "   err"), {})
    yield _row("a blank in front", f" {whole}", {})
    yield _row("line ends between the fields", whole.replace(" sub", "\r\nsub").replace(" stat", "\nstat"), {})
    yield _row(
        "keys in capitals",
        "ID:1 SUB:001 DLVRD:001 SUBMIT DATE:2601310900 DONE DATE:2601310901 STAT:DELIVRD ERR:000 TEXT:Hi",
        {"id": "1", "text": "Hi"},
    )
    order = "stat:DELIVRD err:000 id:0123456789 done date:2601310901 submit date:2601310900 dlvrd:001 sub:001 text:Hi"
    yield _row("another order", order, {"text": "Hi"})
    yield _row(
        "text in the middle",
        "id:0123456789 text:Hi there stat:DELIVRD err:000",
        {**NOTHING, **_picked("id", "stat", "err", "state", "final"), "text": "Hi there"},
        base={},
    )
    yield _row(
        "keys nobody asked for",
        f"{HEAD} stat:DELIVRD err:000 IMSI:262011234567890 MSC:491710000000 text:Hi",
        {"text": "Hi"},
    )
    yield _row(
        "only what matters",
        "id:0123456789 stat:UNDELIV",
        {**NOTHING, "id": "0123456789", "stat": "UNDELIV", "state": "undeliverable", "final": True},
        base={},
    )
    yield _row("NUL at the end", f"{HEAD} stat:DELIVRD err:000".encode() + b"\0", {"text": None})
    yield _row("at signs at the end", f"{HEAD} stat:DELIVRD err:000@@@", {"text": None})
    yield _row("all in UTF-16", whole.encode("utf-16-be"), {}, data_coding=8)
    yield _row("all in UTF-16, undeclared", whole.encode("utf-16-be"), {})
    yield _row("a user data header in front", b"\5\0\3\1\1\1" + whole.encode(), {}, esm_class=0x44)
    yield _row(
        "the keys again in the text", f"{HEAD} stat:DELIVRD err:000 text:your id:7 stat:X", {"text": "your id:7 stat:X"}
    )


def _picked(*names: str) -> dict[str, Any]:
    return {name: PLAIN[name] for name in names}


def _signs() -> Iterator[Row]:
    """How a receipt is recognised, and what its TLVs say."""
    whole = f"{HEAD} stat:DELIVRD {TAIL}"
    for esm_class in (0x04, 0x0C, 0x24, 0x84):
        yield _row(f"esm_class {esm_class:#04x}", whole, {"final": esm_class & 0x3C != 0x20}, esm_class=esm_class)
    yield _row("esm_class 0x20, intermediate", whole, {"is_receipt": False, "final": False}, esm_class=0x20)
    for esm_class in (0x00, 0x08, 0x10, 0x18, 0x40):
        yield _row(f"esm_class {esm_class:#04x}, no receipt", whole, {"is_receipt": False}, esm_class=esm_class)
    tlv = {"receipted_message_id": "0123456789"}
    yield _row("esm_class 0x00 with the TLV", whole, {}, esm_class=0, tlvs=tlv)
    for number, (state, final) in enumerate(
        (
            ("scheduled", False),
            ("enroute", False),
            ("delivered", True),
            ("expired", True),
            ("deleted", True),
            ("undeliverable", True),
            ("accepted", None),
            ("unknown", False),
            ("rejected", True),
            ("skipped", True),
            ("unknown", False),
        )
    ):
        told = {**NOTHING, "state": state, "final": final, "effective_id": "38601fa"}
        tlvs = {"receipted_message_id": "38601fa", "message_state": number}
        yield _row(f"only TLVs, message_state {number}", b"", told, base={}, tlvs=tlvs)
    against = {"receipted_message_id": "0123456789", "message_state": 2, "network_error_code": "030000"}
    text = f"{HEAD} stat:UNDELIV {TAIL}"
    yield _row("text and TLV disagree", text, {"stat": "UNDELIV"}, tlvs=against)
    yield _row(
        "a TLV of no state we know", text, {"stat": "UNDELIV", "state": "undeliverable"}, tlvs={"message_state": 77}
    )
    yield _row("network_error_code in ASCII", whole, {}, tlvs={"network_error_code": "303030"})


def rows() -> list[Row]:
    """Every receipt vector, each name once."""
    parts = (_forms(), _every_state(), _every_id(), _every_date(), _every_err(), _every_text(), _signs())
    return [row for part in parts for row in part]


def text() -> str:
    """The file."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows())


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
