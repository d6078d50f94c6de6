"""Which attempt a receipt means; never a guess."""

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.carrier.dialect import Dialect
from connector.config import DialectConfig
from connector.lifecycle import Event
from connector.model import Answer, Clue, Lost, Receipt, user_message_reference
from connector.store.joining import (
    LATE_ANSWER_S,
    Doubted,
    Held,
    Why,
    as_kept,
    by_clue,
    find,
    look,
    meant,
    numbers_behind,
)
from connector.store.privacy import pseudonym

NUMBER, OTHER = "447700900123", "447700900456"
NOW, DAY = 10_000_000.0, 86_400.0


def key_of(written: str) -> str:
    """Return the key of an id in a dialect that declares nothing."""
    key = Dialect(DialectConfig()).key_of_response(written)
    assert key is not None
    return key


def receipt(*ids: str, **changes: Any) -> Receipt:
    given_: dict[str, Any] = {"number": NUMBER, "at": NOW, "ids": ids, "keys": tuple(map(key_of, ids))} | changes
    return Receipt(carrier="north", event=Event.DELIVERED, **given_)


def held(part: int, written: str, to: str = NUMBER, at: float = NOW - 60) -> Held:
    return Held(part, to, at, written)


def found(said: Receipt, *attempts: Held, key: Any = key_of) -> int | Why:
    def under(name: str) -> Sequence[Held]:
        return [each for each in attempts if key(each.id) == name]

    return find(said, under)


# --- as it was written ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [NUMBER, "07700900123", "", "60300", f"60300999 {NUMBER}"])
def test_a_lone_attempt_with_its_id_is_meant_unless_it_names_somebody_else(number: str) -> None:
    assert found(receipt("7A", number=number), held(5, "7A")) == 5


def test_one_that_names_somebody_else_is_told_so() -> None:
    assert found(receipt("7A", number=OTHER), held(5, "7A")) is Why.OTHER_NUMBER


def test_one_whose_id_nobody_has_is_told_so() -> None:
    assert found(receipt("7A"), held(5, "7B")) is Why.UNKNOWN_ID
    assert found(receipt()) is Why.NO_ID


def test_the_id_as_it_was_written_counts_before_one_that_only_looks_like_it() -> None:
    attempts = held(5, "7a", at=NOW - 10), held(6, "7A", at=NOW - 20), held(7, "007A", at=NOW - 5)
    assert found(receipt("7A"), *attempts) == 6


def test_of_a_reused_id_the_newest_attempt_before_the_receipt_is_meant_that_went_to_its_number() -> None:
    attempts = (
        held(5, "7A", at=NOW - 5 * DAY),
        held(6, "7A", at=NOW - 4 * DAY),
        held(7, "7A", at=NOW - DAY, to=OTHER),
        held(8, "7A", at=NOW + 30),
    )
    assert found(receipt("7A"), *attempts) == 6
    assert found(receipt("7A", at=NOW - 4.5 * DAY), *attempts) == 5
    assert found(receipt("7A", number="447700900999"), *attempts) is Why.OTHER_NUMBER
    assert found(receipt("7A", number=""), *attempts) is Why.OTHER_NUMBER


def test_a_receipt_that_overtook_its_answer_means_that_when_it_comes() -> None:
    assert found(receipt("7A"), held(8, "7A", at=NOW + 30), held(9, "7A", at=NOW + 40)) == 8
    assert found(receipt("7A"), *(held(n, "7A", at=NOW + LATE_ANSWER_S + n) for n in (8, 9))) is Why.OTHER_NUMBER


def test_a_receipt_that_was_parked_means_no_message_that_got_its_id_days_later() -> None:
    assert found(receipt("7A"), held(8, "7A", at=NOW + LATE_ANSWER_S - 1)) == 8
    assert found(receipt("7A"), held(8, "7A", at=NOW + 5 * DAY)) is Why.OTHER_NUMBER


def test_two_ids_of_one_receipt_need_its_number() -> None:
    assert found(receipt("7A", "7B"), held(5, "7B")) == 5
    assert found(receipt("7A", "7B", number=""), held(5, "7B")) is Why.OTHER_NUMBER
    assert found(receipt("7A", "7B"), held(5, "7B"), held(6, "7A")) == 6, "the TLV is believed before the text"


# --- as its dialect declares ----------------------------------------------------------------------------------------


def test_a_declared_form_is_as_good_as_the_id_itself() -> None:
    dialect = Dialect(DialectConfig(id_in_response="hex", id_in_receipt="decimal"))
    attempts = held(5, "4D2"), held(6, "4d3")
    keys = dialect.ids_of_receipt(None, "1234")[0]
    said = receipt("1234", keys=keys, numeric=True, number="")
    assert found(said, *attempts, key=dialect.key_of_response) == 5
    one = meant(said, lambda name: [each for each in attempts if dialect.key_of_response(each.id) == name])
    assert isinstance(one, Held)
    assert not one.is_likeness


# --- an attempt before the newest one -------------------------------------------------------------------------------


def told(said: Receipt, *attempts: Held) -> Held | Why:
    return meant(said, lambda name: [each for each in attempts if key_of(each.id) == name])


def spelled_so(written: str, one: Held) -> Held:
    """The attempt as it is meant by an id of this spelling."""
    return one._replace(is_likeness=written != one.id)


@pytest.mark.parametrize("written", ["7A", "7a", "122"])
def test_it_is_told_whether_the_id_is_that_of_an_earlier_attempt(written: str) -> None:
    earlier, newest = held(5, "7A")._replace(is_earlier=True), held(5, "7B")
    assert told(receipt(written), earlier, newest) == spelled_so(written, earlier)
    assert told(receipt("7B"), earlier, newest) is newest


@pytest.mark.parametrize("seconds", [-10, 0, 10])
@pytest.mark.parametrize("written", ["7A", "7a", "122"])
def test_where_the_carrier_gave_both_attempts_one_id_the_newest_is_meant(written: str, seconds: float) -> None:
    newest = held(5, "7A")
    earlier = held(5, "7A", at=newest.at + seconds)._replace(is_earlier=True)
    assert told(receipt(written), earlier, newest) == spelled_so(written, newest)
    assert told(receipt(written, at=newest.at - 5), earlier, newest) == spelled_so(written, newest)


# --- in any other form ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answered", "receipted"),
    [
        ("1101C1-C9D03D-F000", "1101c1-c9d03d-f000"),
        ("7a", "7A"),
        ("007A", "7A"),
        ("7A", "0007a"),
        ("4D2", "1234"),
        ("1234", "4D2"),
        ("04d2", "0001234"),
        ("F" * 30, str(int("F" * 30, 16))),
        (str(int("F" * 30, 16)), "f" * 30),
    ],
)
def test_another_form_counts_where_one_attempt_fits_and_went_to_its_number(answered: str, receipted: str) -> None:
    assert found(receipt(receipted), held(5, answered), held(6, answered, to=OTHER)) == 5
    assert found(receipt(receipted, number=""), held(5, answered)) is not 5  # noqa: F632 - a Why is no number
    assert found(receipt(receipted, number=OTHER), held(5, answered)) in (Why.OTHER_NUMBER, Why.UNKNOWN_ID)
    assert found(receipt(receipted), held(5, answered), held(6, answered)) is Why.SEVERAL
    assert found(receipt(receipted), held(5, answered, at=NOW - 8 * DAY)) in (Why.OTHER_NUMBER, Why.UNKNOWN_ID)


def test_forms_that_differ_are_a_tie_where_both_fit() -> None:
    assert found(receipt("1234"), held(5, "4D2"), held(6, "04d2")) is Why.SEVERAL
    assert found(receipt("10"), held(5, "a"), held(6, "16")) is Why.SEVERAL


@given(st.integers(0, 10**60))
def test_every_spelling_of_a_number_is_found_by_every_other(number: int) -> None:
    spellings = {str(number), f"{number:x}", f"{number:X}", f"{number:020}", f"{number:040x}"}
    for answered in spellings:
        for receipted in spellings:
            assert found(receipt(receipted), held(5, answered)) == 5, (answered, receipted)


# --- every receipt on its message, or on none -----------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_receipts_of_ids_that_collide_in_every_way_never_mean_another_message(seed: int) -> None:
    """Ids are hexadecimal and decimal, of few values, in any case, padded; receipts write them in any form."""
    draw = random.Random(seed)
    attempts, numbers = [], [f"4477009{n:05}" for n in range(40)]
    for part in range(1, 400):
        value = draw.randrange(500)
        written = draw.choice([f"{value}", f"{value:x}", f"{value:X}", f"{value:04}", f"{value:06x}"])
        attempts.append(Held(part, draw.choice(numbers), NOW - draw.randrange(int(6 * DAY)), written))
    under: dict[str, list[Held]] = {}
    for attempt in attempts:
        under.setdefault(key_of(attempt.id), []).append(attempt)
    met = 0
    for attempt in attempts:
        value = int(attempt.id, draw.choice([10, 16])) if attempt.id.isdecimal() else int(attempt.id, 16)
        written = draw.choice([attempt.id, attempt.id.upper(), f"{value}", f"{value:x}", f"{value:08}"])
        meant = find(receipt(written, number=attempt.to), lambda key: under.get(key, []))
        if isinstance(meant, Why):
            continue
        met += 1
        assert attempts[meant - 1].to == attempt.to, "never one that went to another number"
    assert met > 100


# --- by what else it says -------------------------------------------------------------------------------------------


UNKNOWN = Why.UNKNOWN_ID


def doubted(part: int, **changes: Any) -> Doubted:
    values: dict[str, Any] = {
        "to": NUMBER,
        "sender": "Bank",
        "text": "your code is 1234",
        "created_at": NOW - 60,
    } | changes
    return Doubted(part, **values)


def clue(**changes: Any) -> Clue:
    return Clue(**({"sender": "Bank", "text": "your code is 1"} | changes))


def test_one_part_in_doubt_to_its_number_from_its_sender_with_its_text_is_meant() -> None:
    said = receipt("7A")
    assert by_clue(said, clue(), UNKNOWN, [doubted(5), doubted(6, text="something else")]) == 5


@pytest.mark.parametrize(
    "changes",
    [
        {"to": OTHER},
        {"sender": "Shop"},
        {"text": "your card is new"},
        {"created_at": NOW + 1},
        {"created_at": NOW - 8 * DAY},
    ],
)
def test_nothing_less_will_do(changes: dict[str, Any]) -> None:
    assert by_clue(receipt("7A"), clue(), UNKNOWN, [doubted(5, **changes)]) is None


def test_two_that_fit_are_none() -> None:
    assert by_clue(receipt("7A"), clue(), UNKNOWN, [doubted(5), doubted(6)]) is None


@pytest.mark.parametrize("text", ["", "  ", "you"])
def test_a_text_that_says_nothing_tells_nothing(text: str) -> None:
    assert by_clue(receipt("7A"), clue(text=text), UNKNOWN, [doubted(5)]) is None


def test_one_on_the_wire_with_the_same_text_may_be_meant_as_well() -> None:
    said = receipt("7A")
    assert by_clue(said, clue(), UNKNOWN, [doubted(5), doubted(6, is_doubted=False)]) is None
    assert by_clue(said, clue(), UNKNOWN, [doubted(6, is_doubted=False)]) is None
    assert (
        by_clue(said, clue(reference=user_message_reference(5)), UNKNOWN, [doubted(5), doubted(6, is_doubted=False)])
        == 5
    )


def test_a_text_breaks_no_tie_by_id() -> None:
    assert by_clue(receipt("7A"), clue(), Why.SEVERAL, [doubted(5)]) is None
    assert by_clue(receipt("7A"), clue(reference=user_message_reference(5)), Why.SEVERAL, [doubted(5)]) == 5


def test_our_own_number_tells_the_part_whatever_the_text() -> None:
    said = clue(text="", reference=user_message_reference(6))
    assert by_clue(receipt("7A"), said, UNKNOWN, [doubted(5), doubted(6)]) == 6
    assert by_clue(receipt("7A", number=OTHER), said, UNKNOWN, [doubted(6)]) is None


# --- numbers that were erased ---------------------------------------------------------------------------------------

KEY = b"key"
ALIAS, OTHER_ALIAS = pseudonym(NUMBER, KEY), pseudonym(OTHER, KEY)


def looked(said: Receipt, *attempts: Held, key: bytes | None = KEY) -> tuple[Held | Why, Receipt]:
    return look(said, lambda name: [each for each in attempts if key_of(each.id) == name], lambda: key)


@pytest.mark.parametrize("named", [NUMBER, "7700900123", "07700900123", f"60300999 {NUMBER}", f"{OTHER} 7700900123"])
def test_an_erased_number_is_the_one_that_a_receipt_names_in_full_or_without_its_country(named: str) -> None:
    assert numbers_behind([ALIAS], named, KEY) == {ALIAS: NUMBER}


@pytest.mark.parametrize(
    ("named", "key"), [(OTHER, KEY), ("900123", KEY), ("", KEY), (NUMBER, b"another"), (NUMBER, None), ("x" * 20, KEY)]
)
def test_any_other_is_not(named: str, key: bytes | None) -> None:
    assert numbers_behind([ALIAS], named, key) == {}


def test_a_receipt_with_two_addresses_may_name_two_erased_numbers() -> None:
    assert numbers_behind([ALIAS, OTHER_ALIAS], f"{NUMBER} {OTHER[2:]}", KEY) == {ALIAS: NUMBER, OTHER_ALIAS: OTHER}


def test_of_two_erased_messages_with_one_id_the_one_to_its_number_is_meant_and_its_number_goes_no_further() -> None:
    attempts = held(5, "7A", to=ALIAS), held(6, "7A", to=OTHER_ALIAS)
    one, left = looked(receipt("7A", detail=f"UNDELIV {NUMBER}"), *attempts)
    assert isinstance(one, Held)
    assert (one.part, left.number, left.detail) == (5, "", "UNDELIV #")
    other, _ = looked(receipt("7A", number=OTHER), *attempts)
    assert isinstance(other, Held)
    assert other.part == 6


def test_without_the_key_it_is_somebody_else_and_is_parked_as_it_came() -> None:
    said = receipt("7A")
    assert looked(said, held(5, "7A", to=ALIAS), key=None) == (Why.OTHER_NUMBER, said)


def test_no_key_is_asked_for_where_no_number_was_erased() -> None:
    def asked() -> bytes:
        raise AssertionError

    said = receipt("7A")
    assert look(said, lambda _name: [held(5, "7A"), held(6, "7A", to=OTHER)], asked) == (held(5, "7A"), said)


# --- answers to messages whose number was erased --------------------------------------------------------------------


def answer(key: str | None = None, detail: str | None = None, to: str = NUMBER) -> Answer:
    return Answer(5, 1, Event.ACKNOWLEDGED, NOW, "north", key, key, to, detail=detail)


def kept(said: Answer, *addresses: str, key: bytes | None = KEY) -> tuple[str | None, str | None, str | None]:
    late = as_kept(said, addresses, lambda: key)
    assert isinstance(late, Answer)
    assert (late.part, late.attempt, late.event, late.at, late.to) == (5, 1, Event.ACKNOWLEDGED, NOW, "")
    return late.carrier_message_id, late.key, late.detail


def test_of_an_id_that_holds_the_number_its_answer_names_the_rest_is_kept() -> None:
    assert kept(answer(f"{NUMBER}-1"), ALIAS, "Shop") == ("#-1", "#-1", "#-1")
    assert kept(answer("12345678901"), ALIAS, "Shop") == ("12345678901",) * 3
    assert kept(answer("7", f"sent to 0{NUMBER[2:]}"), ALIAS, "Shop") == ("7", "7", "sent to 07#")


@pytest.mark.parametrize(
    ("said", "addresses", "key"),
    [
        (answer(f"{OTHER}-1"), (NUMBER, OTHER_ALIAS), KEY),
        (answer(f"{OTHER}-1"), (ALIAS, OTHER_ALIAS), KEY),
        (answer(f"{NUMBER}-1", to=""), (ALIAS, "Shop"), KEY),
        (answer(f"{NUMBER}-1", to=OTHER), (ALIAS, "Shop"), KEY),
        (answer(f"{NUMBER}-1"), (ALIAS, "Shop"), None),
        (answer(NUMBER[-8:]), (ALIAS, "Shop"), None),
    ],
)
def test_where_the_erased_number_cannot_be_told_nothing_is_kept_of_what_may_hold_it(
    said: Answer, addresses: tuple[str, str], key: bytes | None
) -> None:
    assert kept(said, *addresses, key=key) == (None, None, None)
    short = answer("7A-1234567", "ESME_ROK", to="")
    assert kept(short, *addresses, key=key) == ("7A-1234567", "7A-1234567", "ESME_ROK")


@pytest.mark.parametrize("addresses", [(), (NUMBER, "Shop"), (NUMBER, "#12345678")])
def test_where_none_was_erased_all_is_kept_and_no_key_asked_for(addresses: tuple[str, ...]) -> None:
    def asked() -> bytes:
        raise AssertionError

    said = answer(f"{NUMBER}-1", f"to {NUMBER}")
    assert as_kept(said, addresses, asked) is said


def test_a_lost_answer_says_nothing_of_a_number() -> None:
    lost = Lost(5, 1, NOW, "north", "link_lost", NOW)
    assert as_kept(lost, (ALIAS, "Shop"), lambda: KEY) is lost
