"""What a command_status means for us: the status table's classes, turned into what to do next."""

import enum
from collections.abc import Mapping
from typing import Final

from connector.smpp import tables
from connector.smpp.flags import DeliveryFailureReason
from connector.smpp.tables import StatusClass
from connector.smpp.tables import status_name as status_name


class Outcome(enum.StrEnum):
    """What an answer means for the request it answers.  A request without an answer is lost, which no status says."""

    ACCEPTED = "accepted"
    """The carrier has the message."""
    SLOW_DOWN = "slow_down"
    """The carrier does not have it because we are too fast: send it again here, later."""
    RETRY_LATER = "retry_later"
    """The carrier does not have it and cannot now: again after a pause, a bounded number of times."""
    OTHER_ROUTE = "other_route"
    """This carrier refuses it; another may accept."""
    REFUSED = "refused"
    """It will never pass: final."""
    BIND_SICK = "bind_sick"
    """The session or the account is at fault, not the message: stop submitting on this bind."""


OUTCOME_OF_CLASS: Final[Mapping[StatusClass, Outcome]] = {
    StatusClass.OK: Outcome.ACCEPTED,
    StatusClass.THROTTLE: Outcome.SLOW_DOWN,
    StatusClass.TRANSIENT: Outcome.RETRY_LATER,
    StatusClass.ROUTE: Outcome.OTHER_ROUTE,
    StatusClass.MESSAGE: Outcome.REFUSED,
    StatusClass.BUG: Outcome.REFUSED,
    StatusClass.BIND: Outcome.BIND_SICK,
}

_DELIVERY_FAILURES: Final[Mapping[int, Outcome]] = {
    DeliveryFailureReason.DESTINATION_UNAVAILABLE: Outcome.RETRY_LATER,
    DeliveryFailureReason.ADDRESS_INVALID: Outcome.REFUSED,
    DeliveryFailureReason.PERMANENT_NETWORK_ERROR: Outcome.REFUSED,
    DeliveryFailureReason.TEMPORARY_NETWORK_ERROR: Outcome.RETRY_LATER,
}


def class_of(command_status: int) -> StatusClass:
    """The class of a command_status; vendor and reserved numbers have that of UNLISTED_STATUS_CLASS."""
    row = tables.STATUS_BY_NUMBER.get(command_status)
    return row.status_class if row else tables.UNLISTED_STATUS_CLASS


_OUTCOMES: Final = {row.command_status: OUTCOME_OF_CLASS[row.status_class] for row in tables.STATUSES}


def outcome_of(
    command_status: int,
    overrides: Mapping[int, Outcome] | None = None,
    *,
    delivery_failure_reason: int | None = None,
) -> Outcome:
    """The outcome of an answer to submit_sm, data_sm, or for one destination of submit_multi.

    ``overrides`` is the carrier's own table and wins, for the vendor numbers of two carriers collide.
    ``delivery_failure_reason`` is the TLV that explains ESME_RDELIVERYFAILURE in transaction mode.
    """
    if overrides and command_status in overrides:
        return overrides[command_status]
    if command_status == tables.ESME_RDELIVERYFAILURE and delivery_failure_reason is not None:
        return _DELIVERY_FAILURES.get(delivery_failure_reason, Outcome.RETRY_LATER)
    return _OUTCOMES.get(command_status, Outcome.OTHER_ROUTE)


def is_our_encoding(command_status: int, overrides: Mapping[int, Outcome] | None = None) -> bool:
    """True when a refusal blames our octets (class BUG): reason ``our_encoding``, and somebody has to look."""
    if overrides and command_status in overrides:
        return False
    return class_of(command_status) is StatusClass.BUG
