"""carrierline verify, straight from a store."""

import json
from pathlib import Path

from connector.model import Aged
from connector.store.sqlite import SqliteEngine
from tests.cli.calls import Caller
from tests.store.world import World, receipt


def test_what_went_for_its_age_is_counted_among_what_was_accepted(carrierline: Caller, tmp_path: Path) -> None:
    world = World(SqliteEngine(tmp_path / "store.db"), lambda engine: engine)
    for number in (5, 6, 7):
        world.sent(number, str(number))
    world.results(receipt("5"), receipt("6"), receipt("of nobody"))
    world.transaction(lambda: world.engine.forget_messages(10, after=0, until=1_000, before=9e9))
    world.transaction(lambda: world.engine.forget(Aged.RECEIPTS, 10, before=9e9))
    world.engine.close()
    told = carrierline("verify", "--store", str(tmp_path / "store.db"))
    assert (told.status, told.out.splitlines()) == (
        0,
        [
            "accepted 3 messages in 3 parts",
            "  delivered  2",
            "  sent       1",
            "  2 messages of these gone for age: only counted now",
            "submitted 3 attempts: 3 answered",
            "1 receipt gone for age, without a message",
            "the ledger balances",
        ],
    )
    found = json.loads(carrierline("verify", "--json", "--store", str(tmp_path / "store.db")).out)
    assert found["gone"] == {"messages": 2, "receipts": 1}
