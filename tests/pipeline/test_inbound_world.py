"""What subscribers write, from the carrier's link to whoever may read it: whole ways under virtual time."""

from collections.abc import Sequence
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from connector.config import Config, InboundConfig, InboundRouteConfig
from connector.lifecycle import Status
from connector.model import InboundMessage, InboundQuery, Repeat, Traces
from connector.pipeline.inbound_join import REMEMBERED_S
from connector.pipeline.inbound_owed import ANSWER_WITHIN_S
from connector.pipeline.privacy import Privacy
from simulator import Scenario
from simulator.mo import subscriber_message, subscriber_parts
from simulator.scenario import Delay, ReceiptRules
from tests.pipeline.world import World, carrier_config, config, now, world

HANDSET, CODE = "447911100000", "60777"
"""The handset is the one that `World.send` writes to first."""
LONG = "This is a text that needs more than one part, € signs and all. " * 7
WAIT_S = InboundConfig().join_timeout_s


def settings(*routes: InboundRouteConfig, keys: Sequence[str] = ("shop", "poll"), **changes: Any) -> Config:
    built = config(carrier_config("north"), keys=keys)
    return attrs.evolve(built, inbound=InboundConfig(route=routes, **changes))


def rule(key: str = "shop", **changes: Any) -> InboundRouteConfig:
    return InboundRouteConfig(api_key=key, **changes)


async def told(it: World, **query: Any) -> list[InboundMessage]:
    """Return what was told, oldest first."""
    return await it.connector.queries.inbound(InboundQuery(after=0, limit=1_000, **query))


async def until_told(it: World, count: int) -> list[InboundMessage]:
    with trio.fail_after(100_000):
        while len(found := await told(it)) < count:  # noqa: ASYNC110 - it asks the store, which tells nobody
            await trio.sleep(0.5)
    return found


async def acknowledged(it: World, count: int) -> None:
    await it.until(lambda: it.smsc["north"].statistics().mo_acknowledged == count)


async def counted(it: World) -> dict[str, int]:
    return dict((await it.connector.queries.ledger()).inbound)


async def test_a_message_is_read_routed_and_told(autojump_clock: MockClock) -> None:
    async with world(settings(rule(to=(CODE,), keywords=("vote",)), rule("poll", to=(CODE,)))) as it:
        await it.start()
        await it.bound()
        it.smsc["north"].deliver(HANDSET, CODE, "Vote café €")
        it.smsc["north"].deliver("+" + HANDSET, CODE, "hello")
        first, second = await until_told(it, 2)
        assert (first.sender, first.to, first.text) == (HANDSET, CODE, "Vote café €")
        assert (first.api_key, first.matched, first.total) == ("shop", "rule inbound-1", 1)
        assert (second.sender, second.api_key, second.matched) == (HANDSET, "poll", "rule inbound-2")
        assert await counted(it) == {"parts": 2, "messages": 2}


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("text", [LONG, "Ünïcödé 🙂 " * 30])
async def test_a_long_message_is_whole_in_whatever_order_its_parts_come(
    text: str, wide: bool, autojump_clock: MockClock
) -> None:
    async with world(settings(rule())) as it:
        await it.start()
        await it.bound()
        parts = subscriber_parts(HANDSET, CODE, text, reference=200, wide=wide)
        assert len(parts) > 2
        it.smsc["north"].deliver_sm(parts[::-1])
        [message] = await until_told(it, 1)
        assert (message.text, message.total, message.partial) == (text, len(parts), False)
        assert message.parts == tuple(range(len(parts), 0, -1))
        assert await counted(it) == {"parts": len(parts), "messages": 1}


async def test_a_part_that_never_comes_is_named_after_the_wait(autojump_clock: MockClock) -> None:
    async with world(settings(rule())) as it:
        await it.start()
        await it.bound()
        parts = subscriber_parts(HANDSET, CODE, LONG)
        it.smsc["north"].deliver_sm([parts[0], *parts[2:]])
        await acknowledged(it, len(parts) - 1)
        began = now()
        assert it.connector.statistics().inbound.open_messages == 1
        await trio.sleep(WAIT_S - 2)
        assert await told(it) == []
        [message] = await until_told(it, 1)
        assert WAIT_S - 1 <= now() - began <= WAIT_S + 2
        assert (message.total, message.missing, message.partial) == (len(parts), (2,), True)
        assert LONG.startswith(message.text[:100])
        # and when it comes after all, it is told alone and says whose it is
        it.smsc["north"].deliver_sm([parts[1]])
        [_, late] = await until_told(it, 2)
        assert (late.continues, late.missing) == (message.id, (1, *range(3, len(parts) + 1)))
        assert late.text in LONG
        assert await counted(it) == {"parts": len(parts), "messages": 2, "partial": 2}


async def test_a_kill_between_the_parts_loses_none_and_tells_nothing_twice(autojump_clock: MockClock) -> None:
    async with world(settings(rule())) as it:
        await it.start()
        await it.bound()
        parts = subscriber_parts(HANDSET, CODE, LONG)
        it.smsc["north"].deliver_sm([subscriber_message(HANDSET, CODE, "before"), *parts[:2]])
        await until_told(it, 1)
        await acknowledged(it, 3)
        await it.kill()
        await it.start()
        await it.bound()
        it.smsc["north"].deliver_sm(parts[2:])
        before, long = await until_told(it, 2)
        assert (before.text, long.text, long.partial) == ("before", LONG, False)
        assert before.id < long.id
        await trio.sleep(2 * WAIT_S)
        assert await counted(it) == {"parts": len(parts) + 1, "messages": 2}


@pytest.mark.parametrize("steps", range(0, 40, 3))
async def test_whenever_a_life_ends_each_message_is_told_once(steps: int, autojump_clock: MockClock) -> None:
    """The carrier sends again what it had no answer for; nobody hears of that."""
    async with world(settings(rule())) as it:
        await it.start()
        await it.bound()
        sent = ["one", "two", "three", LONG, "four"]
        for number, text in enumerate(sent):
            it.smsc["north"].deliver_sm(subscriber_parts(f"{HANDSET}{number}", CODE, text))
        await trio.sleep(steps * 0.0005)
        it.smsc["north"].drop_links()
        await it.kill()
        await it.start()
        await acknowledged(it, sum(len(subscriber_parts("1", CODE, text)) for text in sent))
        await until_told(it, len(sent))
        await trio.sleep(3 * WAIT_S)
        assert sorted(message.text for message in await told(it)) == sorted(sent)
        numbers = await counted(it)
        assert numbers.get("open", 0) == 0


async def test_a_message_whose_answer_was_lost_with_its_link_is_told_once(autojump_clock: MockClock) -> None:
    async with world(settings(rule())) as it:
        await it.start()
        await it.bound()
        it.commit_s = 1.0
        it.smsc["north"].deliver_sm([subscriber_message(HANDSET, CODE, "1"), *subscriber_parts(HANDSET, CODE, LONG)])
        await trio.sleep(0.5)
        it.smsc["north"].drop_links()
        copies = len(subscriber_parts(HANDSET, CODE, LONG)) + 1
        it.commit_s = 0.002
        await acknowledged(it, copies)
        await trio.sleep(3 * WAIT_S)
        assert sorted(message.text for message in await told(it)) == ["1", LONG]
        assert await counted(it) == {"parts": 2 * copies, "messages": 2, "repeats": copies}


async def test_the_same_vote_twice_over_a_link_that_stands_is_two_votes(autojump_clock: MockClock) -> None:
    async with world(settings(rule())) as it:
        await it.start()
        await it.bound()
        for _ in range(2):
            it.smsc["north"].deliver(HANDSET, CODE, "1")
            await trio.sleep(1)
        assert [message.text for message in await until_told(it, 2)] == ["1", "1"]


async def test_the_same_vote_after_a_rebind_is_another_vote_if_the_link_stood_after_the_first(
    autojump_clock: MockClock,
) -> None:
    async with world(settings(rule())) as it:
        await it.start()
        await it.bound()
        it.smsc["north"].deliver(HANDSET, CODE, "1")
        await acknowledged(it, 1)
        await trio.sleep(60)
        it.smsc["north"].drop_links()
        await trio.sleep(1)
        await it.bound()
        await trio.sleep(120)
        it.smsc["north"].deliver(HANDSET, CODE, "1")
        assert [message.text for message in await until_told(it, 2)] == ["1", "1"]


@pytest.mark.parametrize("here", [1, 2])
async def test_what_an_erasure_leaves_of_a_message_is_told_without_the_rest(
    here: int, autojump_clock: MockClock
) -> None:
    async with world(settings(rule())) as it:
        await it.start()
        await it.bound()
        parts = subscriber_parts(HANDSET, CODE, LONG)
        it.smsc["north"].deliver_sm(parts[:here])
        await acknowledged(it, here)
        await Privacy(it.connector._store).erase(HANDSET)
        it.smsc["north"].deliver_sm(parts[here:])
        [message] = await until_told(it, 1)
        assert (message.missing, message.total) == (tuple(range(1, here + 1)), len(parts))
        assert message.text
        assert LONG.endswith(message.text)
        assert it.connector.statistics().inbound.open_parts == 0
        assert (await counted(it)).get("open", 0) == 0


async def test_an_erasure_between_the_look_and_the_commit_strands_nothing(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(settings(rule())) as it:
        await it.start()
        await it.bound()
        parts = subscriber_parts(HANDSET, CODE, LONG)
        it.smsc["north"].deliver_sm(parts[:1])
        await acknowledged(it, 1)
        store, tries = it.connector._store, []
        tell = store.tell

        async def late(messages: Sequence[InboundMessage], repeats: Sequence[Repeat]) -> list[int]:
            tries.append([message.missing for message in messages])
            if len(tries) == 1:
                await store.erase(HANDSET, Traces(inbound_parts=messages[0].parts[:1]))
            return await tell(messages, repeats)

        monkeypatch.setattr(store, "tell", late)
        it.smsc["north"].deliver_sm(parts[1:])
        [message] = await until_told(it, 1)
        assert (message.missing, tries) == ((1,), [[()], [(1,)]])


async def test_a_reply_goes_to_the_key_that_wrote_last_out_of_that_number(autojump_clock: MockClock) -> None:
    async with world(settings(reply_within_s=3_600.0)) as it:
        await it.start()
        await it.bound()
        [first] = await it.send(key="shop", sender="60777", metadata={"order": 7}, client_ref="a")
        await it.send(key="poll", sender="60888")
        await trio.sleep(60)
        it.smsc["north"].deliver(HANDSET, CODE, "yes")
        [reply] = await until_told(it, 1)
        assert (reply.api_key, reply.matched, reply.reply_to) == ("shop", "reply", first)
        assert (reply.client_ref, reply.metadata) == ("a", '{"order":7}')
        await trio.sleep(3_600)
        it.smsc["north"].deliver(HANDSET, CODE, "too late")
        [_, late] = await until_told(it, 2)
        assert (late.api_key, late.matched, late.reply_to) == (None, None, None)


async def test_what_is_nobodys_is_kept_and_counted(autojump_clock: MockClock) -> None:
    async with world(settings(rule(to=("60888",)))) as it:
        await it.start()
        await it.bound()
        it.smsc["north"].deliver(HANDSET, CODE, "hello?")
        [message] = await until_told(it, 1)
        assert (message.text, message.api_key) == ("hello?", None)
        assert await counted(it) == {"parts": 1, "messages": 1, "unmatched": 1}
        assert await told(it, unmatched=True) == [message]
        assert it.connector.statistics().inbound.counts["unmatched"] == 1


async def test_a_reload_changes_whose_the_next_message_is(autojump_clock: MockClock) -> None:
    async with world(settings(rule())) as it:
        await it.start()
        await it.bound()
        it.smsc["north"].deliver(HANDSET, CODE, "one")
        await until_told(it, 1)
        done = await it.reload(settings(rule("poll"), join_timeout_s=5.0))
        assert 'inbound route "inbound-1": changed (api_key "shop" -> "poll")' in done.changed
        assert "inbound: join_timeout 2m -> 5s" in done.changed
        it.smsc["north"].deliver(HANDSET, CODE, "two")
        assert [message.api_key for message in await until_told(it, 2)] == ["shop", "poll"]


# --- a disk that does not take it -------------------------------------------------------------------------------------


async def test_a_full_disk_leaves_messages_to_the_carrier_and_they_come_again(autojump_clock: MockClock) -> None:
    async with world(settings(rule())) as it:
        await it.start()
        await it.bound()
        full = True
        it.full = lambda: full
        it.smsc["north"].deliver_sm([subscriber_message(HANDSET, CODE, "hello"), *subscriber_parts("1", CODE, LONG)])
        await it.until(lambda: it.connector.statistics().inbound.refused >= 4, within_s=10)
        assert it.smsc["north"].statistics().deliveries_unanswered == 0
        assert await told(it) == []
        full = False
        found = await until_told(it, 2)
        assert sorted(message.text for message in found) == sorted(["hello", LONG])
        await trio.sleep(REMEMBERED_S)
        assert (await counted(it))["messages"] == 2
        assert it.smsc["north"].statistics().deliveries_unanswered == 0


async def test_a_receipt_that_finds_a_full_disk_comes_again_too(autojump_clock: MockClock) -> None:
    async with world(settings()) as it:
        it.play(Scenario(receipt=ReceiptRules(delay=Delay(value_s=600.0))))
        await it.start()
        await it.bound()
        await it.send()
        await it.counted(Status.SENT, 1)
        full = True
        it.full = lambda: full
        await it.until(lambda: it.connector.statistics().inbound.refused >= 1)
        full = False
        await it.counted(Status.DELIVERED, 1)
        assert it.smsc["north"].statistics().deliveries_unanswered == 0


async def test_outcomes_wait_for_room_while_deliveries_are_left_to_the_carrier(autojump_clock: MockClock) -> None:
    async with world(settings(rule())) as it:
        await it.start()
        await it.bound()
        await it.send()
        it.commit_s = 1.0  # the claim is committed, its answer comes while the disk is full
        await it.until(lambda: it.smsc["north"].statistics().accepted == 1)
        full = True
        it.full = lambda: full
        it.smsc["north"].deliver(HANDSET, CODE, "hello")
        await it.until(lambda: it.connector.statistics().inbound.refused >= 2)  # and once more, while the answer waits
        it.commit_s, full = 0.002, False
        await it.counted(Status.DELIVERED, 1)
        assert [message.text for message in await until_told(it, 1)] == ["hello"]


async def test_a_disk_that_stands_still_costs_no_silence_and_tells_nothing_twice(autojump_clock: MockClock) -> None:
    async with world(settings(rule())) as it:
        await it.start()
        await it.bound()
        it.commit_s = 30.0
        it.smsc["north"].deliver(HANDSET, CODE, "hello")
        await trio.sleep(ANSWER_WITHIN_S + 2)
        assert it.connector.statistics().inbound.refused == 1
        it.smsc["north"].deliver("447911100001", CODE, "behind it")
        await trio.sleep(ANSWER_WITHIN_S + 2)
        assert it.connector.statistics().inbound.refused >= 2
        it.commit_s = 0.002
        await acknowledged(it, 2)
        await trio.sleep(REMEMBERED_S)
        assert sorted(message.text for message in await told(it)) == ["behind it", "hello"]
        assert it.smsc["north"].statistics().deliveries_unanswered == 0
