"""Lists of recipients as they come out of real systems, to requests ready to send.

A list is a text file with one record a line and a header that names the columns.  A record that cannot become a request
is reported with its line and never guessed at.  What a value means (is this a number, may this lane be used) is left to
the one who takes the request.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import attrs

from connector.delimited import BLANKS, NOT_TEXT, Broken, Source, encoding_of, header, records
from connector.errors import InputError
from connector.model import Reason, SendRequest
from connector.policy import numbers
from connector.settings import parse_duration

MAX_FIELD_CHARACTERS: Final = 65_536
"""The longest value taken; the longest text that can be sent has 255 parts of 153 characters."""

# --- what a list holds ----------------------------------------------------------------------------------------------


@attrs.frozen
class Row:
    """A record that is a request to send."""

    line: int
    """Physical line where the record starts; the first line of the file is 1."""
    request: SendRequest


@attrs.frozen
class Repeated:
    """A record that asks again for what an earlier one asked."""

    line: int
    of_line: int
    """Where the first one is."""
    by: str
    """What they share: "number and text" or "number"."""


@attrs.frozen
class Unreadable:
    """A record that cannot become a request."""

    line: int
    field: str | None
    """Canonical name of the column, or None where it is the record itself."""
    reason: str
    """A value of `model.Reason`."""
    text: str
    """One sentence for the owner of the list; holds nothing of the record's content."""


Entry = Row | Repeated | Unreadable

# --- columns --------------------------------------------------------------------------------------------------------

ALIASES: Final[Mapping[str, str]] = {
    "to": "phone, phone number, phone no, mobile, mobile number, mobile phone, mobile no, cell, cell phone, msisdn, "
    "number, tel, telephone, telephone number, recipient, destination, handy, handynummer, mobil, mobilnummer, "
    "rufnummer, telefon, telefonnummer, empfänger, gsm, gsm number, portable, numéro, téléphone, destinataire, "
    "teléfono, móvil, celular, telefone, telemóvel, cellulare, telefoon, mobiel, телефон, мобильный, номер, 电话, "
    "手机, 手机号, 電話番号, هاتف, رقم الهاتف",
    "text": "message, message text, body, sms, sms text, content, nachricht, nachrichtentext, texte, contenu, mensaje, "
    "texto, mensagem, messaggio, testo, bericht, tekst, сообщение, текст, 短信, 内容, رسالة, نص",
    "from": "sender, sender id, sender name, source, source address, originator, absender, expéditeur, remitente, "
    "remetente, mittente, afzender, отправитель",
    "lane": "urgency",
    "client_ref": "ref, reference, id, message ref, external id, client reference, referenz, référence",
    "country": "country code, iso, iso code, iso country, land, pays, país, paese, страна, 国家",
    "send_at": "send time, scheduled at, schedule",
    "deadline": "expires at, valid until",
    "metadata": "meta",
    "receipt": "delivery receipt, delivery report, dlr",
    "template": "template name, template id",
    "locale": "language, lang, sprache, langue, idioma",
}
"""What people call the fields of a request: case, blanks, signs and accents do not matter."""

NUMBER_NAMES: Final = "to, phone, mobile, msisdn, number, tel, telephone, handy, gsm or recipient"
_GROUP: Final = re.compile(r"\s*(variables|options)\s*\.\s*(\S.*?)\s*", re.IGNORECASE)


def canonical_name(column: str) -> str | None:
    """Return the field that a column of this name holds, or None if no field goes by it."""
    group = _GROUP.fullmatch(column)
    if group:
        return f"{group[1].lower()}.{group[2]}"
    return _FIELDS.get(_squash(column))


def _squash(name: str) -> str:
    return "".join(filter(str.isalnum, _without_accents(name.casefold())))


def _without_accents(name: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))


_FIELDS: Final = {_squash(name): field for field, names in ALIASES.items() for name in (field, *names.split(","))}

# --- values ---------------------------------------------------------------------------------------------------------

_WORDS: Final = {
    **dict.fromkeys(("true", "yes", "y", "1", "on"), True),
    **dict.fromkeys(("false", "no", "n", "0", "off"), False),
}
_OTHER_COUNTRY_CODES: Final = {"UK": "GB"}
"""Codes in everyday use that ISO 3166 does not assign."""
_WHOLE: Final = re.compile(r"-?(0|[1-9][0-9]{0,9})")


class _Wrong(Exception):
    """A value cannot be read."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text


def _plain(cell: str) -> str | None:
    return cell.strip(BLANKS) or None


def _number(cell: str) -> str:
    # a spreadsheet is told with an apostrophe that what follows is no sum
    return cell.strip(BLANKS).removeprefix("'").strip(BLANKS)


def _text(cell: str) -> str | None:
    return cell.strip("\r\n") or None


def _country(cell: str) -> str | None:
    name = cell.strip(BLANKS)
    code = name.upper() if len(name) == 2 and name.isascii() else name
    return _OTHER_COUNTRY_CODES.get(code, code) or None


def _time(cell: str) -> float | None:
    name = cell.strip(BLANKS)
    if not name:
        return None
    try:
        time = datetime.fromisoformat(name)
    except ValueError:
        raise _Wrong(Reason.TIME_INVALID, "a time is written like 2026-03-01T18:30:00+01:00") from None
    if time.tzinfo is None:
        raise _Wrong(Reason.TIME_INVALID, "the time lacks its offset from UTC, as in 2026-03-01T18:30:00+01:00")
    return time.timestamp()


def _deadline(cell: str) -> float | timedelta | None:
    """Return the moment, or the duration from when it may leave."""
    name = cell.strip(BLANKS)
    try:
        return timedelta(seconds=parse_duration(name))
    except (ValueError, OverflowError):
        pass  # no duration: then it is a time
    try:
        return _time(cell)
    except _Wrong as wrong:
        raise _Wrong(wrong.reason, f'{wrong.text}; a deadline may also be a duration such as "90s"') from None


def _metadata(cell: str) -> Mapping[str, Any] | None:
    if not cell.strip(BLANKS):
        return None
    try:
        value = json.loads(cell.strip(BLANKS), parse_constant=_no_number)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise _Wrong(Reason.BAD_REQUEST, 'metadata is a JSON object, as in {"order": 17}')
    return value


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _truth(cell: str) -> bool | None:
    word = cell.strip(BLANKS).casefold()
    if word and word not in _WORDS:
        raise _Wrong(Reason.BAD_REQUEST, "receipt is yes or no")
    return _WORDS.get(word)


def _option(cell: str) -> str | int | None:
    value = cell.strip(BLANKS)
    return int(value) if _WHOLE.fullmatch(value) else value or None


_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "to": _number,
    "text": _text,
    "country": _country,
    "send_at": _time,
    "deadline": _deadline,
    "metadata": _metadata,
    "receipt": _truth,
}
"""How a column is read; the others are text without the blanks around it."""


@attrs.frozen
class _Column:
    index: int
    name: str
    """Canonical."""
    key: str
    """Name in the request, or in its group."""
    group: str | None
    read: Callable[[str], Any]


def _column(index: int, name: str) -> _Column:
    group, dot, key = name.partition(".")
    if dot:
        return _Column(index, name, key, group, _option if group == "options" else _plain)
    return _Column(index, name, "sender" if name == "from" else name, None, _READERS.get(name, _plain))


def _columns(header: Sequence[str]) -> tuple[_Column, ...]:
    """Return the columns that are fields of a request; raises InputError where they contradict or lack the number."""
    found: dict[str, int] = {}
    for index, title in enumerate(header):
        name = canonical_name(title)
        if name is None:
            continue
        if name in found:
            first = header[found[name]].strip(BLANKS)
            raise InputError(f'columns "{first}" and "{title.strip(BLANKS)}" both hold {name}: rename or remove one')
        found[name] = index
    if "to" not in found:
        raise InputError(f"no column holds the phone number: name one of them {NUMBER_NAMES} in the first line")
    return tuple(_column(index, name) for name, index in found.items())


# --- the list -------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class ContactList:
    """A list whose header is read; iterating reads its records, in the order of the file and without keeping them.

    All that is kept while iterating is a digest of 16 octets for each different request, to know it again.  Each
    iteration reads the file anew.
    """

    encoding: str
    delimiter: str
    columns: tuple[str, ...]
    """Canonical names, in the order of the file."""
    unknown_columns: tuple[str, ...]
    """Columns that no field of a request goes by, as they are spelled; their content is not used."""
    _source: Source = attrs.field(repr=False)
    _width: int = attrs.field(repr=False)
    _plan: tuple[_Column, ...] = attrs.field(repr=False)
    _header_lines: int = attrs.field(repr=False)
    _defaults: Mapping[str, str] = attrs.field(repr=False)
    _text: str | None = attrs.field(repr=False)
    _one_per_number: bool = attrs.field(repr=False)

    def __iter__(self) -> Iterator[Entry]:
        first_lines: dict[bytes, int] = {}
        with self._source.lines(self.encoding, self._header_lines) as lines:
            for line, values in records(lines, self.delimiter):
                entry = self._entry(line.number, values)
                yield self._once(entry, first_lines) if isinstance(entry, Row) else entry

    def _entry(self, line: int, values: list[str] | Broken) -> Row | Unreadable:
        if isinstance(values, Broken):
            return Unreadable(line, None, Reason.BAD_REQUEST, values.text)
        content = "".join(values)
        if len(content) > MAX_FIELD_CHARACTERS or NOT_TEXT.search(content):
            for index, value in enumerate(values):
                if text := self._unfit(value):
                    return Unreadable(line, self._name_of(index), Reason.BAD_REQUEST, text)
        while len(values) > self._width and not values[-1].strip(BLANKS):
            values.pop()
        if len(values) != self._width:
            text = f"the record has {len(values)} values for {self._width} columns"
            return Unreadable(line, None, Reason.BAD_REQUEST, text)
        return self._row(line, values)

    def _unfit(self, value: str) -> str | None:
        if len(value) > MAX_FIELD_CHARACTERS:
            return f"the value is longer than {MAX_FIELD_CHARACTERS} characters"
        sign = NOT_TEXT.search(value)
        if sign is None:
            return None
        return f"the value is not {self.encoding} text" if sign[0] > "\0" else "the value holds a NUL character"

    def _name_of(self, index: int) -> str | None:
        return next((column.name for column in self._plan if column.index == index), None)

    def _row(self, line: int, values: list[str]) -> Row | Unreadable:
        given: dict[str, Any] = dict(self._defaults)
        for column in self._plan:
            try:
                value = column.read(values[column.index])
            except _Wrong as wrong:
                return Unreadable(line, column.name, wrong.reason, wrong.text)
            if isinstance(value, timedelta):
                given[f"{column.key}_in_s"] = value.total_seconds()
            elif value is not None:
                (given.setdefault(column.group, {}) if column.group else given)[column.key] = value
        if self._text is not None and "template" not in given:
            given.setdefault("text", self._text)
        return Row(line, SendRequest(**given))

    def _once(self, row: Row, first_lines: dict[bytes, int]) -> Row | Repeated:
        request = row.request
        country = request.country.upper() if request.country else None
        number = numbers.normalise(request.to, country)
        if isinstance(number, numbers.BadNumber):
            return row  # whoever takes the request says what is wrong with each of them
        what = "" if self._one_per_number else _content(request)
        digest = blake2b(f"{number.e164}\0{what}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
        first = first_lines.setdefault(digest, row.line)
        if first == row.line:
            return row
        return Repeated(row.line, first, "number" if self._one_per_number else "number and text")


def _content(request: SendRequest) -> str:
    if request.template is None:
        return request.text or ""
    return json.dumps([request.template, request.locale, request.variables, request.text], sort_keys=True)


def read(
    path: Path | None,
    data: bytes | None = None,
    *,
    country: str | None = None,
    lane: str | None = None,
    sender: str | None = None,
    text: str | None = None,
    one_per_number: bool = False,
    encoding: str | None = None,
    delimiter: str | None = None,
) -> ContactList:
    """Return the list in this file, or in these octets; its records are read when it is iterated.

    ``country``, ``lane``, ``sender`` and ``text`` hold for each record that has none of its own.  National spellings
    are compared only where a country is known, so give ``country`` even where the receiver has a default.  With
    ``one_per_number`` a second text to a number is a repetition, too.

    The encoding is the one told; else that of the byte order mark; else UTF-8 if the whole file is valid UTF-8; else
    Windows-1252, which spreadsheets write.  The delimiter is the one told; else that of a ``sep=`` line; else comma,
    semicolon, tab or bar, whichever makes the most of the header.

    Raises InputError if the file cannot be opened, is empty or a workbook, if the encoding is unknown, if no column
    holds the number, or two hold the same field.
    """
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise InputError("a delimiter is one character, and neither a quote nor a line break")
    source = Source.of(path, data)
    encoding = encoding_of(source, encoding)
    with source.lines(encoding) as lines:
        first = header(lines, delimiter, lambda title: canonical_name(title) is not None)
    plan = _columns(first.titles)
    defaults = {"sender": sender, "lane": lane, "country": _country(country or "")}
    known = {column.index for column in plan}
    return ContactList(
        encoding=encoding,
        delimiter=first.delimiter,
        columns=tuple(column.name for column in plan),
        unknown_columns=tuple(
            title.strip(BLANKS) or f"column {index + 1}"
            for index, title in enumerate(first.titles)
            if index not in known
        ),
        source=source,
        width=len(first.titles),
        plan=plan,
        header_lines=first.lines,
        defaults={name: value for name, value in defaults.items() if value is not None},
        text=text,
        one_per_number=one_per_number,
    )
