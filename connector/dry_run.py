"""A dry run without a connector: what a configuration would make of requests, before it runs anywhere."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from connector.api.previews import show_preview
from connector.config import Config, KeyConfig
from connector.errors import InputError
from connector.model import SendRequest
from connector.pipeline.normalise import Normaliser
from connector.pipeline.preview import Present, preview
from connector.pipeline.router import queue_names
from connector.settings import nearest, shown


class DryRun:
    """Previews by a configuration.  Nothing is known of carriers, and nothing is written or connected to."""

    def __init__(self, config: Config, *, clock: Callable[[], float] = time.time) -> None:
        queues = {name: number for number, name in enumerate(queue_names(config), 1)}
        self._config = config
        self._clock = clock
        self._normaliser = Normaliser(config, queues, _never, _never)

    def key(self, name: str | None = None) -> KeyConfig:
        """Return the API key of this name, the first one without a name.  Raises InputError if there is none."""
        keys = {key.name: key for key in self._config.api.key}
        if name is not None and name not in keys:
            raise InputError(f"there is no API key {shown(name)}{nearest(name, keys)}")
        return self._config.api.key[0] if name is None else keys[name]

    def preview(self, requests: Sequence[SendRequest], key: KeyConfig) -> list[dict[str, Any]]:
        """Return what would become of each request from this key, as `client.Client.preview` shows it."""
        now = self._clock()
        return [show_preview(preview(self._normaliser, Present(), request, key, now)) for request in requests]


def _never(*_what: object) -> int:
    raise AssertionError("a dry run uses up no ids and no references")
