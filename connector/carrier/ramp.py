"""A new carrier gets more in stages, and no more once it shows that something is wrong.  Pure."""

import json
import logging
from collections.abc import Sequence

import attrs

from connector.carrier.inbox import Batch, Inbox
from connector.config.carrier import RampLimits, RampStage
from connector.lifecycle import Event
from connector.model import Answer, Receipt, Result

log = logging.getLogger("carrierline.carrier")


@attrs.define
class Ramp:
    """The stage a carrier is in, and what it has shown there.

    A stage's time begins with the first part that leaves in it: a silent hour proves nothing.
    """

    stages: Sequence[RampStage]
    limits: RampLimits
    stage: int = 0
    began_at: float | None = None
    halted: str = ""
    """Why it rises no more; empty while it does.  `resume` lets it rise again."""
    _answers: int = 0
    _refused: int = 0
    _receipts: int = 0
    _undelivered: int = 0

    @property
    def rate_per_s(self) -> float | None:
        """What the present stage allows; None when all are over."""
        return self.stages[self.stage].rate if self.stage < len(self.stages) else None

    @property
    def over(self) -> bool:
        """Whether the carrier has everything its contract allows."""
        return self.stage >= len(self.stages)

    @property
    def memory(self) -> str:
        """What is to be known of it after a restart; empty where there is nothing."""
        if not self.stages or self.began_at is None:
            return ""
        return json.dumps([self.stage, self.began_at, self.halted])

    def recall(self, memory: str) -> None:
        """Go on where an earlier run was, as far as there still are such stages."""
        if memory:
            stage, self.began_at, self.halted = json.loads(memory)
            self.stage = min(stage, len(self.stages))

    def left(self, now: float) -> bool:
        """Take note that parts leave; return whether a stage is over."""
        if self.over:
            return False
        if self.began_at is None:
            self.began_at = now
        if self.halted or now - self.began_at < self.stages[self.stage].for_s:
            return False
        self.stage, self.began_at = self.stage + 1, now
        self._answers = self._refused = self._receipts = self._undelivered = 0
        return True

    def answered(self, *, refused: bool) -> bool:
        """Take note of an answer; return whether it halts the ramp."""
        self._answers += 1
        self._refused += refused
        return self._judge("refused", self._refused, self._answers, self.limits.refused)

    def received(self, *, undelivered: bool) -> bool:
        """Take note of a final receipt; return whether it halts the ramp."""
        self._receipts += 1
        self._undelivered += undelivered
        return self._judge("not delivered", self._undelivered, self._receipts, self.limits.undelivered)

    def resume(self) -> None:
        """Go on after somebody has looked: what was shown so far counts no more."""
        self.halted = ""
        self._answers = self._refused = self._receipts = self._undelivered = 0

    def _judge(self, what: str, bad: int, all_: int, share: float) -> bool:
        if self.over or self.halted or all_ < self.limits.samples or bad <= share * all_:
            return False
        self.halted = f"{bad} of {all_} were {what}, more than {share:.0%}"
        return True


@attrs.frozen
class Watch:
    """An inbox that shows the ramp what passes through it."""

    inbox: Inbox
    ramp: Ramp
    carrier: str

    def put(self, batch: Batch) -> None:
        """Look at these results and pass them on."""
        if sum(map(self._halts, batch.results)):  # every one of them counts
            log.error("carrier %s: stays at %g/s: %s", self.carrier, self.ramp.rate_per_s or 0.0, self.ramp.halted)
        self.inbox.put(batch)

    def credit_changed(self) -> None:
        """Pass it on."""
        self.inbox.credit_changed()

    def _halts(self, result: Result) -> bool:
        if isinstance(result, Answer):
            return self.ramp.answered(refused=bool(result.burned))
        if isinstance(result, Receipt) and result.event is not None:
            return self.ramp.received(undelivered=result.event is not Event.DELIVERED)
        return False
