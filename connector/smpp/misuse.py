"""What to do about a peer that breaks the rules: refuse the one PDU, and after too many give up the link."""

from collections import deque
from typing import Final

from connector.smpp import tables
from connector.smpp.pdu import PDU_BY_ID, GenericNack, Pdu, UnknownPdu
from connector.smpp.tables import BIND_COMMANDS, BOUND_STATES, RESPONSE_BIT, State

UNBOUND_MISTAKES: Final = 3
"""Requests in the wrong state before a bind, after which the peer is no ESME worth waiting for."""
STRAY_NACKS: Final = 3
STRAY_NACKS_WITHIN_S: Final = 60.0
"""So many generic_nack to nothing we sent within this time mean that the two ends cut the stream differently."""


def refusal_of(request: Pdu, state: State, *, bind_waits: bool = False) -> Pdu | None:
    """The answer to a request that has no place in ``state``; None where the command has no response.

    ``bind_waits`` says that an earlier bind still waits for its answer.
    Unknown commands are refused by generic_nack, known ones by their own response.
    """
    number = request.sequence_number
    if isinstance(request, UnknownPdu):
        return GenericNack(command_status=tables.ESME_RINVCMDID, sequence_number=number)
    layout = PDU_BY_ID.get(request.command_id | RESPONSE_BIT)
    if layout is None:
        return None
    bind_again = request.command in BIND_COMMANDS and (bind_waits or state in BOUND_STATES)
    status = tables.ESME_RALYBND if bind_again else tables.ESME_RINVBNDSTS
    return layout(command_status=status, sequence_number=number)


class Misuse:
    """Counts what a peer does wrong; each method returns the reason to end the session once it was too much."""

    def __init__(self) -> None:
        self._unbound_mistakes = 0
        self._stray_nacks: deque[float] = deque(maxlen=STRAY_NACKS)

    def request_before_bind(self) -> str | None:
        """A request came that needs a bind, before one."""
        self._unbound_mistakes += 1
        if self._unbound_mistakes < UNBOUND_MISTAKES:
            return None
        return f"{UNBOUND_MISTAKES} requests that need a bind came before one"

    def stray_nack(self, now: float) -> str | None:
        """A generic_nack came to nothing we sent."""
        self._stray_nacks.append(now)
        if len(self._stray_nacks) < STRAY_NACKS or now - self._stray_nacks[0] > STRAY_NACKS_WITHIN_S:
            return None
        return f"{STRAY_NACKS} generic_nack to nothing we sent: framing is suspect"
