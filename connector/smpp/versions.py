"""What may be sent to a peer of which version: an older one gets nothing that it cannot know (SMPP 3.4, 3.4)."""

import enum
from typing import Final

from connector.errors import EncodeError
from connector.smpp import tables
from connector.smpp.codec import encode
from connector.smpp.pdu import Pdu
from connector.smpp.tables import State, Version


class Tlvs(enum.StrEnum):
    """Whether a session sends TLVs; it always takes them."""

    AUTO = "auto"
    """When the bind request was of 3.4 or newer, whatever its response says: many SMSCs leave out sc_interface_version
    and use TLVs all the same."""
    ALWAYS = "always"
    NEVER = "never"

    def allowed(self, bound_with: int) -> bool:
        """Say whether TLVs are sent when the bind request had this interface_version."""
        return self is Tlvs.ALWAYS or (self is Tlvs.AUTO and tables.version_of(bound_with).has_tlvs)


SURELY_FITS_OCTETS: Final = 254
"""A PDU without TLVs that is no longer is right in 3.4 and in 5.0, so that nobody has to look at its fields."""


class Agreement:
    """What the two ends of one session agreed on, and what may be sent under it."""

    version: Version
    sends_tlvs: bool
    _unchecked_octets: int

    def __init__(self, interface_version: int, tlvs: Tlvs) -> None:
        self._ours = self.interface_version = self._bound_with = interface_version
        self._tlvs = tlvs
        self._settle()

    def bind_asked(self, bind: Pdu) -> None:
        """A bind request was sent or received."""
        self._bound_with = getattr(bind, "interface_version", 0)
        self._settle()

    def bound(self, theirs: int | None) -> None:
        """The bind was accepted by a peer that says it is of this version, or says nothing.

        What counts is the lowest of ours, theirs and what the bind request said.
        """
        self.interface_version = min(self._ours, self._bound_with, self._ours if theirs is None else theirs)
        self._settle()

    def _settle(self) -> None:
        self.version = tables.version_of(self.interface_version)
        self.sends_tlvs = self._tlvs.allowed(self._bound_with)
        # Ids of 3.3 are so short that there every PDU is looked at.
        self._unchecked_octets = SURELY_FITS_OCTETS if self.version.has_tlvs else 0

    def knows(self, command: tables.Command, state: State) -> bool:
        """Say whether a command is old enough to be sent; before the bind no version is agreed."""
        return state not in tables.BOUND_STATES or command.since <= self.version.interface_version

    def encode(self, pdu: Pdu, sequence_number: int | None = None) -> bytes:
        """The octets of a PDU; EncodeError, naming the TLV or field, when the peer may not get it."""
        octets = encode(pdu, sequence_number)
        if pdu.tlvs or len(octets) > self._unchecked_octets:
            check(pdu, self.version, tlvs=self.sends_tlvs)
        return octets


_GIVES_AN_ID: Final = frozenset({"submit_sm_resp", "submit_multi_resp"})


def check(pdu: Pdu, version: Version, *, tlvs: bool) -> None:
    """Raise EncodeError, naming the TLV or field, when a peer of ``version`` may not get this PDU."""
    if pdu.tlvs and not tlvs:
        tag = pdu.tlvs[0].tag
        spec = tables.TLV_BY_TAG.get(tag)
        raise EncodeError(spec.name if spec else f"TLV 0x{tag:04X}", "this session sends no TLVs: its peer has none")
    text = getattr(pdu, "short_message", b"")
    if len(text) > version.short_message_octets:
        _refuse("short_message", f"{len(text)} octets", version.short_message_octets, version)
    destinations = getattr(pdu, "dest_addresses", ())
    if len(destinations) > version.destinations:
        _refuse("number_of_dests", str(len(destinations)), version.destinations, version)
    message_id = getattr(pdu, "message_id", "") if pdu.command in _GIVES_AN_ID else ""
    if len(message_id) > version.message_id_characters:
        _refuse("message_id", f"{len(message_id)} characters", version.message_id_characters, version)


def _refuse(field: str, found: str, limit: int, version: Version) -> None:
    raise EncodeError(field, f"{found}, SMPP {version.name} allows {limit}")
