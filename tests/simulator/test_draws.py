"""Randomness by name: fair, repeatable, and one draw never shifts another."""

import statistics
import subprocess
import sys

import pytest

from simulator.delays import fixed, sampler
from simulator.draws import chance, choice, stream
from simulator.scenario import Delay


def test_a_stream_is_spread_evenly_and_neighbours_are_strangers() -> None:
    draw = stream(1, "receipt.mix")
    values = [draw(n) for n in range(20_000)]
    assert all(0 <= value < 1 for value in values)
    buckets = [0] * 20
    for value in values:
        buckets[int(value * 20)] += 1
    chi_square = sum((count - 1_000) ** 2 / 1_000 for count in buckets)
    assert chi_square < 43.8  # 19 degrees of freedom, one in a thousand
    assert abs(statistics.correlation(values[:-1], values[1:])) < 0.03


@pytest.mark.parametrize("other", [(2, "a"), (1, "b")])
def test_streams_of_other_seeds_and_purposes_are_strangers(other: tuple[int, str]) -> None:
    ours, theirs = stream(1, "a"), stream(*other)
    pairs = [(ours(n), theirs(n)) for n in range(5_000)]
    assert abs(statistics.correlation(*zip(*pairs, strict=True))) < 0.05


def test_a_stream_is_the_same_in_every_process() -> None:
    code = "from simulator.draws import stream; print([stream(7, 'x')(n) for n in range(3)])"
    draw = stream(7, "x")
    for salt in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": salt},
        )
        assert done.stdout.strip() == str([draw(n) for n in range(3)])


def test_a_choice_goes_by_weight() -> None:
    pick = choice({"a": 3, "b": 1, "never": 0}, stream(1, "x"))
    picked = [pick(n) for n in range(4_000)]
    assert picked.count("a") == pytest.approx(3_000, abs=120)
    assert set(picked) == {"a", "b"}


def test_a_chance_of_nothing_or_all_draws_nothing() -> None:
    def never_drawn(_ordinal: int) -> float:
        raise AssertionError

    assert not chance(0, never_drawn)(1)
    assert chance(1, never_drawn)(1)
    assert choice({"only": 5}, never_drawn)(1) == "only"


# --- delays -----------------------------------------------------------------------------------------------------------


def values(delay: Delay, count: int = 5_000) -> list[float]:
    sample = sampler(delay, 1, "d")
    return [value for n in range(count) if (value := sample(n)) is not None]


def test_a_fixed_delay_is_always_the_same() -> None:
    assert set(values(Delay(value_s=0.5))) == {0.5}
    assert fixed(Delay(value_s=0.5)) == 0.5
    assert fixed(Delay(dist="uniform", max_s=1.0)) is fixed(Delay(never=True)) is None


def test_a_uniform_delay_stays_between_its_ends() -> None:
    found = values(Delay(dist="uniform", min_s=2.0, max_s=4.0))
    assert 2 <= min(found) < 2.01
    assert 3.99 < max(found) < 4
    assert statistics.mean(found) == pytest.approx(3, abs=0.05)


def test_a_lognormal_delay_has_its_median_and_its_99th_percentile() -> None:
    found = sorted(values(Delay(dist="lognormal", median_s=0.025, p99_s=0.12), 20_000))
    assert found[10_000] == pytest.approx(0.025, rel=0.05)
    assert found[19_800] == pytest.approx(0.12, rel=0.1)
    assert values(Delay(dist="lognormal", median_s=2.0, p99_s=2.0), 3) == pytest.approx([2.0] * 3)


def test_a_mix_draws_from_its_members_by_weight() -> None:
    mix = Delay(dist="mix", of=(Delay(weight=80, value_s=1.0), Delay(weight=20, never=True)))
    found = values(mix)
    assert set(found) == {1.0}
    assert len(found) == pytest.approx(4_000, abs=150)
