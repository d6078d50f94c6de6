"""Bodies of PDUs that are made from a few keys; what is not given is as it ought to be."""

from collections.abc import Mapping, Set
from typing import Any, Final

import attrs

from connector.smpp import tables
from connector.smpp.alphabet import Alphabet, data_coding_of, encode, fits
from connector.smpp.codec import encode as octets_of
from connector.smpp.pdu import PDU_BY_ID, DestAddress, Pdu, SubmitMulti
from connector.smpp.tlv import tlv

ALPHANUMERIC, INTERNATIONAL = (5, 0), (1, 1)
"""Type of number and numbering plan."""
_ADDRESSES: Final = {"from": ("source_addr",), "to": ("destination_addr", "esme_addr", "dest_addresses")}


def body_of(command_id: int, keys: Mapping[str, Any]) -> bytes:
    """Return the octets behind the header of a command, made from ``from``, ``to``, ``text`` and ``esm_class``.

    Raises EncodeError where a value does not fit, and LookupError with the key that the command has no field for.
    The body of an unknown command is empty.
    """
    layout = PDU_BY_ID.get(command_id)
    if layout is None:
        _refuse(keys)
        return b""
    return octets_of(_made(layout, {key: value for key, value in keys.items() if value}))[tables.HEADER_OCTETS :]


def _refuse(keys: Mapping[str, Any]) -> None:
    for key, value in keys.items():
        if value:
            raise LookupError(key)


def _made(layout: type[Pdu], keys: dict[str, Any]) -> Pdu:
    fields = {field.name for field in attrs.fields(layout)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for key in ("from", "to"):
        if key in keys:
            name = next((name for name in _ADDRESSES[key] if name in fields), None)
            if name is None:
                raise LookupError(key)
            values |= _address(name, keys.pop(key))
    if "text" in keys:
        values |= _text(fields, keys.pop("text"))
    if "esm_class" in keys and "esm_class" in fields:
        values["esm_class"] = keys.pop("esm_class")
    _refuse(keys)
    if layout is SubmitMulti and "dest_addresses" not in values:
        values["dest_addresses"] = (DestAddress(),)
    return layout(**values)


def _address(name: str, address: str) -> dict[str, Any]:
    ton, npi = INTERNATIONAL if address.isdecimal() else ALPHANUMERIC
    if name == "dest_addresses":
        return {name: (DestAddress(dest_addr_ton=ton, dest_addr_npi=npi, destination_addr=address),)}
    kind = {"source_addr": "source_addr", "destination_addr": "dest_addr", "esme_addr": "esme_addr"}[name]
    return {f"{kind}_ton": ton, f"{kind}_npi": npi, name: address}


def _text(fields: Set[str], text: str) -> dict[str, Any]:
    if "short_message" not in fields and "data_coding" not in fields:
        raise LookupError("text")
    alphabet = Alphabet.GSM if fits(text, Alphabet.GSM) else Alphabet.UCS2
    octets = encode(text, alphabet)
    coding = {"data_coding": data_coding_of(alphabet)} if "data_coding" in fields else {}
    if "short_message" in fields:
        return {**coding, "short_message": octets}
    return {**coding, "tlvs": (tlv("message_payload", octets),)}
