"""What a person may ask: to be shown everything that is kept of their number, and to have it erased."""

import logging
from typing import Any, Final

import trio

from connector.errors import InputError
from connector.model import Erased, Traces, format_id
from connector.policy import numbers
from connector.store.privacy import pieces
from connector.store.store import Store

log = logging.getLogger("carrierline.privacy")

ROWS_PER_STEP: Final = 100
IDS_NAMED: Final = 10
"""Ids of messages under way that an answer has at most."""
SCRUB_TRIES: Final = 20
SCRUB_PAUSE_S: Final = 0.25
"""A reader that is in the way is a page of a list, or a scrape: it ends soon."""


class Privacy:
    """Shows and erases what is kept of a number (E.164 digits, see `digits_of`)."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def export(self, number: str) -> list[dict[str, Any]]:
        """Return every row that holds something of a number."""
        return await self._store.export(number)

    async def erase(self, number: str) -> Erased:
        """Erase the number and all that was said to it or by it, wherever it stands; statuses and times stay.

        Messages under way are left as they are and counted, and so are the receipts parked for the number: they are
        found by it.  What was erased is gone from the disk when this returns, if the answer says ``clean``.
        """
        found = await self._store.traces(number)
        for wish in pieces(found, ROWS_PER_STEP):
            await self._store.erase(number, wish)
        for _ in range(SCRUB_TRIES):
            if await self._store.scrub():
                break
            await trio.sleep(SCRUB_PAUSE_S)
        erased = erased_of(found, clean=not await self._store.remains(number))
        log.warning(
            "a number was erased (messages %d, receipts %d, inbound rows %d; messages under way %d)",
            erased.messages, erased.receipts, erased.inbound, erased.live,
        )  # fmt: skip
        return erased


def erased_of(found: Traces, *, clean: bool) -> Erased:
    """Return what the erasure of all of this comes to."""
    inbound = len(found.inbound) + len(found.inbound_parts)
    parked = len(found.receipts)
    return Erased(
        messages=len(found.messages),
        receipts=0 if found.live else parked,
        inbound=inbound,
        live=found.live,
        under_way=tuple(format_id(it) for it in found.under_way[:IDS_NAMED]),
        receipts_left=parked if found.live else 0,
        clean=clean,
    )


def digits_of(text: str, country: str | None = None) -> str:
    """Return the digits a number is kept under.  Raises InputError for what is none."""
    number = numbers.normalise(text, country)
    if isinstance(number, numbers.Number):
        return number.e164
    digits = text.removeprefix("+").removeprefix("00")
    if not (digits.isascii() and digits.isdecimal()) or digits.startswith("0"):
        raise InputError(number.text)
    return digits  # international, if not valid today: what is kept may be older than the numbering plan
