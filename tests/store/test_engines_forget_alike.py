"""Both engines through the same random lives, of which less and less is kept."""

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from connector.model import Aged, MessageQuery
from tests.store.test_engines_agree import NUMBERS, RESENDING, TwoEngines

AGES = st.sampled_from([0, 0, 5, 20])
LIMITS = st.integers(1, 5)


class TwoForgetfulEngines(TwoEngines):
    """The same lives, with what erases."""

    @rule(limit=LIMITS, otp=AGES, promotional=AGES)
    def erase_bodies(self, limit: int, otp: int, promotional: int) -> None:
        before = {"otp": self.now - otp, "promotional": self.now - promotional}
        self.write(lambda engine: engine.erase_bodies(limit, before=before))

    @rule(limit=LIMITS, after=st.integers(0, 6), age=AGES)
    def forget_messages(self, limit: int, after: int, age: int) -> None:
        before = self.now - age
        self.write(lambda engine: engine.forget_messages(limit, after=after, until=1_000, before=before))

    @rule(kind=st.sampled_from(Aged), limit=LIMITS, age=AGES)
    def forget(self, kind: Aged, limit: int, age: int) -> None:
        self.write(lambda engine: engine.forget(kind, limit, before=self.now - age))

    @rule(number=NUMBERS)
    def erase(self, number: str) -> None:
        if not self.open:  # what is found is what is committed
            found = self.same(lambda engine: engine.traces(number))
            self.write(lambda engine: engine.erase(number, found))
            assert self.same(lambda engine: engine.traces(number)).messages == ()

    @rule()
    def distrust(self) -> None:
        """All at once: which come first in smaller steps is each engine's own."""
        self.write(lambda engine: engine.distrust(1_000, now=self.now, policies=RESENDING))

    @invariant()
    def they_show_the_same(self) -> None:
        self.same(lambda engine: engine.owner)
        self.same(lambda engine: engine.due(100, now=self.now))
        self.same(lambda engine: engine.events(0, 10_000))
        self.same(lambda engine: engine.ledger())
        self.same(lambda engine: engine.parked(0, 10_000))
        self.same(lambda engine: [view.status for view in engine.messages(MessageQuery(limit=1_000))])

    @invariant()
    def the_log_ends_where_the_parts_stand(self) -> None:
        """As far as the log goes back, and of parts that are still kept."""
        judge = self.engines[1]
        told = {part: batch.status for batch in judge.events(0, 10_000) for part in batch.parts}
        for part, row in judge._rows.parts.committed.rows.items():
            assert told.get(part, row.status) == row.status


TestTwoForgetfulEngines = TwoForgetfulEngines.TestCase
TestTwoForgetfulEngines.settings = settings(
    max_examples=60,
    stateful_step_count=50,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
