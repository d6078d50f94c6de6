"""Two engines written apart, one history: whatever is done to both, they answer alike and their books balance."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from connector.lifecycle import Event, Status
from connector.model import (
    Answer,
    Claim,
    Conflict,
    DoubtPolicy,
    Duplicate,
    Inbound,
    Kept,
    Lost,
    MessageQuery,
    Move,
    NotSent,
    Receipt,
    Refile,
    Result,
    Setback,
    Wanted,
    part_id,
)
from connector.store.memory import MemoryEngine
from connector.store.rules import REROUTE_LOOK_S
from connector.store.sqlite import SqliteEngine
from tests.store.world import NAMES, NUMBER, OTHER_NUMBER, message

ANSWERS = [Event.ACKNOWLEDGED, Event.DEFERRED, Event.REROUTED, Event.REFUSED, Event.EXHAUSTED]
NEWEST: list[list[Any]] = [[], [Event.ACKNOWLEDGED], ["lost"], ["lost", Event.ACKNOWLEDGED], ["lost", Event.DEFERRED]]
NEWEST += [[Event.REFUSED], ["not sent"], [Event.DEFERRED, Event.ACKNOWLEDGED]]
WORDS = [Event.DELIVERED, Event.UNDELIVERED, Event.EXPIRED, Event.REJECTED, None]

# few values of everything, so that they meet
CARRIERS = st.sampled_from(["north", "south"])
KEYS = st.sampled_from(["1", "2", "3", f"{NUMBER}-1"])
NUMBERS = st.sampled_from([NUMBER, OTHER_NUMBER])
PARTS = st.builds(part_id, st.integers(1, 12), st.sampled_from([0, 0, 0, 1, 2]))
ATTEMPTS = st.integers(1, 3)
DETAILS = st.sampled_from([None, "DELIVRD", "a|b\nc"])
AFTER = st.none() | st.integers(1, 30)
MARKS = st.tuples(st.sampled_from(["ref:a", "ref:b", "key:k#0"]), st.sampled_from([b"x", b"y"]))
REFS = st.lists(MARKS, max_size=2, unique_by=lambda mark: mark[0])


def claim_of(part: int, attempt: int, doubts: int = 0) -> Claim:
    """An attempt belongs to one carrier, whoever answers for it."""
    return Claim(part, attempt, "north" if ((part >> 8) + attempt) % 2 else "south", doubts)


CLAIMS = st.lists(st.builds(claim_of, PARTS, ATTEMPTS, st.integers(0, 2)), max_size=6)
SETBACKS = st.none() | st.builds(Setback, st.sampled_from([990.0, 1_005.0]), st.booleans(), st.booleans())
QUEUES = st.integers(1, 2)
TURNS = st.sampled_from([None, Event.REROUTED, Event.REROUTED, Event.DEFERRED, "lost", "lost", Event.ACKNOWLEDGED])
WHYS = st.sampled_from([(None, None, None), ("absent_subscriber", True, 999.0), ("barred", False, None)])
RECEIPTS = st.tuples(
    CARRIERS, st.lists(KEYS, max_size=2, unique=True), st.sampled_from(WORDS), NUMBERS | st.just(""), DETAILS, WHYS
)
OUTCOMES = st.tuples(
    st.sampled_from([*ANSWERS, *ANSWERS, "lost", "not sent"]), PARTS, ATTEMPTS, KEYS, AFTER, DETAILS, SETBACKS
)
COLUMNS = (
    "id, queue, status, deadline, due_at, history, attempt, tries, fence, carrier, pinned, key, carrier_message_id,"
    " sent_at, finished_at, reason, temporary, done_at, refused, doubts, lost, harms, first_at, hopeful"
)

RESENDING = {"otp": DoubtPolicy(600.0), "promotional": DoubtPolicy(3_600.0, resends=1, resend_after_s=30.0)}


class TwoEngines(RuleBasedStateMachine):
    """Every verb on both engines; the parts named are mostly there, sometimes not, and in any status."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.engines: list[Any] = [SqliteEngine(self.folder / "store.db"), MemoryEngine()]
        self.now = 1_000.0
        self.kept = 0
        self.numbers: dict[int, str] = {}
        self.open = False

    def teardown(self) -> None:
        for engine in self.engines:
            engine.close()
        shutil.rmtree(self.folder)

    def same(self, work: Callable[[Any], Any]) -> Any:
        ours, judges = [work(engine) for engine in self.engines]
        assert ours == judges
        return ours

    def write(self, work: Callable[[Any], Any]) -> Any:
        """Do this on both, in the transaction that is open or in one of its own."""
        alone = not self.open
        if alone:
            self.begin()
        answer = self.same(work)
        if alone:
            self.commit()
        return answer

    @initialize(shapes=st.lists(st.integers(1, 2), min_size=2, max_size=5))
    def queues_are_opened(self, shapes: list[int]) -> None:
        """Some messages are there from the start: not every run has the rule that keeps them."""
        self.write(lambda engine: engine.queues(NAMES))
        self.append([(parts, False, NUMBER, [], 1) for parts in shapes], False)

    # --- transactions and lives ---

    @rule()
    def begin(self) -> None:
        if not self.open:
            self.same(lambda engine: engine.begin())
            self.open = True

    @rule()
    def commit(self) -> None:
        if self.open:
            self.same(lambda engine: engine.commit())
            self.open = False

    @rule()
    def roll_back(self) -> None:
        if self.open:
            self.same(lambda engine: engine.rollback())
            self.open = False
            self.kept = self.same(lambda engine: engine.last_id())

    @rule(back_s=st.sampled_from([0, 0, 0, 15, 1_000]))
    def crash(self, back_s: int) -> None:
        """Begin another life; somebody may have set the clock back."""
        self.now -= back_s
        disk, memory = self.engines
        disk.close()
        self.engines = [SqliteEngine(disk.path), MemoryEngine.restored(memory.snapshot())]
        self.open = False
        self.kept = self.same(lambda engine: engine.last_id())

    @rule(seconds=st.integers(0, 20))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    # --- verbs ---

    @rule(
        shapes=st.lists(
            st.tuples(st.integers(1, 2), st.booleans(), NUMBERS, REFS, st.integers(1, 2)),
            min_size=1,
            max_size=3,
        ),
        fused=st.booleans(),
    )
    def append(self, shapes: list[Any], fused: bool) -> None:
        messages = []
        for parts, later, to, refs, queue in shapes:
            self.kept += 1
            self.numbers[self.kept] = to
            guard = ("key:k", refs[0][1]) if refs and refs[0][0] == "key:k#0" else None
            messages.append(
                message(
                    self.kept,
                    parts,
                    to=to,
                    queue=queue,
                    lane=NAMES[queue - 1].lane,
                    refs=tuple(refs),
                    guard=guard,
                    send_at=self.now + 15 if later else None,
                    created_at=self.now,
                    deadline=self.now + 40 * queue,
                )
            )
        claims = [claim_of(part.id, 1) for part in messages[0].parts()] if fused else []
        verdicts = self.write(lambda engine: engine.append(messages, claims, owner=engine.owner, now=self.now))
        for one, verdict in zip(messages, verdicts, strict=True):
            assert verdict == Kept(one.id) or isinstance(verdict, Duplicate | Conflict)

    @rule(claims=CLAIMS)
    def claim(self, claims: list[Claim]) -> None:
        won = self.write(lambda engine: engine.claim(claims, owner=engine.owner, now=self.now))
        assert len({claim.part for claim in won}) == len(won)

    @rule(limit=st.integers(1, 8), queue=st.integers(1, 2))
    def claim_the_next(self, limit: int, queue: int) -> None:
        heads = self.same(lambda engine: engine.heads([Wanted(queue, None, limit)]))
        claims = [claim_of(head.id, head.attempt + 1, head.doubts) for head in heads[queue]]
        was_open = self.open
        won = self.write(lambda engine: engine.claim(claims, owner=engine.owner, now=self.now))
        pins = {head.id >> 8: head.pinned for head in heads[queue] if head.total > 1 and head.pinned}
        fit = [
            each
            for each in claims
            if each.part & 0xFF == 0 or pins.setdefault(each.part >> 8, each.carrier) == each.carrier
        ]
        assert was_open or won == fit

    @rule(
        limit=st.integers(1, 6),
        kinds=st.lists(TURNS, min_size=6, max_size=6),
        afters=st.lists(st.sampled_from([None, 1, 1]), min_size=6, max_size=6),
        setbacks=st.lists(SETBACKS, min_size=6, max_size=6),
    )
    def a_turn(self, limit: int, kinds: list[Any], afters: list[Any], setbacks: list[Any]) -> None:
        """What waits is claimed and answered, and what is paused is due: so that parts grow old."""
        self.commit()
        for queue in (1, 2):
            self.claim_the_next(limit, queue)
        views = self.same(lambda engine: engine.messages(MessageQuery(status=Status.SENDING, limit=limit)))
        newest = {entry.part: entry for view in views for entry in view.timeline if entry.event == "claimed"}
        found = [
            self._outcome(kind, entry.part, entry.attempt, str(entry.part % 7), after, None, setback)
            for entry, kind, after, setback in zip(newest.values(), kinds, afters, setbacks, strict=False)
            if kind is not None
        ]
        self.write(lambda engine: engine.results(found, owner=engine.owner, now=self.now, policies=RESENDING))
        self.now += 2
        self.what_is_due_is_moved(10, True)

    @rule(outcomes=st.lists(OUTCOMES, max_size=5), receipts=st.lists(RECEIPTS, max_size=3))
    def results(self, outcomes: list[Any], receipts: list[Any]) -> None:
        found: list[Result] = [self._outcome(*outcome) for outcome in outcomes]
        found += [
            Receipt(carrier, tuple(keys), self.now, event, number, detail, *why)
            for carrier, keys, event, number, detail, why in receipts
        ]
        found.append(Inbound("north", self.now, NUMBER, "60300", "STOP", b"STOP", 0, 0))
        self.write(lambda engine: engine.results(found, owner=engine.owner, now=self.now, policies=RESENDING))

    @rule(
        limit=st.integers(1, 6),
        keys=st.lists(KEYS, min_size=6, max_size=6),
        event=st.sampled_from([*ANSWERS, "lost"]),
        after=AFTER,
        setback=SETBACKS,
    )
    def answer_the_sending(
        self, limit: int, keys: list[str], event: Any, after: int | None, setback: Setback | None
    ) -> None:
        if self.open:
            return
        query = MessageQuery(status=Status.SENDING, limit=limit)
        views = self.same(lambda engine: engine.messages(query))
        entries = [entry for view in views for entry in view.timeline if entry.event == "claimed"]
        found = [
            self._outcome(event, entry.part, entry.attempt, key, after, None, setback)
            for entry, key in zip(entries, keys, strict=False)
        ]
        self.write(lambda engine: engine.results(found, owner=engine.owner, now=self.now, policies=RESENDING))

    @rule(
        words=st.lists(st.sampled_from(WORDS), min_size=1, max_size=4),
        again=st.booleans(),
        newest=st.sampled_from(NEWEST),
        then=st.permutations(["first", "newest"]),
    )
    def earlier_attempts_are_told(self, words: list[Any], again: bool, newest: list[Any], then: list[str]) -> None:
        """What is on the wire again gets an id for its first attempt, and words about that, before its newest attempt
        is settled and after it, in one read with that one's own."""
        self.commit()
        views = self.same(lambda engine: engine.messages(MessageQuery(status=Status.SENDING)))
        claims = [entry for view in views for entry in view.timeline if entry.event == "claimed" and entry.attempt == 1]
        found: list[Result] = []
        for entry, word in zip(claims, words * len(claims), strict=False):
            key, carrier, to = f"first of {entry.part}", claim_of(entry.part, 1).carrier, self.numbers[entry.part >> 8]
            found.append(Answer(entry.part, 1, Event.ACKNOWLEDGED, self.now, carrier, key, key, to))
            found += [Receipt(carrier, (key,), self.now, word, to, "DELIVRD") for _ in range(1 + again)]
        second_words = [attrs.evolve(item) for item in found if isinstance(item, Receipt)]
        latest = {entry.part: entry for view in views for entry in view.timeline if entry.event == "claimed"}
        parts = [entry.part for entry in claims]
        outcomes = [
            self._outcome(kind, part, latest[part].attempt, f"newest of {part}", None, None)
            for part in parts
            for kind in newest
        ]
        last = [
            Receipt(
                claim_of(part, 1 if which == "first" else latest[part].attempt).carrier,
                (f"{which} of {part}",),
                self.now,
                word,
                self.numbers[part >> 8],
                "UNDELIV",
            )
            for part, word in zip(parts, words[::-1] * len(parts), strict=False)
            for which in then
        ]
        for results in (found, second_words, outcomes, last):
            self.write(lambda engine, results=results: engine.results(results, owner=engine.owner, now=self.now))

    @rule(limit=st.integers(1, 3), keys=st.lists(KEYS, min_size=3, max_size=3), event=st.sampled_from(ANSWERS))
    def answer_the_doubted(self, limit: int, keys: list[str], event: Event) -> None:
        if self.open:
            return
        query = MessageQuery(status=Status.IN_DOUBT, limit=limit)
        views = self.same(lambda engine: engine.messages(query))
        entries = [entry for view in views for entry in view.timeline if entry.event == "lost"]
        found = [
            self._outcome(event, entry.part, entry.attempt, key, None, None)
            for entry, key in zip(entries, keys, strict=False)
        ]
        self.write(lambda engine: engine.results(found, owner=engine.owner, now=self.now, policies=RESENDING))

    def _outcome(
        self,
        kind: Any,
        part: int,
        attempt: int,
        key: str,
        after: int | None,
        detail: str | None,
        setback: Setback | None = None,
    ) -> Result:
        carrier = claim_of(part, attempt).carrier
        if kind == "lost":
            return Lost(part, attempt, self.now, carrier, "link_lost", self.now + (after or 20))
        if kind == "not sent":
            return NotSent(part, attempt, self.now, carrier, "no_bind")
        due_at = None if after is None else self.now + after
        if kind is not Event.ACKNOWLEDGED:
            return Answer(
                part,
                attempt,
                kind,
                self.now,
                carrier,
                due_at=due_at,
                burned=1,
                reason="temporary",
                detail=detail,
                setback=setback,
                key=key if detail else None,
            )
        to = self.numbers.get(part >> 8, "")
        return Answer(part, attempt, kind, self.now, carrier, key, key, to, due_at, detail=detail)

    @rule(
        moves=st.lists(
            st.builds(Move, PARTS, st.sampled_from(list(Event)), DETAILS, st.none() | st.just(1_020.0)), max_size=5
        )
    )
    def change(self, moves: list[Move]) -> None:
        self.write(lambda engine: engine.change(moves, now=self.now))

    @rule(limit=st.integers(1, 4), again=st.booleans())
    def what_is_due_is_moved(self, limit: int, again: bool) -> None:
        due = self.same(lambda engine: engine.due(limit, now=self.now))
        events = {Status.SENT: Event.SILENCE}
        if not again:
            events[Status.IN_DOUBT] = Event.SILENCE
        moves = [Move(item.part, events.get(item.status, Event.DUE)) for item in due]
        was_open = self.open
        moved = self.write(lambda engine: engine.change(moves, now=self.now))
        assert was_open or len(moved) + self._put_off([move.part for move in moves], moved) == len(due)

    def _put_off(self, parts: list[int], moved: list[Any]) -> int:
        """How many of these look again in a moment, for the siblings that are on the wire."""
        still = set(parts) - {change.part for change in moved}
        later = self.same(lambda engine: engine.due(1_000, now=self.now + REROUTE_LOOK_S))
        return len(still & {item.part for item in later if item.part & 0xFF})

    @rule(limit=st.integers(1, 3), after=st.integers(0, 12), here=st.lists(QUEUES, max_size=2), new=QUEUES)
    def what_has_not_left_is_refiled(self, limit: int, after: int, here: list[int], new: int) -> None:
        found = self.same(lambda engine: engine.unsettled(after << 8, limit, queues=here))
        moves = [Refile(item.part, item.queue, new) for item in found]
        was_open = self.open
        refiled = self.write(lambda engine: engine.refile(moves))
        assert was_open or [move.part for move in moves] == [move.part for move in refiled]

    @rule(moves=st.lists(st.builds(Refile, PARTS, QUEUES, QUEUES), max_size=4))
    def refile(self, moves: list[Refile]) -> None:
        self.write(lambda engine: engine.refile(moves))

    @rule(limit=st.integers(1, 4))
    def recover(self, limit: int) -> None:
        self.write(lambda engine: engine.recover(engine.owner, limit=limit, now=self.now, policies=RESENDING))

    @rule(limit=st.integers(1, 3), age=st.integers(0, 40))
    def sweep(self, limit: int, age: int) -> None:
        self.write(lambda engine: engine.sweep(limit, before=self.now - age))

    # --- what both must say at any time ---

    @invariant()
    def they_show_the_same(self) -> None:
        self.same(lambda engine: engine.owner)
        self.same(lambda engine: engine.messages(MessageQuery(limit=1_000)))
        self.same(lambda engine: engine.heads([Wanted(1, None, 100), Wanted(2, None, 3)]))
        self.same(lambda engine: engine.due(100, now=self.now))
        self.same(lambda engine: engine.unsettled(0, 100, queues=[1, 2]))
        self.same(lambda engine: engine.unsettled(2 << 8, 3, queues=[2]))
        self.same(lambda engine: engine.parked(0, 10_000))
        self.same(lambda engine: engine.events(0, 10_000))
        self.same(lambda engine: engine.ledger())

    @invariant()
    def they_hold_the_same(self) -> None:
        """What no verb shows decides what the next one does."""
        disk, memory = self.engines
        rows = disk._db.execute(f"SELECT {COLUMNS} FROM part ORDER BY id").fetchall()
        judges = memory._rows.parts.working.rows
        names = COLUMNS.split(", ")
        for row, (_, judge) in zip(rows, sorted(judges.items()), strict=True):
            theirs = {name: getattr(judge, name) for name in names}
            assert dict(zip(names, row, strict=True)) == theirs | {"refused": "|".join(judge.refused) or None}
        ids = disk._db.execute("SELECT * FROM other_id ORDER BY carrier, key, part").fetchall()
        assert ids == [attrs.astuple(it) for _, it in sorted(memory._rows.other_ids.working.rows.items())]

    @invariant()
    def what_was_erased_stays_erased(self) -> None:
        rows = self.engines[1]._rows
        for identity, kept in rows.messages.working.rows.items():
            if kept.to.startswith("#"):
                parts = [rows.parts.working.rows[part.id] for part in kept.parts()]
                ids = [it for it in rows.other_ids.working.rows.values() if it.part >> 8 == identity]
                assert self.numbers[identity] not in repr((parts, ids))

    @invariant()
    def doubt_is_what_is_not_known(self) -> None:
        """A part in doubt has doubts; one that waits without doubt has none, so that no claim can mistake it."""
        for row in self.engines[1]._rows.parts.working.rows.values():
            if row.status is Status.IN_DOUBT:
                assert row.doubts > 0
            elif row.status in (Status.SCHEDULED, Status.ACCEPTED):
                assert row.doubts == 0
            assert row.lost in (0, row.attempt) or row.doubts > 0

    @invariant()
    def a_word_waits_only_for_what_is_on_the_wire(self) -> None:
        parts = self.engines[1]._rows.parts.working.rows
        for row in self.engines[1]._rows.parked.working.rows.values():
            assert row.part is None or parts[row.part].status is Status.SENDING

    @invariant()
    def their_books_balance(self) -> None:
        for engine in self.engines:
            verification = engine.verify()
            assert verification.ok, verification.problems
            assert verification.ledger.imbalance == 0

    @invariant()
    def the_log_ends_where_the_parts_stand(self) -> None:
        """Whoever follows the event log knows the status of every part."""
        judge = self.engines[1]
        told = {part: batch.status for batch in judge.events(0, 10_000) for part in batch.parts}
        views = judge.messages(MessageQuery(limit=1_000))
        stand = {entry.part: None for view in views for entry in view.timeline}
        assert told.keys() == stand.keys()
        for view in views:
            ids = sorted({entry.part for entry in view.timeline})
            assert [told[part] for part in ids] == list(view.part_statuses)


TestTwoEngines = TwoEngines.TestCase
TestTwoEngines.settings = settings(
    max_examples=60,
    stateful_step_count=50,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
