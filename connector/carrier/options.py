"""Fields of submit_sm and TLVs by name, ready to be set: what a message's options and a dialect's constants say."""

from collections.abc import Mapping

import attrs

from connector.config import DialectConfig
from connector.config.names import OPTION_FIELDS as OPTION_FIELDS
from connector.config.names import VendorTlvs as VendorTlvs
from connector.config.names import option_problem as option_problem
from connector.config.names import option_tlv
from connector.smpp.tlv import Tlv

Fields = tuple[tuple[str, str | int], ...]


def vendor_tlvs(config: DialectConfig) -> VendorTlvs:
    """Return the TLVs a dialect defines, as rows like those of the protocol."""
    return {name: definition.row(name) for name, definition in config.tlv.items()}


@attrs.frozen
class Extras:
    """What is set on a submit_sm beside its text and addresses."""

    fields: Fields = ()
    tlvs: tuple[Tlv, ...] = ()


def extras(given: Mapping[str, object], vendor: VendorTlvs) -> Extras:
    """Return fields and TLVs by their names; EncodeError where `option_problem` has something to say."""
    fields = [(name, value) for name, value in given.items() if name in OPTION_FIELDS]
    tlvs = [option_tlv(name, value, vendor) for name, value in given.items() if name not in OPTION_FIELDS]
    return Extras(tuple((name, value) for name, value in fields if isinstance(value, str | int)), tuple(tlvs))
