"""What becomes at the door of a message that would leave in its lane's quiet hours."""

from itertools import count
from typing import Any

import attrs
import pytest

from connector.config import LANES, ApiConfig, BindConfig, CarrierConfig, Config, KeyConfig, QuietHours
from connector.model import Message, Reason, SendRequest, Verdict
from connector.pipeline.normalise import Normaliser
from connector.pipeline.router import queue_names

MORNING = 1_800_000_000.0  # 08:00 in London, a Friday
NIGHT, NEXT_MORNING, EVENING = MORNING - 3_600, MORNING + 86_400, MORNING + 13 * 3_600
KEY = KeyConfig(name="shop", secret_env="X", country="GB", lanes=("sale", "otp"))
CONFIG = Config(
    api=ApiConfig(key=(KEY,)),
    carrier=(CarrierConfig(name="north", bind=(BindConfig(host="smsc", system_id="acme"),)),),
    lane={
        **LANES,
        "sale": attrs.evolve(
            LANES["promotional"], deadline_s=3_600.0, quiet_hours=QuietHours(start="21:00", end="08:00")
        ),
    },
)
QUEUES = {name: number for number, name in enumerate(queue_names(CONFIG), 1)}


def normalise(now: float, **request: Any) -> Message | Verdict:
    ids = count(1)
    normaliser = Normaliser(CONFIG, QUEUES, lambda: next(ids), lambda _sender, _to: 7)
    values = {"to": "07400 123456", "text": "hello", **request}
    found = normaliser.normalise(SendRequest(**values), KEY, now)
    assert isinstance(found, Message | Verdict)
    return found


def times(now: float, **request: Any) -> tuple[float | None, float]:
    found = normalise(now, **request)
    assert isinstance(found, Message), found
    return found.send_at, found.deadline


def refusal(now: float, **request: Any) -> Verdict:
    found = normalise(now, **request)
    assert isinstance(found, Verdict), found
    return found


def test_at_night_it_waits_for_the_morning_and_its_deadline_counts_from_there() -> None:
    assert times(NIGHT) == (MORNING, MORNING + 3_600)


def test_by_day_it_leaves_at_once() -> None:
    assert times(MORNING) == (None, MORNING + 3_600)


def test_a_lane_without_quiet_hours_knows_no_night() -> None:
    assert times(NIGHT, lane="otp") == (None, NIGHT + 120)


def test_a_time_to_send_at_night_becomes_the_morning_after() -> None:
    assert times(MORNING, send_at=EVENING) == (NEXT_MORNING, NEXT_MORNING + 3_600)
    assert times(MORNING, send_at=EVENING - 1) == (EVENING - 1, EVENING + 3_599)
    assert times(NIGHT, send_at=NIGHT - 60) == (MORNING, MORNING + 3_600)


def test_a_deadline_in_seconds_counts_from_the_morning() -> None:
    assert times(NIGHT, deadline_in_s=60.0) == (MORNING, MORNING + 60)


def test_a_deadline_after_the_morning_is_kept() -> None:
    assert times(NIGHT, deadline=MORNING + 1_800) == (MORNING, MORNING + 1_800)


@pytest.mark.parametrize("deadline", [NIGHT + 60, MORNING])
def test_a_deadline_that_comes_before_the_morning_is_refused_with_both_times(deadline: float) -> None:
    found = refusal(NIGHT, deadline=deadline)
    assert (found.reason, found.field) == (Reason.QUIET_HOURS, "deadline")
    late = "2027-01-15 07:01:00 UTC" if deadline < MORNING else "2027-01-15 08:00:00 UTC"
    assert found.text == (
        f"lane sale is quiet until 2027-01-15 08:00:00 UTC for this number, and the deadline {late} comes first"
    )


@pytest.mark.parametrize("request_", [{"deadline": NIGHT}, {"deadline_in_s": 0.0}, {"deadline_in_s": -5.0}])
def test_a_deadline_that_is_past_already_is_not_the_fault_of_quiet_hours(request_: dict[str, float]) -> None:
    assert refusal(NIGHT, **request_).reason == Reason.TIME_INVALID


def test_a_deadline_later_than_the_lane_allows_counts_from_the_morning_too() -> None:
    assert refusal(NIGHT, deadline=MORNING + 3_601).reason == Reason.TIME_INVALID


def test_numbers_of_no_country_are_refused_where_there_are_quiet_hours() -> None:
    found = refusal(MORNING, to="+870 773 111 632")
    assert (found.reason, found.field) == (Reason.QUIET_HOURS, "to")
    assert "what time it is for a number of no country is not known" in str(found.text)


def test_a_country_in_which_it_is_always_night_somewhere_is_refused() -> None:
    quiet = QuietHours(start="19:00", end="10:00")
    lane = {**CONFIG.lane, "sale": attrs.evolve(CONFIG.lane["sale"], quiet_hours=quiet)}
    config = attrs.evolve(CONFIG, lane=lane)
    normaliser = Normaliser(config, QUEUES, lambda: 1, lambda _sender, _to: 7)
    found = normaliser.normalise(SendRequest(to="+7 912 345-67-89", text="hello"), KEY, MORNING)
    assert isinstance(found, Verdict)
    assert found.reason == Reason.QUIET_HOURS
    assert found.text == "in one time zone or another of RU it is always a quiet hour of lane sale"
