"""Receipts that are kept without a message, as the HTTP door shows them."""

from collections.abc import Mapping
from typing import Any

from connector.api.filters import LISTED, MAX_LISTED, BadFilter
from connector.api.schemas import show_moment
from connector.model import ParkedReceipt

FILTERS = ("after", "limit")


def receipts_query(given: Mapping[str, str]) -> tuple[int, int]:
    """Return (after, limit) of these filters.  Raises BadFilter."""
    for name in given:
        if name not in FILTERS:
            raise BadFilter(name, f"there is no filter {name!r}; there are {', '.join(FILTERS)}")
    return _whole(given, "after", 0, 0, 2**63 - 1), _whole(given, "limit", LISTED, 1, MAX_LISTED)


def _whole(given: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = given.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most)) and least <= int(text) <= most):
        raise BadFilter(name, f"{name} is {least} to {most}")
    return int(text)


def show_receipt(parked: ParkedReceipt) -> dict[str, Any]:
    """Return a receipt that no message is known for, and why."""
    receipt = parked.receipt
    return {
        "id": parked.id,
        "at": show_moment(receipt.at),
        "carrier": receipt.carrier,
        "carrier_message_ids": list(receipt.ids or receipt.keys),
        "numbers": receipt.number.split(),
        "status": receipt.event,
        "detail": receipt.detail,
        "reason": parked.why,
    }
