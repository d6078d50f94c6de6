"""What a configuration may name because SMPP has a name for it."""

import pytest

from connector.config.names import status_number


@pytest.mark.parametrize(
    ("text", "number"),
    [("ESME_RTHROTTLED", 0x58), ("0x58", 0x58), ("88", 0x58), ("0x100000000", None), ("-1", None), ("odd", None)],
)
def test_a_status_has_a_name_or_a_number(text: str, number: int | None) -> None:
    assert status_number(text) == number
