"""Who leaves first of those that are claimed."""

from connector.carrier.outgoing import MOST_OVERTAKING, Outgoing
from tests.carrier.test_limits import part


def named(*names: str, lane: str = "promotional") -> list:  # type: ignore[type-arg]
    found = [part(name) for name in names]
    for each in found:
        each.lane = lane
    return found


def senders(parts: list) -> str:  # type: ignore[type-arg]
    return "".join(each.sender for each in parts)


def test_urgent_ones_leave_first_and_otherwise_it_is_first_come_first_served() -> None:
    outgoing = Outgoing(["otp"])
    outgoing.add(named("A", "B"), 0.0)
    outgoing.add(named("X", lane="otp"), 0.0)
    outgoing.add(named("C"), 0.0)
    assert senders(outgoing.take(3, 1.0)) == "XAB"
    assert len(outgoing) == 1
    assert outgoing.wait_s > 0


def test_who_is_not_admitted_keeps_its_place() -> None:
    outgoing = Outgoing(["otp"])
    outgoing.add(named("A", "B", "A", "C"), 0.0)
    assert senders(outgoing.take(2, 0.0, admits=lambda each: each.sender != "A")) == "BC"
    assert senders(outgoing.take(5, 0.0)) == "AA"


def test_after_many_urgent_ones_the_others_have_a_turn_and_it_is_their_moment_that_is_waited_for() -> None:
    outgoing = Outgoing(["otp"])
    outgoing.add(named(*"X" * (MOST_OVERTAKING + 1), lane="otp"), 0.0)
    outgoing.add(named("A"), 0.0)
    assert outgoing.next_is_urgent
    assert senders(outgoing.take(0, 0.0, urgent=MOST_OVERTAKING)) == "X" * MOST_OVERTAKING
    assert not outgoing.next_is_urgent
    assert senders(outgoing.take(0, 0.0, urgent=1)) == "", "nothing urgent goes before it"
    assert senders(outgoing.take(2, 0.0)) == "AX"


def test_the_others_have_their_turn_too_where_some_are_not_admitted() -> None:
    outgoing = Outgoing(["otp"])
    outgoing.add(named(*"XYXYXYXYXYXYXYXY", lane="otp"), 0.0)
    outgoing.add(named(*"ABABABAB"), 0.0)
    left = "".join(senders(outgoing.take(2, 0.0, admits=lambda each: each.sender not in "YB")) for _ in range(4))
    assert left == "XXXXXAXX"


def test_those_that_came_last_are_given_up_first_and_urgent_ones_last() -> None:
    outgoing = Outgoing(["otp"])
    outgoing.add(named("X", "Y", lane="otp"), 0.0)
    outgoing.add(named("A", "B", "C"), 0.0)
    assert senders(outgoing.give_up(2)) == "BC"
    assert senders(outgoing.give_up(2)) == "YA"
    assert senders(outgoing.give_up(9)) == "X"
    assert outgoing.give_up(1) == []
