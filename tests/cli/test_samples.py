"""The sample lists: up to date, as untidy as they are meant to be, and read as they are meant."""

from collections import Counter
from pathlib import Path

import phonenumbers
import pytest
from click.testing import CliRunner

from cli.samples import CONTACTS, CONTACTS_SEMICOLONS
from cli.samples.generate import BLANK, GOOD, RECIPES, REPEATED, UNREADABLE, Made, main, records
from connector import contacts
from connector.contacts import Entry, Repeated, Row, Unreadable
from connector.errors import EncodeError
from connector.model import SendRequest
from connector.pipeline.normalise import MAX_REF_LENGTH
from connector.policy.numbers import BadNumber, Number, normalise
from connector.smpp.parts import Cut, Profile, cut

LISTS = [CONTACTS, CONTACTS_SEMICOLONS]


def number_of(request: SendRequest) -> Number | BadNumber:
    return normalise(request.to, request.country.upper() if request.country else None)


def cut_of(text: str) -> Cut | None:
    try:
        return cut(text, Profile())
    except EncodeError:
        return None


def judged(entry: Entry, first_with: dict[str, SendRequest]) -> str:
    """Return what becomes of an entry where no key has a country of its own."""
    if isinstance(entry, Repeated):
        return REPEATED
    if isinstance(entry, Unreadable):
        return UNREADABLE
    request = entry.request
    number = number_of(request)
    if isinstance(number, BadNumber):
        return number.reason.value
    if not request.text:
        return "text_missing"
    if cut_of(request.text) is None:
        return "text_too_long"
    ref = request.client_ref
    if ref is not None and len(ref) > MAX_REF_LENGTH:
        return "bad_request"
    if ref is not None and first_with.setdefault(ref, request) is not request:
        return "client_ref_reused"
    return GOOD


def made(path: Path) -> list[Made]:
    return records(RECIPES[path])


def good_rows(path: Path) -> list[Row]:
    first_with: dict[str, SendRequest] = {}
    return [entry for entry in contacts.read(path) if isinstance(entry, Row) and judged(entry, first_with) == GOOD]


def test_the_sample_lists_are_what_the_generator_writes() -> None:
    result = CliRunner().invoke(main, ["--check"])
    assert result.exit_code == 0, result.output


def test_a_list_that_someone_edited_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    edited = tmp_path / "edited.csv"
    edited.write_bytes(CONTACTS_SEMICOLONS.read_bytes() + b"x")
    monkeypatch.setattr("cli.samples.generate.RECIPES", {edited: RECIPES[CONTACTS_SEMICOLONS]})
    result = CliRunner().invoke(main, ["--check"])
    assert result.exit_code == 1
    assert "edited.csv is not up to date" in result.output


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
def test_every_record_is_read_as_it_is_meant(path: Path) -> None:
    meant = [each for each in made(path) if each.meant != BLANK]
    first_with: dict[str, SendRequest] = {}
    found = [judged(entry, first_with) for entry in contacts.read(path)]
    assert len(found) == len(meant)
    differing = [(each, one) for each, one in zip(meant, found, strict=True) if each.meant != one]
    assert not differing


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
def test_most_records_can_be_sent_and_the_others_fail_for_many_reasons(path: Path) -> None:
    kinds = Counter(each.meant for each in made(path))
    total = kinds.total() - kinds[BLANK]
    assert 0.84 <= kinds[GOOD] / total <= 0.91
    assert 0.03 <= kinds[REPEATED] / total <= 0.05
    assert 0.06 <= (total - kinds[GOOD] - kinds[REPEATED]) / total <= 0.11
    assert len(kinds) >= 9


def test_the_first_list_is_large_and_goes_round_the_world() -> None:
    rows = good_rows(CONTACTS)
    assert len(rows) >= 1_900
    assert len(made(CONTACTS)) >= 2_000
    regions = {number.region for row in rows if isinstance(number := number_of(row.request), Number)}
    assert len(regions) >= 40


def test_the_first_list_starts_with_a_byte_order_mark_and_the_second_is_windows_1252() -> None:
    assert CONTACTS.read_bytes().startswith(b"\xef\xbb\xbf")
    first, second = (contacts.read(path) for path in LISTS)
    assert (first.encoding, first.delimiter, first.unknown_columns) == ("utf-8", ",", ("name", "segment"))
    assert (second.encoding, second.delimiter, second.unknown_columns) == (
        "windows-1252",
        ";",
        ("Name", "Gruppe"),
    )
    assert first.columns == second.columns == ("to", "country", "text", "client_ref")


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
def test_all_lines_outside_quotes_end_with_cr_lf(path: Path) -> None:
    octets = path.read_bytes()
    outside = b"".join(octets.split(b'"')[::2])
    assert outside.count(b"\n") == outside.count(b"\r\n") > 400


def test_nearly_all_good_numbers_are_mobile() -> None:
    kinds: Counter[bool] = Counter()
    for row in good_rows(CONTACTS):
        number = number_of(row.request)
        assert isinstance(number, Number)
        kind = phonenumbers.number_type(phonenumbers.parse(f"+{number.e164}"))
        kinds[kind in (1, 2)] += 1
    assert kinds[True] / kinds.total() > 0.95
    assert kinds[False] > 10


def test_the_first_list_has_texts_of_one_to_four_parts_in_both_alphabets() -> None:
    cuts = [cut_of(row.request.text or "") for row in good_rows(CONTACTS)]
    shapes = Counter((one.alphabet.value, len(one.bounds)) for one in cuts if one is not None)
    parts = {count for _, count in shapes}
    assert parts == {1, 2, 3, 4}
    assert len({alphabet for alphabet, _ in shapes}) == 2


def test_references_are_unique_but_for_the_two_that_are_meant_not_to_be() -> None:
    refs = Counter(
        row.request.client_ref
        for row in contacts.read(CONTACTS)
        if isinstance(row, Row) and row.request.client_ref not in (None, "ref")
    )
    assert sorted(count for count in refs.values() if count > 1) == [2, 2]
