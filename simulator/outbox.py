"""What a link has to say, until it is written: one writer at a time, whoever it is."""

from typing import Final

import trio

from simulator.wire import Gate, WireStream

MOST_BATCHES: Final = 100
"""Written batches a peer may leave unread before nothing more is read from it."""


class Outbox:
    """Octets on their way to one stream, in order."""

    def __init__(self, stream: trio.abc.Stream, gate: Gate) -> None:
        self._stream = stream
        self._gate = gate
        self._batches: list[bytes] = []
        self._sending = False
        self._written = trio.lowlevel.ParkingLot()
        if isinstance(stream, WireStream):
            stream.gathered = self.take

    def put(self, octets: bytes) -> None:
        """Have this written next."""
        if octets:
            self._batches.append(octets)

    def take(self) -> bytes:
        """Return what has gathered; whoever asks writes it."""
        octets = b"".join(self._batches)
        self._batches.clear()
        return octets

    async def flush(self) -> None:
        """Write what has gathered.  Whoever is writing already takes this along."""
        if self._sending:
            return
        self._sending = True
        try:
            while self._batches:
                octets = self.take()
                await self._gate.passed()
                await self._stream.send_all(octets)
                self._written.unpark_all()
        finally:
            self._sending = False

    async def has_room(self) -> None:
        """Return when the peer has not left too much unread."""
        while len(self._batches) > MOST_BATCHES:
            await self._written.park()
