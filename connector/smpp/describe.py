"""PDUs and the protocol's own tables for people to read."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from connector.smpp import tables
from connector.smpp.fields import CString, Integer, Item, Items, Kind, Octets, Time17, Wire
from connector.smpp.pdu import Pdu, UnknownPdu
from connector.smpp.tables import State
from connector.smpp.tlv import Tlv, unpack_tlv


def describe(pdu: Pdu, *, show_secrets: bool = False) -> dict[str, Any]:
    """The whole PDU as plain values under their specification names; octets as ``…_hex``.

    Length and count fields tell what the octets said, also where less was there.  A field that never came is left
    out, and octets that could not be read are ``tail_hex``.

    A password is shown as stars unless ``show_secrets``; addresses and text are shown, so this is for the person who
    asked, not for logs.
    """
    tail = {"tail_hex": pdu.tail.hex()} if pdu.tail else {}
    return {
        "command": tables.COMMAND_NAMES.get(pdu.command_id, "unknown"),
        "command_id": f"0x{pdu.command_id:08X}",
        "command_status": pdu.command_status,
        "command_status_name": tables.status_name(pdu.command_status),
        "sequence_number": pdu.sequence_number,
        "body": _describe_body(pdu, show_secrets),
        "tlvs": [_describe_tlv(item) for item in pdu.tlvs],
        **tail,
        "oddities": [oddity.text for oddity in pdu.oddities],
    }


def _describe_body(pdu: Pdu, show_secrets: bool) -> dict[str, Any]:
    if isinstance(pdu, UnknownPdu):
        return {"body_hex": pdu.body.hex()}
    if pdu.body_omitted:
        return {}
    missing = pdu.missing
    body = _describe_fields(tuple(row for row in pdu.wire if row[0] not in missing), pdu)
    body |= {oddity.field: oddity.said for oddity in pdu.oddities if oddity.field in body}
    if "password" in body and not show_secrets:
        body["password"] = "*" * len(body["password"])
    return body


def _describe_fields(wire: Wire, source: object) -> dict[str, Any]:
    described: dict[str, Any] = {}
    for name, kind in wire:
        described |= _DESCRIBERS[type(kind)](kind, name, getattr(source, name))
    return described


def _as_it_is(kind: Kind, name: str, value: Any) -> dict[str, Any]:
    return {name: value}


def _describe_octets(kind: Octets, name: str, value: bytes) -> dict[str, Any]:
    return {kind.length_field: len(value), f"{name}_hex": value.hex()}


def _describe_items(kind: Items, name: str, values: tuple[Item, ...]) -> dict[str, Any]:
    flags = {layout: flag for flag, layout in (kind.by_flag or {}).items()}
    described = []
    for value in values:
        flag = {"dest_flag": flags[type(value)]} if flags else {}
        described.append(flag | _describe_fields(value.wire, value))
    return {kind.count_field: len(values), name: described}


def _describe_tlv(item: Tlv) -> dict[str, Any]:
    spec = tables.TLV_BY_TAG.get(item.tag)
    value = unpack_tlv(spec, item.value) if spec else None
    return {
        "tag": f"0x{item.tag:04X}",
        "name": spec.name if spec else None,
        "length": len(item.value),
        "value_hex": item.value.hex(),
        "value": None if isinstance(value, bytes) else value,
    }


_DESCRIBERS: Final[Mapping[type, Callable[[Any, str, Any], dict[str, Any]]]] = {
    CString: _as_it_is,
    Time17: _as_it_is,
    Integer: _as_it_is,
    Octets: _describe_octets,
    Items: _describe_items,
}


def state_diagram() -> str:
    """The session's states as a Mermaid diagram, drawn from the table of transitions."""
    lines = ["stateDiagram-v2", f"    [*] --> {State.OPEN.name}"]
    for state, moves in tables.TRANSITIONS.items():
        lines += [f"    {state.name} --> {target.name}: {stimulus}" for stimulus, target in moves.items()]
    return "\n".join([*lines, f"    {State.CLOSED.name} --> [*]"])


def operation_matrix() -> str:
    """Who may send which request in which state, as a Markdown table drawn from the table of commands."""
    head = ["| request | the ESME may send it in | the SMSC may send it in |", "| --- | --- | --- |"]
    rows = [f"| {row.name} | {_states(row.esme)} | {_states(row.smsc)} |" for row in tables.COMMANDS]
    return "\n".join(head + rows)


def _states(states: frozenset[State]) -> str:
    if states == frozenset(State) - {State.CLOSED}:
        return "every state but CLOSED"
    return ", ".join(state.name for state in State if state in states) or "–"
