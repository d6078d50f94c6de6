"""Why a message was not delivered: the codes of receipts as rows, and the reasons they come to.

Sources: SMPP 3.4, 5.3.2.31 and SMPP 5.0, 4.8.4.42 (network_error_code); 3GPP TS 29.002, 17.6.6 (the numbers of GSM).
"""

import enum
from collections.abc import Mapping
from typing import Final

import attrs


class DeliveryReason(enum.StrEnum):
    """Why a message was not delivered, in words that are the same for all carriers."""

    UNKNOWN_SUBSCRIBER = "unknown_subscriber"
    """The number belongs to nobody."""
    UNIDENTIFIED_SUBSCRIBER = "unidentified_subscriber"
    ABSENT_SUBSCRIBER = "absent_subscriber"
    """Switched off or out of reach."""
    SUBSCRIBER_BUSY = "subscriber_busy"
    ILLEGAL_SUBSCRIBER = "illegal_subscriber"
    """Failed authentication, or was closed."""
    ILLEGAL_EQUIPMENT = "illegal_equipment"
    INCOMPATIBLE_TERMINAL = "incompatible_terminal"
    SERVICE_NOT_PROVISIONED = "service_not_provisioned"
    FACILITY_NOT_SUPPORTED = "facility_not_supported"
    BARRED = "barred"
    """The subscriber or the network bars such messages."""
    MEMORY_FULL = "memory_full"
    """The handset could not store it."""
    WAITING_LIST_FULL = "waiting_list_full"
    SYSTEM_FAILURE = "system_failure"
    BAD_DATA = "bad_data"
    """The network could not make sense of what it was given."""
    # What no network says and carriers have codes of their own for.
    BLOCKED = "blocked"
    """A filter of the carrier or the country: spam, a sender or template that is not registered."""
    DO_NOT_DISTURB = "do_not_disturb"
    """The subscriber asked for no such messages."""
    NO_CREDIT = "no_credit"
    DUPLICATE = "duplicate"
    NO_ROUTE = "no_route"
    EXPIRED = "expired"
    OTHER = "other"


@attrs.frozen
class DeliveryError:
    """One reading of an error code."""

    reason: DeliveryReason
    temporary: bool
    """Whether the same message may pass at another time."""


@attrs.frozen
class GsmError:
    """One row of the codes of GSM."""

    code: int
    error: DeliveryError


def _gsm(code: int, reason: DeliveryReason, *, temporary: bool = False) -> GsmError:
    return GsmError(code, DeliveryError(reason, temporary))


# 32 is any failure at the handset; nearly always its memory is full.
GSM_ERRORS: Final = (
    _gsm(1, DeliveryReason.UNKNOWN_SUBSCRIBER),
    _gsm(5, DeliveryReason.UNIDENTIFIED_SUBSCRIBER),
    _gsm(6, DeliveryReason.ABSENT_SUBSCRIBER, temporary=True),
    _gsm(9, DeliveryReason.ILLEGAL_SUBSCRIBER),
    _gsm(11, DeliveryReason.SERVICE_NOT_PROVISIONED),
    _gsm(12, DeliveryReason.ILLEGAL_EQUIPMENT),
    _gsm(13, DeliveryReason.BARRED),
    _gsm(21, DeliveryReason.FACILITY_NOT_SUPPORTED),
    _gsm(27, DeliveryReason.ABSENT_SUBSCRIBER, temporary=True),
    _gsm(28, DeliveryReason.INCOMPATIBLE_TERMINAL),
    _gsm(31, DeliveryReason.SUBSCRIBER_BUSY, temporary=True),
    _gsm(32, DeliveryReason.MEMORY_FULL, temporary=True),
    _gsm(33, DeliveryReason.WAITING_LIST_FULL, temporary=True),
    _gsm(34, DeliveryReason.SYSTEM_FAILURE, temporary=True),
    _gsm(35, DeliveryReason.BAD_DATA),
    _gsm(36, DeliveryReason.BAD_DATA),
)
GSM_ERROR_BY_CODE: Final[Mapping[int, DeliveryError]] = {row.code: row.error for row in GSM_ERRORS}

NETWORK_GSM: Final = 3
"""The first octet of network_error_code where its code is one of GSM."""


def error_of_network_code(value: bytes) -> DeliveryError | None:
    """What TLV network_error_code says; None for another network than GSM, an unlisted code, or none at all.

    Besides the three octets of the specification one octet and three ASCII digits occur: both are the code alone.
    """
    if len(value) == 3 and value.isdigit():
        return GSM_ERROR_BY_CODE.get(int(value))
    if len(value) == 1:
        return GSM_ERROR_BY_CODE.get(value[0])
    if len(value) == 3 and value[0] == NETWORK_GSM:
        return GSM_ERROR_BY_CODE.get(int.from_bytes(value[1:], "big"))
    return None


def error_of_err(err: str) -> DeliveryError | None:
    """What ``err`` of a receipt says where it holds a code of GSM in decimal; None for anything else."""
    if not (err.isascii() and err.isdecimal() and len(err) <= 9):
        return None
    return GSM_ERROR_BY_CODE.get(int(err))
