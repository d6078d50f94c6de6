"""What can stand as the source address of a message."""

import pytest

from connector.policy.senders import problem


@pytest.mark.parametrize(
    "sender", ["", "ACME", "Acme Shop", "60777", "+447911123456", "123", "1" * 15, "ABCDEFGHIJK", "A&B-C.D", "4ever"]
)
def test_senders_that_may_stand(sender: str) -> None:
    assert problem(sender) is None


@pytest.mark.parametrize("sender", ["12", "1" * 16, "+1", "ABCDEFGHIJKL", "Café", "AC\nME", "a\0b", "漢", "٣٤٥"])
def test_senders_that_may_not(sender: str) -> None:
    assert problem(sender) is not None
