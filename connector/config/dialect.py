"""Dialects: a carrier's habits, as data; and the profiles that are shipped, files of the same keys."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from connector.config.checks import Problems, Rules
from connector.config.names import (
    OPTION_FIELDS,
    STATUS_NUMBERS,
    no_such,
    option_problem,
    status_number,
)
from connector.settings import above, duration, load_table, shown, within
from connector.smpp import tables
from connector.smpp.delivery_errors import DeliveryReason
from connector.smpp.tables import TlvKind, TlvSpec

PROFILES: Final = Path(__file__).parent / "profiles"

IdForm = Literal["same", "hex", "decimal"]
Constant = str | int
"""The value of a field or TLV: a whole number, text, or octets as hexadecimal text."""
Setback = Literal["slow_down", "retry_later", "other_route", "refused", "bind_sick"]
LanguageName = Literal[
    "turkish", "spanish", "portuguese", "bengali", "gujarati", "hindi", "kannada", "malayalam", "oriya", "punjabi",
    "tamil", "telugu", "urdu",
]  # fmt: skip
_INTEGER_OCTETS: Final = (1, 2, 4, 8)
_KINDS: Final[Mapping[str, TlvKind]] = {
    "c-octets": TlvKind.CSTRING,
    "text": TlvKind.DIGITS,
    "octets": TlvKind.OCTETS,
    "int": TlvKind.INT,
}


def profile_names() -> list[str]:
    """Return the names of the shipped profiles."""
    return sorted(path.stem for path in PROFILES.glob("*.toml"))


def profile_table(name: str) -> dict[str, Any]:
    """Return the keys of a shipped profile; KeyError if there is none of this name."""
    if name not in profile_names():
        raise KeyError(name)
    return tomllib.loads((PROFILES / f"{name}.toml").read_text(encoding="utf-8"))


def _known_profile(_instance: object, _field: object, value: str | None) -> None:
    if value is not None and value not in (names := profile_names()):
        raise ValueError(no_such("profile", value, names))


def _known_reason(_instance: object, _field: object, value: str) -> None:
    if value not in (reasons := list(DeliveryReason)):
        raise ValueError(no_such("reason", value, reasons))


def _time_zone(_instance: object, _field: object, value: str) -> None:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f'must be a time zone of the IANA such as "Europe/London", not {shown(value)}') from None


def _over(base: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with what is given put over it, table by table."""
    both = {
        key: _over(base[key], value) if isinstance(value, dict) and isinstance(base.get(key), dict) else value
        for key, value in given.items()
    }
    return {**base, **both}


@attrs.frozen(kw_only=True)
class TonNpi:
    """How one sort of address is announced (SMPP 3.4, 5.2.5 and 5.2.6)."""

    ton: int = attrs.field(validator=within(0, 255))
    """Type of number (SMPP 3.4, 5.2.5)."""
    npi: int = attrs.field(validator=within(0, 255))
    """Numbering plan (SMPP 3.4, 5.2.6)."""


@attrs.frozen(kw_only=True)
class AddressesConfig:
    """TON and NPI by sort of address."""

    alphanumeric: TonNpi = TonNpi(ton=5, npi=0)
    """Senders with a character that is no digit; some samples have 5/1."""
    short_code: TonNpi = TonNpi(ton=3, npi=0)
    """Senders of up to 8 digits without a plus; 6/0 and 0/1 are used too."""
    international: TonNpi = TonNpi(ton=1, npi=1)
    """Senders that are longer numbers, or have a plus."""
    destination: TonNpi = TonNpi(ton=1, npi=1)
    """Subscribers, always as E.164 digits."""


@attrs.frozen(kw_only=True)
class TlvConfig:
    """A TLV of this carrier's own, for options and constants to name."""

    tag: int = attrs.field(validator=within(0, 0xFFFF))
    """Number of the TLV; vendors have 0x1400 to 0x3FFF (SMPP 3.4, 5.3.1)."""
    kind: Literal["c-octets", "text", "octets", "int"]
    """Text with a NUL at its end, text without, octets (written as hexadecimal text), or an integer."""
    octets: int | None = attrs.field(default=None, validator=within(1, 65_535))
    """Width of an integer: 1 unless said, 2, 4 or 8.  For the other kinds the most there may be, a NUL included."""

    def problems(self) -> Problems:
        if self.kind == "int" and self.octets not in (None, *_INTEGER_OCTETS):
            yield ("octets",), f"an integer has 1, 2, 4 or 8 octets, not {self.octets}"

    def row(self, name: str) -> TlvSpec:
        """Return it as a row like those of the protocol."""
        octets = (self.octets or 1,) if self.kind == "int" else (0, self.octets or 0xFFFF)
        return TlvSpec(self.tag, name, _KINDS[self.kind], octets)


@attrs.frozen(kw_only=True)
class ErrorConfig:
    """What one error code in this carrier's receipts means."""

    reason: str = attrs.field(validator=_known_reason)
    """One of the reasons of ``connector.smpp.delivery_errors``."""
    temporary: bool
    """Whether the same message may pass at another time."""


@attrs.frozen(kw_only=True)
class DialectConfig:
    """A carrier's habits.

    ``dialect = "hex-response"`` is short for a table with that profile alone.  In Python ``profile`` does the same:
    a field that is not given has the value of the profile, one that is given counts as a whole.
    """

    profile: str | None = attrs.field(default=None, validator=_known_profile)
    """Name of a shipped profile whose values count where a key is not written beside it."""

    # --- ids ---

    id_in_response: IdForm = "same"
    """How submit_sm_resp spells a message's number.  "same": as the receipts do.  Zeros and case never matter."""
    id_in_receipt: IdForm = "same"
    """How the text of receipts spells the same number; "same": as submit_sm_resp does."""
    id_in_tlv: IdForm = "same"
    """How TLV receipted_message_id spells it; "same": as submit_sm_resp does (SMPP 3.4, 5.3.2.12)."""

    # --- texts ---

    default_alphabet: Literal["gsm", "latin1", "ascii"] = "gsm"
    """What data_coding 0 means there."""
    gsm_packed: bool = False
    """Whether texts in the GSM alphabet travel packed, eight septets in seven octets (3GPP TS 23.038, 6.1.2.1), both
    ways; nearly everywhere each septet has an octet of its own."""
    languages: tuple[LanguageName, ...] = ()
    """National shift tables to try before UCS-2 (3GPP TS 23.038, A.2 and A.3), where carrier and handsets know them."""
    concatenation: Literal["udh8", "udh16", "sar", "payload"] = "udh8"
    """How parts of one message are tied together."""

    # --- what is asked of the carrier ---

    registered_delivery: int = attrs.field(default=1, validator=within(0, 255))
    """The octet sent where a receipt is wanted (SMPP 3.4, 5.2.17); 17 asks for intermediate notifications too."""
    validity: Literal["relative", "absolute", "none"] = "relative"
    """How validity_period says what is left of the deadline; "none" leaves it empty, for carriers that refuse it."""
    validity_cap_s: float | None = duration(None, validator=above(0))
    """The longest validity sent: most carriers allow 48 to 72 hours, and some refuse what is longer."""
    time_zone: str = attrs.field(default="UTC", validator=_time_zone)
    """The carrier's clock: absolute times are written in it, the dates of receipts are read in it."""
    addresses: AddressesConfig = AddressesConfig()
    cancel_sm: bool = False
    """Whether the carrier is asked to give back what it took, with cancel_sm (SMPP 3.4, 4.9), when a caller cancels.

    Few do: many answer ESME_RINVCMDID or generic_nack, aggregators ESME_RCANCELFAIL as they have passed the message on
    already, and some ESME_ROK without doing anything.  Ask the carrier before setting it.
    """

    # --- TLVs and constants ---

    tlvs: Literal["auto", "always", "never"] = "auto"
    """Whether TLVs are sent: "auto" on binds of version 3.4 and newer, "always" on those of 3.3 too, "never" on none.

    A part that cannot do without a TLV that may not leave is refused, with the reason our_encoding.
    """
    tlv: dict[str, TlvConfig] = attrs.field(factory=dict)
    """TLVs of this carrier's own by name."""
    always: dict[str, Constant] = attrs.field(factory=dict)
    """Fields of submit_sm and TLVs sent with every message, unless its lane or its own options say otherwise."""
    lane: dict[str, dict[str, Constant]] = attrs.field(factory=dict)
    """The same by lane."""

    # --- what answers and receipts mean ---

    receipt_state: Literal["tlv", "text"] = "tlv"
    """Who is believed where TLV message_state and the text of a receipt name different states."""
    accepted_is_final: bool = False
    """Whether a receipt with ACCEPTD is the last word (Bandwidth) or only one on the way."""
    accepted_is_success: bool = False
    """Whether ACCEPTD counts as delivery where no other word follows it within the lane's patience."""
    id_lifetime_s: float = duration("7d", validator=above(0))
    """How long an id means one message: counters come round.  It limits what a receipt may mean whose id is not written
    as the answer wrote it, nor as ``id_in_receipt`` and the like declare."""
    doubt_settled_by: Literal["id", "reference", "text"] = "id"
    """What tells a message whose answer was lost, and with it its id, when its receipt comes.

    "reference": user_message_reference, which is sent with every message and which the carrier echoes (SMPP 3.4,
    5.3.2.17; ask it, few do).  "text": the receipt's addresses and the beginning of the text it repeats, where exactly
    one message in doubt fits.  "id": nothing; the receipt is kept until somebody looks at it.
    """
    outcomes: dict[str, Setback] = attrs.field(factory=dict)
    """What a command_status in an answer means here, by its name or number: vendor codes of two carriers collide."""
    error_codes: Literal["gsm", "own"] = "gsm"
    """Whether ``err`` of receipts holds codes of GSM or of the carrier's own list, of which we know ``errors``."""
    errors: dict[str, ErrorConfig] = attrs.field(factory=dict)
    """What an error code means here: ``err`` as receipts write it, or network_error_code as "0x03001b"."""

    @staticmethod
    def shorthand(raw: Any) -> Any:
        table = {"profile": raw} if isinstance(raw, str) else raw
        name = table.get("profile") if isinstance(table, dict) else None
        if not isinstance(name, str) or name not in profile_names():
            return table  # the validator of the key complains
        return _over(profile_table(name), table)

    if not TYPE_CHECKING:  # to the type checker it takes the fields, as any attrs class does

        def __init__(self, **given: Any) -> None:
            """Take what is not given from the profile, if one is named: only here is known what was given."""
            name = given.get("profile")
            if name in profile_names() and _FIELDS - given.keys():
                whole = load_table({"profile": name}, DialectConfig, source=name, lines={})
                given = {**attrs.asdict(whole, recurse=False), **given}
            self.__attrs_init__(**given)

    def lane_problems(self, lanes: Mapping[str, object]) -> Problems:
        """Yield the lanes that have constants here and do not exist."""
        for name in self.lane:
            if name not in lanes:
                yield ("lane", name), no_such("lane", name, lanes)

    def problems(self) -> Rules:
        yield self._unjoined_languages()
        yield self._packed()
        yield self._tlvs_that_never_leave()
        yield self._definitions()
        yield self._constants(("always",))
        yield self._constants_of_lanes()
        yield self._outcomes()

    def _constants_of_lanes(self) -> Rules:
        for lane in self.lane:
            yield self._constants(("lane", lane))

    def _outcomes(self) -> Problems:
        for name in self.outcomes:
            number = status_number(name)
            if number is None:
                yield ("outcomes", name), no_such("command_status", name, STATUS_NUMBERS)
            elif number == tables.ESME_ROK:
                yield ("outcomes", name), "is the acceptance, which can mean nothing else"

    def _unjoined_languages(self) -> Problems:
        if self.languages and self.default_alphabet != "gsm":
            yield ("languages",), f"shift tables widen the GSM alphabet, not {self.default_alphabet}"
        if self.languages and not self.concatenation.startswith("udh"):
            yield ("languages",), f'shift tables need parts joined by "udh8" or "udh16", not {self.concatenation}'

    def _packed(self) -> Problems:
        if self.gsm_packed and self.default_alphabet != "gsm":
            yield ("gsm_packed",), f"only the GSM alphabet can be packed, not {self.default_alphabet}"

    def _tlvs_that_never_leave(self) -> Problems:
        if self.tlvs == "never" and self.doubt_settled_by == "reference":
            yield ("doubt_settled_by",), 'user_message_reference is a TLV, and tlvs = "never" lets none leave'
        if self.tlvs == "never" and self.concatenation in ("sar", "payload"):
            yield ("concatenation",), f'"{self.concatenation}" is a TLV, and tlvs = "never" lets none leave'

    def _definitions(self) -> Problems:
        names = {definition.tag: name for name, definition in reversed(self.tlv.items())}
        for name, definition in self.tlv.items():
            known = tables.TLV_BY_TAG.get(definition.tag)
            if name in OPTION_FIELDS or name in tables.TLV_BY_NAME:
                yield ("tlv", name), "is a name of SMPP's own"
            elif known is not None:
                yield ("tlv", name, "tag"), f"0x{definition.tag:04X} is {known.name}"
            elif names[definition.tag] != name:
                yield ("tlv", name, "tag"), f"0x{definition.tag:04X} is {names[definition.tag]} already"

    def _constants(self, path: tuple[str, ...]) -> Problems:
        given = self.always if path == ("always",) else self.lane[path[1]]
        vendor = {name: definition.row(name) for name, definition in self.tlv.items()}
        known = [*OPTION_FIELDS, *tables.TLV_BY_NAME, *vendor]
        for name, value in given.items():
            if name not in known:
                yield (*path, name), no_such("field or TLV", name, known)
            elif problem := option_problem(name, value, [vendor]):
                yield (*path, name), problem
            elif self.tlvs == "never" and name not in OPTION_FIELDS:
                yield (*path, name), 'is a TLV, and tlvs = "never" lets none leave'


_FIELDS: Final = {field.name for field in attrs.fields(DialectConfig)}
