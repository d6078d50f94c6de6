"""Secrets: never in the file, only where they are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from connector.errors import ConfigError

NOT_IN_THIS_FILE: Final = "a secret does not belong in this file: use {0}_env or {0}_file"


def read_secret(owner: str, env: str | None, file: str | None, environ: Mapping[str, str]) -> str:
    """Return the secret from its environment variable or file; ConfigError names the origin, never the content."""
    if env is not None:
        if not environ.get(env):
            raise ConfigError([f"{owner}: environment variable {env} is not set or empty"])
        return environ[env]
    try:
        content = Path(file or "").read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError([f"{owner}: file {file} cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{owner}: file {file} is not UTF-8 text"]) from error
    text = content.removesuffix("\n").removesuffix("\r")
    if not text:
        raise ConfigError([f"{owner}: file {file} is empty"])
    return text


def origin(env: str | None, file: str | None) -> str:
    if env is not None:
        return f"env {env}"
    return f"file {file}" if file is not None else "none"
