"""carrierline messages, straight from a store."""

import json
from pathlib import Path

from connector.lifecycle import Event
from connector.model import format_id
from connector.store.sqlite import SqliteEngine
from tests.cli.calls import Caller
from tests.store.world import World, receipt


def filled(path: Path) -> Path:
    """A store with a message that failed for now, one that failed for good, and one that was delivered."""
    world = World(SqliteEngine(path), lambda engine: engine)
    for number in (5, 6, 7):
        world.sent(number, str(number))
    world.results(
        receipt("5", event=Event.UNDELIVERED, detail="UNDELIV 027", reason="absent_subscriber", temporary=True),
        receipt("6", event=Event.UNDELIVERED, detail="UNDELIV 001", reason="unknown_subscriber", temporary=False),
        receipt("7", done_at=1_015.0),
    )
    world.engine.close()
    return path


def test_the_list_says_why_a_message_failed_and_whether_it_may_pass_later(carrierline: Caller, tmp_path: Path) -> None:
    store = filled(tmp_path / "store.db")
    lines = carrierline("messages", "list", "--store", str(store)).out.splitlines()
    by_id = {line.split()[0]: line for line in lines[1:]}
    assert by_id[format_id(5)].rstrip().endswith("absent_subscriber (temporary)")
    assert by_id[format_id(6)].rstrip().endswith("unknown_subscriber")
    assert by_id[format_id(7)].rstrip().endswith("north")


def test_one_message_shows_the_reason_and_the_carrier_s_own_words(carrierline: Caller, tmp_path: Path) -> None:
    store = filled(tmp_path / "store.db")
    out = carrierline("messages", "show", format_id(5), "--store", str(store)).out
    assert "absent_subscriber\n" in out
    assert "temporary            true\n" in out
    assert "UNDELIV 027: absent_subscriber, temporary" in out


def test_json_has_the_reason_as_one_word(carrierline: Caller, tmp_path: Path) -> None:
    store = filled(tmp_path / "store.db")
    found = json.loads(carrierline("messages", "list", "--json", "--store", str(store)).out)
    said = [(message["reason"], message["temporary"], message["done_at"]) for message in found]
    assert said == [
        (None, None, "1970-01-01T00:16:55.000Z"),
        ("unknown_subscriber", False, None),
        ("absent_subscriber", True, None),
    ]
