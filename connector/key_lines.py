"""Where the keys of a TOML text stand, so that a problem can be reported with its line."""

import re
import tomllib
from typing import Final, cast

KeyPath = tuple[str | int, ...]
"""Keys and, inside arrays, positions from 0: ``("carrier", 0, "bind", 1, "host")``."""

_KEY: Final = re.compile(r"""[ \t]*([A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')[ \t]*(\.?)""")
_BLANK: Final = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_STRING: Final = re.compile(
    r'"""(?:[^"\\]|\\[\s\S]|"(?!""))*"{3,5}|'
    r"'''[\s\S]*?'{3,5}|"
    r'"(?:[^"\\\n]|\\.)*"|'
    r"'[^'\n]*'"
)
_SCALAR: Final = re.compile(r"[^,\]}#\n]+")


def key_lines(text: str) -> dict[KeyPath, int]:
    """Return the line (from 1) of every key, table and array element in a text that `tomllib` accepts."""
    return _KeyScanner(text).scan()


class _KeyScanner:
    """Walks TOML that is known to be valid and looks only at where its keys are."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0
        self.line = 1
        self.counted = 0
        self.lines: dict[KeyPath, int] = {}
        self.arrays: dict[KeyPath, int] = {}

    def scan(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        while self.skip() < len(self.text):
            if self.text.startswith("[", self.place):
                table = self.header()
            else:
                self.pair(table)
        return self.lines

    def skip(self) -> int:
        self.place = cast("re.Match[str]", _BLANK.match(self.text, self.place)).end()
        return self.place

    def take(self, pattern: "re.Pattern[str]") -> "re.Match[str]":
        match = pattern.match(self.text, self.place)
        assert match is not None, "the text was accepted by tomllib"
        self.place = match.end()
        return match

    def note(self, path: KeyPath) -> None:
        self.line += self.text.count("\n", self.counted, self.place)
        self.counted = self.place
        self.lines.setdefault(path, self.line)

    def key(self, table: KeyPath) -> KeyPath:
        """Read a dotted key and note each of its steps; a step into an array of tables means its last element."""
        path, dot = table, "."
        while dot:
            match = self.take(_KEY)
            word, dot = match[1], match[2]
            step = tomllib.loads(f"key = {word}")["key"] if word[0] in "\"'" else word
            path = (*path, step)
            if dot and path in self.arrays:
                path = (*path, self.arrays[path])
            self.note(path)
        return path

    def header(self) -> KeyPath:
        double = self.text.startswith("[[", self.place)
        self.place += 1 + double
        path = self.key(())
        self.place += 1 + double
        if double:
            self.arrays[path] = self.arrays.get(path, -1) + 1
        if path in self.arrays:
            path = (*path, self.arrays[path])
        self.note(path)
        return path

    def pair(self, table: KeyPath) -> None:
        path = self.key(table)
        self.place += 1  # the equals sign
        self.skip()
        self.value(path)

    def value(self, path: KeyPath) -> None:
        start = self.text[self.place]
        if start in "\"'":
            self.take(_STRING)
        elif start == "[":
            self.members("]", path)
        elif start == "{":
            self.members("}", path)
        else:
            self.take(_SCALAR)

    def members(self, end: str, path: KeyPath) -> None:
        self.place += 1
        index = 0
        while self.text[self.skip()] != end:
            if self.text[self.place] == ",":
                self.place += 1
                index += 1
            elif end == "}":
                self.pair(path)
            else:
                self.note((*path, index))
                self.value((*path, index))
        self.place += 1
