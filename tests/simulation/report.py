"""What is printed: a failure on one screen, and the table of what worlds met and judged."""

from collections import Counter
from collections.abc import Iterable, Sequence

from tests.simulation.faults import CATALOGUE, NOT_YET
from tests.simulation.judge import ELSEWHERE, INVARIANTS, MOST_KEPT
from tests.simulation.running import Outcome

COMMAND = "python -m tests.simulation"
MOST_LINES = 24
"""Of a timeline."""
AFTER_S = 15.0
"""Behind the end of a message."""


def failure(outcome: Outcome, how: str | None = None) -> str:
    """Return why a world failed: plan, invariant, the message's timeline and what was done to the world then.

    ``how`` are the options that live through it again; without them it is the world of its seed.
    """
    how = how or f"--seed {outcome.seed}"
    lines = [
        f"world {outcome.seed} fails ({_count(outcome)}, {outcome.plan.messages} messages): {COMMAND} {how}",
        *outcome.plan.describe()[: 1 + len(outcome.plan.carriers)],
    ]
    told: set[str] = set()
    for each in outcome.violations:
        if str(each.invariant) not in told:
            told.add(str(each.invariant))
            lines.append(f"  {each}")
    named = next((each.message for each in outcome.violations if each.message in outcome.timelines), None)
    story = [] if named is None else outcome.timelines[named]
    if story:
        lines.append(f"  message {named}:")
        lines += [f"    {line}" for line in _cut(story)]
    lines.append("  what was done to the world, when it was and when it was to be:")
    lines += [f"    {at:9.3f} s  {what.strip()}" for at, what in _near(outcome, story)]
    if not how.startswith("--plan"):
        lines.append(f"  to keep it, made small: {COMMAND} {how} --shrink --save tests/simulation/worlds/NAME.json")
    return "\n".join(lines)


def _count(outcome: Outcome) -> str:
    count = len(outcome.violations)
    return f"{count} violations" + (", and no more were counted" if count == MOST_KEPT else "")


def _cut(story: Sequence[str]) -> Sequence[str]:
    if len(story) <= MOST_LINES:
        return story
    half = MOST_LINES // 2
    return [*story[:half], f"... {len(story) - 2 * half} more ...", *story[-half:]]


def _near(outcome: Outcome, story: Sequence[str]) -> Sequence[tuple[float, str]]:
    """Return what was done up to a while after the message's end, or all of it where no message is named."""
    ended = max((float(line.split()[0]) for line in story), default=float("inf"))
    return [each for each in outcome.happened if each[0] <= ended + AFTER_S][-MOST_LINES:]


def coverage(outcomes: Iterable[Outcome]) -> str:
    """Return for each fault how many worlds met it, and for each invariant how often there was something to judge."""
    worlds, faults, looked = 0, Counter[int](), Counter[int]()
    for outcome in outcomes:
        worlds += 1
        faults.update(set(outcome.faults))
        looked.update(outcome.looked)
    lines = [f"fault met by how many of {worlds} worlds"]
    lines += [f"  {faults[number] or 'MISSING':>8}  {number:2} {what}" for number, what in CATALOGUE.items()]
    lines += [f"  {'-':>8}  {number:2} {why}" for number, why in NOT_YET.items()]
    lines.append("invariant and how often it was judged")
    lines += [f"  {looked[number] or 'MISSING':>8}  I{number} {what}" for number, what in INVARIANTS.items()]
    lines += [f"  {'-':>8}  I{number}: {who}" for number, who in ELSEWHERE.items()]
    return "\n".join(lines)


def missing(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the faults no world met, and the invariants that had nothing to judge."""
    faults = {number for outcome in outcomes for number, count in outcome.faults.items() if count}
    looked = {number for outcome in outcomes for number, count in outcome.looked.items() if count}
    return [
        *(f"fault {number}: {what}" for number, what in CATALOGUE.items() if number not in faults),
        *(f"invariant I{number}: {what}" for number, what in INVARIANTS.items() if number not in looked),
    ]
