"""Delivery receipts: what a carrier says about the fate of a message, in a text of its own spelling and in TLVs.

SMPP 3.4 Appendix B gives an example and calls it vendor specific; the field took it for a grammar and bent it.  So the
text is read by its keys, wherever they stand, and everything a carrier leaves out, adds or misspells is survived.
"""

import codecs
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Literal

import attrs

from connector.smpp.alphabet import Alphabet, alphabet_of
from connector.smpp.flags import ESM_TYPE_BITS, EsmClass, MessageStateNumber
from connector.smpp.udh import UDH_INDICATOR as UDH_INDICATOR
from connector.smpp.udh import strip_udh

# As plain integers: each receipt asks for them.
_MESSAGE_TYPE: Final = ESM_TYPE_BITS
_RECEIPT_BIT: Final = int(EsmClass.RECEIPT)
_INTERMEDIATE: Final = int(EsmClass.INTERMEDIATE)


class MessageState(StrEnum):
    """The carrier's state of a message: SMPP 3.4 section 5.2.28, SMPP 5.0 section 4.7.15."""

    SCHEDULED = "scheduled"
    ENROUTE = "enroute"
    DELIVERED = "delivered"
    EXPIRED = "expired"
    DELETED = "deleted"
    UNDELIVERABLE = "undeliverable"
    ACCEPTED = "accepted"
    """Read on the user's behalf, says the specification; many carriers mean "we have it" and send DELIVERED later."""
    UNKNOWN = "unknown"
    """The carrier does not know, or the receipt names no state, or none that we know."""
    REJECTED = "rejected"
    SKIPPED = "skipped"


STATE_OF_NUMBER: Final[Mapping[int, MessageState]] = {
    int(number): MessageState[number.name] for number in MessageStateNumber
}
"""TLV message_state to state."""

FINAL_STATES: Final = frozenset(
    {
        MessageState.DELIVERED,
        MessageState.EXPIRED,
        MessageState.DELETED,
        MessageState.UNDELIVERABLE,
        MessageState.REJECTED,
        MessageState.SKIPPED,
    }
)
"""States after which nothing else is expected; ACCEPTED is left out because many carriers send DELIVERED after it."""

# Words of Appendix B and the other spellings of the field.
STATE_OF_WORD: Final[Mapping[str, MessageState]] = {
    "SCHEDULED": MessageState.SCHEDULED,
    **dict.fromkeys(("ENROUTE", "BUFFRED", "BUFFERD", "BUFFERED", "ACKED", "SENT", "QUEUED"), MessageState.ENROUTE),
    **dict.fromkeys(("DELIVRD", "DELIVERD", "DELIVERED"), MessageState.DELIVERED),
    "EXPIRED": MessageState.EXPIRED,
    **dict.fromkeys(("DELETED", "CANCELED", "CANCELLED"), MessageState.DELETED),
    **dict.fromkeys(("UNDELIV", "FAILED", "UNDELIVERABLE"), MessageState.UNDELIVERABLE),
    **dict.fromkeys(("ACCEPTD", "ACCEPTED"), MessageState.ACCEPTED),
    "UNKNOWN": MessageState.UNKNOWN,
    **dict.fromkeys(("REJECTD", "REJECTED"), MessageState.REJECTED),
    "SKIPPED": MessageState.SKIPPED,
}


def is_receipt(esm_class: int, has_receipted_message_id: bool = False) -> bool:
    """Whether a deliver_sm or data_sm is a delivery receipt.

    Bit 0x04 says so, also in the illegal mixtures 0x0C and 0x24 that occur; so does TLV receipted_message_id on a
    PDU whose ``esm_class`` gives no message type.  A text that merely looks like a receipt is not one: a subscriber
    can type it.
    """
    return bool(esm_class & _RECEIPT_BIT) or (has_receipted_message_id and not esm_class & _MESSAGE_TYPE)


def is_intermediate(esm_class: int) -> bool:
    """Whether a deliver_sm or data_sm is an intermediate notification: read like a receipt, never the last word."""
    return esm_class & _MESSAGE_TYPE == _INTERMEDIATE


@attrs.frozen
class Receipt:
    """A receipt as received; a field the carrier left out is None, one it left empty is ""."""

    id: str | None = None
    """Of the text: everything up to the next blank, spelled as received."""
    tlv_id: str | None = None
    """Of TLV receipted_message_id; often the same number in another base, sometimes another id."""
    sub: str | None = None
    dlvrd: str | None = None
    """``sub`` and ``dlvrd`` are for information only: carriers put anything there."""
    submit_date_raw: str | None = None
    done_date_raw: str | None = None
    stat: str | None = None
    """The state word as received, in any case."""
    err: str | None = None
    """The carrier's own code: digits, hexadecimal or words, with its leading zeros."""
    text: str | None = attrs.field(default=None, repr=False)
    """Octets as the Latin-1 characters of the same number, unless the whole receipt was UTF-16: the charset of this
    field is what carriers disagree on most."""
    state: MessageState = MessageState.UNKNOWN
    intermediate: bool = False
    """Came as an intermediate notification: never final, whatever the state."""
    raw: bytes = attrs.field(default=b"", repr=False)
    """The octets as received, user data header included."""
    message_state: int | None = None
    """TLV of that name."""
    network_error_code: bytes | None = None
    """TLV of that name: one octet network type and two of code, in theory; any length is kept."""
    now: datetime | None = attrs.field(default=None, repr=False)
    """When it was read; helps with dates that can be read two ways."""

    @property
    def effective_id(self) -> str | None:
        """The one id to show to people: that of the text, which is what the carrier's own tools show, else the TLV's.

        It is not the order of the look-up: there the TLV comes first, and both are tried (``tlv_id``, ``id``).
        """
        return self.id or self.tlv_id

    @property
    def submit_date(self) -> datetime | None:
        """When the carrier took the message, without zone; None when absent or unreadable."""
        return parse_date(self.submit_date_raw or "", self.now)

    @property
    def done_date(self) -> datetime | None:
        """When the message reached its state, without zone; may lie before ``submit_date``."""
        return parse_date(self.done_date_raw or "", self.now)

    @property
    def is_final(self) -> bool:
        """Whether nothing else is expected after this receipt."""
        return self.state in FINAL_STATES and not self.intermediate

    @property
    def is_contradictory(self) -> bool:
        """Whether text and TLV both name a state we know, and not the same: worth counting per carrier."""
        return self.contradiction is not None

    @property
    def contradiction(self) -> str | None:
        """What text and TLV say of the state where it is not the same, for people; None where they agree."""
        by_text = _state_of_word(self.stat)
        by_tlv = STATE_OF_NUMBER.get(-1 if self.message_state is None else self.message_state)
        if by_text is None or by_tlv is None or by_text is by_tlv:
            return None
        return f"TLV says {by_tlv}, text says {self.stat}"


# --- the text -------------------------------------------------------------------------------------------------

_Fields = tuple[
    str | None, str | None, str | None, str | None, str | None, str | None, str | None, str | None
]  # in the order of _NAMES
_NAMES: Final = ("id", "sub", "dlvrd", "submitdate", "donedate", "stat", "err", "text")

# The text of Appendix B to the letter, which is what most receipts are.  Values without "@", which may be padding, and
# without quotes, which are no part of them.
_VALUE: Final = "([!#-&(-?A-~]*)"
_APPENDIX_B: Final = re.compile(
    f"id:{_VALUE} +(?:sub:{_VALUE} +)?(?:dlvrd:{_VALUE} +)?submit date:{_VALUE} +done date:{_VALUE}"
    f" +stat:{_VALUE} +err:{_VALUE}(?: +[Tt]ext:(.*))?",
    re.DOTALL,
)

# What carriers put around a text or a word: blanks of all kinds, quotes, byte order marks (UTF-8's as Latin-1 too).
_QUOTES: Final = "\"'"
_BLANKS: Final = " \t\r\n\0\xa0\ufeff"
_MARK_OF_UTF8: Final = "\xef\xbb\xbf"

# A key starts the text or follows white space.  ASCII only: in a UTF-16 text other letters fold to these.
_KEY: Final = re.compile(
    r"(?:^|(?<=[\s\xa0\"']))(?:(?P<id>id)|(?P<submitdate>submit[\s_]*date)|(?P<sub>sub)|(?P<dlvrd>dlvrd)"
    r"|(?P<donedate>done[\s_]*date)|(?P<stat>stat)|(?P<err>err)|(?P<text>text))\s?:",
    re.ASCII | re.IGNORECASE,
)
_WORD: Final = re.compile(r"[^\s\xa0]+", re.ASCII)


def _read_appendix_b(body: str) -> _Fields | None:
    """The fields of a text that is Appendix B to the letter; None for all others."""
    found = _APPENDIX_B.fullmatch(body)
    if found is None:
        return None
    message_id, sub, dlvrd, submitted, done, stat, err, text = found.groups()
    if not text:
        return message_id, sub, dlvrd, submitted, done, stat, err, text
    if (sub is None or dlvrd is None) and ":" in text:  # the key left out may follow the text
        return None
    return message_id, sub, dlvrd, submitted, done, stat, err, _without_padding(text)


def _read_by_grammar(body: str) -> _Fields:
    """The fields of any text, found by their keys."""
    body = _unwrapped(body)
    spans = _segments(body)
    values = {name: _first_word(segment) for name, segment in spans.items() if name != "text"}
    if "text" in spans:
        values["text"] = _without_padding(spans["text"])
    if "stat" not in values and (lone := _lone_state(_before_text(body))):
        values["stat"] = lone
    message_id, sub, dlvrd, submitted, done, stat, err, text = map(values.get, _NAMES)
    return message_id, sub, dlvrd, submitted, done, stat, err, text


def _unwrapped(body: str) -> str:
    """The text without what stands around it; a closing quote belongs to an opening one."""
    body = body.lstrip(_BLANKS).removeprefix(_MARK_OF_UTF8).lstrip(_BLANKS)
    if not body.startswith(tuple(_QUOTES)):
        return body
    quote, ended = body[0], body.rstrip(_BLANKS)
    return (ended.removesuffix(quote) if len(ended) > 1 else body)[1:].lstrip(_BLANKS)


def _segments(body: str) -> dict[str, str]:
    """Name of each known key to what follows it, up to the next known key that was not there before.

    The first of two equal keys counts: the second is the sender's text ("your id: 7").
    """
    segments: dict[str, str] = {}
    name, start = "", 0
    for key in _KEY.finditer(body):
        found = key.lastgroup or ""
        if found not in segments:
            segments[name] = body[start : max(start, key.start() - 1)]  # the blank before a key is no one's
            name, start = found, key.end()
            segments[name] = ""
    segments[name] = body[start:] if name == "text" else body[start:].rstrip("@\0")
    segments.pop("", None)  # what stands before the first key
    return segments


def _first_word(segment: str) -> str:
    word = _WORD.search(segment)
    return word[0].strip("\0\"'") if word else ""


def _without_padding(text: str) -> str:
    """Without the NULs at its end, or the "@" they became; one "@" may be a character, or half of one in UTF-16."""
    text = text.rstrip("\0")
    return text.rstrip("@") if text.endswith("@@") else text


def _before_text(body: str) -> str:
    for key in _KEY.finditer(body):
        if key.lastgroup == "text":
            return body[: key.start()]
    return body


def _lone_state(body: str) -> str | None:
    """A state word without its key, in capitals, that opens the text or follows the value of some key.

    The value may be apart from its key: "id: 123 DELIVRD".
    """
    words = [found[0].strip(_QUOTES) for found in _WORD.finditer(body)]
    for key, before, word in zip(["", ":", *words], [":", *words], words, strict=False):
        if word in STATE_OF_WORD and (":" in before or key.endswith(":")):
            return word
    return None


def _characters(octets: bytes, data_coding: int) -> str:
    """The octets as Latin-1, whatever ``data_coding`` says, unless keys and all are UTF-16.

    The first key proves that: its letters are ASCII, so that every second octet is 0.  Where ``data_coding`` does not
    announce UTF-16 none of the others may be, for a text may be padded with NULs.
    """
    first, second = octets[:8:2], octets[1:8:2]
    announced = alphabet_of(data_coding) is Alphabet.UCS2
    whole = octets[: len(octets) & ~1]
    if octets.startswith(codecs.BOM_UTF16_BE) or (whole and not any(first) and (announced or all(second))):
        return whole.decode("utf-16-be", "replace").removeprefix("\ufeff")
    if octets.startswith(codecs.BOM_UTF16_LE) or (whole and not any(second) and (announced or all(first))):
        return whole.decode("utf-16-le", "replace").removeprefix("\ufeff")
    return octets.decode("latin-1")


# --- state and id ---------------------------------------------------------------------------------------------


def _state_of_word(stat: str | None) -> MessageState | None:
    if stat is None:
        return None
    return STATE_OF_WORD.get(stat) or STATE_OF_WORD.get(stat.upper())


def _state(stat: str | None, message_state: int | None, prefer: str) -> MessageState:
    """The state by the preferred witness, else by the other, else UNKNOWN."""
    by_text = _state_of_word(stat)
    if message_state is None:
        return by_text or MessageState.UNKNOWN
    by_tlv = STATE_OF_NUMBER.get(message_state)
    first, second = (by_text, by_tlv) if prefer == "text" else (by_tlv, by_text)
    return first or second or MessageState.UNKNOWN


def _tlv_text(value: bytes | None) -> str | None:
    """A C-Octet String TLV with or without its NUL; an empty one is none."""
    return value.rstrip(b"\0").decode("latin-1").strip() or None if value else None


def parse_receipt(
    text: bytes,
    *,
    esm_class: int = 0x04,
    data_coding: int = 0,
    receipted_message_id: bytes | None = None,
    message_state: int | None = None,
    network_error_code: bytes | None = None,
    now: datetime | None = None,
    prefer: Literal["tlv", "text"] = "tlv",
) -> Receipt:
    """Read a receipt; never raises, whatever the octets.

    ``text`` is short_message, or message_payload where that is empty, or b"" where there are only TLVs; a user data
    header is stripped when ``esm_class`` announces one.  ``prefer`` says who is believed when text and TLV name
    different states.  ``now`` settles dates of twelve digits that can be read two ways.
    """
    octets = strip_udh(text) if esm_class & UDH_INDICATOR else text
    fields = _read_appendix_b(octets.decode("latin-1")) or _read_by_grammar(_characters(octets, data_coding))
    message_id, sub, dlvrd, submit_date, done_date, stat, err, body = fields
    return Receipt(
        message_id,
        _tlv_text(receipted_message_id),
        sub,
        dlvrd,
        submit_date,
        done_date,
        stat,
        err,
        body,
        _state(stat, message_state, prefer),
        is_intermediate(esm_class),
        text,
        message_state,
        network_error_code,
        now,
    )


# --- dates ----------------------------------------------------------------------------------------------------

_PIVOT: Final = 38  # two-digit years below are 20xx: SMPP 3.4, Appendix C
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - a receipt names no zone
_NEAR: Final = timedelta(days=7)


def parse_date(digits: str, now: datetime | None = None) -> datetime | None:
    """A date of a receipt without zone, or None when it is all zeros or cannot be read; never raises.

    Forms seen: YYMMDDhhmm, the same with seconds, YYYYMMDDhhmm, YYYYMMDDhhmmss, the absolute time of SMPP (its local
    part is given, tenths and offset are left out), milliseconds since 1970 (in UTC).  Where twelve digits can be read
    both ways the year has two digits, unless only the other reading is within 7 days of ``now``.
    """
    if len(digits) == 16 and digits[15] in "+-":
        digits = digits[:12] if digits[12:15].isdecimal() else ""
        return _two_digit_year(digits) if digits.isascii() and digits.isdecimal() else None
    if not (digits.isascii() and digits.isdecimal()) or not digits.strip("0"):
        return None
    match len(digits):
        case 10:
            return _two_digit_year(digits + "00")
        case 12:
            return _likelier(_two_digit_year(digits), _four_digit_year(digits + "00"), now)
        case 13:
            return _EPOCH + timedelta(milliseconds=int(digits))
        case 14:
            return _four_digit_year(digits)
    return None


def _two_digit_year(digits: str) -> datetime | None:
    return _four_digit_year(("20" if int(digits[:2]) < _PIVOT else "19") + digits)


def _four_digit_year(digits: str) -> datetime | None:
    if digits[:2] not in ("19", "20"):
        return None
    try:
        month, day, hour, minute, second = (int(digits[n : n + 2]) for n in range(4, 14, 2))
        return datetime(int(digits[:4]), month, day, hour, minute, second)  # noqa: DTZ001
    except ValueError:
        return None


def _likelier(short: datetime | None, long: datetime | None, now: datetime | None) -> datetime | None:
    if short is None or long is None or now is None:
        return short or long
    local = now.replace(tzinfo=None)
    long_alone_is_near = abs(long - local) <= _NEAR < abs(short - local)
    return long if long_alone_is_near else short
