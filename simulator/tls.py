"""The carrier's certificate."""

import ssl
from importlib.util import find_spec
from typing import Final

import attrs

from connector.errors import ConfigError
from simulator.scenario import Listen

NAMES: Final = ("localhost", "127.0.0.1", "::1")
"""What a certificate that the carrier signs itself is good for."""
NO_TRUSTME: Final = 'signing needs trustme: pip install "carrierline[tls]", or give cert and key'


@attrs.frozen
class Tls:
    """How the carrier speaks TLS."""

    context: ssl.SSLContext
    authority: bytes | None
    """Certificate (PEM) that a client has to trust where the carrier signs itself; None with a certificate of one's
    own."""


def problem_of_signing(listen: Listen) -> str | None:
    """Say why there could be no certificate here for TLS without one of its own, or None."""
    if listen.tls is None or listen.cert is not None or find_spec("trustme") is not None:
        return None
    return NO_TRUSTME


def tls_of(listen: Listen) -> Tls:
    """Return how to speak TLS: with the certificate of a scenario, or with one signed for this run.

    Raises ConfigError where the certificate or its key cannot be used, or trustme is needed and not installed.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    if listen.cert is None or listen.key is None:
        return Tls(context, _sign(context))
    try:
        context.load_cert_chain(listen.cert, listen.key)
    except OSError as error:
        reason = "they are no certificate and its key" if isinstance(error, ssl.SSLError) else error.strerror
        raise ConfigError([f"listen.cert: {listen.cert} and {listen.key} cannot be used: {reason}"]) from error
    return Tls(context, None)


def _sign(context: ssl.SSLContext) -> bytes:
    """Give a context a certificate of its own, and return that of the authority behind it."""
    try:
        import trustme  # it brings a library of some megabytes that only this needs
    except ImportError as error:
        raise ConfigError([f"listen.tls: {NO_TRUSTME}"]) from error
    authority = trustme.CA(organization_name="SMSC simulator")
    authority.issue_cert(*NAMES).configure_cert(context)
    return authority.cert_pem.bytes()
