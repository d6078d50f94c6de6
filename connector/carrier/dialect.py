"""A carrier's habits, turned from data into small pure functions: its ids, statuses, final words and errors."""

from collections.abc import Callable, Mapping

import attrs

from connector.carrier.options import VendorTlvs, vendor_tlvs
from connector.config import DialectConfig
from connector.config.names import number_of, status_number
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
    """Return the number in decimal, or None where these are not its digits."""
    number = number_of(text.strip(" \0"), base)
    try:
        return None if number is None else str(number)
    except ValueError:  # more digits than Python writes
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


def _error_key(code: str) -> str:
    return code.strip().casefold().lstrip("0") or "0"


@attrs.define
class Dialect:
    """What is needed to read one carrier's answers and receipts.

    It takes any configuration: what is wrong with one, `DialectConfig.problems` has told when it was loaded.
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
    ids_are_numbers: bool = attrs.field(init=False)
    """Whether ids are numbers in a declared base: then those of one value are one."""

    def __attrs_post_init__(self) -> None:
        config = self.config
        self.vendor = vendor_tlvs(config)
        self.tlvs = Tlvs(config.tlvs)
        self._of_response = _form(config.id_in_response, config.id_in_receipt)
        self._of_receipt = _form(config.id_in_receipt, config.id_in_response)
        self._of_tlv = _form(config.id_in_tlv, config.id_in_response, config.id_in_receipt)
        self.ids_are_numbers = {config.id_in_response, config.id_in_receipt, config.id_in_tlv} != {"same"}
        numbers = ((status_number(name), outcome) for name, outcome in config.outcomes.items())
        self._outcomes = {number: Outcome(outcome) for number, outcome in numbers if number}
        self._errors = {
            _error_key(code): DeliveryError(DeliveryReason(error.reason), error.temporary)
            for code, error in config.errors.items()
        }

    # --- ids ---

    def key_of_response(self, message_id: str) -> str | None:
        """Return the normal form of an id in submit_sm_resp; None where the carrier gave none."""
        return self._of_response(message_id) if message_id.strip(" \0") else None

    def ids_of_receipt(self, tlv_id: str | None, text_id: str | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the normal forms a receipt may be found by, the TLV's first, and each as the receipt writes it.

        The TLV should hold the id as the response did (SMPP 3.4, 5.3.2.12); the text spells it as it likes.
        """
        if not tlv_id:
            return ((self._of_receipt(text_id),), (text_id.strip(" \0"),)) if text_id else ((), ())
        by_tlv, written = self._of_tlv(tlv_id), tlv_id.strip(" \0")
        if not text_id or text_id == tlv_id:
            return (by_tlv,), (written,)
        return (by_tlv, self._of_receipt(text_id)), (written, text_id.strip(" \0"))

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
