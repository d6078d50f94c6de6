"""Who calls: API keys, held as hashes only."""

import hashlib
from collections.abc import Iterable

from connector.config import KeyConfig


class Keys:
    """The API keys, looked up by the SHA-256 of what the caller shows.

    The look-up compares hashes, so its time tells nothing about how much of a guess was right.
    """

    def __init__(self, keys: Iterable[tuple[KeyConfig, str]]) -> None:
        self._keys = {_digest(secret): key for key, secret in keys}

    def rotated(self, others: "Keys") -> list[str]:
        """Return the names of keys that are in both and have another secret there."""
        before = {key.name: digest for digest, key in self._keys.items()}
        after = {key.name: digest for digest, key in others._keys.items()}
        return [name for name, digest in after.items() if before.get(name, digest) != digest]

    def find(self, authorization: str | None) -> KeyConfig | None:
        """Return the key of an ``Authorization: Bearer`` header, or None."""
        scheme, _, secret = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not secret:
            return None
        return self._keys.get(_digest(secret.strip()))


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
