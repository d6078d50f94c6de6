"""How octets move on a link: not at all for a while, or to an abrupt end."""

import math
import socket
import struct
from typing import Final

import trio

GARBAGE: Final = b"HTTP/1.1 400 Bad Request\r\n\r\n"
"""What a port scanner, a proxy or a wrong port says; as a header its first 16 octets are no length anybody believes."""
_NO_LINGERING: Final = struct.pack("ii", 1, 0)


class Gate:
    """Open nearly always; while it is closed nothing moves on the link."""

    def __init__(self) -> None:
        self._until = -math.inf
        self._waiting: set[trio.CancelScope] = set()

    def close_until(self, at: float) -> None:
        """Let nothing pass before this time."""
        self._move(max(self._until, at))

    def open(self) -> None:
        """Let everything pass."""
        self._move(-math.inf)

    def _move(self, until: float) -> None:
        self._until = until
        for scope in self._waiting:
            scope.deadline = until

    async def passed(self) -> None:
        """Return when it is open, at once nearly always."""
        if trio.current_time() >= self._until:
            return
        with trio.CancelScope(deadline=self._until) as scope:
            self._waiting.add(scope)
            try:
                await trio.sleep_forever()
            finally:
                self._waiting.discard(scope)


def reset(stream: trio.abc.Stream) -> None:
    """See to it that closing a stream resets the connection (RST); one that is no socket below just closes."""
    inner: object = stream
    while not isinstance(inner, trio.SocketStream) and inner is not None:
        inner = getattr(inner, "stream", getattr(inner, "transport_stream", None))
    if inner is not None:
        inner.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGERING)
