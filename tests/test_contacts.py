"""Lists of recipients: which columns are known, what becomes of each record, and that nothing is guessed at."""

import os
import threading
from pathlib import Path

import attrs
import pytest

from connector.contacts import (
    ALIASES,
    MAX_FIELD_CHARACTERS,
    ContactList,
    Entry,
    Repeated,
    Row,
    Unreadable,
    canonical_name,
    read,
)
from connector.errors import InputError
from connector.model import SendRequest

A, B = "+447400123456", "+447400123457"


def listed(*lines: str, **options: object) -> ContactList:
    return read(None, "\n".join(lines).encode(), **options)  # type: ignore[arg-type]


def entries(*lines: str, **options: object) -> list[Entry]:
    return list(listed(*lines, **options))


def request(*lines: str, **options: object) -> SendRequest:
    (entry,) = entries(*lines, **options)
    assert isinstance(entry, Row)
    return entry.request


def problem(*lines: str, **options: object) -> Unreadable:
    (entry,) = entries(*lines, **options)
    assert isinstance(entry, Unreadable)
    return entry


# --- columns --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "field"),
    [
        ("to", "to"),
        ("Phone Number", "to"),
        ("phone_number", "to"),
        ("PHONE-NUMBER", "to"),
        (" Telefon\xa0", "to"),
        ("Téléphone", "to"),
        ("TELEFONO", "to"),
        ("ＭＯＢＩＬＥ", "to"),
        ("Mobile No.", "to"),
        ("手机", "to"),
        ("Мобильный", "to"),
        ("Body", "text"),
        ("Sender ID", "from"),
        ("source", "from"),
        ("ID", "client_ref"),
        ("Client-Ref", "client_ref"),
        ("País", "country"),
        ("ISO", "country"),
        ("send at", "send_at"),
        ("Variables.First Name", "variables.First Name"),
        ("options.service_type", "options.service_type"),
        ("name", None),
        ("", None),
        ("variables.", None),
        ("phone 2", None),
    ],
)
def test_a_column_is_known_under_many_names(title: str, field: str | None) -> None:
    assert canonical_name(title) == field


def test_no_name_stands_for_two_fields() -> None:
    names = [(name, field) for field, names in ALIASES.items() for name in (field, *names.split(","))]
    assert [(name, field) for name, field in names if canonical_name(name) != field] == []


def test_every_field_of_a_request_can_be_a_column() -> None:
    fields = {field.name for field in attrs.fields(SendRequest)}
    grouped = {"variables", "options"}
    # counted from a moment that a list does not know
    assert {"sender" if name == "from" else name for name in ALIASES} == fields - grouped - {"deadline_in_s"}


def test_columns_that_are_not_used_are_told() -> None:
    found = listed("name,phone,,message,Favourite colour", f"Ann,{A},x,Hi,blue")
    assert found.columns == ("to", "text")
    assert found.unknown_columns == ("name", "column 3", "Favourite colour")


@pytest.mark.parametrize(
    "header", ["phone,Mobile,text", "phone,text,Body", "phone,variables.a,Variables.a", "to,id,ref"]
)
def test_two_columns_for_one_field_are_refused(header: str) -> None:
    with pytest.raises(InputError, match=r'columns ".+" and ".+" both hold'):
        listed(header, "")


def test_a_list_without_a_number_column_is_refused_with_the_names_it_may_have() -> None:
    with pytest.raises(InputError, match="phone, mobile, msisdn") as caught:
        listed(A, B)
    assert A not in str(caught.value)


@pytest.mark.parametrize("delimiter", ["", ";;", '"', "\n"])
def test_a_delimiter_is_one_character_that_means_nothing_else(delimiter: str) -> None:
    with pytest.raises(InputError, match="a delimiter is one character"):
        listed("phone", delimiter=delimiter)


# --- values ---------------------------------------------------------------------------------------------------------


def test_a_record_becomes_a_request() -> None:
    found = request(
        "to;from;text;lane;country;client_ref;send_at;deadline;metadata;receipt;template;locale;variables.Who;options.a",
        f'{A};Acme;Hi "you";otp;gb;r1;2026-03-01T18:30:00+01:00;2026-03-01T17:40:00Z;"{{""n"":[1]}}";no;t;de;Ann;3',
    )
    assert found == SendRequest(
        to=A,
        sender="Acme",
        text='Hi "you"',
        lane="otp",
        country="GB",
        client_ref="r1",
        send_at=1_772_386_200.0,
        deadline=1_772_386_800.0,
        metadata={"n": [1]},
        receipt=False,
        template="t",
        locale="de",
        variables={"Who": "Ann"},
        options={"a": 3},
    )


def test_empty_cells_are_values_not_given() -> None:
    found = request(
        "to,from,text,lane,country,client_ref,send_at,deadline,metadata,receipt,variables.a,options.b",
        f"{A}, ,,,\xa0,,,,,,,",
    )
    assert found == SendRequest(to=A)


@pytest.mark.parametrize(
    ("cell", "to"),
    [
        (f" {A}\u200b", A),
        (f"\u202a{A}\u202c", A),
        (f"\xa0\u3000{A}\ufeff", A),
        (f"'{A}", A),
        (f"' {A}", A),
        ("+44 7400 123456", "+44 7400 123456"),
        ("4.47712E+11", "4.47712E+11"),
        ("=CONCAT(A1;B1)", "=CONCAT(A1;B1)"),
        ("", ""),
    ],
)
def test_around_a_number_only_what_no_one_sees_is_taken_away(cell: str, to: str) -> None:
    assert request("phone,text", f"{cell},Hi").to == to


@pytest.mark.parametrize("text", [" two  blanks ", "a\u200bb", "tab\t", "one\ntwo", "=1+1", "'quoted'"])
def test_a_text_is_kept_as_it_is(text: str) -> None:
    assert request("phone,text", f'{A},"{text}"').text == text


def test_line_breaks_at_the_ends_of_a_text_are_not_sent() -> None:
    assert request("phone,text", f'{A},"\r\n\nHi\nyou\r\n"').text == "Hi\nyou"


@pytest.mark.parametrize(
    ("cell", "country"),
    [
        ("DE", "DE"),
        ("de", "DE"),
        (" gb ", "GB"),
        ("UK", "GB"),
        ("uk", "GB"),
        ("Germany", "Germany"),
        ("1", "1"),
    ],
)
def test_a_country_is_left_as_it_is_unless_it_is_a_code(cell: str, country: str) -> None:
    assert request("phone,country", f"0,{cell}").country == country


@pytest.mark.parametrize(("cell", "seconds"), [("90s", 90.0), (" 1h30m ", 5_400.0), ("250ms", 0.25)])
def test_a_deadline_may_be_a_duration_as_the_configuration_spells_it(cell: str, seconds: float) -> None:
    assert request("to,text,deadline", f"{A},Hi,{cell}") == SendRequest(to=A, text="Hi", deadline_in_s=seconds)


def test_what_is_neither_a_time_nor_a_duration_is_no_deadline() -> None:
    found = problem("to,text,deadline", f"{A},Hi,soon")
    assert (found.field, found.reason) == ("deadline", "time_invalid")
    assert found.text.endswith('a deadline may also be a duration such as "90s"')


@pytest.mark.parametrize("column", ["send_at", "deadline"])
@pytest.mark.parametrize("cell", ["2026-03-01T18:30:00", "2026-03-01", "1772386200", "tomorrow", "1.3.2026 18:30"])
def test_a_time_without_an_offset_is_not_guessed_at(column: str, cell: str) -> None:
    found = problem(f"phone,{column}", f"{A},{cell}")
    assert (found.line, found.field, found.reason) == (2, column, "time_invalid")


@pytest.mark.parametrize("cell", ["[1]", "{", "17", '"{""a"":NaN}"', "[" * 10_000])
def test_metadata_is_a_json_object(cell: str) -> None:
    found = problem("phone,metadata", f"{A},{cell}")
    assert (found.field, found.reason) == ("metadata", "bad_request")


@pytest.mark.parametrize(
    ("cell", "receipt"),
    [("yes", True), ("FALSE", False), ("0", False), ("1", True), ("No", False), ("", True)],
)
def test_a_receipt_is_wanted_or_not(cell: str, receipt: bool) -> None:
    assert request("phone,receipt", f"{A},{cell}").receipt is receipt


def test_any_other_word_for_receipt_is_refused() -> None:
    assert problem("phone,receipt", f"{A},maybe").field == "receipt"


@pytest.mark.parametrize(
    ("cell", "value"), [("7", 7), ("0", 0), ("-1", -1), ("007", "007"), ("WAP", "WAP"), ("1.5", "1.5")]
)
def test_an_option_is_a_number_if_it_is_written_as_one(cell: str, value: int | str) -> None:
    assert request("phone,options.x", f"{A},{cell}").options == {"x": value}


def test_what_is_told_holds_for_records_that_say_nothing_themselves() -> None:
    first, second = entries(
        "phone,from,lane,country,text",
        f"{A},,,,",
        f"{B},Own,otp,DE,Mine",
        country="uk",
        lane="promotional",
        sender="Shop",
        text="For all",
    )
    assert first == Row(2, SendRequest(to=A, sender="Shop", lane="promotional", country="GB", text="For all"))
    assert second == Row(3, SendRequest(to=B, sender="Own", lane="otp", country="DE", text="Mine"))


def test_a_text_for_all_is_not_added_to_a_template() -> None:
    assert request("phone,template", f"{A},welcome", text="For all").text is None


# --- records that cannot become requests ----------------------------------------------------------------------------


@pytest.mark.parametrize("record", [f"{A}", f"{A},Hi, there", f"{A},,,x"])
def test_a_record_with_another_number_of_values_is_refused(record: str) -> None:
    found = problem("phone,text", record)
    assert (found.field, found.reason) == (None, "bad_request")


def test_empty_values_at_the_end_are_tolerated() -> None:
    assert request("phone,text,,", f"{A},Hi, ,,,") == request("phone,text", f"{A},Hi")


def test_a_nul_is_refused_in_any_column() -> None:
    lines = ("phone,text,name", f"{A},H\0i,Ann", f"{A},Hi,A\0nn", f"{B},Hi,Ann")
    first, second, third = entries(*lines)
    assert isinstance(first, Unreadable)
    assert (first.line, first.field, first.text) == (2, "text", "the value holds a NUL character")
    assert isinstance(second, Unreadable)
    assert second.field is None
    assert isinstance(third, Row)


def test_an_octet_that_windows_1252_leaves_undefined_costs_its_record() -> None:
    octets = b"phone,text\r\n+447400123456,caf\xe9\r\n+447400123457,\x81\r\n+447400123458,\x80\r\n"
    found = read(None, octets)
    assert found.encoding == "windows-1252"
    first, second, third = found
    assert isinstance(first, Row)
    assert first.request.text == "café"
    assert isinstance(second, Unreadable)
    assert (second.line, second.field, second.text) == (3, "text", "the value is not windows-1252 text")
    assert isinstance(third, Row)
    assert third.request.text == "€"


def test_an_octet_that_breaks_the_encoding_told_costs_its_record() -> None:
    first, second = read(None, b"phone,text\n" + A.encode() + b",\xff\n" + B.encode() + b",ok\n", encoding="utf-8")
    assert isinstance(first, Unreadable)
    assert isinstance(second, Row)


def test_a_value_over_64_kb_is_refused_and_one_of_64_kb_is_not() -> None:
    fits, over = "x" * MAX_FIELD_CHARACTERS, "x" * (MAX_FIELD_CHARACTERS + 1)
    assert request("phone,text", f"{A},{fits}").text == fits
    assert problem("phone,text", f'{A},"{over}"').field == "text"


def test_a_problem_never_quotes_the_record() -> None:
    found = entries("phone,send_at,metadata", f"{A},SECRET,{{}}", f"{A},,SECRET", f'"{A}"SECRET', f"{A}")
    assert len(found) == 4
    assert all(isinstance(entry, Unreadable) for entry in found)
    assert not any(secret in str(found) for secret in ("SECRET", A))


# --- repetitions ----------------------------------------------------------------------------------------------------


def test_the_same_text_to_the_same_number_is_a_repetition_in_any_spelling() -> None:
    found = entries(
        "phone,country,text",
        f"{A},,Hi",
        "07400 123456,uk,Hi",
        f"{A},,Another",
        "0044 7400-123456,,Another",
        f"{B},,Hi",
    )
    assert [found[1], found[3]] == [Repeated(3, 2, "number and text"), Repeated(5, 4, "number and text")]
    assert [type(entry) for entry in (found[0], found[2], found[4])] == [Row, Row, Row]


def test_every_repetition_names_the_first() -> None:
    found = entries("phone,text", *[f"{A},Hi"] * 3)
    assert found[1:] == [Repeated(3, 2, "number and text"), Repeated(4, 2, "number and text")]


def test_one_per_number_makes_any_second_text_a_repetition() -> None:
    found = entries("phone,text", f"{A},Hi", f"{A},Another", f"{B},Hi", one_per_number=True)
    assert found[1] == Repeated(3, 2, "number")
    assert isinstance(found[2], Row)


def test_the_country_told_is_used_to_know_a_number_again() -> None:
    found = entries("phone,text", f"{A},Hi", "07400 123456,Hi", country="GB")
    assert found[1] == Repeated(3, 2, "number and text")


@pytest.mark.parametrize("bad", ["07400 123456", "", "ask Ann", "+447700900123"])
def test_numbers_that_cannot_be_sent_to_are_never_repetitions(bad: str) -> None:
    assert [type(entry) for entry in entries("phone,text", f"{bad},Hi", f"{bad},Hi")] == [Row, Row]


def test_templates_with_other_variables_are_no_repetitions() -> None:
    found = entries("phone,template,variables.a", f"{A},t,1", f"{A},t,2", f"{A},t,1")
    assert [type(entry) for entry in found] == [Row, Row, Repeated]


# --- the file as a whole --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("ending", ["\r\n", "\n", "\r"])
def test_a_spreadsheet_export_reads_the_same_in_every_writing(encoding: str, ending: str) -> None:
    text = ending.join(["sep=;", "Handy;Nachricht", "", f'{A};"Grüße; ""Ann"" 👋"', ";", f"{B};你好", ""])
    found = list(read(None, text.encode(encoding)))
    assert found == [
        Row(4, SendRequest(to=A, text='Grüße; "Ann" 👋')),
        Row(6, SendRequest(to=B, text="你好")),
    ]


def test_a_list_with_a_header_only_holds_nothing() -> None:
    assert entries("phone,text") == []


def test_a_list_can_be_read_twice(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f"phone,text\n{A},Hi\n{A},Hi\n")
    found = read(path)
    assert list(found) == list(found)
    assert len(list(found)) == 2


def test_a_list_comes_through_a_pipe_too(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(f"phone,text\n{A},Hi\n",))
    writer.start()
    found = read(pipe)
    writer.join()
    assert [type(entry) for entry in found] == [Row]
    assert [type(entry) for entry in found] == [Row]


def test_reading_keeps_no_records() -> None:
    found = iter(listed("phone,text", *(f"{A},{number}" for number in range(5_000))))
    next(found)
    lines = found.gi_frame.f_locals["first_lines"]  # type: ignore[attr-defined]
    assert sum(1 for _ in zip(range(999), found, strict=False)) == 999
    assert len(lines) == 1_000
    assert {len(digest) for digest in lines} == {16}
