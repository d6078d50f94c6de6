"""Every PDU we encode, dissected by Wireshark: the same header, fields and TLVs.

tshark 4.0 has faults of its own: it skips the bodies of error responses, shows no item for an empty string, and after
a broadcast_rep_num or an ms_validity of more than one octet it loses step, so these stand last.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.smpp import tables
from connector.smpp.codec import decode, encode
from connector.smpp.fields import CString, Integer, Items, Kind, Octets, Time17
from connector.smpp.pdu import PDU_BY_ID, BroadcastSm, Pdu, SubmitMulti, Tlv
from connector.smpp.tables import TlvKind, TlvSpec
from tests.smpp.oracles import tshark
from tests.smpp.strategies import AREA_AND_PACE

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(tshark.TSHARK is None, reason="tshark is not installed (Debian package tshark)"),
]

OF_EACH = 25
WITHOUT_TLVS = {"query_sm", "query_sm_resp", "cancel_sm", "outbind", *tables.BIND_COMMANDS}
"""These have none in any version, and tshark looks for none."""
LOSES_STEP = {0x0604, 0x1204}
PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


# --- PDUs of all kinds ------------------------------------------------------------------------------------------


def _value(kind: Kind, chance: random.Random) -> Any:
    match kind:
        case CString(limit=limit):
            return "".join(chance.choices(PRINTABLE, k=chance.randrange(limit)))
        case Time17():
            return chance.choice(["", "260131094500000+", "260131094500004+", "991231235959048-", "000003040506000R"])
        case Integer(octets=octets):
            return chance.randrange(1 << 8 * octets)
        case Octets():
            return chance.randbytes(chance.choice([0, 1, 20, 140, 254]))
        case Items():
            layouts = [layout for layout in (kind.layout, *(kind.by_flag or {}).values()) if layout]
            return tuple(_filled(chance.choice(layouts), chance) for _ in range(chance.randrange(kind.least, 4)))


def _filled(layout: Any, chance: random.Random, **more: Any) -> Any:
    return layout(**{name: _value(kind, chance) for name, kind in layout.wire}, **more)


def _tlv(row: TlvSpec, chance: random.Random) -> Tlv:
    length = chance.randint(row.octets[0], min(row.octets[-1], 300))
    if row.kind in (TlvKind.CSTRING, TlvKind.DIGITS):
        return Tlv(row.tag, b"7" * (length - 1) + b"\0")
    return Tlv(row.tag, chance.randbytes(length))


def _tlvs(chance: random.Random) -> tuple[Tlv, ...]:
    vendor = [Tlv(chance.randrange(0x1400, 0x4000), chance.randbytes(chance.randrange(20)))]
    drawn = [_tlv(row, chance) for row in chance.sample(tables.TLVS, chance.randrange(5))]
    chosen = [*drawn, *vendor] if chance.random() < 0.5 else drawn
    last = [item for item in chosen if item.tag in LOSES_STEP][:1]
    return tuple([item for item in chosen if item.tag not in LOSES_STEP] + last)


def _pdus() -> Iterator[Pdu]:
    chance = random.Random(1)
    for layout in PDU_BY_ID.values():
        for _ in range(OF_EACH):
            response = bool(layout.command_id & tables.RESPONSE_BIT)
            pdu = _filled(
                layout,
                chance,
                sequence_number=chance.randrange(1, 1 << 31),
                command_status=chance.choice([0, 0, 0, 8, 0x58]) if response else 0,
                tlvs=_tlvs(chance) if layout.wire and layout.command not in WITHOUT_TLVS else (),
            )
            if isinstance(pdu, BroadcastSm):  # the last one makes tshark lose step
                pdu.tlvs = (*(item for item in pdu.tlvs if item.tag not in LOSES_STEP), *AREA_AND_PACE)
            yield _one_text(pdu)


def _one_text(pdu: Pdu) -> Pdu:
    """A text in both places is refused."""
    if getattr(pdu, "short_message", b""):
        pdu.tlvs = tuple(item for item in pdu.tlvs if item.tag != tables.TLV_BY_NAME["message_payload"].tag)
    return pdu


PDUS = list(_pdus())


@pytest.fixture(scope="module")
def dissected(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any] | None]:
    path: Path = tmp_path_factory.mktemp("capture") / "pdus.pcap"
    tshark.write_capture(path, [encode(pdu) for pdu in PDUS])
    return tshark.dissect(path)


# --- tshark's items as our fields -------------------------------------------------------------------------------


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _bits(seen: dict[str, Any], *parts: tuple[str, int]) -> int:
    return sum(int(seen[name], 0) << shift for name, shift in parts)


def _integer(seen: dict[str, Any], name: str) -> int:
    if name == "esm_class":
        at = "smpp.esm.submit."
        return _bits(seen, (f"{at}msg_mode", 0), (f"{at}msg_type", 2), (f"{at}features", 6))
    if name == "registered_delivery":
        reserved = 0xE0  # tshark has no item for these bits
        at = "smpp.regdel."
        return _bits(seen, (f"{at}receipt", 0), (f"{at}acks", 2), (f"{at}notif", 4)) | reserved
    return int(seen[f"smpp.{name}"], 0)


def _our_integer(name: str, value: int) -> int:
    """What tshark can have seen of a value: of two fields it shows no reserved bits."""
    if name == "replace_if_present_flag":
        return value & 1
    return value | 0xE0 if name == "registered_delivery" else value


def _time(value: str) -> str:
    """An SMPP time as tshark shows it: absolute in UTC, relative in seconds."""
    numbers = [int(value[n : n + 2]) for n in range(0, 12, 2)]
    if value.endswith("R"):
        _, _, days, hours, minutes, seconds = numbers
        return f"{timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds).total_seconds():.9f}"
    year, *rest = numbers
    quarters = int(value[13:15]) * (-1 if value[15] == "+" else 1)
    month, day, hour, minute, second = rest
    local = datetime(year + (2000 if year < 38 else 1900), month, day, hour, minute, second, tzinfo=UTC)
    moment = local + timedelta(minutes=15 * quarters)
    return f"{moment:%b} {moment.day:>2}, {moment:%Y %H:%M:%S}.000000000 UTC"


def _octets(shown: str) -> bytes:
    return bytes.fromhex(shown.replace(":", ""))


def _differences(pdu: Pdu, seen: dict[str, Any]) -> Iterator[str]:
    for name, kind in pdu.wire:
        value = getattr(pdu, name)
        match kind:
            case CString():
                found: Any = seen.get(f"smpp.{name}", "").replace("(Default)", "")
            case Time17():
                relative = value.endswith("R")
                # the first: where a TLV holds a time too, tshark gives it the same name
                found = _listed(seen.get(f"smpp.{name}{'_r' if relative else ''}", ""))[0]
                value = value and _time(value)
            case Integer():
                found, value = _integer(seen, name), _our_integer(name, value)
            case Octets():
                length = int(seen["smpp.sm_length"], 0)
                found, value = (length, _octets(seen.get("smpp.message", ""))), (len(value), value)
            case Items():
                found, value = _items(pdu, seen), _our_items(value)
        if found != value:
            yield f"{name}: tshark has {found!r}, we wrote {value!r}"


def _items(pdu: Pdu, seen: dict[str, Any]) -> dict[str, list[Any]]:
    """The columns of a list: tshark gives each field of all items together, and none of empty strings."""
    listed = seen.get("smpp.dlist" if isinstance(pdu, SubmitMulti) else "smpp.dlist_resp", {})
    if not isinstance(listed, dict):  # a list of empty strings alone
        return {}
    numeric = ("dest_addr_ton", "dest_addr_npi", "error_status_code")
    return {
        name: [int(item, 0) if name in numeric else item for item in _listed(column)]
        for name, column in ((key.removeprefix("smpp."), column) for key, column in listed.items())
    }


def _our_items(items: tuple[Any, ...]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {}
    for item in items:
        for name, _ in item.wire:
            if getattr(item, name) != "":
                columns.setdefault(name, []).append(getattr(item, name))
    return columns


def _seen_tlvs(seen: dict[str, Any]) -> list[tuple[int, int]]:
    listed = _listed(seen.get("smpp.opt_params", {}).get("smpp.opt_param", []))
    return [(int(item["smpp.opt_param_tag"], 0), int(item["smpp.opt_param_len"])) for item in listed]


# --- the tests --------------------------------------------------------------------------------------------------


def test_tshark_sees_every_pdu(dissected: list[dict[str, Any] | None]) -> None:
    assert len(dissected) == len(PDUS) == OF_EACH * len(PDU_BY_ID)
    assert [pdu.command for pdu, seen in zip(PDUS, dissected, strict=True) if seen is None] == []


def test_the_headers_are_the_same(dissected: list[dict[str, Any]]) -> None:
    for pdu, seen in zip(PDUS, dissected, strict=True):
        numbers = ("command_length", "command_id", "sequence_number")
        assert [int(seen[f"smpp.{name}"], 0) for name in numbers] == [
            len(encode(pdu)),
            pdu.command_id,
            pdu.sequence_number,
        ]
        if pdu.is_response:  # of a request it shows the status only where it is not 0
            assert int(seen["smpp.command_status"], 0) == pdu.command_status


@pytest.mark.parametrize("layout", PDU_BY_ID.values(), ids=lambda layout: layout.command)
def test_the_fields_are_the_same(layout: type[Pdu], dissected: list[dict[str, Any]]) -> None:
    of_this = [pair for pair in zip(PDUS, dissected, strict=True) if type(pair[0]) is layout]
    assert len(of_this) == OF_EACH
    differences = [d for pdu, seen in of_this if not pdu.command_status for d in _differences(pdu, seen)]
    assert differences == []


@pytest.mark.parametrize("layout", PDU_BY_ID.values(), ids=lambda layout: layout.command)
def test_the_tlvs_are_the_same(layout: type[Pdu], dissected: list[dict[str, Any]]) -> None:
    for pdu, seen in zip(PDUS, dissected, strict=True):
        if type(pdu) is layout and not pdu.command_status:
            assert _seen_tlvs(seen) == [(item.tag, len(item.value)) for item in pdu.tlvs]


def test_we_read_back_what_tshark_agreed_to() -> None:
    for pdu in PDUS:
        again = decode(encode(pdu))
        assert (again.wire, again.command_id) == (pdu.wire, pdu.command_id)
        if not again.body_omitted:
            assert [getattr(again, name) for name, _ in pdu.wire] == [getattr(pdu, name) for name, _ in pdu.wire]
