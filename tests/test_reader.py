"""A store read from beside: the same JSON as the HTTP door."""

from pathlib import Path

import pytest

from connector.errors import InputError, StoreBroken, StoreError
from connector.reader import open_reader
from tests.api.conftest import door as door
from tests.api.world import NUMBER, SECRETS, World, config, world

HELLO = {"to": NUMBER, "text": "Hello", "metadata": {"a": [1, {"b": None}]}, "client_ref": "order-1"}


async def test_it_answers_as_the_door_does_while_the_connector_runs(door: World, tmp_path: Path) -> None:
    message_id = (await door.post(HELLO)).json()["id"]
    await door.post({**HELLO, "text": "x" * 200, "client_ref": "order-2"})
    with open_reader(tmp_path / "store.db") as reader:
        assert reader.message(message_id) == (await door.get(f"/v1/messages/{message_id}")).json()
        assert reader.messages({}) == (await door.get("/v1/messages")).json()["messages"]
        assert reader.messages({"limit": "1"}) == (await door.get("/v1/messages?limit=1")).json()["messages"]
        assert reader.verify() == (await door.get("/v1/verify")).json()


async def test_it_answers_when_no_connector_runs(tmp_path: Path) -> None:
    async with world(config(tmp_path)) as running:
        message_id = (await running.post(HELLO)).json()["id"]
    with open_reader(tmp_path / "store.db") as reader:
        assert reader.message(message_id)["client_ref"] == "order-1"
        assert reader.verify()["ok"] is True


async def test_it_sees_the_messages_of_all_keys(door: World, tmp_path: Path) -> None:
    await door.post(HELLO)
    await door.post({"to": NUMBER, "text": "Hello", "from": "Other"}, secret=SECRETS["OTHER"])
    with open_reader(tmp_path / "store.db") as reader:
        assert len(reader.messages({"to": NUMBER})) == 2


async def test_what_makes_no_sense_is_told(door: World, tmp_path: Path) -> None:
    with open_reader(tmp_path / "store.db") as reader:
        with pytest.raises(InputError, match="there is no message 00000000000"):
            reader.message("00000000000")
        with pytest.raises(InputError, match="there is no message nonsense"):
            reader.message("nonsense")
        with pytest.raises(InputError, match='did you mean "delivered"'):
            reader.messages({"status": "deliverd"})
        with pytest.raises(InputError, match="national spelling"):
            reader.messages({"to": "07911123456"})


def test_what_is_no_store_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no store at"), open_reader(tmp_path / "nope.db"):
        pass
    (tmp_path / "text.db").write_text("no database\n" * 100)
    with pytest.raises(StoreBroken), open_reader(tmp_path / "text.db"):
        pass
    assert not (tmp_path / "nope.db").exists()
