"""TLS under a bind: whom to trust, and who we are."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Final, Literal

import attrs

from connector.config import checks, secrets
from connector.config.checks import Problems, Rules
from connector.errors import ConfigError

_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@attrs.frozen(kw_only=True)
class TlsConfig:
    """How a link is protected.  The carrier's certificate and its name are always checked: there is no key for less."""

    REFUSED: ClassVar = {"key_password": secrets.NOT_IN_THIS_FILE.format("key_password")}

    ca_file: str | None = None
    """PEM file of the only authorities trusted (pinned); without it those of the system."""
    certificate_file: str | None = None
    """PEM file of our own certificate and its chain, for carriers that ask for one."""
    key_file: str | None = None
    """PEM file of its private key; without it the key is in ``certificate_file``."""
    key_password_env: str | None = None
    """Environment variable that holds the password of the private key."""
    key_password_file: str | None = None
    """File that holds it; closing newlines are no part of it."""
    key_password_command: secrets.Command | None = attrs.field(default=None, validator=secrets.is_command)
    """Program that prints it; closing newlines are no part of it.  Its error output is never shown."""
    server_name: str | None = attrs.field(default=None, validator=attrs.validators.optional(checks.name))
    """Name sent (SNI) and looked for in the certificate; without it the host."""
    minimum_version: Literal["1.2", "1.3"] = "1.2"
    """Oldest version of TLS that is spoken."""

    def problems(self) -> Rules:
        yield self._one_password()
        yield self._certified_key()
        yield self._certified_password()

    def _one_password(self) -> Problems:
        yield from self.key_password.too_many()

    def _certified_key(self) -> Problems:
        if self.certificate_file is None and self.key_file is not None:
            yield ("key_file",), "needs a certificate_file"

    def _certified_password(self) -> Problems:
        if self.certificate_file is None and self.key_password.places:
            yield (), "a key_password needs a certificate_file"

    @property
    def key_password(self) -> secrets.Secret:
        """Where the password of the private key is."""
        return secrets.Secret("key_password", self.key_password_env, self.key_password_file, self.key_password_command)

    def read(self, owner: str, environ: Mapping[str, str]) -> ssl.SSLContext:
        """Return what a link is protected with, from the files as they are now.

        Raises ConfigError with one line that names the key of a file that is missing, unreadable or of no use.
        """
        with secrets.said_of(owner):
            context = self._authorities(environ)
            context.minimum_version = _VERSIONS[self.minimum_version]
            if self.certificate_file is not None:
                self._identify(context, environ)
            return context

    def _authorities(self, environ: Mapping[str, str]) -> ssl.SSLContext:
        """Return a client's context of the standard library: it requires a certificate and checks its name."""
        if self.ca_file is None:
            return ssl.create_default_context()
        path = _readable(self.ca_file, "tls.ca_file", environ)
        try:
            return ssl.create_default_context(cafile=path)
        except ssl.SSLError as error:
            raise ConfigError([f"tls.ca_file {self.ca_file} holds no certificate in PEM form"]) from error

    def _identify(self, context: ssl.SSLContext, environ: Mapping[str, str]) -> None:
        certificate = _readable(self.certificate_file or "", "tls.certificate_file", environ)
        key = None if self.key_file is None else _readable(self.key_file, "tls.key_file", environ)
        # never None: OpenSSL would ask for the password at the terminal
        password = self.key_password.read("tls.key_password", environ)
        try:
            context.load_cert_chain(certificate, key, password)
        except ssl.SSLError as error:
            raise ConfigError([self._unfit(error)]) from error

    def _unfit(self, error: ssl.SSLError) -> str:
        key = f"tls.certificate_file {self.certificate_file}"
        if self.key_file is not None:
            key = f"tls.key_file {self.key_file}"
        if error.reason == "KEY_VALUES_MISMATCH":
            return f"{key} is not the private key of the certificate"
        if self.key_password.places:
            return f"{key} holds no private key that this key_password opens"
        return f"{key} holds no private key in PEM form that opens without a key_password"


def _readable(path: str, key: str, environ: Mapping[str, str]) -> str:
    path = secrets.expanded(path, key, environ)
    try:
        Path(path).open("rb").close()
    except OSError as error:
        raise ConfigError([f"{key} {path} cannot be read: {error.strerror}"]) from error
    return path
