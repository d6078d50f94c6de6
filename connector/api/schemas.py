"""What the HTTP door takes and gives, as msgspec structures: one definition decodes, refuses and documents."""

import difflib
import json
import re
from datetime import UTC, datetime
from typing import Any

import msgspec

from connector.config.checks import MAX_ALPHANUMERIC
from connector.errors import ConfigError
from connector.model import MessageView, Reason, SendRequest, TimelineEntry, Verdict, Verification, format_id
from connector.pipeline.door import Cancellation
from connector.settings import parse_duration

MAX_ROWS = 1_000

_FIELD = re.compile(r"`([^`]*)`")
_PATH = re.compile(r" - at `\$\.?(.*?)`$")
_UNKNOWN = "Object contains unknown field"
_MISSING = "Object missing required field"
_EXPECTED = re.compile(r"Expected `([^`]*)`, got `([^`]*)`")
_JSON_WORDS = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number with a fraction",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
}
_SAID = {
    "not_offered": "is not asked to give messages back",
    "no_id": "gave it no id to ask by",
    "sent_again": "has one copy of it, and there may be another",
    "busy": "was not asked: too many wait for its answers, try again",
    "no_bind": "was not asked: no bind had a free place",
    "our_encoding": "was not asked: its id cannot be written",
    "no_answer": "did not answer",
    "link_lost": "lost the link before it answered",
}
MAX_DEPTH = 32
"""Lists and objects within each other; 1 kB of metadata could nest deeper than any reader of it can follow."""


class MessageIn(msgspec.Struct, forbid_unknown_fields=True, rename={"sender": "from"}):
    """One message as a caller asks for it."""

    to: str
    text: str | None = None
    template: str | None = None
    variables: dict[str, str] | None = None
    locale: str | None = None
    sender: str | None = None
    lane: str | None = None
    client_ref: str | None = None
    country: str | None = None
    send_at: str | None = None
    """RFC 3339 with an offset."""
    deadline: str | None = None
    """RFC 3339 with an offset, or a duration such as "90s" from the moment it may be sent."""
    metadata: dict[str, Any] | None = None
    receipt: bool = True
    options: dict[str, int | str] | None = None


FIELDS = tuple(field.encode_name for field in msgspec.structs.fields(MessageIn))
_decoder = msgspec.json.Decoder(MessageIn)
_rows_decoder = msgspec.json.Decoder(list[msgspec.Raw])
_fields_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


class BadBody(Exception):
    """The body is not JSON, or no message and no list of them."""


def split_rows(body: bytes) -> list[msgspec.Raw] | msgspec.Raw:
    """Return the rows of a list, or the one object a body is; raises BadBody with where and why."""
    try:
        if body.lstrip()[:1] == b"[":
            return _rows_decoder.decode(body)
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadBody(f"the body is not valid JSON: {error}") from None
    except RecursionError:
        raise BadBody("the body is nested too deeply") from None
    return msgspec.Raw(body)


def decode_row(raw: msgspec.Raw) -> SendRequest | Verdict:
    """Return the request in one row, or a verdict that names the field and what is wrong with it."""
    try:
        given = _decoder.decode(raw)
        _check_fields(raw, given)
        send_at, _ = _moment(given.send_at, "send_at", duration=False)
        deadline, deadline_in_s = _moment(given.deadline, "deadline", duration=True)
    except msgspec.DecodeError as error:
        return bad_row(str(error))
    except _BadField as error:
        return Verdict(reason=error.reason, field=error.field, text=str(error))
    except RecursionError:
        return Verdict(reason=Reason.BAD_REQUEST, text="the row is nested too deeply")
    except UnicodeDecodeError:
        return Verdict(reason=Reason.BAD_REQUEST, text="the row is not valid UTF-8")
    return SendRequest(
        to=given.to,
        text=given.text,
        template=given.template,
        variables=given.variables,
        locale=given.locale,
        sender=given.sender,
        lane=given.lane,
        client_ref=given.client_ref,
        country=given.country,
        send_at=send_at,
        deadline=deadline,
        deadline_in_s=deadline_in_s,
        metadata=given.metadata,
        receipt=given.receipt,
        options=given.options,
    )


def bad_row(error: str) -> Verdict:
    """Return the verdict for what the decoder did not take: its words, with the field found in them."""
    path = _PATH.search(error)
    named = _FIELD.search(error)
    if error.startswith(_UNKNOWN) and named:
        near = difflib.get_close_matches(named[1], FIELDS, n=1)
        hint = f', did you mean "{near[0]}"?' if near else ""
        return Verdict(reason=Reason.BAD_REQUEST, field=named[1], text=f"there is no field {named[1]}{hint}")
    if error.startswith(_MISSING) and named:
        return Verdict(reason=Reason.BAD_REQUEST, field=named[1], text=f"{named[1]} is missing")
    field = path[1] if path and path[1] else None
    wrong = _EXPECTED.search(error)
    if wrong:
        text = f"{field or 'a message'} must be {_json_words(wrong[1])}, not {_json_words(wrong[2])}"
    else:
        text = _PATH.sub("", error).replace("`", "")
    return Verdict(reason=Reason.BAD_REQUEST, field=field, text=text)


def _json_words(types: str) -> str:
    """Return the decoder's names of types in the words of JSON; null is never what a field needs."""
    names = [name for name in types.split(" | ") if name != "null"] or ["null"]
    return " or ".join(_JSON_WORDS.get(name, name) for name in names)


class _BadField(Exception):
    def __init__(self, field: str, text: str, reason: Reason = Reason.BAD_REQUEST) -> None:
        super().__init__(text)
        self.field = field
        self.reason = reason


def _check_fields(raw: msgspec.Raw, given: MessageIn) -> None:
    """Refuse what the decoder passes over: a field given twice (it takes the last), and bottomless metadata."""
    octets = bytes(raw)
    # a colon for each field, unless there are more of them: in a text, in metadata, or because a name came twice
    if octets.count(b":") != len(_fields_decoder.decode(octets)):
        json.loads(octets, object_pairs_hook=_once)
    if given.metadata is not None and _deeper_than(MAX_DEPTH, given.metadata):
        raise _BadField("metadata", f"metadata is nested more than {MAX_DEPTH} deep")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in fields:
            raise _BadField(name, f"{name} is given twice")
        fields[name] = value
    return fields


def _deeper_than(depth: int, value: object) -> bool:
    level: list[Any] = [value]
    for _ in range(depth):
        level = [item for holder in level for item in _held(holder)]
    return bool(level)


def _held(value: object) -> list[Any]:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [item for item in items if isinstance(item, dict | list)]


def _moment(text: str | None, field: str, *, duration: bool) -> tuple[float | None, float | None]:
    """Return (moment, seconds from the start): one of them, by how it is spelled."""
    if text is None:
        return None, None
    if duration:
        try:
            return None, parse_duration(text)
        except (ConfigError, ValueError):
            pass  # not a duration: then it must be a moment
    moment = parse_moment(text)
    if moment is None:
        also = ' or a duration such as "90s"' if duration else ""
        text = f"{field} must be a time with its offset such as 2026-01-31T09:00:00Z{also}"
        raise _BadField(field, text, Reason.TIME_INVALID)
    return moment, None


def parse_moment(text: str) -> float | None:
    """Return the seconds since the epoch of an RFC 3339 time with an offset, or None."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo is not None else None


def show_moment(at: float | None) -> str | None:
    """Return a moment as RFC 3339 in UTC with milliseconds."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# --- what the door gives ---------------------------------------------------------------------------------------------


def show_verdict(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as JSON shows it."""
    if verdict.message is not None:
        return {
            "id": format_id(verdict.message),
            "status": "accepted",
            "to": verdict.to,
            "parts": verdict.parts,
            "replayed": verdict.replayed,
        }
    return {"status": "refused", "reason": verdict.reason, "field": verdict.field, "detail": verdict.text}


def show_message(view: MessageView, *, events: bool, text: bool = False) -> dict[str, Any]:
    """Return a message as JSON shows it, with its timeline and its text if asked."""
    shown = {
        "id": format_id(view.id),
        "status": view.status,
        "to": view.to,
        "from": view.sender,
        "lane": view.lane,
        "api_key": view.api_key,
        "parts": view.parts,
        "created_at": show_moment(view.created_at),
        "send_at": show_moment(view.send_at),
        "deadline": show_moment(view.deadline),
        "client_ref": view.client_ref,
        "country": view.country,
        "metadata": msgspec.Raw(view.metadata.encode()) if view.metadata else None,
        "carrier": view.carrier,
        "carrier_message_id": view.carrier_message_id,
        "sent_at": show_moment(view.sent_at),
        "finished_at": show_moment(view.finished_at),
        "done_at": show_moment(view.done_at),
        "reason": view.reason,
        "temporary": view.temporary,
    }
    if text:
        shown["text"] = view.text
        shown["text_gone"] = _why_gone(view)
    if events:
        shown["part_statuses"] = list(view.part_statuses)
        shown["events"] = [_show_entry(entry) for entry in view.timeline]
    return shown


def _why_gone(view: MessageView) -> str | None:
    """Return why there is no text any more, or None: "erased" with its number, else "not_kept" so long by its lane.

    A number that was erased is a hash behind a "#", longer than any sender's name that begins so.
    """
    if view.text is not None:
        return None
    hashed = view.to.startswith("#") or (view.sender.startswith("#") and len(view.sender) > MAX_ALPHANUMERIC)
    return "erased" if hashed else "not_kept"


def _show_entry(entry: TimelineEntry) -> dict[str, Any]:
    return {
        "at": show_moment(entry.at),
        "event": entry.event,
        "part": max(1, entry.part & 0xFF),
        "carrier": entry.carrier,
        "attempt": entry.attempt,
        "detail": entry.detail,
    }


def show_cancellation(done: Cancellation) -> dict[str, Any]:
    """Return what came of a cancel as JSON shows it."""
    return {
        "id": format_id(done.view.id),
        "status": done.view.status,
        "parts": done.view.parts,
        "cancelled": done.cancelled,
        "already_out": done.already_out,
        "recalled": done.recalled,
        "carriers": [
            {"part": max(1, heard.part & 0xFF), "carrier": heard.carrier, "said": heard.said} for heard in done.heard
        ],
    }


def why_not_cancelled(done: Cancellation) -> str:
    """Return a sentence on why nothing of a message could be taken back."""
    said = sorted({f"carrier {heard.carrier} {_SAID.get(heard.said, f'said {heard.said}')}" for heard in done.heard})
    return "; ".join([f"nothing of it can be taken back: it is {done.view.status}", *said])


def show_verification(found: Verification) -> dict[str, Any]:
    """Return the ledger and a recount's problems as JSON shows them."""
    ledger = found.ledger
    return {
        "ok": found.ok,
        "problems": list(found.problems),
        "accepted": ledger.accepted,
        "messages": dict(ledger.messages),
        "parts_accepted": ledger.parts_accepted,
        "parts": dict(ledger.parts),
        "submitted": ledger.submitted,
        "answered": ledger.answered,
        "in_flight": ledger.in_flight,
        "doubted": ledger.doubted,
        "parked": ledger.parked,
        "gone": {"messages": ledger.gone, "receipts": ledger.gone_parked},
    }
