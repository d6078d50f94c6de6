"""The window of requests in flight."""

from connector.smpp.pdu import SubmitSm
from connector.smpp.window import InFlight, Window


def request(number: int, sent_at: float = 0.0) -> InFlight:
    return InFlight(number, f"token {number}", SubmitSm(), sent_at)


def full(*items: InFlight, size: int = 10, remembered: int = 100) -> Window:
    window = Window(size, remembered)
    for item in items:
        window.put(item)
    return window


def test_an_answer_gives_the_place_back() -> None:
    window = full(request(1), request(2))
    assert (window.used, window.free) == (2, 8)
    taken = window.take(1)
    assert taken is not None
    assert taken.token == "token 1"
    assert (window.used, window.free) == (1, 9)


def test_a_number_that_is_not_in_flight_takes_nothing() -> None:
    window = full(request(1))
    assert window.take(2) is None
    assert window.used == 1


def test_a_window_made_smaller_has_no_free_place() -> None:
    window = full(request(1), request(2))
    window.size = 1
    assert window.free == 0


def test_the_oldest_is_the_first_that_was_sent_and_still_waits() -> None:
    window = full(request(1, 5.0), request(2, 6.0))
    assert window.oldest_sent_at == 5.0
    window.take(1)
    assert window.oldest_sent_at == 6.0
    window.take(2)
    assert window.oldest_sent_at is None


def test_overdue_requests_leave_oldest_first_and_exactly_in_time() -> None:
    window = full(request(1, 5.0), request(2, 6.0), request(3, 7.0))
    assert window.take_overdue(64.999, 60.0) == []
    assert [item.sequence_number for item in window.take_overdue(66.0, 60.0)] == [1, 2]
    assert window.used == 1


def test_what_next_tick_promises_is_due_whatever_floats_do() -> None:
    for sent_at in (0.1, 0.7, 1e9 + 0.3, 123456.789):
        window = full(request(1, sent_at))
        assert len(window.take_overdue(sent_at + 59.9, 59.9)) == 1


def test_an_overdue_request_keeps_its_number_and_is_found_once_by_a_late_answer() -> None:
    window = full(request(1))
    window.take_overdue(60.0, 60.0)
    assert 1 in window
    assert window.take(1) is None
    late = window.take_late(1)
    assert late is not None
    assert late.token == "token 1"
    assert window.take_late(1) is None
    assert 1 not in window


def test_only_the_latest_overdue_requests_are_remembered() -> None:
    window = full(*(request(n) for n in range(1, 6)), remembered=3)
    window.take_overdue(60.0, 60.0)
    assert [n for n in range(1, 6) if n in window] == [3, 4, 5]


def test_everything_in_flight_can_be_taken_when_the_link_is_gone() -> None:
    window = full(request(3), request(1), request(2))
    assert [item.sequence_number for item in window.take_all()] == [3, 1, 2]
    assert window.used == 0
