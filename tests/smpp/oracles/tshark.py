"""Wireshark's reading of our octets: a capture written here, dissected by tshark."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from struct import pack
from typing import Any, Final

TSHARK: Final = shutil.which("tshark")
PORT: Final = 2775
_MOST_IN_A_SEGMENT: Final = 60_000


def _checksum(octets: bytes) -> int:
    total = sum(int.from_bytes(octets[n : n + 2], "big") for n in range(0, len(octets), 2))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _packet(payload: bytes, number: int) -> bytes:
    """An IPv4 packet with one TCP segment, each of a connection of its own so that none waits for another."""
    tcp = pack(">HHLLBBHHH", 20_000 + number, PORT, 1, 1, 0x50, 0x18, 0xFFFF, 0, 0)
    head = pack(">BBHHHBBH4s4s", 0x45, 0, 40 + len(payload), number & 0xFFFF, 0, 64, 6, 0, b"\x0a\0\0\1", b"\x0a\0\0\2")
    return head[:10] + pack(">H", _checksum(head)) + head[12:] + tcp + payload


def write_capture(path: Path, pdus: Sequence[bytes]) -> None:
    """Write a pcap file of raw IP packets (link type 101), one for each PDU."""
    with path.open("wb") as capture:
        capture.write(pack(">LHHlLLL", 0xA1B2C3D4, 2, 4, 0, 0, 0xFFFF, 101))
        for number, pdu in enumerate(pdus):
            assert len(pdu) <= _MOST_IN_A_SEGMENT
            packet = _packet(pdu, number)
            capture.write(pack(">LLLL", number, 0, len(packet), len(packet)) + packet)


def dissect(path: Path) -> list[dict[str, Any] | None]:
    """The ``smpp`` layer of each packet, None where tshark saw none."""
    assert TSHARK
    done = subprocess.run(
        [TSHARK, "-r", str(path), "-T", "json", "--no-duplicate-keys", "-d", f"tcp.port=={PORT},smpp"],
        capture_output=True,
        check=True,
        timeout=120,
    )
    return [packet["_source"]["layers"].get("smpp") for packet in json.loads(done.stdout)]
