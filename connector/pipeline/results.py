"""What comes back, to disk: everything all binds have read since the last commit, in one list, in read order."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs
import trio

from connector.carrier.inbox import Batch
from connector.carrier.setbacks import doubt_policy
from connector.config import LaneConfig
from connector.errors import StoreBroken, StoreError
from connector.lifecycle import MAY_WAIT
from connector.model import Answer, Inbound, Lost, Moved, NotSent, Part, Result
from connector.pipeline.inbound_owed import Patience, is_owed, push_back
from connector.pipeline.lanes import Lanes
from connector.store.store import Store

RESULTS_PER_COMMIT = 500
SMOOTHING = 0.05


def _results_of(batches: Iterable[Batch]) -> list[Result]:
    return [result for batch in batches for result in batch.results]


def _first_moves(moved: Sequence[Moved]) -> Iterable[Moved]:
    """Return the first move of each part: what came to wait in this commit, and left in it again, never waited here."""
    if all(change.left is None for change in moved):
        return ()
    return {change.part: change for change in reversed(moved)}.values()


def _refused_by_nobody(said: Inbound) -> None:
    pass


def _noted_by_nobody(results: Sequence[Result], moved: Sequence[Moved], now: float) -> None:
    pass


@attrs.define
class Came:
    """What came back from one carrier, in parts."""

    answered: int = 0
    in_doubt: int = 0
    """Written, and no answer came."""
    given_back: int = 0
    """Claimed and not written: they wait again."""

    def __str__(self) -> str:
        return f"{self.answered} answered, {self.given_back} given back"

    def note(self, result: Result) -> None:
        """Count one more."""
        self.answered += isinstance(result, Answer)
        self.in_doubt += isinstance(result, Lost)
        self.given_back += isinstance(result, NotSent)


class Results:
    """The inbox of all carriers: gathers while a commit is under way, and answers the carriers after it."""

    def __init__(
        self,
        store: Store,
        lanes: Lanes,
        wake_dispatch: Callable[[], None],
        clock: Callable[[], float],
        note: Callable[[Sequence[Result], Sequence[Moved], float], None] = _noted_by_nobody,
        refused: Callable[[Inbound], None] = _refused_by_nobody,
    ) -> None:
        """``note`` is told what every commit brought, ``refused`` what a carrier will send again though it is kept."""
        self._store = store
        self._lanes = lanes
        self._wake_dispatch = wake_dispatch
        self._clock = clock
        self._note = note
        self._batches: list[Batch] = []
        self._taken: list[Batch] = []
        """What the commit under way is about."""
        self._wake = trio.Event()
        self._empty = trio.lowlevel.ParkingLot()
        self._committing = False
        self.patience = Patience(lambda: self._batches, lambda: self._taken, refused, clock)
        """To be run beside this."""
        self.processing_s = 0.0
        """From the read of an answer to its commit, smoothed."""
        self.counts: dict[str, int] = {}
        """Parts by the status they came to, since the start."""
        self.came: Mapping[str, Came] = {}
        """Where to count what comes, by carrier: as it comes, for a full disk must not hide it."""

    def change(self, lanes: Mapping[str, LaneConfig]) -> None:
        """Go by the patience of these lanes from now on."""
        self._store.go_by({name: doubt_policy(lane) for name, lane in lanes.items()})

    # --- the inbox ---

    def put(self, batch: Batch) -> None:
        """Take these results to disk, then answer what is owed."""
        batch.put_at = self._clock()
        for result in batch.results if self.came else ():
            self.came[result.carrier].note(result)
        self._batches.append(batch)
        self._wake.set()

    def credit_changed(self) -> None:
        """Places became free, or a bind came or went."""
        self._wake_dispatch()

    async def settled(self) -> None:
        """Wait until everything put here is on disk and answered."""
        while self._batches or self._committing:
            await self._empty.park()

    # --- to disk ---

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Commit what comes until cancelled."""
        task_status.started()
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            while self._batches:
                self._committing = True
                self._taken = self._take()
                await self._commit(self._taken)
                self._committing, self._taken = False, []
            self._empty.unpark_all()

    def _take(self) -> list[Batch]:
        taken: list[Batch] = []
        count = 0
        while self._batches and (not taken or count + len(self._batches[0].results) <= RESULTS_PER_COMMIT):
            taken.append(self._batches.pop(0))
            count += len(taken[-1].results)
        return taken

    async def _commit(self, batches: list[Batch]) -> None:
        moved = await self._keep(batches)
        self._note(_results_of(batches), moved, self._clock())
        self._take_time(batches)
        for batch in batches:
            if batch.responses:
                batch.respond(batch.responses)
        self._lanes.left(_first_moves(moved))
        returned = {identity: part for batch in batches for identity, part in batch.returned.items()}
        if returned:
            self._put_back(batches, moved, returned)
        self.count(moved)

    async def _keep(self, batches: list[Batch]) -> list[Moved]:
        """Bring these to disk; what the disk does not take is left to its carrier, where the carrier has it still.

        Our own outcomes wait for room: nobody else knows them.
        """
        results = _results_of(batches)
        insists = not any(is_owed(result) for result in results)
        try:
            return await self._store.results(results, now=self._clock(), insist=insists)
        except StoreBroken:
            raise
        except StoreError:
            if insists:
                raise
            self.patience.tell(push_back(batches))
        results = _results_of(batches)
        return await self._store.results(results, now=self._clock()) if results else []

    def _take_time(self, batches: list[Batch]) -> None:
        now = self._clock()
        for batch in batches:
            self.processing_s += (now - batch.put_at - self.processing_s) * SMOOTHING

    def count(self, moved: Iterable[Moved]) -> None:
        """Take these into the tally of where parts came to."""
        for change in moved:
            self.counts[change.status] = self.counts.get(change.status, 0) + 1

    def _put_back(self, batches: list[Batch], moved: list[Moved], returned: dict[int, Part]) -> None:
        """Let parts wait again that the carrier does not have, but for those that pause before another try."""
        answers = (result for batch in batches for result in batch.results if isinstance(result, Answer))
        pausing = {
            answer.part
            for answer in answers
            if answer.due_at is not None and answer.part in returned and answer.attempt == returned[answer.part].attempt
        }
        again = []
        for change in {change.part: change for change in moved}.values():  # the last ones: a receipt may have ended it
            if change.status in MAY_WAIT and change.part in returned and change.part not in pausing:
                part = returned[change.part]
                if change.queue is not None:
                    part.queue = change.queue  # while it was in doubt it may have come into another one
                if change.freed is not None:
                    part.pinned, part.refused = None, change.freed
                    self._lanes.queue(part.queue).free([part.message_id], change.freed)
                again.append(part)
        self._lanes.add(again)
        if again:
            self._wake_dispatch()
