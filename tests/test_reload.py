"""Two configurations against each other: what differs, what follows from it, and what cannot be followed."""

import os
from pathlib import Path
from random import Random
from typing import Any

import attrs
import pytest

from connector.app import Connector
from connector.config import LANES, BindConfig, CarrierConfig, Config, Credentials, KeyConfig, RouteConfig, load_config
from connector.config.carrier import LimitConfig, RampStage
from connector.errors import ConfigError
from connector.reload import Act, Secrets, compare, needs_restart, read
from connector.settings import load
from connector.store.batcher import InlineWriter
from connector.store.memory import MemoryEngine
from connector.store.store import Store
from tests.pipeline.world import carrier_config, config

NORTH = carrier_config("north")
BIND = NORTH.bind[0]
AGAIN = "what waits is looked at again, in the background, and goes by the new ones"


@pytest.mark.parametrize(
    ("change", "act"),
    [
        ({}, Act.KEEP),
        ({"rate_per_s": 5.0}, Act.CHANGE),
        ({"limit": (LimitConfig(rate_per_s=1, sender="Shop"),)}, Act.CHANGE),
        ({"max_parts": 3}, Act.CHANGE),
        ({"rate_per_s": 5.0, "bind": (attrs.evolve(BIND, count=2),)}, Act.RESTART),
        ({"bind": (attrs.evolve(BIND, window_size=9),)}, Act.RESTART),
        ({"bind": (BIND, attrs.evolve(BIND, system_id="other"))}, Act.RESTART),
        ({"rate_margin": 0.5}, Act.RESTART),
        ({"ramp": (RampStage(rate=1, for_s=60),)}, Act.RESTART),
        ({"binds_per_minute": 5}, Act.RESTART),
    ],
)
def test_what_differs_decides_what_is_done_to_a_carrier(change: dict[str, Any], act: Act) -> None:
    after = config(attrs.evolve(NORTH, **change))
    assert compare(config(NORTH), after).acts == {"north": act}


def test_every_key_of_a_carrier_is_noticed() -> None:
    """A key that is new one day must not be passed over: without a place among the live ones it restarts."""
    assert {field.name for field in attrs.fields(CarrierConfig)} >= {"rate_per_s", "limit", "max_parts"}
    for field in attrs.fields(CarrierConfig):
        before, after = attrs.evolve(NORTH), attrs.evolve(NORTH)
        object.__setattr__(after, field.name, "another")
        if field.name != "name":
            assert compare(_only(before), _only(after)).acts["north"] is not Act.KEEP, field.name


def _only(carrier: CarrierConfig) -> Config:
    return config(carrier, route=(RouteConfig(name="all", carriers=("north",)),))


def test_carriers_come_and_go() -> None:
    found = compare(config(NORTH), config(carrier_config("south")))
    assert found.acts == {"north": Act.REMOVE, "south": Act.ADD}
    texts = [str(change) for change in found.changes]
    assert texts[0].startswith('carrier "north": removed')
    assert texts[1].startswith('carrier "south": added')
    assert texts[2] == 'route "default": changed (carriers ["north"] -> ["south"])'


def test_the_order_of_carriers_in_the_file_alone_keeps_them() -> None:
    routes = (RouteConfig(name="all", carriers=("north", "south")),)
    before = config(NORTH, carrier_config("south"), route=routes)
    after = config(carrier_config("south"), NORTH, route=routes)
    found = compare(before, after)
    assert set(found.acts.values()) == {Act.KEEP}
    assert found.changes == ()


def test_keys_routes_and_lanes_are_told_by_name() -> None:
    before = config(NORTH, route=(RouteConfig(name="a", carriers=("north",)),), keys=("shop", "old"))
    after = config(
        NORTH,
        route=(RouteConfig(name="b", carriers=("north",)),),
        keys=("shop", "new"),
        lane={"otp": attrs.evolve(LANES["otp"], deadline_s=60.0), "news": LANES["promotional"]},
    )
    assert [str(change) for change in compare(before, after).changes] == [
        'API key "old": removed',
        'API key "new": added',
        'route "a": removed',
        'route "b": added',
        f"routes: {AGAIN}",
        'lane "otp": changed (deadline 2m -> 1m)',
        'lane "news": added',
    ]


def test_another_order_of_routes_is_a_difference() -> None:
    one, two = RouteConfig(name="a", carriers=("north",)), RouteConfig(name="b", carriers=("north",))
    found = compare(config(NORTH, route=(one, two)), config(NORTH, route=(two, one)))
    assert [str(change) for change in found.changes] == [
        "routes: come in another order",
        f"routes: {AGAIN}",
    ]


def test_what_waits_is_not_said_to_move_where_only_its_carriers_change() -> None:
    before = config(NORTH, carrier_config("south"), route=(RouteConfig(name="a", carriers=("north",)),))
    after = config(NORTH, carrier_config("south"), route=(RouteConfig(name="a", carriers=("south",), prefer="cost"),))
    (change,) = compare(before, after).changes
    assert change.what == 'route "a"'
    fewer = config(
        NORTH, carrier_config("south"), route=(RouteConfig(name="a", carriers=("north",), prefixes=("44",)),)
    )
    assert [str(change) for change in compare(before, fewer).changes][1:] == [f"routes: {AGAIN}"]


def test_what_changed_of_a_carrier_is_told_with_old_and_new() -> None:
    dialect = attrs.evolve(NORTH.dialect, time_zone="Europe/London")
    bind = attrs.evolve(BIND, window_size=9, drain_s=2.5)
    after = attrs.evolve(NORTH, bind=(bind, attrs.evolve(BIND, system_id="other")), dialect=dialect, rate_per_s=5.0)
    (change,) = compare(config(NORTH), config(after)).changes
    assert str(change) == (
        'carrier "north": drains and binds anew (rate_per_s not set -> 5; '
        f"bind 1: window_size {BIND.window_size} -> 9, drain 10s -> 2s500ms; bind 2: added; "
        'dialect: time_zone "UTC" -> "Europe/London")'
    )


def test_every_command_that_gives_a_secret_runs_once(tmp_path: Path) -> None:
    told = tmp_path / "told"
    script = tmp_path / "secret"
    script.write_text(f"#!/bin/sh\necho x >> {told}\necho word\n")
    script.chmod(0o700)
    text = FILE.format(folder=tmp_path)
    for key in ("secret_file", "password_file"):
        text = "\n".join(
            f'{key.replace("file", "command")} = ["{script}"]' if line.startswith(key) else line
            for line in text.splitlines()
        )
    (tmp_path / "config.toml").write_text(text)
    _, secrets = read(tmp_path / "config.toml", os.environ)
    assert secrets.credentials["north"][0].password == "word"
    assert told.read_text() == "x\nx\n", "once for the key, once for the bind"


def test_other_secrets_are_told_without_them() -> None:
    found = compare(config(NORTH), config(NORTH), rotated=['carrier "north"', 'API key "shop"'])
    assert [str(change) for change in found.changes] == [
        'carrier "north": another secret',
        'API key "shop": another secret',
    ]


def test_nothing_that_differs_is_nothing() -> None:
    assert compare(config(NORTH), config(NORTH)).changes == ()


def test_store_and_address_need_a_restart() -> None:
    before = config(NORTH)
    after = attrs.evolve(
        before,
        api=attrs.evolve(before.api, listen="127.0.0.1:1"),
        store=attrs.evolve(before.store, path="b.db", idempotency_s=5.0),
    )
    assert needs_restart(before, after) == [
        "api.listen: from 127.0.0.1:8080 to 127.0.0.1:1 needs a restart",
        "store.path: a change of the store needs a restart",
        "store.idempotency: a change of the store needs a restart",
    ]
    assert needs_restart(before, config(carrier_config("south"))) == []


FILE = """
[[api.key]]
name = "shop"
secret_file = "{folder}/key"
[[carrier]]
name = "north"
[[carrier.bind]]
host = "127.0.0.1"
system_id = "acme"
password_file = "{folder}/password"
"""


def test_a_file_is_read_with_its_secrets(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(FILE.format(folder=tmp_path))
    (tmp_path / "key").write_text("key-1\n")
    (tmp_path / "password").write_text("word-1\n")
    found, secrets = read(tmp_path / "config.toml", os.environ)
    assert found == load_config(tmp_path / "config.toml") == load(tmp_path / "config.toml", Config)
    assert [each.password for each in secrets.credentials["north"]] == ["word-1"]
    assert [(key.name, secret) for key, secret in secrets.keys] == [("shop", "key-1")]
    (tmp_path / "password").write_text("word-2\n")
    assert read(tmp_path / "config.toml", os.environ)[1].credentials["north"][0].password == "word-2"


async def test_a_connector_that_is_given_its_secrets_reads_none(tmp_path: Path) -> None:
    settings = config(attrs.evolve(NORTH, bind=(attrs.evolve(BIND, password_file=str(tmp_path / "none")),)))
    secrets = Secrets({"north": (Credentials("word"),)}, tuple((key, "key") for key in settings.api.key))
    store = Store(engine := MemoryEngine(), InlineWriter(engine))
    connector = Connector(settings, store, clock=lambda: 0.0, random=Random(1), secrets=secrets)
    assert list(connector.carriers) == ["north"]


def test_every_secret_that_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(FILE.format(folder=tmp_path))
    with pytest.raises(ConfigError) as missing:
        read(tmp_path / "config.toml", os.environ)
    assert len(missing.value.problems) == 2
    assert all("cannot be read" in problem for problem in missing.value.problems)


def test_problems_of_the_file_come_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(FILE.format(folder=tmp_path).replace("system_id", "system_idd"))
    with pytest.raises(ConfigError) as bad:
        read(tmp_path / "config.toml", os.environ)
    assert any("config.toml:9" in problem for problem in bad.value.problems), bad.value.problems


def test_keys_and_binds_of_a_difference_hold_no_secret() -> None:
    text = str(compare(config(NORTH), config(attrs.evolve(NORTH, bind=(attrs.evolve(BIND, password_env="P"),)))))
    assert "bind 1: another password_env" in text
    assert isinstance(BIND, BindConfig)
    assert isinstance(config(NORTH).api.key[0], KeyConfig)
