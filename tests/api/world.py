"""A real connector over a real store, behind its ASGI application: no carrier answers, and the clock can be set."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx2
import trio

from connector import app, opening
from connector.api import app as api
from connector.config import ApiConfig, BindConfig, CarrierConfig, Config, KeyConfig, StoreConfig
from connector.store.store import Store

SECRETS = {"SHOP": "shop-secret-4711", "OTHER": "other-secret-0815"}
SHOP = KeyConfig(name="shop", secret_env="SHOP", country="GB", sender="Shop", options=("priority_flag",), operator=True)
OTHER = KeyConfig(name="other", secret_env="OTHER", lanes=("promotional",), senders=("Other",))
NUMBER = "+447911123456"


START = 1_769_850_000.0


@attrs.define
class Clock:
    """Trio's pace from 2026-01-31T09:00:00Z on; it can be put forward."""

    ahead_s: float = attrs.field(factory=lambda: START - trio.current_time())

    def __call__(self) -> float:
        return trio.current_time() + self.ahead_s


async def no_carrier(host: str, port: int) -> trio.abc.Stream:
    raise OSError(111, "connection refused")


@attrs.frozen
class World:
    """One life of a connector, and callers at its door."""

    connector: app.Connector
    store: Store
    clock: Clock
    asgi: Any

    def caller(self, secret: str | None = SECRETS["SHOP"]) -> httpx2.AsyncClient:
        """Return a caller who shows this secret."""
        headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
        # raise_app_exceptions off: a mistake of ours is an answer with status 500, as it is behind the real server
        transport = httpx2.ASGITransport(self.asgi, raise_app_exceptions=False)
        return httpx2.AsyncClient(transport=transport, base_url="http://door", headers=headers)

    async def post(self, content: Any, *, key: str | None = None, secret: str = SECRETS["SHOP"]) -> httpx2.Response:
        """Post a JSON value, with an Idempotency-Key if there is one."""
        async with self.caller(secret) as caller:
            return await caller.post(
                "/v1/messages", json=content, headers={} if key is None else {"Idempotency-Key": key}
            )

    async def get(self, path: str, *, secret: str | None = SECRETS["SHOP"]) -> httpx2.Response:
        """Get a path of the door."""
        async with self.caller(secret) as caller:
            return await caller.get(path)

    async def accepted(self) -> int:
        """Return how many messages were ever kept."""
        return (await self.connector.queries.ledger()).accepted


def config(folder: Path, **more: Any) -> Config:
    """Return a configuration with two API keys and a carrier that does not answer."""
    bind = BindConfig(host="127.0.0.1", port=1, system_id="acme")
    given: dict[str, Any] = {
        "store": StoreConfig(path=str(folder / "store.db"), min_free_mb=0),
        "api": ApiConfig(listen="127.0.0.1:0", key=(SHOP, OTHER), max_body_kb=400),
        "carrier": (CarrierConfig(name="north", bind=(bind,)),),
    }
    return Config(**{**given, **more})


@asynccontextmanager
async def world(settings: Config, clock: Clock | None = None) -> AsyncIterator[World]:
    """Run a connector on this configuration's store until the block ends."""
    clock = clock or Clock()
    engine, store = opening.open_store(settings)
    try:
        connector = app.Connector(settings, store, clock=clock, random=random.Random(1), connect=no_carrier)
        door = connector.door()
        keys = [(key, key.read_secret(SECRETS)) for key in settings.api.key]
        async with trio.open_nursery() as nursery:
            await nursery.start(connector.run)
            yield World(connector, store, clock, api.Application(door, settings.api, keys))
            nursery.cancel_scope.cancel()
    finally:
        engine.close()
