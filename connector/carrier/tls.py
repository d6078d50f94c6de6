"""TLS on a link: the handshake, and in plain words why there was none."""

import ssl
from collections.abc import Mapping
from typing import Final

import trio

from connector.carrier.backoff import Ended, Ending

_OTHER_NAMES: Final = frozenset({62, 64})
"""X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH of OpenSSL."""

_NO_TLS: Final = "{} does not speak TLS"
DOUBT: Final = "does the port speak TLS?"
_NOT_OURS: Final = "{} does not accept our certificate (tls.certificate_file)"
_VERSION: Final = "{} speaks no version of TLS that is allowed here (tls.minimum_version)"
_WANTED: Final = "{} wants a certificate of ours (tls.certificate_file)"

# OpenSSL's name of an error → what it means for an operator.  TLSV1_ALERT_... and SSLV3_ALERT_... came from the peer.
_WORDS: Final[Mapping[str, str]] = {
    "WRONG_VERSION_NUMBER": _NO_TLS,
    "PACKET_LENGTH_TOO_LONG": _NO_TLS,
    "RECORD_LAYER_FAILURE": _NO_TLS,
    "HTTP_REQUEST": _NO_TLS,
    "UNSUPPORTED_PROTOCOL": _VERSION,
    "NO_PROTOCOLS_AVAILABLE": _VERSION,
    "TLSV1_ALERT_PROTOCOL_VERSION": _VERSION,
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": _WANTED,
    "TLSV1_ALERT_UNKNOWN_CA": _NOT_OURS,
    "TLSV1_ALERT_ACCESS_DENIED": _NOT_OURS,
    "SSLV3_ALERT_BAD_CERTIFICATE": _NOT_OURS,
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": _NOT_OURS,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": _NOT_OURS,
    "SSLV3_ALERT_CERTIFICATE_REVOKED": _NOT_OURS,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _NOT_OURS,
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "{} refused the TLS handshake: no common ciphers, or a certificate is missing",
    "TLSV1_ALERT_INSUFFICIENT_SECURITY": "{} refused the TLS handshake: our ciphers are too weak for it",
    "TLSV1_UNRECOGNIZED_NAME": "{} does not know the name it was asked for (tls.server_name)",
}


async def secured(stream: trio.abc.Stream, context: ssl.SSLContext, name: str) -> trio.SSLStream[trio.abc.Stream]:
    """Return the stream under TLS, the peer's certificate checked for this name.

    Raises OSError or trio.BrokenResourceError when they do not agree; the stream is closed then.
    """
    agreed = False
    try:
        link = _wrapped(stream, context, name)
        await link.do_handshake()
        agreed = True
        return link
    finally:
        if not agreed:
            await trio.aclose_forcefully(stream)


def _wrapped(stream: trio.abc.Stream, context: ssl.SSLContext, name: str) -> trio.SSLStream[trio.abc.Stream]:
    try:
        return trio.SSLStream(stream, context, server_hostname=name)
    except ValueError as error:  # an empty label, a leading dot, or what IDNA has no spelling for
        raise OSError(f"{name!r} is no name a certificate can be for") from error


def disagreement(error: BaseException, peer: str) -> Ending | None:
    """Return what a link ended by if TLS is what was wrong with it, and not the network under it."""
    cause = _cause(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Ended.HANDSHAKE, _distrust(cause, peer)
    words = None if cause is None else _WORDS.get(reason_of(cause))
    return None if words is None else (Ended.HANDSHAKE, words.format(peer))


def refused_handshake(error: BaseException, peer: str) -> Ending | None:
    """Return what a link ended by whose peer closed it, in good order, before TLS was agreed.

    A plain SMPP port reads our hello as a PDU of 350 MB and does just that.  Trying again soon does not help.
    """
    if isinstance(_cause(error), ssl.SSLEOFError):
        return Ended.HANDSHAKE, f"{peer} closed the link in the TLS handshake: {DOUBT}"
    return None


def _cause(error: BaseException) -> ssl.SSLError | None:
    """Return the error of TLS that another one is about."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__
    return cause


def reason_of(error: ssl.SSLError) -> str:
    """Return OpenSSL's name of an error; "" of one that Python made, which has none."""
    return getattr(error, "reason", None) or ""


def _distrust(error: ssl.SSLCertVerificationError, peer: str) -> str:
    words = error.verify_message.rstrip(".")  # our sentence goes on behind it
    if error.verify_code in _OTHER_NAMES:
        return f"certificate of {peer} is for other names: {words}"
    return f"certificate of {peer} not trusted: {words}"
