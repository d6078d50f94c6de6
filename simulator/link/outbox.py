"""What a link has to say, until it is written: one writer at a time, whoever it is."""

from typing import Final

import trio

from simulator.link.wire import Gate, WireStream

MOST_BATCHES: Final = 100
"""Written batches a peer may leave unread before nothing more is read from it."""
LAST_WORDS_S: Final = 1.0
"""How long the end of a link waits for what is still to be written."""


class Outbox:
    """Octets on their way to one stream, in order."""

    def __init__(self, stream: trio.abc.Stream, gate: Gate) -> None:
        self._stream = stream
        self._gate = gate
        self._batches: list[bytes] = []
        self._sending = False
        self._written = trio.lowlevel.ParkingLot()
        self._more = trio.lowlevel.ParkingLot()
        self._may_be_slow = isinstance(stream, WireStream)
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

    def wake(self) -> None:
        """Have `run` write what has gathered."""
        self._more.unpark_all()

    async def run(self) -> None:
        """Write what others may not wait for, until cancelled."""
        while True:
            await self._write()
            await self._more.park()

    async def flush(self) -> None:
        """Write what has gathered.  Whoever is writing already takes this along.

        Where rules of the wire may make it slow, `run` writes, so that whoever reads reads on.
        """
        if self._may_be_slow:
            self.wake()
        else:
            await self._write()

    async def _write(self) -> None:
        if self._sending:
            return
        self._sending = True
        try:
            while self._batches:
                octets = self.take()
                if await self._gate.passed():
                    await self._stream.send_all(octets)
                self._written.unpark_all()
        finally:
            self._sending = False

    async def finish(self) -> None:
        """Write what has gathered, whoever is writing already, as far as it leaves within `LAST_WORDS_S`."""
        with trio.move_on_after(LAST_WORDS_S):
            await self.flush()
            while self._sending or self._batches:
                await self._written.park()

    async def has_room(self) -> None:
        """Return when the peer has not left too much unread."""
        while len(self._batches) > MOST_BATCHES:
            await self._written.park()
