"""The crash matrix: which deaths a connector dies, one after the other on one store."""

from pathlib import Path

from tests.crash import child
from tests.crash.bench import Figures, bench, judged

UNREACHABLE_PORT = 9
DEATHS_AT_STEPS = len(child.ALWAYS) + 2 * len(child.AT_THE_START + child.REFILING) + len(child.IN_THE_END)


async def at_every_step(folder: Path, *, seed: int) -> Figures:
    """Kill at every named step, let the last life settle everything, and judge."""
    async with bench(folder, seed) as it:
        for step in child.ALWAYS:
            await it.die_at(step, at=it.draw.randint(1, 5))
        for step in child.AT_THE_START:
            await it.die_at("after the write of submit_sm", at=3)
            await it.die_at(step)
        for number, step in enumerate(child.REFILING):
            await it.die_at("after the commit of append", at=5, route=f"old-{number}", port=UNREACHABLE_PORT)
            await it.die_at(step, route=f"new-{number}")
        for step in child.IN_THE_END:
            await it.die_in_the_drain(step)
        await it.settle()
        return judged(it)


async def at_any_moment(folder: Path, *, kills: int, seed: int) -> Figures:
    """Kill so many times at random, in the start or under load, let the last life settle everything, and judge."""
    async with bench(folder, seed) as it:
        for _ in range(kills):
            await it.die_at_random()
        await it.settle()
        return judged(it)
