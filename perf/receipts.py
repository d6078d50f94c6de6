"""Is every receipt of a storm on its message, and are receipts as fast as submits?

100,000 messages are kept, claimed and answered straight through the verbs of the store on SQLite; their receipts come
from four binds in every disorder there is: before the answer and after it, twice, contradicting, shuffled, in declared
and undeclared spellings of their ids, of unknown ids, naming other numbers, with a restart in the midst.  Each
message's end, and each receipt that is kept without one, is compared with what the draw says.

With ``--ids`` a million ids, decimal and hexadecimal, of so few values that each is used many times over, are looked
for in memory: no receipt may mean a message to another number, or another one of its number than the last with its id.
"""

import json
import random
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs
import click

from connector.carrier.dialect import Dialect
from connector.config import DialectConfig
from connector.lifecycle import Event, Status
from connector.model import Answer, Claim, Message, MessageQuery, QueueName, Receipt, part_id
from connector.store.joining import MOST_HELD, Held, find
from connector.store.sqlite import SqliteEngine

T = TypeVar("T")

BATCH: Final = 200
"""Rows of one commit: about what four binds bring while one is under way."""
BINDS: Final = 4
QUEUE: Final = QueueName("promotional", "default", "shop")
NOW: Final = 1_800_000_000.0
PLAIN, NUMERIC = Dialect(DialectConfig()), Dialect(DialectConfig(id_in_response="hex", id_in_receipt="decimal"))
DISORDERS: Final = {
    "after": 0.60,
    "before": 0.12,
    "twice": 0.08,
    "contradicted": 0.06,
    "spelled otherwise": 0.06,
    "another number": 0.04,
    "unknown id": 0.04,
}
"""Shares of messages by what becomes of their receipts."""


@attrs.frozen
class Story:
    """One message, and what its carrier does about it."""

    number: int
    disorder: str
    carrier: str

    @property
    def message(self) -> int:
        return self.number + 1

    @property
    def part(self) -> int:
        return part_id(self.message, 0)

    @property
    def to(self) -> str:
        return f"4479{11_000_000 + self.number:08}"

    @property
    def id(self) -> str:
        """As the answer spells it."""
        return f"{0xA000_0000 + self.number:08X}" if self.carrier == "numeric" else f"{self.number:07}-AbC"

    @property
    def end(self) -> Status:
        return Status.SENT if self.disorder in ("another number", "unknown id") else Status.DELIVERED

    @property
    def dialect(self) -> Dialect:
        return NUMERIC if self.carrier == "numeric" else PLAIN

    def kept(self, queue: int) -> Message:
        return Message(
            id=self.message, api_key="shop", lane="promotional", queue=queue, to=self.to, sender="Shop",
            text="A text that is neither short nor long, as they are.", alphabet="gsm", reference=0,
            bounds=((0, 51),), created_at=NOW, deadline=NOW + 86_400,
        )  # fmt: skip

    def answer(self) -> Answer:
        key = self.dialect.key_of_response(self.id)
        return Answer(self.part, 1, Event.ACKNOWLEDGED, NOW + 1, self.carrier, self.id, key, self.to, NOW + 86_400)

    def receipts(self) -> list[Receipt]:
        """Return what comes, in its order."""
        spelled = str(int(self.id, 16)) if self.carrier == "numeric" else self.id
        if self.disorder == "spelled otherwise":
            spelled = self.id.casefold() if self.carrier == "numeric" else f"00{self.id.upper()}"
        elif self.disorder == "unknown id":
            spelled = f"no-such-{self.number}"
        keys, ids = self.dialect.ids_of_receipt(None, spelled)
        to = f"4478{self.number:08}" if self.disorder == "another number" else self.to
        said = Receipt(
            self.carrier,
            keys,
            NOW + 2,
            Event.DELIVERED,
            to,
            "DELIVRD 000",
            ids=ids,
            numeric=self.dialect.ids_are_numbers,
        )
        if self.disorder == "twice":
            return [said, said]
        if self.disorder == "contradicted":
            return [said, attrs.evolve(said, event=Event.UNDELIVERED, detail="UNDELIV 001")]
        return [said]


def stories(count: int, seed: int) -> list[Story]:
    draw = random.Random(seed)
    kinds, weights = list(DISORDERS), list(DISORDERS.values())
    return [
        Story(number, draw.choices(kinds, weights)[0], draw.choice(["plain", "numeric"])) for number in range(count)
    ]


def batches(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]


def committed(engine: SqliteEngine, work: Callable[[], Any]) -> None:
    engine.begin()
    work()
    engine.commit()


def timed(work: Callable[[], None]) -> tuple[float, float]:
    """Return the seconds and the CPU seconds that this takes."""
    began, used = time.perf_counter(), cpu_s()
    work()
    return time.perf_counter() - began, cpu_s() - used


def cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def submit(engine: SqliteEngine, told: Sequence[Story]) -> None:
    """Keep, claim and answer messages: what a submit costs the store."""
    engine.begin()
    queue = engine.open([QUEUE])[QUEUE]
    engine.commit()
    for some in batches(told):
        rows = [story.kept(queue) for story in some]
        claims = [Claim(story.part, 1, story.carrier) for story in some]
        results = [story.answer() for story in some if story.disorder != "before"]
        committed(engine, partial(engine.append, rows, (), owner=engine.owner, now=NOW))
        committed(engine, partial(engine.claim, claims, owner=engine.owner, now=NOW))
        committed(engine, partial(engine.results, results, owner=engine.owner, now=NOW))


def storm(engine: SqliteEngine, rows: Sequence[Receipt | Answer]) -> None:
    for some in batches(rows):
        committed(engine, partial(engine.results, some, owner=engine.owner, now=NOW))


def shuffled(told: Sequence[Story], seed: int) -> tuple[list[Receipt | Answer], list[Receipt | Answer]]:
    """Return what comes back in two halves, from four binds: each keeps the order of one message's receipts.

    What overtakes its answer is in the first half, which the answers end: no answer outlives its link.
    """
    draw = random.Random(seed)
    halves: list[list[Receipt | Answer]] = []
    early = [story for story in told if story.disorder == "before"]
    others = draw.sample([story for story in told if story.disorder != "before"], len(told) - len(early))
    for half in (early + others[: len(others) // 2], others[len(others) // 2 :]):
        queues: list[list[Receipt | Answer]] = [[] for _ in range(BINDS)]
        for story in draw.sample(half, len(half)):
            draw.choice(queues).extend(story.receipts())
        mixed: list[Receipt | Answer] = []
        while any(queues):
            queue = draw.choice([queue for queue in queues if queue])
            mixed += queue[:20]
            del queue[:20]
        halves.append(mixed)
    return halves[0] + [story.answer() for story in early], halves[1]


def wrong(engine: SqliteEngine, told: Sequence[Story]) -> int:
    """Return how many messages did not come to the end that their story has."""
    by_id = {story.message: story for story in told}
    missed, last = 0, None
    while views := engine.messages(MessageQuery(limit=1_000, before=last)):
        missed += sum(view.status is not by_id[view.id].end for view in views)
        last = views[-1].id
    return missed


def run_storm(messages: int, seed: int) -> dict[str, Any]:
    told = stories(messages, seed)
    first, second = shuffled(told, seed)
    kinds = Counter(story.disorder for story in told)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        with closing(SqliteEngine(path)) as engine:
            submit_s, submit_cpu_s = timed(lambda: submit(engine, told))
            first_s, first_cpu_s = timed(lambda: storm(engine, first))
        with closing(SqliteEngine(path)) as engine:
            second_s, second_cpu_s = timed(lambda: storm(engine, second))
            count = sum(isinstance(row, Receipt) for row in (*first, *second))
            rate, submits = count / (first_s + second_s), messages / submit_s
            return {
                "question": "receipts",
                "messages": messages,
                "receipts": count,
                "messages_per_second": round(rate),
                "cpu_us_per_message": round((first_cpu_s + second_cpu_s) / count * 1e6, 1),
                "submits_per_second": round(submits),
                "submit_cpu_us": round(submit_cpu_s / messages * 1e6, 1),
                "ratio_to_submits": round(rate / submits, 2),
                "wrong": wrong(engine, told),
                "parked": engine.ledger().parked,
                "parked_expected": kinds["another number"] + kinds["unknown id"],
                "balanced": engine.verify().ok,
                "disorders": dict(kinds),
            }


SPELLINGS: Final[Mapping[str, tuple[Dialect, str, str]]] = {
    "as answered": (PLAIN, "08X", "08X"),
    "declared": (NUMERIC, "X", "d"),
    "undeclared": (PLAIN, "X", "d"),
    "padded": (PLAIN, "x", "012X"),
}
"""Carriers by how answers and receipts spell one number.

Where no form is declared, an id may be another message's in the other base, and only the number tells them apart: there
no two messages go to one number."""


def run_ids(count: int, seed: int) -> dict[str, Any]:
    """Look for ids of few values, each of which comes round many times; receipts come at once, or a day later."""
    draw = random.Random(seed)
    each = [run_carrier(count // len(SPELLINGS), *spelling, draw) for spelling in SPELLINGS.values()]
    seconds = sum(found["seconds"] for found in each)
    return {
        "question": "ids",
        "messages": count,
        "messages_per_second": round(count / seconds),
        "cpu_us_per_message": round(seconds / count * 1e6, 1),
        "wrong": sum(found["other_number"] + found["other_message"] for found in each),
        "carriers": dict(zip(SPELLINGS, each, strict=True)),
    }


def run_carrier(count: int, dialect: Dialect, answered: str, receipted: str, draw: random.Random) -> dict[str, Any]:
    is_open = answered[-1].lower() != receipted[-1].lower() and not dialect.ids_are_numbers
    values = [draw.randrange(count // 20) for _ in range(count)]
    under: dict[str, list[Held]] = {}
    sent = [
        Held(n + 1, f"4477{n if is_open else draw.randrange(count // 10):08}", NOW + n, format(value, answered))
        for n, value in enumerate(values)
    ]
    last: dict[tuple[int, str], list[Held]] = {}
    for held, value in zip(sent, values, strict=True):
        key = dialect.key_of_response(held.id)
        assert key is not None
        under.setdefault(key, []).insert(0, held)
        last.setdefault((value, held.to), []).append(held)
    tally: Counter[str] = Counter()
    began = time.perf_counter()
    for held, value in zip(sent, values, strict=True):
        at = held.at + draw.choice([0, 1, 60, 86_400])
        keys, ids = dialect.ids_of_receipt(None, format(value, receipted))
        said = Receipt("north", keys, at, Event.DELIVERED, held.to, ids=ids, numeric=dialect.ids_are_numbers)
        meant = find(said, lambda key: under.get(key, [])[:MOST_HELD])
        tally[_judged(meant, held, [other.part for other in last[value, held.to] if other.at <= at], sent)] += 1
    words = ("right", "parked", "other_number", "other_message")
    return {word: tally[word] for word in words} | {"seconds": round(time.perf_counter() - began, 3)}


def _judged(meant: object, held: Held, same: Sequence[int], sent: Sequence[Held]) -> str:
    """Say what it came to; the last one of its number with its value, when the receipt came, is right."""
    if not isinstance(meant, int):
        return "parked"
    if sent[meant - 1].to != held.to:
        return "other_number"
    return "right" if meant == same[-1] else "other_message"


@click.command()
@click.option("--messages", default=100_000, show_default=True)
@click.option("--ids", is_flag=True, help="A million ids with collisions, in memory, instead of the storm.")
@click.option("--seed", default=7, show_default=True)
def main(messages: int, ids: bool, seed: int) -> None:
    """Measure, and print one JSON line."""
    print(json.dumps(run_ids(10 * messages, seed) if ids else run_storm(messages, seed)))


if __name__ == "__main__":
    main()
