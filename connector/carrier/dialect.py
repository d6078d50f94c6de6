"""A carrier's habits, turned from data into small pure functions: its ids, statuses, final words and errors."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import attrs

from connector.carrier.options import OPTION_FIELDS, VendorTlvs, option_problem, vendor_tlvs
from connector.config import CarrierConfig, DialectConfig
from connector.config.dialect import no_such
from connector.errors import ConfigError
from connector.lifecycle import Event
from connector.smpp import tables
from connector.smpp.delivery_errors import DeliveryError, DeliveryReason, error_of_err, error_of_network_code
from connector.smpp.events import Answered
from connector.smpp.outcomes import Outcome, is_our_encoding, outcome_of
from connector.smpp.receipt import MessageState
from connector.smpp.versions import Tlvs

# --- ids --------------------------------------------------------------------------------------------------------------


def _same(text: str) -> str:
    bare = text.strip(" \0").casefold()
    return bare.lstrip("0") or bare[:1]


def _number(text: str, base: int) -> str | None:
    """Return the number in decimal, or None: `int` also takes signs and underscores, which are no digits of an id."""
    bare = text.strip(" \0")
    if not (bare.isascii() and bare.isalnum()):
        return None
    try:
        return str(int(bare, base))
    except ValueError:
        return None


def _of_hex(text: str) -> str:
    return _number(text, 16) or _same(text)  # no number after all: carriers mix in UUIDs and prefixes


def _of_decimal(text: str) -> str:
    # where letters of the other base stand, the carrier did not convert this one
    return _number(text, 10) or _number(text, 16) or _same(text)


Form = Callable[[str], str]
_FORMS: Mapping[str, Form] = {"same": _same, "hex": _of_hex, "decimal": _of_decimal}


def _form(*said: str) -> Form:
    """Return the form of an id by the first word that is more than "same": as the others."""
    return _FORMS[next((word for word in said if word != "same"), "same")]


# --- words ------------------------------------------------------------------------------------------------------------

_EVENTS: dict[MessageState, Event] = {
    MessageState.DELIVERED: Event.DELIVERED,
    MessageState.UNDELIVERABLE: Event.UNDELIVERED,
    MessageState.DELETED: Event.UNDELIVERED,
    MessageState.SKIPPED: Event.UNDELIVERED,
    MessageState.EXPIRED: Event.EXPIRED,
    MessageState.REJECTED: Event.REJECTED,
}
_STATUS_NUMBERS = {name: row.command_status for row in tables.STATUSES for name in (row.name, row.name_34) if name}


def status_number(text: str) -> int | None:
    """Return the command_status of a name or of a number such as "0x0400" or "1024"; None if it is neither."""
    number = _number(text, 16 if text[:2].lower() == "0x" else 10)
    if number is None:
        return _STATUS_NUMBERS.get(text)
    return int(number) if int(number) <= 0xFFFFFFFF else None


def _error_key(code: str) -> str:
    return code.strip().casefold().lstrip("0") or "0"


@attrs.define
class Dialect:
    """What is needed to read one carrier's answers and receipts.

    Raises ConfigError, naming each key, when the configuration names what SMPP does not know.
    """

    config: DialectConfig
    vendor: VendorTlvs = attrs.field(init=False)
    """The carrier's own TLVs."""
    tlvs: Tlvs = attrs.field(init=False)
    """Whether a session with this carrier sends TLVs."""
    _of_response: Form = attrs.field(init=False)
    _of_receipt: Form = attrs.field(init=False)
    _of_tlv: Form = attrs.field(init=False)
    _outcomes: Mapping[int, Outcome] = attrs.field(init=False)
    _errors: Mapping[str, DeliveryError] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        config = self.config
        found = [f"dialect.{'.'.join(path)}: {sentence}" for path, sentence in problems_of(config)]
        if found:
            raise ConfigError(found)
        self.vendor = vendor_tlvs(config)
        self.tlvs = Tlvs(config.tlvs)
        self._of_response = _form(config.id_in_response, config.id_in_receipt)
        self._of_receipt = _form(config.id_in_receipt, config.id_in_response)
        self._of_tlv = _form(config.id_in_tlv, config.id_in_response, config.id_in_receipt)
        self._outcomes = {status_number(name) or 0: Outcome(outcome) for name, outcome in config.outcomes.items()}
        self._errors = {
            _error_key(code): DeliveryError(DeliveryReason(error.reason), error.temporary)
            for code, error in config.errors.items()
        }

    # --- ids ---

    def key_of_response(self, message_id: str) -> str | None:
        """Return the normal form of an id in submit_sm_resp; None where the carrier gave none."""
        return self._of_response(message_id) if message_id.strip(" \0") else None

    def keys_of_receipt(self, tlv_id: str | None, text_id: str | None) -> tuple[str, ...]:
        """Return the normal forms a receipt may be found by, the TLV's first.

        The TLV should hold the id as the response did (SMPP 3.4, 5.3.2.12); the text spells it as it likes.
        """
        if not tlv_id:
            return (self._of_receipt(text_id),) if text_id else ()
        by_tlv = self._of_tlv(tlv_id)
        if not text_id or (by_text := self._of_receipt(text_id)) == by_tlv:
            return (by_tlv,)
        return by_tlv, by_text

    # --- words ---

    def outcome_of(self, command_status: int, answered: Answered | None = None) -> Outcome:
        """Return what a status in an answer means with this carrier; 0 first, it is nearly always that."""
        if command_status == tables.ESME_ROK:
            return Outcome.ACCEPTED
        reason = answered.response.tlv_value("delivery_failure_reason") if answered is not None else None
        known = reason if isinstance(reason, int) else None
        return outcome_of(command_status, self._outcomes, delivery_failure_reason=known)

    def is_our_encoding(self, command_status: int) -> bool:
        """Say whether a refusal blames our octets, and the carrier has no meaning of its own for it."""
        return is_our_encoding(command_status, self._outcomes)

    def event_of(self, state: MessageState) -> Event | None:
        """Return what a receipt's state does to a part; None where it is not the last word."""
        if state is MessageState.ACCEPTED and self.config.accepted_is_final:
            return Event.DELIVERED
        return _EVENTS.get(state)

    def error_of(self, err: str | None, network_error_code: bytes | None) -> DeliveryError | None:
        """Return what the error codes of a receipt mean; None where they say nothing we know.

        The carrier's own list comes first, then the table of GSM: by the TLV, which names its network, and by ``err``,
        which does not.
        """
        keys = [_error_key(err)] if err else []
        if network_error_code:
            keys.append(_error_key(f"0x{network_error_code.hex()}"))
        own = next((self._errors[key] for key in keys if key in self._errors), None)
        if own is not None:
            return own
        by_network = error_of_network_code(network_error_code) if network_error_code else None
        if by_network is None and err and self.config.error_codes == "gsm":
            return error_of_err(err)
        return by_network


# --- what only SMPP's tables can tell about a configuration -----------------------------------------------------------

Problems = Iterator[tuple[tuple[str, ...], str]]


def dialect_problems(carriers: Sequence[CarrierConfig], lanes: Mapping[str, object]) -> list[str]:
    """Return, one line each, every name in the carriers' dialects that neither SMPP nor the configuration knows."""
    found = []
    for index, carrier in enumerate(carriers):
        dialect = carrier.dialect
        for path, sentence in (*problems_of(dialect), *dialect.lane_problems(lanes)):
            found.append(f"carrier[{index}].dialect.{'.'.join(map(str, path))}: {sentence}")
    return found


def problems_of(config: DialectConfig) -> Problems:
    """Yield every name in a dialect that SMPP does not know, as (path below the dialect, sentence)."""
    yield from _definitions(config)
    yield from _constants(config.always, config, ("always",))
    for lane, given in config.lane.items():
        yield from _constants(given, config, ("lane", lane))
    for name in config.outcomes:
        number = status_number(name)
        if number is None:
            yield ("outcomes", name), no_such("command_status", name, _STATUS_NUMBERS)
        elif number == tables.ESME_ROK:
            yield ("outcomes", name), "is the acceptance, which can mean nothing else"
    for code, error in config.errors.items():
        if error.reason not in list(DeliveryReason):
            yield ("errors", code, "reason"), no_such("reason", error.reason, list(DeliveryReason))


def _definitions(config: DialectConfig) -> Problems:
    for name, definition in config.tlv.items():
        known = tables.TLV_BY_TAG.get(definition.tag)
        if name in OPTION_FIELDS or name in tables.TLV_BY_NAME:
            yield ("tlv", name), "is a name of SMPP's own"
        elif known is not None:
            yield ("tlv", name, "tag"), f"0x{definition.tag:04X} is {known.name}"


def _constants(given: Mapping[str, str | int], config: DialectConfig, path: tuple[str, ...]) -> Problems:
    vendor = vendor_tlvs(config)
    known = [*OPTION_FIELDS, *tables.TLV_BY_NAME, *vendor]
    for name, value in given.items():
        if name not in known:
            yield (*path, name), no_such("field or TLV", name, known)
        elif problem := option_problem(name, value, [vendor]):
            yield (*path, name), problem
        elif config.tlvs == "never" and name not in OPTION_FIELDS:
            yield (*path, name), 'is a TLV, and tlvs = "never" lets none leave'
