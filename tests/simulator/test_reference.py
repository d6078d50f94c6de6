"""The reference of a scenario's keys: made from the classes that read them, and the file people read is the same."""

from pathlib import Path

from simulator.scenario.reference import reference


def test_the_readme_of_the_room_is_the_reference() -> None:
    """If not: ``carrierline simulate --keys > simulator/scenario/README.md``."""
    readme = Path(__file__).parents[2] / "simulator" / "scenario" / "README.md"
    assert readme.read_text(encoding="utf-8").rstrip() == reference().rstrip()
