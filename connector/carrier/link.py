"""The TCP stream under a bind."""

from collections.abc import Awaitable, Callable

import trio

Connect = Callable[[str, int], Awaitable[trio.abc.Stream]]
"""Opens a link to (host, port).  Raises OSError when it cannot."""


async def connect_tcp(host: str, port: int) -> trio.abc.Stream:
    """Open a TCP link.  Trio tries every address of the name (RFC 8305) and sets TCP_NODELAY: with receipts coming
    back, Nagle and delayed acknowledgements would hold the window at one round in 40 ms."""
    return await trio.open_tcp_stream(host, port)
