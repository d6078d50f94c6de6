"""Nothing grows without bound: texts go by their lane and rows by their age, in a whole world."""

import attrs
import trio
from trio.testing import MockClock

from connector.config import LANES, StoreConfig
from connector.lifecycle import Status
from connector.pipeline.ids import first_id
from tests.pipeline.world import EPOCH_S, World, config, world

DAY_S = 86_400.0


def _texts(built: World, number: str) -> list[str | None]:
    return [row["text"] for row in built.engine.export(number) if row["table"] == "message"]


async def test_a_password_is_erased_at_once_and_another_text_after_its_days(autojump_clock: MockClock) -> None:
    lane = {"promotional": attrs.evolve(LANES["promotional"], keep_body_s=3_600.0)}
    async with world(config(lane=lane)) as built:
        await built.start()
        await built.bound()
        await built.send(lane="otp", text="code 4711", first=1)
        await built.send(text="sale!", first=2)
        await built.counted(Status.DELIVERED, 2)
        await trio.sleep(3.0)
        assert _texts(built, "447911100001") == [None]
        assert _texts(built, "447911100002") == ["sale!"]
        await trio.sleep(3_700.0)
        assert _texts(built, "447911100002") == [None]


async def test_the_text_of_what_is_under_way_stays(autojump_clock: MockClock) -> None:
    async with world() as built:
        built.cut()
        await built.start()
        await built.send(lane="transactional", text="still to go", first=1)
        await trio.sleep(120.0)
        assert _texts(built, "447911100001") == ["still to go"]


def _rows(built: World) -> int:
    """How many rows the whole store has."""
    return sum(len(table) for table in built.engine.snapshot().rows.values())


async def test_a_week_at_a_hundredth_of_its_length_ends_no_larger_than_its_second_day(
    autojump_clock: MockClock,
) -> None:
    day_s = DAY_S / 100
    settings = config(lane={name: attrs.evolve(lane, keep_body_s=day_s / 2) for name, lane in LANES.items()})
    short = attrs.evolve(
        settings.store,
        idempotency_s=day_s / 10,
        keep_messages_s=day_s,
        keep_events_s=day_s,
        keep_receipts_s=day_s,
        keep_inbound_s=day_s,
    )
    async with world(attrs.evolve(settings, store=short)) as built:
        await built.start()
        await built.bound()
        sizes, first = [], 0
        for _ in range(7):
            for _ in range(24):
                await built.send(20, lane="otp", first=first % 50_000)
                first += 20
                await trio.sleep(day_s / 24)
            sizes.append(_rows(built))
        assert max(abs(size / sizes[1] - 1) for size in sizes[1:]) < 0.05, sizes
        assert (await built.connector.queries.ledger()).accepted == first == 3_360
        assert len(built.engine.export("447911100000")) == 0


def test_ids_are_in_the_order_of_time() -> None:
    assert first_id(EPOCH_S) < first_id(EPOCH_S + 0.01)
    assert first_id(0.0) == 0


def test_a_message_may_not_be_forgotten_before_its_idempotency_key() -> None:
    problems = list(StoreConfig(idempotency_s=10.0, keep_messages_s=5.0).problems())
    assert [path for path, _ in problems] == [("keep_messages",)]
    assert list(StoreConfig().problems()) == []
