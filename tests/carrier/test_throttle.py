"""How one limit gives way when the carrier says that it is too much, and comes back."""

import heapq

import attrs
import pytest

from connector.carrier.throttle import LONGEST_PAUSE_S, PAUSE_S, Throttle

START_S = 1_800_000_000.0
ROUND_TRIP_S = 0.18


@attrs.define
class Bucket:
    """A carrier that lets so many pass a second, and a handful at once."""

    rate_per_s: float
    burst: float = 10.0
    tokens: float = 10.0
    at: float = START_S

    def takes(self, now: float) -> bool:
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate_per_s)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class Bout:
    """A sender that always has more, and a carrier that refuses what is too much."""

    def __init__(self, throttle: Throttle, rate_per_s: float, window: int = 500) -> None:
        self.throttle = throttle
        self.bucket = Bucket(rate_per_s)
        self.window = window
        self.now = START_S
        self.accepted: list[float] = []
        self.refused: list[float] = []
        self._in_flight: list[tuple[float, float, bool]] = []

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self._answers()
            free = self.window - len(self._in_flight)
            room = self.throttle.room(self.now)
            self._send(free if room is None else min(free, room))
            self.now = max(self.now + 0.001, min(self._next_answer(), self.throttle.opens_at(self.now)))

    def _answers(self) -> None:
        while self._in_flight and self._in_flight[0][0] <= self.now:
            _, sent_at, taken = heapq.heappop(self._in_flight)
            if not taken:
                self.throttle.slow_down(self.now, sent_at=sent_at)

    def _next_answer(self) -> float:
        return self._in_flight[0][0] if self._in_flight else self.now + 1.0

    def _send(self, count: int) -> None:
        if count <= 0:
            return
        self.throttle.take(count, self.now)
        for _ in range(count):
            taken = self.bucket.takes(self.now)
            (self.accepted if taken else self.refused).append(self.now)
            heapq.heappush(self._in_flight, (self.now + ROUND_TRIP_S, self.now, taken))

    def accepted_per_s(self, last_s: float) -> float:
        return sum(at >= self.now - last_s for at in self.accepted) / last_s


def test_without_a_rate_any_number_may_leave() -> None:
    throttle = Throttle()
    throttle.take(10_000, 5.0)
    assert throttle.room(5.0) is None
    assert throttle.coming(5.0, 1.0) is None
    assert throttle.opens_at(5.0) == 5.0


@pytest.mark.parametrize("squeeze", [2, 10, 50])
def test_after_a_squeeze_it_is_back_within_half_a_minute_and_was_never_far_above(squeeze: float) -> None:
    bout = Bout(Throttle(100), 100)
    bout.run(20)
    assert bout.accepted_per_s(10) >= 96
    assert not bout.refused
    bout.bucket.rate_per_s = squeeze
    bout.run(45)
    assert len(bout.refused) <= 70
    assert bout.accepted_per_s(30) >= 0.6 * squeeze
    bout.bucket.rate_per_s = 100
    bout.run(30)
    before = len(bout.refused)
    bout.run(10)
    assert bout.accepted_per_s(10) >= 95
    assert len(bout.refused) == before
    assert not bout.throttle.is_eased(bout.now)


def test_a_carrier_below_its_contract_is_used_without_knocking_on_its_door_all_the_time() -> None:
    bout = Bout(Throttle(100), 40)
    bout.run(120)
    assert bout.accepted_per_s(60) >= 28
    assert sum(at >= bout.now - 60 for at in bout.refused) <= 60  # one in 30


def test_without_a_rate_the_carrier_teaches_one() -> None:
    bout = Bout(Throttle(), 100)
    bout.run(120)
    assert bout.accepted_per_s(60) >= 50
    assert sum(at >= bout.now - 60 for at in bout.refused) <= 300


def test_answers_to_what_was_in_flight_are_one_complaint() -> None:
    throttle = Throttle(100)
    for number in range(100):
        throttle.take(1, START_S + number / 100)
    assert throttle.slow_down(START_S + 1, sent_at=START_S + 0.9)
    halved = throttle.rate_per_s(START_S + 1)
    assert not throttle.slow_down(START_S + 1.05, sent_at=START_S + 0.95)
    assert throttle.rate_per_s(START_S + 1) == halved == pytest.approx(50, abs=2)
    assert throttle.throttled == 2


def test_a_complaint_pauses_everything_and_says_when_it_is_over() -> None:
    for rate in (None, 1_000):
        throttle = Throttle(rate)
        throttle.slow_down(100.0)
        assert throttle.room(100.1) == 0
        assert throttle.coming(100.0, 0.1) == 0
        assert throttle.opens_at(100.1) == 100.0 + PAUSE_S
        assert throttle.room(100.0 + PAUSE_S) != 0


def test_pauses_double_while_even_the_lowest_rate_is_refused() -> None:
    throttle, now, pauses = Throttle(100), START_S, []
    for _ in range(20):
        throttle.slow_down(now, sent_at=now)
        opens_at = throttle.opens_at(now)
        pauses.append(opens_at - now)
        now = opens_at + 0.001
    assert pauses[0] == pytest.approx(PAUSE_S)
    assert pauses[-1] == pytest.approx(LONGEST_PAUSE_S)


def test_congestion_from_ninety_on_eases_off_and_a_hundred_halves() -> None:
    rates = []
    for state in (0, 89, 90, 99, 100, 101, 255):
        throttle = Throttle(100)
        for number in range(200):
            throttle.take(1, START_S + number / 100)
        throttle.congestion(state, START_S + 2, sent_at=START_S + 1.9)
        rates.append(round(throttle.rate_per_s(START_S + 2) or 0))
    assert rates == [100, 100, 85, 85, 50, 100, 100]


@pytest.mark.parametrize("state", [95, 100])
def test_congestion_told_by_a_whole_window_is_told_once(state: int) -> None:
    throttle = Throttle(100)
    for number in range(200):
        throttle.take(1, START_S + number / 100)
    for number in range(20):
        throttle.congestion(state, START_S + 2 + number / 500, sent_at=START_S + 1.9)
    assert round(throttle.rate_per_s(START_S + 2.1) or 0) >= 50


def test_a_complaint_while_hardly_anything_is_sent_teaches_no_tiny_limit() -> None:
    bout = Bout(Throttle(), 1_000)
    bout.throttle.take(1, bout.now)
    bout.throttle.slow_down(bout.now + 0.1, sent_at=bout.now)
    bout.bucket.burst = 100
    bout.run(60)
    assert bout.accepted_per_s(10) >= 200


def test_what_nests_in_an_account_recovers_as_fast_as_the_account() -> None:
    throttle = Throttle(within_per_s=500)
    throttle.take(10, START_S)
    throttle.slow_down(START_S + 0.5, sent_at=START_S)
    assert (throttle.rate_per_s(START_S + 10) or 0) > 100
    assert throttle.rate_per_s(START_S + 25) is None
