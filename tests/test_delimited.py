"""Text files with one record a line: encodings, delimiters, quotes, and what a slip may cost."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.delimited import (
    BLANKS,
    MAX_RECORD_CHARACTERS,
    MAX_RECORD_LINES,
    Broken,
    Lines,
    Source,
    encoding_of,
    header,
    records,
)
from connector.errors import InputError

VALUES = st.text(st.sampled_from("ab ,;\t|\"\r\n'\u2028\x85é字"), max_size=12)
TABLES = st.lists(st.lists(VALUES, min_size=1, max_size=5), max_size=8)


def read(text: str, delimiter: str = ",") -> list[tuple[int, list[str] | None]]:
    """Return (line, values or None if broken) of all records."""
    lines = Lines(io.StringIO(text, newline=""))
    return [(line.number, None if isinstance(values, Broken) else values) for line, values in records(lines, delimiter)]


def titles(text: str, *known: str, delimiter: str | None = None) -> tuple[tuple[str, ...], str, int]:
    found = header(Lines(io.StringIO(text, newline="")), delimiter, lambda title: title in known)
    return found.titles, found.delimiter, found.lines


@given(TABLES, st.sampled_from(",;\t|"), st.sampled_from(["\r\n", "\n", "\r"]))
def test_what_another_writer_wrote_is_read_back(table: list[list[str]], delimiter: str, ending: str) -> None:
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=delimiter, lineterminator=ending, quoting=csv.QUOTE_ALL)
    writer.writerows(table)
    with_content = [row for row in table if any(value.strip(BLANKS) for value in row)]
    assert [values for _, values in read(file.getvalue(), delimiter)] == with_content


@given(st.text(st.sampled_from('a,"\n'), max_size=60))
def test_no_quote_of_an_earlier_line_hides_the_last_record(text: str) -> None:
    found = read(f"{text}\nz")
    assert found[-1] == (text.count("\n") + 2, ["z"])
    assert [line for line, _ in found] == sorted({line for line, _ in found})


@pytest.mark.parametrize("ending", ["\r\n", "\n", "\r"])
def test_each_line_ending_is_known_and_the_last_may_be_absent(ending: str) -> None:
    assert read(f"a,b{ending}c,d") == [(1, ["a", "b"]), (2, ["c", "d"])]


def test_empty_lines_and_lines_of_delimiters_are_left_out_and_counted() -> None:
    assert read('a,b\n\n , \n,,,\n"",""\nc,d\n') == [(1, ["a", "b"]), (6, ["c", "d"])]


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ('a,"b,c",d', ["a", "b,c", "d"]),
        ('"say ""hi""",x', ['say "hi"', "x"]),
        ('a, "b, c" ,d', ["a", "b, c", "d"]),  # blanks around the quotes do not count
        ('a, "b" c,d', ["a", ' "b" c', "d"]),  # but this value is bare and holds quotes
        ("5\" pipe,3'", ['5" pipe', "3'"]),
        ('"",x', ["", "x"]),
        ('x,""', ["x", ""]),
        ("x,", ["x", ""]),
        ('"x",', ["x", ""]),
        ("a\u2028b\x0bc\x85d,e", ["a\u2028b\x0bc\x85d", "e"]),  # only CR and LF end a line
    ],
)
def test_values_stand_bare_or_in_quotes(line: str, values: list[str]) -> None:
    assert read(line + "\n") == [(1, values)]


def test_a_quoted_value_goes_over_lines_and_the_next_record_knows_its_line() -> None:
    assert read('a,"b\r\n\r\nc",d\r\ne,f\r\n') == [(1, ["a", "b\r\n\r\nc", "d"]), (4, ["e", "f"])]


def test_two_values_of_a_record_may_go_over_lines() -> None:
    assert read('"a\nb","c\nd"\ne\n') == [(1, ["a\nb", "c\nd"]), (4, ["e"])]


def test_a_tab_may_follow_a_closing_quote_as_delimiter() -> None:
    assert read('"a\nb"\t\t"c"\t\n', "\t") == [(1, ["a\nb", "", "c", ""])]


@pytest.mark.parametrize(
    "slip",
    ['x,"never closed', 'x,"closed" too early', '"x"y,z', 'x,"never closed,'],
)
def test_a_stray_quote_costs_its_own_record_only(slip: str) -> None:
    assert read(f'a,b\n{slip}\nc,"d"\ne,f\n') == [
        (1, ["a", "b"]),
        (2, None),
        (3, ["c", "d"]),
        (4, ["e", "f"]),
    ]


def test_the_end_of_a_quoted_value_is_not_looked_for_without_end() -> None:
    short = 'a,"' + "x\n" * (MAX_RECORD_LINES - 1) + '"\n'
    long = 'a,"' + "x\n" * MAX_RECORD_LINES + '"\n'
    assert read(short) == [(1, ["a", "x\n" * (MAX_RECORD_LINES - 1)])]
    assert read(long)[:2] == [(1, None), (2, ["x"])]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("excess", [-2, -1, 0, 1, 2, MAX_RECORD_CHARACTERS])
def test_a_line_longer_than_any_record_is_told_and_the_next_is_read(ending: str, excess: int) -> None:
    text = "x" * (MAX_RECORD_CHARACTERS + excess) + ending + "a,b" + ending
    found = read(text)
    assert found[1:] == [(2, ["a", "b"])]
    assert found[0][1] is None or excess <= 0


def test_an_overlong_last_line_without_an_end_is_told() -> None:
    assert read("x" * (2 * MAX_RECORD_CHARACTERS)) == [(1, None)]


# --- headers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "delimiter"),
    [
        ("phone,text", ","),
        ("phone;text", ";"),
        ("phone\ttext", "\t"),
        ("phone|text", "|"),
        ("phone;text;first, last, title, town", ";"),  # the known columns decide, not the count
        ('"a, b";phone;c', ";"),
        ("phone", ","),
        ("a;b;c,d", ";"),  # none known: the most columns
    ],
)
def test_the_delimiter_is_the_one_that_makes_sense_of_the_header(line: str, delimiter: str) -> None:
    assert titles(line + "\n", "phone", "text")[1] == delimiter


def test_a_sep_line_names_the_delimiter() -> None:
    assert titles("sep=;\r\na,b;c\r\n") == (("a,b", "c"), ";", 2)
    assert titles("\ufeffSEP=\t\r\n\r\na\tb\r\n") == (("a", "b"), "\t", 3)


def test_the_delimiter_told_goes_before_a_sep_line() -> None:
    assert titles("sep=;\na,b;c\n", delimiter=",") == (("a", "b;c"), ",", 2)


def test_trailing_columns_without_a_name_are_none() -> None:
    assert titles("a,,b, ,\n") == (("a", "", "b"), ",", 1)


def test_a_header_may_go_over_lines() -> None:
    assert titles('"a\nof b",c\nd,e\n') == (("a\nof b", "c"), ",", 2)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty"),
        ("\n ,\n", "is empty"),
        ("sep=,\n", "is empty"),
        ('a,"b\n', "line 1, which names the columns: a quote opens"),
        ('\n"a"b,c\n', "line 2, which names the columns: something"),
        ("p\0h\0o\0", "NUL"),
    ],
)
def test_a_list_without_a_header_that_can_be_read_is_no_list(text: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        titles(text)


def test_a_header_of_nothing_but_its_delimiter_is_no_header() -> None:
    with pytest.raises(InputError, match="names none"):
        titles("xxx\n", delimiter="x")


# --- encodings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("octets", "encoding"),
    [
        (b"\xef\xbb\xbfphone", "utf-8"),
        ("phone".encode("utf-16"), "utf-16"),
        (b"\xfe\xff" + "phone".encode("utf-16-be"), "utf-16"),
        ("phone".encode("utf-32"), "utf-32"),
        ("größe".encode(), "utf-8"),
        ("größe".encode("windows-1252"), "windows-1252"),
        (b"a" * 1_048_575 + "é".encode(), "utf-8"),  # a character over the border of two chunks
        (b"a" * 1_048_577 + b"\xe9", "windows-1252"),
        (b"caf\xc3", "windows-1252"),  # half a character at the end
    ],
)
def test_the_encoding_is_that_of_the_mark_or_the_first_that_fits(octets: bytes, encoding: str) -> None:
    assert encoding_of(Source(octets), None) == encoding


def test_the_encoding_told_is_taken_as_it_is() -> None:
    assert encoding_of(Source(b"\xef\xbb\xbf"), "cp1251") == "cp1251"


@pytest.mark.parametrize("name", ["klingon", "hex", "undefined"])
def test_an_encoding_no_one_knows_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="no text encoding"):
        encoding_of(Source(b""), name)


@pytest.mark.parametrize("start", [b"PK\x03\x04\x14", b"\xd0\xcf\x11\xe0\xa1"])
def test_a_workbook_is_told_from_a_list(start: bytes) -> None:
    with pytest.raises(InputError, match="save the sheet as CSV"):
        encoding_of(Source(start), None)


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.csv: No such file"):
        Source.of(tmp_path / "nothing.csv", None).open()
    with pytest.raises(InputError, match="Is a directory"):
        Source.of(tmp_path, None).open()
