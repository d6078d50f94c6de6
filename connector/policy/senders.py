"""What can stand as the source address of a message."""

from connector.config.checks import sender_problem
from connector.model import Reason


def problem(sender: str) -> tuple[Reason, str] | None:
    """Return why this is no source address, or None if it is one (empty: the carrier fills in).

    The rule is the one that the configuration's own senders are checked by.
    """
    text = sender_problem(sender)
    return None if text is None else (Reason.SENDER_INVALID, text)
