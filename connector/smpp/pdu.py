"""Every PDU as a class whose body is its wire table: one row per field, in the order on the wire (SMPP 5.0, 4).

The same rows serve the constructor, the walkers of ``codec.py``, ``describe.py`` and the reader.
Field names are those of the specification; length and count fields (sm_length, number_of_dests, no_unsuccess) are
derived from what they count and are no constructor arguments.
"""

from collections.abc import Callable, Mapping
from typing import ClassVar, Final, TypeVar, dataclass_transform

import attrs

from connector.smpp import tables
from connector.smpp.fields import (
    Item,
    Wire,
    cstring,
    flagged_items,
    items,
    layout,
    octets,
    only_the_length,
    secret,
    time17,
    u8,
    u32,
)
from connector.smpp.flags import DestFlag
from connector.smpp.tlv import Tlv as Tlv
from connector.smpp.tlv import tlv as tlv
from connector.smpp.tlv import unpack_tlv

T = TypeVar("T")
_IDS: Final = {name: number for number, name in tables.COMMAND_NAMES.items()}


@dataclass_transform(kw_only_default=True)
def _pdu(command: str) -> Callable[[type[T]], type[T]]:
    def decorate(cls: type[T]) -> type[T]:
        made = layout(cls)
        made.command, made.command_id = command, _IDS[command]  # type: ignore[attr-defined]
        return made

    return decorate


@attrs.frozen
class Oddity:
    """Something strange in what was decoded, in words.

    ``command_status`` is what a strict receiver answers; 0 where the specification has no complaint for it.
    ``field`` and ``said`` tell the number of a length or count field that promised something else than was there,
    ``missing`` the fields that never came, ``octets`` what could not be decoded.
    """

    text: str
    command_status: int = tables.ESME_ROK
    field: str | None = None
    said: int | None = None
    missing: tuple[str, ...] = ()
    octets: bytes = attrs.field(default=b"", repr=only_the_length)


@layout
class Pdu:
    """What every PDU has besides its body.

    ``body_omitted`` is true of a response that is a bare header although its layout has a body.
    A field that never came is 0 or empty, whatever it is for whoever sends.
    """

    command: ClassVar[str] = ""
    command_id: ClassVar[int] = 0
    wire: ClassVar[Wire] = ()

    tlvs: tuple[Tlv, ...] = ()
    sequence_number: int = 0
    command_status: int = 0
    oddities: tuple[Oddity, ...] = ()
    body_omitted: bool = False

    @property
    def is_response(self) -> bool:
        """True of responses and of generic_nack, which nobody may answer."""
        return bool(self.command_id & tables.RESPONSE_BIT)

    @property
    def fault(self) -> int:
        """The command_status a strict receiver answers: that of the first oddity that has one, else 0."""
        return next((oddity.command_status for oddity in self.oddities if oddity.command_status), 0)

    @property
    def missing(self) -> frozenset[str]:
        """The fields that were not received because the body ended before them."""
        return frozenset(name for oddity in self.oddities for name in oddity.missing)

    @property
    def tail(self) -> bytes:
        """What was received and could not be decoded: the rest of the body, as it came."""
        return b"".join(oddity.octets for oddity in self.oddities)

    def tlv_octets(self, name: str) -> bytes | None:
        """The raw value of the first TLV of this name; KeyError when the table has no such name."""
        tag = tables.TLV_BY_NAME[name].tag
        for item in self.tlvs:
            if item.tag == tag:
                return item.value
        return None

    def tlv_value(self, name: str) -> int | str | bytes | None:
        """The value of the first TLV of this name; None when absent or an integer of a wrong width."""
        value = self.tlv_octets(name)
        return None if value is None else unpack_tlv(tables.TLV_BY_NAME[name], value)

    def tlv_values(self, name: str) -> list[int | str | bytes | None]:
        """The values of all TLVs of this name, in their order: some may repeat."""
        spec = tables.TLV_BY_NAME[name]
        return [unpack_tlv(spec, item.value) for item in self.tlvs if item.tag == spec.tag]


@layout
class UnknownPdu(Pdu):
    """A PDU of a command we have no layout for; ``body`` is what followed the header, TLVs and all."""

    command_id: int = 0  # type: ignore[misc]  # the one class whose instances differ in it
    body: bytes = attrs.field(default=b"", repr=only_the_length)

    @property
    def command(self) -> str:  # type: ignore[override]
        """The name where a specification has one (the commands of 3.3 alone), else the number in hex."""
        return tables.command_name(self.command_id)


# --- session PDUs, SMPP 5.0, 4.1 ------------------------------------------------------------------------------

LONGEST_PASSWORD_OCTETS: Final = 65
"""The specification says 9 with the NUL; carriers hand out longer ones, and cutting one locks an account."""


@layout
class _Bind(Pdu):
    system_id: str = cstring(16, tables.ESME_RINVSYSID)
    password: str = secret(9, tables.ESME_RINVPASWD, LONGEST_PASSWORD_OCTETS)
    system_type: str = cstring(13, tables.ESME_RINVSYSTYP)
    interface_version: int = u8(tables.SMPP_34)
    addr_ton: int = u8()
    addr_npi: int = u8()
    address_range: str = cstring(41)


@layout
class _BindResp(Pdu):
    system_id: str = cstring(16, tables.ESME_RINVSYSID)


@_pdu("bind_transmitter")
class BindTransmitter(_Bind):
    """Asks to bind for submitting only."""


@_pdu("bind_receiver")
class BindReceiver(_Bind):
    """Asks to bind for receiving only."""


@_pdu("bind_transceiver")
class BindTransceiver(_Bind):
    """Asks to bind for both (since 3.4)."""


@_pdu("bind_transmitter_resp")
class BindTransmitterResp(_BindResp):
    """Answers bind_transmitter; TLV sc_interface_version tells the SMSC's version."""


@_pdu("bind_receiver_resp")
class BindReceiverResp(_BindResp):
    """Answers bind_receiver."""


@_pdu("bind_transceiver_resp")
class BindTransceiverResp(_BindResp):
    """Answers bind_transceiver."""


@_pdu("outbind")
class Outbind(Pdu):
    """The SMSC asks a listening ESME to bind; it has no response."""

    system_id: str = cstring(16, tables.ESME_RINVSYSID)
    password: str = secret(9, tables.ESME_RINVPASWD, LONGEST_PASSWORD_OCTETS)


@_pdu("unbind")
class Unbind(Pdu):
    """Announces the orderly end of a session."""


@_pdu("unbind_resp")
class UnbindResp(Pdu):
    """Answers unbind."""


@_pdu("enquire_link")
class EnquireLink(Pdu):
    """Asks whether the peer still lives."""


@_pdu("enquire_link_resp")
class EnquireLinkResp(Pdu):
    """Answers enquire_link."""


@_pdu("generic_nack")
class GenericNack(Pdu):
    """Refuses a PDU whose header or command could not be made sense of."""


@_pdu("alert_notification")
class AlertNotification(Pdu):
    """A subscriber is reachable again; it has no response."""

    source_addr_ton: int = u8()
    source_addr_npi: int = u8()
    source_addr: str = cstring(65, tables.ESME_RINVSRCADR)
    esme_addr_ton: int = u8()
    esme_addr_npi: int = u8()
    esme_addr: str = cstring(65, tables.ESME_RINVDSTADR)


# --- messages, SMPP 5.0, 4.2 and 4.3 --------------------------------------------------------------------------


@layout
class _Message(Pdu):
    service_type: str = cstring(6, tables.ESME_RINVSERTYP)
    source_addr_ton: int = u8()
    source_addr_npi: int = u8()
    source_addr: str = cstring(21, tables.ESME_RINVSRCADR)
    dest_addr_ton: int = u8(1)
    dest_addr_npi: int = u8(1)
    destination_addr: str = cstring(21, tables.ESME_RINVDSTADR)
    esm_class: int = u8()
    protocol_id: int = u8()
    priority_flag: int = u8()
    schedule_delivery_time: str = time17()
    validity_period: str = time17(tables.ESME_RINVEXPIRY)
    registered_delivery: int = u8()
    replace_if_present_flag: int = u8()
    data_coding: int = u8()
    sm_default_msg_id: int = u8()
    short_message: bytes = octets("sm_length")

    @property
    def message_octets(self) -> bytes:
        """The text or data: short_message, or message_payload where sm_length is 0 (SMPP 3.4, 3.2.3)."""
        return self.short_message or self.tlv_octets("message_payload") or b""


@layout
class _MessageIdResp(Pdu):
    message_id: str = cstring(65, tables.ESME_RINVMSGID)


@_pdu("submit_sm")
class SubmitSm(_Message):
    """An ESME hands over one message."""


@_pdu("submit_sm_resp")
class SubmitSmResp(_MessageIdResp):
    """Answers submit_sm; on success message_id is the carrier's id."""


@_pdu("deliver_sm")
class DeliverSm(_Message):
    """The SMSC hands over a mobile-originated message or a receipt."""


@_pdu("deliver_sm_resp")
class DeliverSmResp(_MessageIdResp):
    """Answers deliver_sm; message_id is unused and empty."""


@_pdu("data_sm")
class DataSm(Pdu):
    """A message either way whose text is always in TLV message_payload."""

    service_type: str = cstring(6, tables.ESME_RINVSERTYP)
    source_addr_ton: int = u8()
    source_addr_npi: int = u8()
    source_addr: str = cstring(65, tables.ESME_RINVSRCADR)
    dest_addr_ton: int = u8(1)
    dest_addr_npi: int = u8(1)
    destination_addr: str = cstring(65, tables.ESME_RINVDSTADR)
    esm_class: int = u8()
    registered_delivery: int = u8()
    data_coding: int = u8()

    @property
    def message_octets(self) -> bytes:
        """The text or data: message_payload."""
        return self.tlv_octets("message_payload") or b""


@_pdu("data_sm_resp")
class DataSmResp(_MessageIdResp):
    """Answers data_sm."""


@layout
class DestAddress(Item):
    """One destination of submit_multi that is an address (dest_flag 1)."""

    dest_addr_ton: int = u8(1)
    dest_addr_npi: int = u8(1)
    destination_addr: str = cstring(21, tables.ESME_RINVDSTADR)


@layout
class DistributionList(Item):
    """One destination of submit_multi that is a list kept by the SMSC (dest_flag 2)."""

    dl_name: str = cstring(21, tables.ESME_RINVDLNAME)


@layout
class UnsuccessSme(Item):
    """One destination a submit_multi did not reach, and why."""

    dest_addr_ton: int = u8()
    dest_addr_npi: int = u8()
    destination_addr: str = cstring(21, tables.ESME_RINVDSTADR)
    error_status_code: int = u32()


DEST_FLAGS: Final[Mapping[int, type[Item]]] = {
    int(DestFlag.ADDRESS): DestAddress,
    int(DestFlag.DISTRIBUTION_LIST): DistributionList,
}


@_pdu("submit_multi")
class SubmitMulti(Pdu):
    """One message to up to 254 (5.0: 255) destinations."""

    service_type: str = cstring(6, tables.ESME_RINVSERTYP)
    source_addr_ton: int = u8()
    source_addr_npi: int = u8()
    source_addr: str = cstring(21, tables.ESME_RINVSRCADR)
    dest_addresses: tuple[DestAddress | DistributionList, ...] = flagged_items("number_of_dests", DEST_FLAGS, least=1)
    esm_class: int = u8()
    protocol_id: int = u8()
    priority_flag: int = u8()
    schedule_delivery_time: str = time17()
    validity_period: str = time17(tables.ESME_RINVEXPIRY)
    registered_delivery: int = u8()
    replace_if_present_flag: int = u8()
    data_coding: int = u8()
    sm_default_msg_id: int = u8()
    short_message: bytes = octets("sm_length")


@_pdu("submit_multi_resp")
class SubmitMultiResp(_MessageIdResp):
    """Answers submit_multi: one message_id for all, and the destinations that failed."""

    unsuccess_smes: tuple[UnsuccessSme, ...] = items("no_unsuccess", UnsuccessSme)


# --- ancillary operations, SMPP 5.0, 4.5 ----------------------------------------------------------------------


@_pdu("query_sm")
class QuerySm(Pdu):
    """Asks for the state of a message."""

    message_id: str = cstring(65, tables.ESME_RINVMSGID)
    source_addr_ton: int = u8()
    source_addr_npi: int = u8()
    source_addr: str = cstring(21, tables.ESME_RINVSRCADR)


@_pdu("query_sm_resp")
class QuerySmResp(Pdu):
    """Answers query_sm; final_date is absolute or empty."""

    message_id: str = cstring(65, tables.ESME_RINVMSGID)
    final_date: str = time17()
    message_state: int = u8()
    error_code: int = u8()


@_pdu("cancel_sm")
class CancelSm(Pdu):
    """Cancels one message, or with an empty message_id all that wait for these addresses."""

    service_type: str = cstring(6, tables.ESME_RINVSERTYP)
    message_id: str = cstring(65, tables.ESME_RINVMSGID)
    source_addr_ton: int = u8()
    source_addr_npi: int = u8()
    source_addr: str = cstring(21, tables.ESME_RINVSRCADR)
    dest_addr_ton: int = u8()
    dest_addr_npi: int = u8()
    destination_addr: str = cstring(21, tables.ESME_RINVDSTADR)


@_pdu("cancel_sm_resp")
class CancelSmResp(Pdu):
    """Answers cancel_sm."""


@_pdu("replace_sm")
class ReplaceSm(Pdu):
    """Replaces the text of a message that waits; an empty time keeps the old one."""

    message_id: str = cstring(65, tables.ESME_RINVMSGID)
    source_addr_ton: int = u8()
    source_addr_npi: int = u8()
    source_addr: str = cstring(21, tables.ESME_RINVSRCADR)
    schedule_delivery_time: str = time17()
    validity_period: str = time17(tables.ESME_RINVEXPIRY)
    registered_delivery: int = u8()
    sm_default_msg_id: int = u8()
    short_message: bytes = octets("sm_length")


@_pdu("replace_sm_resp")
class ReplaceSmResp(Pdu):
    """Answers replace_sm."""


# --- broadcast, SMPP 5.0, 4.4 and 4.6 -------------------------------------------------------------------------


@_pdu("broadcast_sm")
class BroadcastSm(Pdu):
    """A message to all handsets of an area; the area and the pace are TLVs."""

    service_type: str = cstring(6, tables.ESME_RINVSERTYP)
    source_addr_ton: int = u8()
    source_addr_npi: int = u8()
    source_addr: str = cstring(21, tables.ESME_RINVSRCADR)
    message_id: str = cstring(65, tables.ESME_RINVMSGID)
    priority_flag: int = u8()
    schedule_delivery_time: str = time17()
    validity_period: str = time17(tables.ESME_RINVEXPIRY)
    replace_if_present_flag: int = u8()
    data_coding: int = u8()
    sm_default_msg_id: int = u8()


@_pdu("broadcast_sm_resp")
class BroadcastSmResp(_MessageIdResp):
    """Answers broadcast_sm."""


@_pdu("query_broadcast_sm")
class QueryBroadcastSm(Pdu):
    """Asks for the state of a broadcast."""

    message_id: str = cstring(65, tables.ESME_RINVMSGID)
    source_addr_ton: int = u8()
    source_addr_npi: int = u8()
    source_addr: str = cstring(21, tables.ESME_RINVSRCADR)


@_pdu("query_broadcast_sm_resp")
class QueryBroadcastSmResp(_MessageIdResp):
    """Answers query_broadcast_sm; the state is in TLVs."""


@_pdu("cancel_broadcast_sm")
class CancelBroadcastSm(Pdu):
    """Cancels a broadcast."""

    service_type: str = cstring(6, tables.ESME_RINVSERTYP)
    message_id: str = cstring(65, tables.ESME_RINVMSGID)
    source_addr_ton: int = u8()
    source_addr_npi: int = u8()
    source_addr: str = cstring(21, tables.ESME_RINVSRCADR)


@_pdu("cancel_broadcast_sm_resp")
class CancelBroadcastSmResp(Pdu):
    """Answers cancel_broadcast_sm."""


def _all_pdus(cls: type[Pdu]) -> list[type[Pdu]]:
    return [found for sub in cls.__subclasses__() for found in (sub, *_all_pdus(sub))]


# attrs makes a second class for the slots; __subclasses__ may still list the first, which never got a command.
PDU_BY_ID: Final[Mapping[int, type[Pdu]]] = {
    cls.command_id: cls for cls in _all_pdus(Pdu) if isinstance(cls.__dict__.get("command"), str)
}
