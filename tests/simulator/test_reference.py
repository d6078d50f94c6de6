"""The reference of a scenario's keys: made from the classes that read them, and the file people read is the same."""

from pathlib import Path

from simulator.judge.facts import FACTS
from simulator.scenario.reference import reference


def test_the_readme_of_the_room_is_the_reference() -> None:
    """If not: ``carrierline simulate --keys > simulator/scenario/README.md``."""
    readme = Path(__file__).parents[2] / "simulator" / "scenario" / "README.md"
    assert readme.read_text(encoding="utf-8").rstrip() == reference().rstrip()


def test_every_fact_is_in_the_reference_with_its_unit() -> None:
    rows = [line for line in reference().splitlines() if line.startswith("| `")]
    for fact in FACTS:
        [row] = [row for row in rows if row.startswith(f"| `{fact.name}` | {fact.unit or 'true or false'} |")]
        assert fact.sentence in row
        assert ("Only with a `[load]`" in row) is fact.needs_load
