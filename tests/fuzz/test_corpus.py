"""Every input the fuzzer ever kept is run again, without the fuzzer."""

from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS, one_input

CORPUS = Path(__file__).parent / "corpus"
INPUTS = sorted(CORPUS.iterdir())
MOST_OCTETS = 200_000


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.name)
def test_a_kept_input_breaks_nothing(path: Path) -> None:
    one_input(path.read_bytes())


def test_the_corpus_is_small_and_reaches_every_target() -> None:
    kept = [path.read_bytes() for path in INPUTS]
    assert sum(map(len, kept)) < MOST_OCTETS
    assert {octets[0] % len(TARGETS) for octets in kept if octets} == set(range(len(TARGETS)))
