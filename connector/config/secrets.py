"""Secrets: never in the file, only where they are."""

import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs

from connector.errors import ConfigError
from connector.settings import shown

NOT_IN_THIS_FILE: Final = "a secret does not belong in this file: use {0}_env, {0}_file or {0}_command"
COMMAND_LIMIT_S: Final = 10.0
"""How long a ``*_command`` may take: password managers answer within a second or not at all."""
_CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"
"""Where systemd puts what LoadCredential= names; the directory is another one at each start."""

Command = str | tuple[str, ...]

_SHELL = frozenset("|<>;&$`")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def is_command(_instance: object, _field: object, value: Command | None) -> None:
    """Validate a ``*_command``: a program and its arguments as an array, or as one text split at blanks.

    No shell is involved: quotes hold words together, everything else stands for itself.
    """
    if isinstance(value, str) and (found := sorted(_SHELL & set(value))):
        text = f"has {found[0]} in it, which only a shell would obey: give the program and its arguments as an array"
        raise ValueError(text)
    if value is not None and not "".join(argv(value)[:1]):
        raise ValueError(f'must be a program and its arguments such as ["pass", "show", "north"], not {shown(value)}')


def argv(command: Command) -> tuple[str, ...]:
    """Return a command as words; ValueError when a quote is not closed."""
    return tuple(shlex.split(command)) if isinstance(command, str) else command


@attrs.frozen
class Secret:
    """Where one secret is: at most one of ``env``, ``file`` and ``command`` says it."""

    key: str
    """Its name in the configuration without ending: "password"."""
    env: str | None
    file: str | None
    command: Command | None

    @property
    def places(self) -> int:
        """How many places are given."""
        return sum(place is not None for place in (self.env, self.file, self.command))

    @property
    def keys(self) -> str:
        """The keys that can say where it is, for people."""
        return f"{self.key}_env, {self.key}_file and {self.key}_command"

    @property
    def origin(self) -> str:
        """Where it comes from, for people: ``env NAME``, ``file PATH``, ``command PROGRAM`` or ``none``.

        Of a command only the program is told: its arguments may say more than they should.
        """
        if self.env is not None:
            return f"env {self.env}"
        if self.command is not None:
            return f"command {argv(self.command)[0]}"
        return f"file {self.file}" if self.file is not None else "none"

    def misnamed(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Yield the problem of an ``env`` that names no variable: perhaps it is the secret, so it is not shown."""
        if self.env is not None and not _ENV_NAME.fullmatch(self.env):
            yield (f"{self.key}_env",), "must be the name of an environment variable: letters, digits and _"

    def too_many(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Yield the problem of a secret with several places."""
        if self.places > 1:
            yield (), f"needs at most one of {self.keys}"
        yield from self.misnamed()

    def read(self, owner: str, environ: Mapping[str, str]) -> str:
        """Return the secret as it is there now, "" if no place is given; it is read anew at each call.

        Raises ConfigError, which names owner and place and never the content.
        """
        if not self.places:
            return ""
        with said_of(owner):
            text = self._text(environ)
            if not text:
                raise ConfigError([f"{self.origin} is empty"])
            return text

    def _text(self, environ: Mapping[str, str]) -> str:
        if self.env is not None:
            if not environ.get(self.env):
                raise ConfigError([f"environment variable {self.env} is not set or empty"])
            return environ[self.env]
        octets = _output(self, environ) if self.command is not None else _content(self, environ)
        try:
            return octets.decode().rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise ConfigError([f"{self.origin} is not UTF-8 text"]) from error


@contextmanager
def said_of(owner: str) -> Iterator[None]:
    """Put the owner in front of every problem that is raised inside."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError([f"{owner}: {problem}" for problem in error.problems]) from error


def _content(secret: Secret, environ: Mapping[str, str]) -> bytes:
    path = expanded(secret.file or "", f"{secret.key}_file", environ)
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigError([f"file {secret.file} cannot be read: {error.strerror}"]) from error


def expanded(path: str, key: str, environ: Mapping[str, str]) -> str:
    """Return a path with a leading ``${CREDENTIALS_DIRECTORY}`` replaced; ConfigError when the variable is not set.

    Nothing else is expanded: other paths stand for themselves.
    """
    for spelling in (f"${{{_CREDENTIALS}}}/", f"${_CREDENTIALS}/"):
        if path.startswith(spelling):
            if not environ.get(_CREDENTIALS):
                raise ConfigError([f"{key}: {_CREDENTIALS} is not set: systemd sets it where LoadCredential= is used"])
            return f"{environ[_CREDENTIALS]}/{path.removeprefix(spelling)}"
    return path


def _output(secret: Secret, environ: Mapping[str, str]) -> bytes:
    words, key = argv(secret.command or ""), f"{secret.key}_command"
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own words, and no shell
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # it may hold what must not be logged
            timeout=COMMAND_LIMIT_S,
            env=dict(environ),
            check=True,
        )
    except subprocess.CalledProcessError as error:
        raise ConfigError([f"{key} {words[0]} failed with {_status(error.returncode)}"]) from None
    except subprocess.TimeoutExpired:
        raise ConfigError([f"{key} {words[0]} gave nothing in {COMMAND_LIMIT_S:g} s"]) from None
    except OSError as error:
        raise ConfigError([f"{key} {words[0]} cannot be run: {error.strerror}"]) from error
    return done.stdout


def _status(returncode: int) -> str:
    return f"exit status {returncode}" if returncode >= 0 else f"signal {-returncode}"
