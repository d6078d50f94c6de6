"""Attempts whose id nobody knows: they are on the wire, or their answers were lost.  Pure.

A receipt whose id no attempt has as it is written may be the word about any of them, so what only looks like the id of
another attempt proves nothing while there is one.  A carrier that counts in decimal has taught that: the receipt of an
attempt whose answer was lost had 15, and another part to that number had 21, which is 15 read as hexadecimal.
"""

from collections.abc import Iterable

from connector.lifecycle import CAME_TO_NOTHING, Event
from connector.model import Receipt, user_message_reference
from connector.store.restored import UNNAMED


def nameless(history: str, carrier: str) -> list[float]:
    """Return when those attempts of a part were claimed that ``carrier`` may have under an id it has not told.

    An attempt that nobody can name (see `connector.store.restored`) may have gone through any carrier.
    """
    open_: dict[str, float] = {}
    for text in history.split("\n")[:-1]:
        at, event, by, attempt, detail = text.split("|", 4)
        if event == Event.CLAIMED:
            if by in (carrier, UNNAMED):
                open_[attempt] = int(at) / 1000
        elif by and (event in CAME_TO_NOTHING or (event == Event.ACKNOWLEDGED and detail)):  # the detail is its id
            open_.pop(attempt, None)
    return list(open_.values())


def may_be_anothers(receipt: Receipt, part: int, told: Iterable[tuple[int, str]]) -> bool:
    """Tell whether a receipt that fits this part by a form of its id may as well be about an attempt without one.

    ``told``: parts to its number that may have such attempts, with their histories.  Of two attempts of one part it
    need not be known which has the word, where either one's leads to the same; and our own reference, which the
    receipt echoes, tells the part.
    """
    is_echoed = receipt.clue is not None and receipt.clue.reference == user_message_reference(part)
    is_alike = receipt.event in (None, Event.DELIVERED)
    since = receipt.at - receipt.lifetime_s
    return any(
        at >= since
        for other, history in told
        if not (is_alike if other == part else is_echoed)
        for at in nameless(history, receipt.carrier)
    )
