"""Text files with one record a line, as spreadsheets and databases write them (RFC 4180 and what really occurs).

The encoding and the delimiter are found out, quotes and line breaks inside them are read, memory stays bounded, and
what is no record is told apart with its line instead of being mended or swallowing its neighbours.
"""

import codecs
import io
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, TextIO

import attrs

from connector.errors import InputError

MAX_RECORD_CHARACTERS: Final = 262_144
MAX_RECORD_LINES: Final = 200
"""How far the end of a quoted value is looked for; beyond it the quote is taken for a slip and its line reported."""
DELIMITERS: Final = (",", ";", "\t", "|")

# What copying from web pages and address books leaves around a value and no one sees: zero-width and direction marks.
_UNSEEN: Final = (*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF)
BLANKS: Final = "".join(c for c in map(chr, range(0x10000)) if c.isspace() or ord(c) in _UNSEEN)
"""What does not count at the ends of a value: blanks (no-break and full-width ones too) and invisible marks."""

# --- physical lines -------------------------------------------------------------------------------------------------

NOT_TEXT: Final = re.compile("[\0\udc00-\udcff]")
"""NUL, and what stands for an octet that the encoding does not define."""


def _mark_undecodable(error: UnicodeError) -> tuple[str, int]:
    """Stand half a surrogate pair for each octet that is no text, so that the one record with it can be reported."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 | octet) for octet in error.object[error.start : error.end]), error.end


_MARK: Final = "carrierline.mark"
codecs.register_error(_MARK, _mark_undecodable)


@attrs.frozen
class Line:
    """A physical line."""

    number: int
    text: str
    """With its line break."""
    whole: bool = True
    """False if it is longer than any record may be; the rest of it is skipped."""


class Lines:
    """The physical lines of a stream, some of which can be put back."""

    def __init__(self, stream: TextIO, skip: int = 0) -> None:
        self._stream = stream
        self._back: deque[Line] = deque()
        self._numbered = 0
        self.taken = 0
        """Number of the line taken last."""
        for _ in range(skip):
            self.next()

    def next(self) -> Line | None:
        """Take the next line, or None at the end."""
        line = self._back.popleft() if self._back else self._read()
        if line is not None:
            self.taken = line.number
        return line

    def put_back(self, lines: Sequence[Line]) -> None:
        """Have these lines, the last ones taken, come next again."""
        self._back.extendleft(reversed(lines))

    def _read(self) -> Line | None:
        text = self._stream.readline(MAX_RECORD_CHARACTERS)
        if not text:
            return None
        self._numbered += 1
        if len(text) < MAX_RECORD_CHARACTERS or text.endswith("\n"):
            return Line(self._numbered, text)
        number = self._numbered
        self._skip_rest(text)
        return Line(number, text, whole=False)

    def _skip_rest(self, text: str) -> None:
        while text and not text.endswith(("\n", "\r")):
            text = self._stream.readline(MAX_RECORD_CHARACTERS)
        # cut between CR and LF, perhaps: what follows is a line of its own unless it is LF
        if text.endswith("\r"):
            following = self._read()
            if following is not None and following.text == "\n":
                self._numbered -= 1
            elif following is not None:
                self._back.append(following)


# --- records --------------------------------------------------------------------------------------------------------


@attrs.frozen
class Broken:
    """Why what starts on a line is no record."""

    text: str


_INSIDE: Final = re.compile(r'[^"]*+(?:""[^"]*+)*+')
_UNCLOSED: Final = Broken("a quote opens here and is not closed")
_STRAY: Final = Broken("something other than a delimiter follows a closing quote")
_TOO_LONG: Final = Broken(f"the line is longer than {MAX_RECORD_CHARACTERS} characters")


@attrs.frozen
class _Grammar:
    """How values stand in a line under one delimiter: bare, or in quotes with their own quotes doubled.

    Strict where leniency would glue records together: after a closing quote only blanks and the delimiter may come.
    """

    delimiter: str
    value: re.Pattern[str] = attrs.field(init=False)
    """A whole value, up to its delimiter: group 1 if quoted, 2 if bare."""
    blanks: re.Pattern[str] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        blanks = "[ ]*+" if self.delimiter == "\t" else r"[ \t]*+"
        sign = re.escape(self.delimiter)
        value = rf'{blanks}"({_INSIDE.pattern})"{blanks}(?={sign}|\Z)|(?!")([^{sign}]*+)'
        object.__setattr__(self, "value", re.compile(value))
        object.__setattr__(self, "blanks", re.compile(blanks))


class _Record:
    """One record, fed line by line until no quote is open."""

    def __init__(self, grammar: _Grammar) -> None:
        self.cells: list[str] = []
        self.open = False
        """Whether a quoted value goes on in the next line."""
        self._grammar = grammar
        self._pieces: list[str] = []

    def feed(self, text: str) -> bool:
        """Take the next line, with its line break; False if what it holds is no record."""
        line = text.rstrip("\r\n")
        ending = text[len(line) :]
        if not self.open:
            return self._values(line, 0, ending)
        end = self._inside(line, 0, ending)
        if self.open:
            return True
        at = _end(self._grammar.blanks, line, end + 1)
        if at == len(line):
            return True
        return line[at] == self._grammar.delimiter and self._values(line, at + 1, ending)

    def _inside(self, line: str, at: int, ending: str) -> int:
        """Read on in a quoted value; return where its closing quote is, or the end of the line."""
        end = _end(_INSIDE, line, at)
        self.open = end == len(line)
        self._pieces.append(line[at:end])
        if self.open:
            self._pieces.append(ending)
        else:
            self.cells.append("".join(self._pieces).replace('""', '"'))
            self._pieces.clear()
        return end

    def _values(self, line: str, at: int, ending: str) -> bool:
        while True:
            value = self._grammar.value.match(line, at)
            if value is None:
                self._inside(line, at + 1, ending)
                return self.open
            self.cells.append(value[2] if value[1] is None else value[1].replace('""', '"'))
            if value.end() == len(line):
                return True
            at = value.end() + 1


def _end(pattern: re.Pattern[str], line: str, at: int) -> int:
    """Return where a pattern that matches anything, even nothing, stops matching."""
    found = pattern.match(line, at)
    return at if found is None else found.end()


def records(lines: Lines, delimiter: str) -> Iterator[tuple[Line, list[str] | Broken]]:
    """Yield (line where it starts, its values or why there are none), leaving out empty lines.

    After a broken record reading goes on at the very next line, so a stray quote costs one record and not the file.
    """
    grammar = _Grammar(delimiter)
    nothing = BLANKS + delimiter
    while (line := lines.next()) is not None:
        if not line.whole:
            yield line, _TOO_LONG
        elif '"' in line.text:
            values = _quoted(line, lines, grammar)
            if isinstance(values, Broken) or any(value.strip(BLANKS) for value in values):
                yield line, values
        elif line.text.strip(nothing):
            yield line, line.text.rstrip("\r\n").split(delimiter)


def _quoted(first: Line, lines: Lines, grammar: _Grammar) -> list[str] | Broken:
    record = _Record(grammar)
    ahead: list[Line] = []
    fits, size = record.feed(first.text), len(first.text)
    while fits and record.open:
        line = lines.next()
        if line is not None:
            ahead.append(line)
            size += len(line.text)
        if line is None or size > MAX_RECORD_CHARACTERS or len(ahead) >= MAX_RECORD_LINES:
            lines.put_back(ahead)
            return _UNCLOSED
        fits = record.feed(line.text)
    if fits:
        return record.cells
    lines.put_back(ahead)
    return _UNCLOSED if ahead else _STRAY


# --- the file -------------------------------------------------------------------------------------------------------

# Longest first: the mark of UTF-32 starts with that of UTF-16.
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WORKBOOKS: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""How .xlsx and .xls files start."""
_CHUNK_BYTES: Final = 1 << 20


@attrs.frozen
class Source:
    """Where the octets are: a file that can be opened again, or the octets themselves."""

    origin: Path | bytes = attrs.field(repr=False)

    @classmethod
    def of(cls, path: Path | None, data: bytes | None) -> "Source":
        """Return the source of these octets or else of this file; a pipe is read to its end, for it gives them once."""
        if data is not None:
            return cls(data)
        if path is None:
            raise InputError("there is no list to read")
        again = path.is_file() or path.is_dir() or not path.exists()
        return cls(path) if again else cls(path.read_bytes())

    def open(self) -> BinaryIO:
        """Return the octets from their start; raises InputError."""
        if isinstance(self.origin, bytes):
            return io.BytesIO(self.origin)
        try:
            return self.origin.open("rb")
        except OSError as error:
            raise InputError(f"{self.origin}: {error.strerror}") from None

    @contextmanager
    def lines(self, encoding: str, skip: int = 0) -> Iterator[Lines]:
        """Give the lines from number ``skip + 1`` on."""
        with self.open() as octets, io.TextIOWrapper(octets, encoding, _MARK, newline="") as text:
            yield Lines(text, skip)


def encoding_of(source: Source, told: str | None) -> str:
    """Return the encoding told, or that of the byte order mark, or UTF-8 if all is valid UTF-8, or Windows-1252.

    Raises InputError for an encoding no one knows and for a workbook, which is no text.
    """
    if told is not None:
        return _known_encoding(told)
    with source.open() as octets:
        start = octets.read(4)
        if start.startswith(_WORKBOOKS):
            raise InputError("this is a workbook, not a text file: save the sheet as CSV (UTF-8)")
        for mark, name in _MARKS:
            if start.startswith(mark):
                return name
        octets.seek(0)
        return "utf-8" if _is_utf8(octets) else "windows-1252"


def _known_encoding(name: str) -> str:
    try:
        "".encode(name)
        b"".decode(name)
    except (LookupError, UnicodeError):
        raise InputError(f"there is no text encoding {name!r}; try utf-8, utf-16 or windows-1252") from None
    return name


def _is_utf8(octets: BinaryIO) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while chunk := octets.read(_CHUNK_BYTES):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


_SEP: Final = re.compile(r"sep=([^\r\n\"])[\r\n]*", re.IGNORECASE)


@attrs.frozen
class Header:
    """The first record and what it says about the others."""

    titles: tuple[str, ...]
    delimiter: str
    lines: int
    """Physical lines up to its end."""


def header(lines: Lines, delimiter: str | None, known: Callable[[str], bool]) -> Header:
    """Return the first record that is not empty, past a spreadsheet's own ``sep=;`` line.

    The delimiter is the one told, or the one of that line, or the one that makes the most ``known`` columns.
    Raises InputError if there is no such record or it cannot be read.
    """
    line = _first_text(lines)
    said = _SEP.fullmatch(line.text.lstrip("\ufeff"))
    if said:
        line = _first_text(lines)
        delimiter = delimiter or said[1]
    if "\0" in line.text:
        raise InputError("the first line holds NUL characters: say the file's encoding, perhaps utf-16-le")
    line = attrs.evolve(line, text=line.text.lstrip("\ufeff"))
    delimiter = delimiter or _sniffed(line.text, known)
    lines.put_back([line])
    titles = next((values for _, values in records(lines, delimiter)), Broken("it names none"))
    if isinstance(titles, Broken):
        raise InputError(f"line {line.number}, which names the columns: {titles.text}")
    while titles and not titles[-1].strip(BLANKS):
        titles.pop()
    return Header(tuple(titles), delimiter, lines.taken)


def _first_text(lines: Lines) -> Line:
    while (line := lines.next()) is not None:
        if line.text.strip(BLANKS + "".join(DELIMITERS)):
            return line
    raise InputError("the list is empty: its first line names the columns")


def _sniffed(line: str, known: Callable[[str], bool]) -> str:
    """Return the delimiter that makes the most known columns out of this header, then the most columns."""

    def worth(delimiter: str) -> tuple[int, int]:
        record = _Record(_Grammar(delimiter))
        record.feed(line)
        return sum(map(known, record.cells)), len(record.cells)

    return max(DELIMITERS, key=worth)
