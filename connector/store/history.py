"""A part's history: one line of text an entry, appended in the update that is made anyway.

``milliseconds|event|carrier|attempt|detail`` — readable in the sqlite3 shell as it is.
"""

from connector.model import TimelineEntry


def line(at: float, event: str, carrier: str | None, attempt: int, detail: str | None) -> str:
    """Return the line for one entry."""
    if detail is not None and "\n" in detail:
        detail = detail.replace("\n", " ")
    return f"{int(at * 1000)}|{event}|{carrier or ''}|{attempt}|{detail or ''}\n"


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
