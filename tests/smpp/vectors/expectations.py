"""What a vector expects of whoever receives it: sentences of a small language, checked against a session.

``expect`` says what a robust peer does: what it sends, and whether the link lives on.  What a session leaves to the
application, the answer to a request, is judged by the status that the decoded PDU itself suggests.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs

from connector.smpp import tables
from connector.smpp.codec import decode, encode
from connector.smpp.events import Event, Notified, Requested
from connector.smpp.framing import Framer
from connector.smpp.pdu import BindTransceiver, BindTransceiverResp, Pdu
from connector.smpp.session import Session
from connector.smpp.tables import RESPONSE_BIT, Role

STATUS_OF_NAME = {row.name: row.command_status for row in tables.STATUSES}


@attrs.frozen
class Conduct:
    """What one session did when it heard the vector."""

    session: Session
    events: list[Event]
    said: list[Pdu]
    heard: Pdu | None
    """The first PDU of the vector, None where there is no whole one."""
    octets: int

    @property
    def asked(self) -> list[Pdu]:
        """What the application is to answer or was told."""
        return [event.pdu for event in self.events if isinstance(event, Requested | Notified)]

    @property
    def ended(self) -> bool:
        """Whether the link is to be closed."""
        return self.session.closed or self.session.state is tables.State.UNBOUND


def differences_in_conduct(octets: bytes, row: Mapping[str, Any]) -> Iterator[str]:
    """Compare with each sentence of ``expect``; a vector without one that is valid is to be taken without complaint."""
    expect = row.get("expect")
    if expect is None:
        return
    length = row["pdu"].get("command_length", len(octets))
    whole_stream = "following_hex" in expect or length > len(octets) or length < 16
    lenient = expect.split("; strict")[0]
    receiver = row.get("receiver") or _receiver_of(int(row["pdu"].get("command_id", "0"), 16))
    conduct = _converse(octets if whole_stream else octets[:length], row["pdu"], receiver)
    matched = False
    for pattern, judge in _SENTENCES:
        for found in re.finditer(pattern, lenient):
            matched = True
            if not judge(conduct, found):
                yield f"expected {found[0]!r}, the session said {conduct.said} and is {conduct.session.state}"
    if not matched:
        yield f"nobody knows how to check {expect!r}"


def _receiver_of(command_id: int) -> str:
    """Who hears such a PDU: responses and what only an SMSC sends an ESME, all else an SMSC; binds an unbound one."""
    if command_id & RESPONSE_BIT or command_id in _TO_AN_ESME:
        return "esme"
    return "smsc open" if command_id in _BINDS else "smsc"


def _converse(octets: bytes, expected: Mapping[str, Any], receiver: str) -> Conduct:
    session = _SESSIONS[receiver]()
    events = session.receive_data(octets, 1.0)
    said = [decode(pdu) for pdu in Framer().feed(session.data_to_send())]
    whole = 16 <= expected.get("command_length", 0) <= len(octets)
    heard = decode(octets[: expected["command_length"]]) if whole else None
    return Conduct(session, events, said, heard, len(octets))


def _bound_esme() -> Session:
    session = Session(Role.ESME, now=0.0)
    session.request(BindTransceiver(), 0.0)
    session.receive_data(encode(BindTransceiverResp(sequence_number=1)), 0.0)
    return session


def _bound_smsc() -> Session:
    session = Session(Role.SMSC, now=0.0)
    session.receive_data(encode(BindTransceiver(sequence_number=1)), 0.0)
    session.answer([BindTransceiverResp(sequence_number=1)])
    return session


_SESSIONS: Mapping[str, Callable[[], Session]] = {
    "esme": _bound_esme,
    "smsc": _bound_smsc,
    "smsc open": lambda: Session(Role.SMSC, now=0.0),
}
# Written out, not asked of the tables that are judged here.
_TO_AN_ESME = frozenset({0x05, 0x0B, 0x102})
_BINDS = frozenset({0x01, 0x02, 0x09})


def _waits(conduct: Conduct, found: re.Match[str]) -> bool:
    held = conduct.session._framer.partial  # what is held has no other witness
    return held == conduct.octets and not conduct.ended and not conduct.said and not conduct.events


def _nacks(conduct: Conduct, found: re.Match[str]) -> bool:
    sequence_number = 0 if found["zero"] or conduct.heard is None else conduct.heard.sequence_number
    told = (STATUS_OF_NAME[found["status"]], sequence_number)
    return told in [(pdu.command_status, pdu.sequence_number) for pdu in conduct.said if pdu.command == "generic_nack"]


def _responds(conduct: Conduct, found: re.Match[str]) -> bool:
    """The session answers so by itself, or asks the application, which finds that status in the PDU's fault.

    ESME_ROK the application may give to whatever it is asked, fault or not.
    """
    status = STATUS_OF_NAME[found["status"]]
    told = [(pdu.command, pdu.command_status) for pdu in conduct.said]
    asked = [pdu for pdu in conduct.asked if f"{pdu.command}_resp" == found["command"]]
    return (found["command"], status) in told or any(status in (0, pdu.fault) for pdu in asked)


def _answers_the_next(conduct: Conduct, found: re.Match[str]) -> bool:
    return f"{found['command']}_resp" in [pdu.command for pdu in conduct.said]


def _says_nothing(conduct: Conduct, found: re.Match[str]) -> bool:
    return not conduct.said


def _echoes(conduct: Conduct, found: re.Match[str]) -> bool:
    """The number can be given back, by the session or by the application it asks; a response needs no answer."""
    assert conduct.heard is not None
    number = conduct.heard.sequence_number
    if conduct.heard.is_response:
        return not conduct.said and not conduct.ended
    return number in [pdu.sequence_number for pdu in (*conduct.said, *conduct.asked)] and conduct.heard.fault == 0


def _takes_receipt(conduct: Conduct, found: re.Match[str]) -> bool:
    return any(getattr(pdu, "short_message", b"") or pdu.tlvs for pdu in conduct.asked)


def _closes(conduct: Conduct, found: re.Match[str]) -> bool:
    return conduct.ended


def _stays(conduct: Conduct, found: re.Match[str]) -> bool:
    return not conduct.ended


_SENTENCES: tuple[tuple[str, Callable[[Conduct, re.Match[str]], bool]], ...] = (
    (r"^wait for (the rest|more octets)", _waits),
    (r"generic_nack (?P<status>ESME_\w+)(?P<zero> seq 0)?", _nacks),
    (r"(?P<command>\w+_resp) (?P<status>ESME_\w+)", _responds),
    (r"answer the (?P<command>\w+) in following_hex", _answers_the_next),
    (r"log and drop|^keep what decodes|^say nothing|send nothing back", _says_nothing),
    (r"echo the number", _echoes),
    (r"accept as a receipt", _takes_receipt),
    (r"(then|and) close\b", _closes),
    (r"stay connected|log and drop", _stays),
)
