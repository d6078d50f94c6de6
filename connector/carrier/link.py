"""The stream under a bind, and what its errors say."""

import os
import ssl
from collections.abc import Awaitable, Callable
from typing import Final

import trio

from connector.carrier import tls
from connector.carrier.backoff import Ended, Ending
from connector.config import Endpoint

Connect = Callable[[str, int], Awaitable[trio.abc.Stream]]
"""Opens a link to (host, port).  Raises OSError when it cannot."""

BROKEN: Final = (trio.BrokenResourceError, trio.ClosedResourceError, OSError)
"""Every error by which network, TLS and peer say that a link is of no use any more: it ends one link.  Anything else is
a mistake of ours, and ends the process."""
CLOSE_S = 1.0
"""How long a TLS link may take over its last word: a peer that reads nothing more does not take it either."""


async def connect_tcp(host: str, port: int) -> trio.abc.Stream:
    """Open a TCP link.  Trio tries every address of the name (RFC 8305) and sets TCP_NODELAY: with receipts coming
    back, Nagle and delayed acknowledgements would hold the window at one round in 40 ms."""
    try:
        return await trio.open_tcp_stream(host, port)
    except UnicodeError as error:  # what the resolver says to an empty label or one of more than 63 octets
        raise OSError(f"{host!r} is no host name") from error


async def open_link(
    connect: Connect, place: Endpoint, context: ssl.SSLContext | None, server_name: str | None, within_s: float
) -> trio.abc.Stream | Ending:
    """Return a link that is ready for the first PDU, TLS handshake included, or why there is none."""
    connected = False
    try:
        with trio.fail_after(within_s):
            stream = await connect(place.host, place.port)
            connected = True
            if context is None:
                return stream
            return await tls.secured(stream, context, server_name or place.host)
    except trio.TooSlowError:
        if connected:
            return Ended.NETWORK, f"{place} did not answer the TLS handshake in {within_s:g} s: {tls.DOUBT}"
        return Ended.NETWORK, f"no connection to {place} in {within_s:g} s"
    except BROKEN as error:
        refused = tls.disagreement(error, str(place)) or tls.refused_handshake(error, str(place))
        return refused or (Ended.NETWORK, f"cannot connect to {place}: {plain(error)}")


async def close(stream: trio.abc.Stream) -> None:
    """Close a link, in good manners while that takes no time."""
    with trio.move_on_after(CLOSE_S):
        try:
            await stream.aclose()
        except BROKEN:
            await trio.aclose_forcefully(stream)


def broken(error: BaseException) -> Ending:
    """Return what a link ended by that broke while it was in use."""
    return tls.disagreement(error, "the carrier") or (Ended.NETWORK, f"the link broke: {plain(error)}")


def plain(error: BaseException) -> str:
    """Return the words of an error, of the innermost one where it is wrapped in others."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error.__cause__, OSError | ExceptionGroup | trio.BrokenResourceError):
        return plain(error.__cause__)
    if isinstance(error, ssl.SSLEOFError):
        return "closed in the middle of TLS"
    if isinstance(error, ssl.SSLError):
        return str(tls.reason_of(error) or error.strerror or type(error).__name__)
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno)  # trio writes the address in front of it, which our sentence has already
    if isinstance(error, OSError) and error.strerror:
        return error.strerror  # of the resolver: its numbers are below zero and its own
    return str(error).rstrip(".") or type(error).__name__
