"""The TCP stream under a bind, and what its errors say."""

import os
from collections.abc import Awaitable, Callable

import trio

Connect = Callable[[str, int], Awaitable[trio.abc.Stream]]
"""Opens a link to (host, port).  Raises OSError when it cannot."""


async def connect_tcp(host: str, port: int) -> trio.abc.Stream:
    """Open a TCP link.  Trio tries every address of the name (RFC 8305) and sets TCP_NODELAY: with receipts coming
    back, Nagle and delayed acknowledgements would hold the window at one round in 40 ms."""
    try:
        return await trio.open_tcp_stream(host, port)
    except UnicodeError as error:  # what the resolver says to an empty label or one of more than 63 octets
        raise OSError(f"{host!r} is no host name") from error


def plain(error: BaseException) -> str:
    """Return the words of an error, of the innermost one where it is wrapped in others."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error.__cause__, OSError | ExceptionGroup):
        return plain(error.__cause__)
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno)  # trio writes the address in front of it, which our sentence has already
    return str(error) or type(error).__name__
