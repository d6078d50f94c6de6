"""What a session tells its owner: one small value per thing that happened."""

import attrs

from connector.smpp import tables
from connector.smpp.pdu import GenericNack, Pdu
from connector.smpp.window import InFlight

# Defined, not frozen: an Answered is made for every message (see fields.layout).


@attrs.define
class Answered:
    """The peer answered a request of ours.

    ``message_id`` is stripped of blanks, and empty when the command_status is not 0 (what carriers put there
    then means nothing).  A generic_nack with status 0 is told as ESME_RUNKNOWNERR, for it is no acceptance.
    """

    token: object
    command_status: int
    message_id: str
    sent_at: float
    late: bool
    """True when the response timer had already told it as Unanswered."""
    response: Pdu


@attrs.define
class Unanswered:
    """The response timer of a request ran out: the peer may or may not have acted on it."""

    token: object
    sent_at: float
    request: Pdu


@attrs.define
class Requested:
    """The peer sent a request the application has to answer."""

    pdu: Pdu


@attrs.define
class Notified:
    """The peer sent something that has no response: alert_notification or outbind."""

    pdu: Pdu


@attrs.define
class Bound:
    """Our bind was accepted."""

    response: Pdu


@attrs.define
class BindRefused:
    """Our bind was refused; the session is still open and another bind may follow."""

    command_status: int
    response: Pdu


@attrs.define
class UnbindReceived:
    """The peer asked to unbind and was answered: write what is left of data_to_send, then close."""


@attrs.define
class Unbound:
    """The peer answered our unbind: close."""


@attrs.define
class LinkDead:
    """The session is over without an unbind: write what is left of data_to_send, then close."""

    reason: str


@attrs.define
class Strange:
    """Something worth counting and logging that changed nothing."""

    text: str
    pdu: Pdu | None = None


Event = (
    Answered | Unanswered | Requested | Notified | Bound | BindRefused | UnbindReceived | Unbound | LinkDead | Strange
)


def status_of(response: Pdu) -> int:
    """The command_status that counts; a generic_nack of 0 is ESME_RUNKNOWNERR, for it cannot mean that all is well."""
    if response.command_status == 0 and isinstance(response, GenericNack):
        return tables.ESME_RUNKNOWNERR
    return response.command_status


def answered(response: Pdu, item: InFlight, *, late: bool = False) -> Answered:
    """The event for the answer to a request of ours."""
    status = status_of(response)
    message_id: str = "" if status else getattr(response, "message_id", "")
    return Answered(item.token, status, message_id.strip(), item.sent_at, late, response)


def answers(response: Pdu, request: Pdu) -> bool:
    """Say whether this can be the answer to that request, their sequence numbers being equal."""
    return isinstance(response, GenericNack) or response.command_id == request.command_id | tables.RESPONSE_BIT
