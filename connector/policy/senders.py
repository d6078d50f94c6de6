"""What can stand as the source address of a message."""

from connector.model import Reason

MAX_ALPHANUMERIC = 11
"""Septets that fit the ten octets of an alphanumeric address on the air interface (3GPP TS 23.040, 9.1.2.5)."""
MAX_DIGITS = 15
"""E.164."""


def problem(sender: str) -> tuple[Reason, str] | None:
    """Return why this is no source address, or None if it is one (empty: the carrier fills in)."""
    digits = sender.removeprefix("+")
    if not sender or (digits.isascii() and digits.isdecimal() and 3 <= len(digits) <= MAX_DIGITS):
        return None
    if digits.isascii() and digits.isdecimal():
        return Reason.SENDER_INVALID, f"a numeric sender has 3 to {MAX_DIGITS} digits"
    if not (sender.isascii() and sender.isprintable()):
        return Reason.SENDER_INVALID, "a sender is made of ASCII letters, digits and signs"
    if len(sender) > MAX_ALPHANUMERIC:
        return Reason.SENDER_INVALID, f"an alphanumeric sender has at most {MAX_ALPHANUMERIC} characters"
    return None
