"""A part's history: one line of text an entry, appended in the update that is made anyway.

``milliseconds|event|carrier|attempt|detail`` — readable in the sqlite3 shell as it is.
"""

from typing import Final

from connector.lifecycle import Event
from connector.model import Answer, Lost, NotSent, Receipt, TimelineEntry

Settled = Answer | Lost | NotSent

NOT_FINAL: Final = "receipt"
"""The event of a carrier's word that moves nothing: no final one."""


def line(at: float, event: str, carrier: str | None, attempt: int, detail: str | None) -> str:
    """Return the line for one entry."""
    if detail is not None and "\n" in detail:
        detail = detail.replace("\n", " ")
    return f"{int(at * 1000)}|{event}|{carrier or ''}|{attempt}|{detail or ''}\n"


def event_of(result: Settled) -> Event:
    """Return what a result does to its part."""
    if isinstance(result, Answer):
        return result.event
    return Event.LOST if isinstance(result, Lost) else Event.NOT_WRITTEN


def settled_line(result: Settled) -> str:
    """Return the line for an answer, or for its absence."""
    detail = result.detail or result.carrier_message_id if isinstance(result, Answer) else result.reason
    return line(result.at, event_of(result), result.carrier, result.attempt, detail)


def receipt_line(receipt: Receipt) -> str:
    """Return the line for a carrier's word, final or not."""
    return line(receipt.at, receipt.event or NOT_FINAL, receipt.carrier, 0, said_by(receipt))


def said_by(receipt: Receipt) -> str | None:
    """Return what a receipt says: the carrier's own words, and the reason they come to."""
    if receipt.reason is None:
        return receipt.detail
    nature = {True: ", temporary", False: ", permanent", None: ""}[receipt.temporary]
    return f"{receipt.detail + ': ' if receipt.detail else ''}{receipt.reason}{nature}"


def said_in(line_: str) -> str:
    """Return a line without its time: what is looked for where the same may have been said before."""
    return line_[line_.index("|") :]


def is_said(history: str, carrier: str | None, attempt: int, line_: str) -> bool:
    """Tell whether a history says this already since the part's newest attempt, through ``carrier``, was claimed."""
    return said_in(line_) in since_claimed(history, carrier, attempt)


def since_claimed(history: str, carrier: str | None, attempt: int) -> str:
    """Return what a history says since this attempt, through ``carrier``, was claimed; all of it where it does not
    tell of that."""
    return history[max(0, history.find(f"|{Event.CLAIMED}|{carrier or ''}|{attempt}|")) :]


def entries(part: int, history: str) -> list[TimelineEntry]:
    """Return the entries of a history, oldest first."""
    found = []
    for text in history.split("\n")[:-1]:  # splitlines() knows more line ends than we write
        at, event, carrier, attempt, detail = text.split("|", 4)
        found.append(
            TimelineEntry(
                at=int(at) / 1000,
                part=part,
                event=event,
                carrier=carrier or None,
                attempt=int(attempt),
                detail=detail or None,
            )
        )
    return found
