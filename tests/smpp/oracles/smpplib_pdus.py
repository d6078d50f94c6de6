"""smpplib's way to write and read a PDU, as far as it can be trusted."""

from typing import Any

import smpplib.command

from connector.smpp.pdu import Pdu
from connector.smpp.tables import TLV_BY_TAG
from connector.smpp.tlv import unpack_tlv

# In 3.4's longer name, and the ones whose width or kind smpplib has wrong or cannot write.
_THEIR_NAMES = {"dest_port": "destination_port"}
NOT_THEIRS = frozenset(
    {
        "source_telematics_id",  # two octets there, one in the specification
        "source_addr_subunit",  # two in submit_sm
        "ms_validity",  # an integer of one octet there
        "its_session_info",  # an integer there, octets here
        "alert_on_message_delivery",  # cannot be written there
        "delivery_failure_reason",  # a string there
        "network_error_code",  # in data_sm_resp a string
        "callback_num_atag",
        "source_subaddress",
        "dest_subaddress",  # strings there, and written as str beside bytes
    }
)


class Client:
    """As much of a client as smpplib's PDUs ask for."""

    sequence = 9

    def next_sequence(self) -> int:
        return self.sequence


def tlv_names(command: str) -> list[str]:
    """The TLVs that smpplib writes in a command as the specification has them, in the order it writes them."""
    theirs = smpplib.command.factory(command, client=Client())
    ours = {_THEIR_NAMES.get(row.name, row.name): row.name for row in TLV_BY_TAG.values()}
    names = [ours[name] for name in theirs.params_order if name in ours and theirs.field_is_optional(name)]
    return [name for name in names if name not in NOT_THEIRS]


def written(pdu: Pdu) -> bytes:
    """The octets smpplib makes of our PDU's values."""
    theirs = smpplib.command.factory(pdu.command, client=Client(), status=pdu.command_status)
    theirs.sequence = pdu.sequence_number
    for name, _ in pdu.wire:
        setattr(theirs, name, getattr(pdu, name))
    for item in pdu.tlvs:
        spec = TLV_BY_TAG[item.tag]
        setattr(theirs, _THEIR_NAMES.get(spec.name, spec.name), unpack_tlv(spec, item.value))
    octets: bytes = theirs.generate()
    return octets


def read(command: str, octets: bytes) -> dict[str, Any]:
    """Every attribute smpplib reads from the octets, octets as Latin-1 text."""
    theirs = smpplib.command.factory(command, client=Client())
    theirs.parse(octets)
    names = [name for name in theirs.params_order if getattr(theirs, name, None) is not None]
    seen = {name: getattr(theirs, name) for name in names}
    seen |= {"sequence_number": theirs.sequence, "command_status": theirs.status}
    return {name: v.decode("latin-1") if isinstance(v, bytes) else v for name, v in seen.items()}
