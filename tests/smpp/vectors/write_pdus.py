"""Writes ``pdus.jsonl``: octets put together here, field by field, from the specification's layouts, not by our codec.

``python -m tests.smpp.vectors.write_pdus`` writes the file anew; a test holds file and script equal.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from struct import pack, unpack_from
from typing import Any, Final

Row = dict[str, Any]
FILE: Final = Path(__file__).parent / "pdus.jsonl"

# --- layouts, SMPP 3.4 section 4 and SMPP 5.0 section 4: "name=c21" a C-octet string of at most 21 octets, =t a time,
# =1 and =4 integers, =o octets behind sm_length, =d and =u the lists of submit_multi and its response --------------

ADDRESS: Final = "{0}_addr_ton=1 {0}_addr_npi=1 {1}_addr=c{2}"
SOURCE: Final = ADDRESS.format("source", "source", 21)
DESTINATION: Final = ADDRESS.format("dest", "destination", 21)
BIND: Final = "system_id=c16 password=c9 system_type=c13 interface_version=1 addr_ton=1 addr_npi=1 address_range=c41"
TIMES: Final = "schedule_delivery_time=t validity_period=t"
MESSAGE_END: Final = (
    f"esm_class=1 protocol_id=1 priority_flag=1 {TIMES} registered_delivery=1 replace_if_present_flag=1"
    " data_coding=1 sm_default_msg_id=1 short_message=o"
)
MESSAGE: Final = f"service_type=c6 {SOURCE} {DESTINATION} {MESSAGE_END}"
ID: Final = "message_id=c65"

LAYOUTS: Final[Mapping[str, tuple[int, str]]] = {
    "bind_receiver": (0x00000001, BIND),
    "bind_receiver_resp": (0x80000001, "system_id=c16"),
    "bind_transmitter": (0x00000002, BIND),
    "bind_transmitter_resp": (0x80000002, "system_id=c16"),
    "query_sm": (0x00000003, f"{ID} {SOURCE}"),
    "query_sm_resp": (0x80000003, f"{ID} final_date=t message_state=1 error_code=1"),
    "submit_sm": (0x00000004, MESSAGE),
    "submit_sm_resp": (0x80000004, ID),
    "deliver_sm": (0x00000005, MESSAGE),
    "deliver_sm_resp": (0x80000005, ID),
    "unbind": (0x00000006, ""),
    "unbind_resp": (0x80000006, ""),
    "replace_sm": (
        0x00000007,
        f"{ID} {SOURCE} {TIMES} registered_delivery=1 sm_default_msg_id=1 short_message=o",
    ),
    "replace_sm_resp": (0x80000007, ""),
    "cancel_sm": (0x00000008, f"service_type=c6 {ID} {SOURCE} {DESTINATION}"),
    "cancel_sm_resp": (0x80000008, ""),
    "bind_transceiver": (0x00000009, BIND),
    "bind_transceiver_resp": (0x80000009, "system_id=c16"),
    "outbind": (0x0000000B, "system_id=c16 password=c9"),
    "enquire_link": (0x00000015, ""),
    "enquire_link_resp": (0x80000015, ""),
    "submit_multi": (0x00000021, f"service_type=c6 {SOURCE} dest_addresses=d {MESSAGE_END}"),
    "submit_multi_resp": (0x80000021, f"{ID} unsuccess_smes=u"),
    "alert_notification": (
        0x00000102,
        ADDRESS.format("source", "source", 65) + " " + ADDRESS.format("esme", "esme", 65),
    ),
    "data_sm": (
        0x00000103,
        f"service_type=c6 {ADDRESS.format('source', 'source', 65)} {ADDRESS.format('dest', 'destination', 65)}"
        " esm_class=1 registered_delivery=1 data_coding=1",
    ),
    "data_sm_resp": (0x80000103, ID),
    "broadcast_sm": (
        0x00000111,
        f"service_type=c6 {SOURCE} {ID} priority_flag=1 {TIMES} replace_if_present_flag=1 data_coding=1"
        " sm_default_msg_id=1",
    ),
    "broadcast_sm_resp": (0x80000111, ID),
    "query_broadcast_sm": (0x00000112, f"{ID} {SOURCE}"),
    "query_broadcast_sm_resp": (0x80000112, ID),
    "cancel_broadcast_sm": (0x00000113, f"service_type=c6 {ID} {SOURCE}"),
    "cancel_broadcast_sm_resp": (0x80000113, ""),
    "generic_nack": (0x80000000, ""),
}

ONE_DESTINATION: Final = {
    "dest_flag": 1,
    "dest_addr_ton": 1,
    "dest_addr_npi": 1,
    "destination_addr": "447700900001",
}
NO_ADDRESS: Final = {"dest_flag": 1, "dest_addr_ton": 0, "dest_addr_npi": 0, "destination_addr": ""}
ONE_LIST: Final = {"dest_flag": 2, "dl_name": "staff"}
ONE_FAILURE: Final = {
    "dest_addr_ton": 1,
    "dest_addr_npi": 1,
    "destination_addr": "447700900009",
    "error_status_code": 11,
}

USUAL: Final[Mapping[str, Any]] = {
    "system_id": "acme",
    "password": "pw123456",
    "system_type": "SMPP",
    "interface_version": 0x34,
    "address_range": "^4477",
    "service_type": "CMT",
    "source_addr_ton": 5,
    "source_addr": "Carrierline",
    "dest_addr_ton": 1,
    "dest_addr_npi": 1,
    "destination_addr": "447700900123",
    "esme_addr_ton": 3,
    "esme_addr": "60555",
    "message_id": "0059113978",
    "schedule_delivery_time": "260201120000004+",
    "validity_period": "000002000000000R",
    "final_date": "260131094500000+",
    "registered_delivery": 1,
    "message_state": 2,
    "short_message": b"Your code is 482913",
    "dest_addresses": [ONE_DESTINATION, ONE_LIST],
    "unsuccess_smes": [ONE_FAILURE],
}


# tag, name, octets, value
MANDATORY_IN_A_BROADCAST: Final[tuple[tuple[int, str, bytes, Any], ...]] = (
    (0x0606, "broadcast_area_identifier", b"\0North", None),
    (0x0601, "broadcast_content_type", b"\1\0\0", None),
    (0x0604, "broadcast_rep_num", b"\0\1", 1),
    (0x0605, "broadcast_frequency_interval", b"\x08\0\x1e", None),
)


def _empty(kind: str) -> Any:
    return {"c": "", "t": "", "1": 0, "4": 0, "o": b"", "d": [NO_ADDRESS], "u": []}[kind[0]]


def _full(kind: str) -> Any:
    """The most a field holds."""
    longest = int(kind[1:]) - 1 if kind[0] == "c" else 0
    return {
        "c": ("x~ 0A" * 13)[:longest],
        "t": "991231235959948-",
        "1": 255,
        "4": 0xFFFFFFFF,
        "o": bytes(range(254)),
        "d": [ONE_DESTINATION] * 254,
        "u": [ONE_FAILURE] * 255,
    }[kind[0]]


# --- octets ---------------------------------------------------------------------------------------------------


def c(text: str) -> bytes:
    """A C-octet string."""
    return text.encode("ascii") + b"\0"


def _destination(item: Mapping[str, Any]) -> bytes:
    if item["dest_flag"] == 2:
        return b"\2" + c(item["dl_name"])
    return bytes((1, item["dest_addr_ton"], item["dest_addr_npi"])) + c(item["destination_addr"])


def _failure(item: Mapping[str, Any]) -> bytes:
    return (
        bytes((item["dest_addr_ton"], item["dest_addr_npi"]))
        + c(item["destination_addr"])
        + pack(">L", item["error_status_code"])
    )


def _octets(kind: str, value: Any) -> bytes:
    match kind[0]:
        case "c" | "t":
            return c(value)
        case "1":
            return bytes((value,))
        case "o":
            return bytes((len(value), *value))
        case "d":
            return bytes((len(value),)) + b"".join(map(_destination, value))
        case _:
            return bytes((len(value),)) + b"".join(map(_failure, value))


def _shown(name: str, kind: str, value: Any) -> dict[str, Any]:
    match kind[0]:
        case "o":
            return {"sm_length": len(value), "short_message_hex": value.hex()}
        case "d":
            return {"number_of_dests": len(value), name: value}
        case "u":
            return {"no_unsuccess": len(value), name: value}
        case _:
            return {name: value}


def _fields(command: str) -> list[tuple[str, str]]:
    return [(name, kind) for name, _, kind in (field.partition("=") for field in LAYOUTS[command][1].split())]


def header(command_id: int, body: bytes, status: int = 0, sequence: int = 7, length: int | None = None) -> bytes:
    """A PDU from its parts, as wrong as one likes."""
    return pack(">4L", 16 + len(body) if length is None else length, command_id, status, sequence) + body


def _row(name: str, octets: bytes, *, valid: bool = True, **more: Any) -> Row:
    """A vector whose header fields are read back from its octets."""
    body = {key: more.pop(key) for key in ("body", "tlvs", "body_omitted", "body_hex", "following_hex") if key in more}
    row: Row = {"name": name, "hex": octets.hex(), "valid": valid, "origin": "constructed"}
    if len(octets) < 16:
        row["pdu"] = {"incomplete": True, "available": len(octets)}
    else:
        length, command_id, status, sequence = unpack_from(">4L", octets)
        named = {number: command for command, (number, _) in LAYOUTS.items()} | _ONLY_33
        row["pdu"] = {
            "command_length": length,
            "command_id": f"0x{command_id:08X}",
            "command": named.get(command_id, "unknown"),
            "command_status": status,
            "sequence_number": sequence,
            **body,
        }
    return row | more


_ONLY_33: Final = {
    0x22: "param_retrieve",
    0x23: "query_last_msgs",
    0x24: "query_msg_details",
    0x80000022: "param_retrieve_resp",
    0x80000023: "query_last_msgs_resp",
    0x80000024: "query_msg_details_resp",
}


def whole(
    name: str,
    command: str,
    values: Mapping[str, Any] | None = None,
    *,
    tlvs: Sequence[tuple[int, str | None, bytes, Any]] = (),
    status: int = 0,
    sequence: int = 7,
    **more: Any,
) -> Row:
    """A PDU whose fields have ``values``, all others their usual ones; TLVs are (tag, name, octets, value)."""
    chosen = {**USUAL, **(values or {})}
    if command == "broadcast_sm":
        given = {tag for tag, *_ in tlvs}
        tlvs = [*tlvs, *(row for row in MANDATORY_IN_A_BROADCAST if row[0] not in given)]
    octets = b""
    body: Row = {}
    for field, kind in _fields(command):
        value = chosen.get(field, _empty(kind))
        octets += _octets(kind, value)
        body |= _shown(field, kind, value)
    for tag, _, value, _ in tlvs:
        octets += pack(">HH", tag, len(value)) + value
    if tlvs:
        more["tlvs"] = [
            {"tag": f"0x{tag:04X}", "name": known, "length": len(value), "value_hex": value.hex(), "value": read}
            for tag, known, value, read in tlvs
        ]
    return _row(name, header(LAYOUTS[command][0], octets, status, sequence), body=body, **more)


# --- every command, empty, usual and full ---------------------------------------------------------------------


def _every_command() -> Iterator[Row]:
    for command in LAYOUTS:
        fields = _fields(command)
        yield whole(f"{command}, usual", command)
        if fields:
            yield whole(f"{command}, empty", command, {name: _empty(kind) for name, kind in fields}, sequence=1)
            full = {name: _full(kind) for name, kind in fields}
            yield whole(f"{command}, full", command, full, sequence=0x7FFFFFFF)
        if fields and command.endswith("_resp"):
            refusal = header(LAYOUTS[command][0], b"", 0x58)
            yield _row(f"{command}, refusal without a body", refusal, body={}, body_omitted=True)
            yield whole(f"{command}, refusal with a body", command, status=0x08)
    for number, command in _ONLY_33.items():
        yield _row(f"{command}, known to 3.3 alone", header(number, b"\1\2\3"), body_hex="010203")


def _variations() -> Iterator[Row]:
    yield whole(
        "submit_multi, only lists", "submit_multi", {"dest_addresses": [ONE_LIST, {"dest_flag": 2, "dl_name": ""}]}
    )
    yield whole("submit_sm, 255 octets of 5.0", "submit_sm", {"short_message": b"\xff" * 255})
    yield whole("submit_sm, GSM at sign at the end", "submit_sm", {"short_message": b"a\0\0"})
    yield whole("bind, 5.0", "bind_transceiver", {"interface_version": 0x50})
    yield whole("bind, 3.3", "bind_transmitter", {"interface_version": 0x33})
    yield whole("deliver_sm, intermediate", "deliver_sm", {"esm_class": 0x20, "short_message": b"id:1 stat:ENROUTE"})
    yield whole("deliver_sm, user data header", "deliver_sm", {"esm_class": 0x40, "short_message": b"\5\0\3\1\2\1hi"})
    yield whole("deliver_sm, neither text nor payload", "deliver_sm", {"short_message": b""})
    yield whole(
        "deliver_sm, numbers nobody defined",
        "deliver_sm",
        {"data_coding": 0xBB, "source_addr_ton": 99, "esm_class": 0x0C},
    )
    yield whole(
        "deliver_sm, user data header that is none", "deliver_sm", {"esm_class": 0x40, "short_message": b"\xffhi"}
    )
    yield whole("submit_sm_resp, 3.3 id", "submit_sm_resp", {"message_id": "0A1B2C3D"})
    yield whole("submit_sm_resp, UUID", "submit_sm_resp", {"message_id": "7d9c0b1e-2f31-4c6a-9d0e-5b8f7a6c5d4e"})
    yield whole("query_sm_resp, scheduled of 5.0", "query_sm_resp", {"message_state": 0, "final_date": ""})
    yield _row("submit_sm_resp, accepted without a body", header(0x80000004, b""), body={}, body_omitted=True)
    yield _row("deliver_sm_resp, bare header", header(0x80000005, b""), body={}, body_omitted=True)
    for status in (0x01, 0x0B, 0x14, 0x45, 0x58, 0xC4, 0xFF, 0x102, 0x400, 0x4FF, 0xFFFFFFFF):
        refusal = header(0x80000004, b"", status)
        yield _row(f"submit_sm_resp, status {status:#x}", refusal, body={}, body_omitted=True)
    yield _row("generic_nack, sequence 0", header(0x80000000, b"", 2, 0), body={})


# --- every TLV ------------------------------------------------------------------------------------------------

_B, _C, _S, _L, _A = "bind_transceiver_resp", "broadcast_sm", "submit_sm", "deliver_sm", "alert_notification"
_R, _Q, _D = "data_sm_resp", "query_broadcast_sm_resp", "data_sm"

# tag, name, "i" integer, "c" C-octet string, "d" digits, "o" octets; smallest and largest length; a PDU it belongs to
TLVS: Final[tuple[tuple[int, str, str, int, int, str], ...]] = (
    (0x0005, "dest_addr_subunit", "i", 1, 1, _S),
    (0x0006, "dest_network_type", "i", 1, 1, _S),
    (0x0007, "dest_bearer_type", "i", 1, 1, _S),
    (0x0008, "dest_telematics_id", "i", 2, 2, _S),
    (0x000D, "source_addr_subunit", "i", 1, 1, _S),
    (0x000E, "source_network_type", "i", 1, 1, _L),
    (0x000F, "source_bearer_type", "i", 1, 1, _S),
    (0x0010, "source_telematics_id", "i", 1, 1, _S),
    (0x0017, "qos_time_to_live", "i", 4, 4, _D),
    (0x0019, "payload_type", "i", 1, 1, _S),
    (0x001D, "additional_status_info_text", "c", 1, 256, _R),
    (0x001E, "receipted_message_id", "c", 1, 65, _L),
    (0x0030, "ms_msg_wait_facilities", "i", 1, 1, _S),
    (0x0201, "privacy_indicator", "i", 1, 1, _S),
    (0x0202, "source_subaddress", "o", 2, 23, _S),
    (0x0203, "dest_subaddress", "o", 2, 23, _S),
    (0x0204, "user_message_reference", "i", 2, 2, _S),
    (0x0205, "user_response_code", "i", 1, 1, _L),
    (0x020A, "source_port", "i", 2, 2, _S),
    (0x020B, "dest_port", "i", 2, 2, _S),
    (0x020C, "sar_msg_ref_num", "i", 2, 2, _S),
    (0x020D, "language_indicator", "i", 1, 1, _S),
    (0x020E, "sar_total_segments", "i", 1, 1, _S),
    (0x020F, "sar_segment_seqnum", "i", 1, 1, _S),
    (0x0210, "sc_interface_version", "i", 1, 1, _B),
    (0x0302, "callback_num_pres_ind", "i", 1, 1, _S),
    (0x0303, "callback_num_atag", "o", 1, 65, _S),
    (0x0304, "number_of_messages", "i", 1, 1, _S),
    (0x0381, "callback_num", "o", 4, 19, _S),
    (0x0420, "dpf_result", "i", 1, 1, _R),
    (0x0421, "set_dpf", "i", 1, 1, _D),
    (0x0422, "ms_availability_status", "i", 1, 1, _A),
    (0x0423, "network_error_code", "o", 3, 3, _L),
    (0x0424, "message_payload", "o", 0, 300, _D),
    (0x0425, "delivery_failure_reason", "i", 1, 1, _R),
    (0x0426, "more_messages_to_send", "i", 1, 1, _S),
    (0x0427, "message_state", "i", 1, 1, _L),
    (0x0428, "congestion_state", "i", 1, 1, _R),
    (0x0501, "ussd_service_op", "i", 1, 1, _S),
    (0x0600, "broadcast_channel_indicator", "i", 1, 1, _C),
    (0x0601, "broadcast_content_type", "o", 3, 3, _C),
    (0x0602, "broadcast_content_type_info", "o", 1, 255, _C),
    (0x0603, "broadcast_message_class", "i", 1, 1, _C),
    (0x0604, "broadcast_rep_num", "i", 2, 2, _C),
    (0x0605, "broadcast_frequency_interval", "o", 3, 3, _C),
    (0x0606, "broadcast_area_identifier", "o", 1, 101, _C),
    (0x0607, "broadcast_error_status", "i", 4, 4, "broadcast_sm_resp"),
    (0x0608, "broadcast_area_success", "i", 1, 1, _Q),
    (0x0609, "broadcast_end_time", "c", 16, 17, _Q),
    (0x060A, "broadcast_service_group", "o", 1, 255, _C),
    (0x060B, "billing_identification", "o", 1, 1024, _S),
    (0x060D, "source_network_id", "c", 7, 65, _D),
    (0x060E, "dest_network_id", "c", 7, 65, _D),
    (0x060F, "source_node_id", "d", 6, 6, _D),
    (0x0610, "dest_node_id", "d", 6, 6, _D),
    (0x0611, "dest_addr_np_resolution", "i", 1, 1, _D),
    (0x0612, "dest_addr_np_information", "o", 10, 10, _D),
    (0x0613, "dest_addr_np_country", "o", 1, 5, _D),
    (0x1201, "display_time", "i", 1, 1, _S),
    (0x1203, "sms_signal", "i", 2, 2, _S),
    (0x1204, "ms_validity", "o", 1, 4, _S),
    (0x130C, "alert_on_message_delivery", "i", 0, 1, _S),
    (0x1380, "its_reply_type", "i", 1, 1, _L),
    (0x1383, "its_session_info", "o", 2, 2, _L),
)


def _tlv_value(kind: str, length: int) -> tuple[bytes, Any]:
    """Octets of this length, and how they read: integers as numbers, strings without their NUL, octets not at all."""
    if kind == "i":
        octets = bytes(range(1, length + 1))
        return octets, int.from_bytes(octets, "big") if octets else None
    if kind == "o":
        return bytes((n * 7 + 128) % 256 for n in range(length)), None
    text = ("2620" * 64)[: length - (kind == "c")]
    return text.encode("ascii") + (b"\0" if kind == "c" else b""), text


def _every_tlv() -> Iterator[Row]:
    for tag, name, kind, low, high, command in TLVS:
        for length in sorted({low, high}):
            octets, value = _tlv_value(kind, length)
            given = {"short_message": b""} if name == "message_payload" else {}
            yield whole(f"TLV {name}, {length} octets", command, given, tlvs=[(tag, name, octets, value)])


def _tlvs_together() -> Iterator[Row]:
    state = (0x0427, "message_state", b"\2", 2)
    yield whole(
        "TLVs of a receipt without a text",
        "deliver_sm",
        {"esm_class": 4, "short_message": b""},
        tlvs=[
            (0x001E, "receipted_message_id", b"38601fa\0", "38601fa"),
            state,
            (0x0423, "network_error_code", b"\3\0\0", None),
        ],
    )
    yield whole(
        "TLV receipted_message_id without its NUL",
        "deliver_sm",
        tlvs=[(0x001E, "receipted_message_id", b"38601fa", "38601fa")],
    )
    yield whole(
        "TLVs of a vendor and beyond",
        "deliver_sm",
        tlvs=[(0x1403, None, b"(null)\0", None), (0xFFFF, None, b"", None), state],
    )
    numbers = [(0x0381, "callback_num", b"\1\1\1" + digits, None) for digits in (b"5551", b"5552")]
    yield whole("TLVs that repeat, in their order", "submit_sm", tlvs=numbers)
    areas = [(0x0606, "broadcast_area_identifier", b"\0" + area, None) for area in (b"North", b"South")]
    errors = [(0x0607, "broadcast_error_status", pack(">L", status), status) for status in (0x0B, 0x10D)]
    yield whole("TLVs of a broadcast that failed in two areas", "broadcast_sm_resp", tlvs=[*areas, *errors])
    segments = [(0x020C, "sar_msg_ref_num", b"\1\2", 258), (0x020E, "sar_total_segments", b"\3", 3)]
    yield whole("TLVs of SAR, one missing", "submit_sm", tlvs=segments)
    yield whole("TLV message_payload beside a text", "submit_sm", tlvs=[(0x0424, "message_payload", b"long", None)])
    yield whole(
        "TLV in a place where it does not belong", "enquire_link_resp", tlvs=[(0x0428, "congestion_state", b"\x50", 80)]
    )
    yield whole("TLV ms_validity, relative", "submit_sm", tlvs=[(0x1204, "ms_validity", b"\4\2\0\1", None)])


# --- what is wrong, row by row of what a robust peer survives ---------------------------------------------------

_START: Final = c("") + b"\5\0" + c("Carrierline") + b"\1\1" + c("447700900123")
_FLAGS: Final = b"\0\0\0"
_TEXT: Final = b"\1\0\0\0\2hi"
_GOOD: Final = _START + _FLAGS + c("") + c("") + _TEXT


def _wrong(name: str, octets: bytes, error: str, expect: str, **more: Any) -> Row:
    return _row(name, octets, valid=False, errors=[error], expect=expect, **more)


def _wrong_frames() -> Iterator[Row]:
    refused = "generic_nack ESME_RINVCMDLEN seq 0, then close"
    for length in (0, 4, 15):
        yield _wrong(f"command_length {length}", header(0x15, b"", length=length), "command_length below 16", refused)
    for length in (70_001, 0x01000000, 0xFFFFFFFF):
        yield _wrong(f"command_length {length}", header(0x15, b"", length=length), "command_length too large", refused)
    web = b"GET /index.html HTTP/1.1\r\nHost: example.com\r\n\r\n"
    yield _wrong("a web client", web, "HTTP", "say nothing, then close; following_hex is more of it")
    post = b"POST /sms HTTP/1.0\r\n\r\n"
    yield _wrong("a web client that posts", post, "HTTP", "say nothing, then close; following_hex is more of it")
    hello = bytes.fromhex("16030100c2010000be0303") + bytes(32)
    yield _wrong("a TLS client", hello, "TLS", "say nothing, then close; following_hex is more of it")
    for count in (1, 3, 4, 8, 15):
        yield _wrong(f"{count} octets of a header", header(0x15, b"")[:count], "incomplete", "wait for the rest")
    half = header(4, _GOOD)[:40]
    yield _wrong("half a submit_sm", half, "incomplete", "wait for the rest")


def _wrong_headers() -> Iterator[Row]:
    for number in (0x0A, 0x1F, 0x110, 0x00010200, 0x000102FF, 0x7FFFFFFF):
        expect = "generic_nack ESME_RINVCMDID with the same sequence_number; stay connected"
        yield _wrong(f"request {number:#010x}", header(number, b"\1"), "unknown command_id", expect, body_hex="01")
    for number in (0x8000000A, 0x80010200, 0xFFFFFFFF):
        yield _wrong(f"response {number:#010x}", header(number, b""), "unknown command_id", "log and drop", body_hex="")
    echo = "accept and echo the number; stay connected"
    for number in (0, 0x80000000, 0xFFFFFFFF):
        told = f"sequence_number {number}"
        yield whole(f"enquire_link, {told}", "enquire_link", sequence=number, valid=False, errors=[told], expect=echo)
        yield whole(f"submit_sm, {told}", "submit_sm", sequence=number, valid=False, errors=[told], expect=echo)
        yield whole(f"deliver_sm, {told}", "deliver_sm", sequence=number, valid=False, errors=[told], expect=echo)
        yield whole(
            f"submit_sm_resp, {told}", "submit_sm_resp", sequence=number, valid=False, errors=[told],
            expect="log and drop",
        )  # fmt: skip
    yield whole("submit_sm, a status in a request", "submit_sm", status=9, expect="submit_sm_resp ESME_ROK")
    following = header(0x15, b"", sequence=8)
    yield _wrong(
        "an unknown request and an enquire_link in one piece",
        header(0x110, b"\x0f") + following,
        "unknown command_id",
        "generic_nack ESME_RINVCMDID, then answer the enquire_link in following_hex; stay connected",
        body_hex="0f",
        following_hex=following.hex(),
    )
    yield _wrong(
        "a submit_sm and octets that are no PDU in one piece",
        header(4, _GOOD) + b"garbage!",
        "garbage",
        "submit_sm_resp ESME_ROK; for following_hex generic_nack ESME_RINVCMDLEN seq 0, then close",
        following_hex=b"garbage!".hex(),
    )


def _wrong_bodies() -> Iterator[Row]:
    answers = (
        ("submit_sm, service_type without NUL", 0x04, b"CMT", "ESME_RINVSERTYP"),
        ("submit_sm, service_type too long", 0x04, c("CMTCMT") + _GOOD[1:], "ESME_RINVSERTYP"),
        ("submit_sm, source_addr without NUL", 0x04, c("") + b"\5\0Carrier", "ESME_RINVSRCADR"),
        ("submit_sm, source_addr too long", 0x04, c("") + b"\5\0" + c("S" * 21) + _GOOD[15:], "ESME_RINVSRCADR"),
        ("submit_sm, destination_addr without NUL", 0x04, _START[:-1], "ESME_RINVDSTADR"),
        (
            "submit_sm, schedule of 15 characters",
            0x04,
            _START + _FLAGS + c("26020112000000+") + c("") + _TEXT,
            "ESME_RINVSCHED",
        ),
        ("submit_sm, schedule without NUL", 0x04, _START + _FLAGS + b"2602", "ESME_RINVSCHED"),
        ("submit_sm, validity of 1 character", 0x04, _START + _FLAGS + c("") + c("R") + _TEXT, "ESME_RINVEXPIRY"),
        ("submit_sm, sm_length beyond the PDU", 0x04, _GOOD[:-3] + b"\x20hi", "ESME_RINVMSGLEN"),
        ("submit_sm, no body", 0x04, b"", "ESME_RINVCMDLEN"),
        ("submit_sm, ends inside the addresses", 0x04, _START[:15], "ESME_RINVCMDLEN"),
        ("submit_sm, ends before the text", 0x04, _GOOD[:-3], "ESME_RINVCMDLEN"),
        *((f"submit_sm, {count} octets left", 0x04, _GOOD + bytes(count), "ESME_RINVTLVSTREAM") for count in (1, 2, 3)),
        ("submit_sm, TLV longer than the rest", 0x04, _GOOD + b"\2\4\0\2\1", "ESME_RINVTLVSTREAM"),
        ("submit_sm, TLV of a wrong length", 0x04, _GOOD + b"\2\4\0\1\1", "ESME_RINVTLVLEN"),
        ("query_sm, message_id without NUL", 0x03, b"0059113978", "ESME_RINVMSGID"),
        ("cancel_sm, message_id too long", 0x08, c("") + c("9" * 65) + bytes(6), "ESME_RINVMSGID"),
        (
            "replace_sm, validity of 17 characters",
            0x07,
            c("1") + b"\0\0\0" + c("") + c("1" * 17) + b"\0\0\0",
            "ESME_RINVEXPIRY",
        ),
        ("submit_multi, dest_flag of neither kind", 0x21, bytes(4) + b"\1\3" + c("a"), "ESME_RINVDESTFLAG"),
        ("submit_multi, fewer destinations than counted", 0x21, bytes(4) + b"\2\2" + c("staff"), "ESME_RINVNUMDESTS"),
        (
            "data_sm, source_addr too long",
            0x103,
            c("") + b"\1\1" + c("1" * 65) + b"\1\1" + c("2") + bytes(3),
            "ESME_RINVSRCADR",
        ),
        ("bind_transceiver, system_id too long", 0x09, c("s" * 16) + c("") + c("") + b"\x34\0\0\0", "ESME_RINVSYSID"),
        ("bind_receiver, password without NUL", 0x01, c("acme") + b"secret", "ESME_RINVPASWD"),
        (
            "bind_transmitter, system_type too long",
            0x02,
            c("a") + c("b") + c("t" * 13) + b"\x34\0\0\0",
            "ESME_RINVSYSTYP",
        ),
        ("bind_transmitter, no body", 0x02, b"", "ESME_RINVCMDLEN"),
        ("broadcast_sm, mandatory TLVs missing", 0x111, bytes(11), "ESME_RMISSINGTLV"),
    )
    for name, number, body, status in answers:
        command = next(command for command, (known, _) in LAYOUTS.items() if known == number)
        yield _wrong(name, header(number, body), name, f"{command}_resp {status}; stay connected")


def _survived() -> Iterator[Row]:
    """What real carriers send, and an ESME takes all the same."""
    accept = "deliver_sm_resp ESME_ROK; stay connected"
    tail = _GOOD + b"\0\x1e\0\x41id\0"
    for name, body in (
        ("deliver_sm, source_addr of 25 characters", c("") + b"\1\1" + c("4" * 25) + _GOOD[15:]),
        ("deliver_sm, 3 octets left", _GOOD + b"\0\0\0"),
        ("deliver_sm, TLV of a wrong length", _GOOD + b"\4\x27\0\2\0\2"),
        ("deliver_sm, TLV longer than the rest", tail),
        ("deliver_sm, source_node_id of five octets", _GOOD + b"\6\x0f\0\x0512345"),
        ("deliver_sm, schedule that must be empty", _START + _FLAGS + c("soon") + c("") + _TEXT),
    ):
        yield _wrong(name, header(5, body), name, accept)
    keep = "keep what decodes; stay connected"
    yield _wrong("submit_sm_resp, id without NUL", header(0x80000004, b"42"), "no NUL", keep, body={"message_id": "42"})
    yield _wrong(
        "submit_sm_resp, id too long", header(0x80000004, c("9" * 70)), "too long", keep, body={"message_id": "9" * 70}
    )
    yield _wrong(
        "bind_transceiver_resp, 3 octets left",
        header(0x80000009, c("north") + b"\2\x10\0"),
        "left",
        keep,
        body={"system_id": "north"},
    )
    yield _wrong(
        "submit_multi_resp, fewer failures than counted",
        header(0x80000021, c("1") + b"\2"),
        "short",
        keep,
        body={"message_id": "1", "no_unsuccess": 2},
    )
    yield _wrong(
        "enquire_link with a body", header(0x15, b"\0\0\0\0"), "body", "enquire_link_resp ESME_ROK; stay connected"
    )
    yield _wrong("unbind with a body", header(6, b"\xff"), "body", "unbind_resp ESME_ROK and close")


def _wrong_place() -> Iterator[Row]:
    yield whole(
        "submit_sm to an ESME", "submit_sm", receiver="esme", expect="submit_sm_resp ESME_RINVBNDSTS; stay connected"
    )
    yield whole(
        "deliver_sm to an SMSC", "deliver_sm", receiver="smsc", expect="deliver_sm_resp ESME_RINVBNDSTS; stay connected"
    )
    for command in ("submit_sm", "query_sm", "unbind"):
        expect = f"{command}_resp ESME_RINVBNDSTS; stay connected"
        yield whole(f"{command} before a bind", command, receiver="smsc open", expect=expect)
    yield whole(
        "bind_transceiver twice",
        "bind_transceiver",
        receiver="smsc",
        expect="bind_transceiver_resp ESME_RALYBND; stay connected",
    )
    yield whole(
        "enquire_link before a bind",
        "enquire_link",
        receiver="smsc open",
        expect="enquire_link_resp ESME_ROK; stay connected",
    )
    yield whole("alert_notification", "alert_notification", expect="send nothing back; stay connected")
    yield whole("submit_sm_resp to nothing", "submit_sm_resp", sequence=999, expect="log and drop")
    yield whole("unbind_resp to nothing", "unbind_resp", sequence=999, expect="log and drop")
    yield whole("generic_nack to nothing", "generic_nack", status=3, sequence=999, expect="log and drop")
    yield whole("unbind", "unbind", expect="unbind_resp ESME_ROK and close")


def rows() -> list[Row]:
    """Every PDU vector, each name once."""
    parts = (
        _every_command(), _variations(), _every_tlv(), _tlvs_together(),
        _wrong_frames(), _wrong_headers(), _wrong_bodies(), _survived(), _wrong_place(),
    )  # fmt: skip
    return [row for part in parts for row in part]


def text() -> str:
    """The file."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows())


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
