"""A text is cut so that every carrier of the rule can take it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.carrier.translate import Translator
from connector.config import LANES, BindConfig, CarrierConfig, DialectConfig
from connector.model import Message
from connector.policy.texts import Cutter
from connector.smpp.alphabet import Alphabet
from connector.smpp.parts import Cut


def carrier(name: str = "north", max_parts: int = 10, **dialect: Any) -> CarrierConfig:
    bind = BindConfig(host="smsc", system_id="acme")
    return CarrierConfig(name=name, bind=(bind,), max_parts=max_parts, dialect=DialectConfig(**dialect))


GSM, LATIN1, ASCII = carrier(), carrier(default_alphabet="latin1"), carrier(default_alphabet="ascii")


def cut(text: str, *carriers: CarrierConfig) -> Cut:
    found = Cutter(carriers or (GSM,)).cut(text)
    assert isinstance(found, Cut), found
    return found


@pytest.mark.parametrize(
    ("text", "alphabet", "parts"),
    [
        ("x" * 160, Alphabet.GSM, 1),
        ("x" * 161, Alphabet.GSM, 2),
        ("€" * 80, Alphabet.GSM, 1),
        ("€" * 81, Alphabet.GSM, 2),
        ("漢" * 70, Alphabet.UCS2, 1),
        ("漢" * 71, Alphabet.UCS2, 2),
        ("😀" * 35, Alphabet.UCS2, 1),
        ("😀" * 36, Alphabet.UCS2, 2),
    ],
)
def test_lengths_of_one_part_and_more(text: str, alphabet: Alphabet, parts: int) -> None:
    found = cut(text)
    assert (found.alphabet, len(found.bounds)) == (alphabet, parts)


def test_a_text_of_too_many_parts_is_said_to_be_too_long() -> None:
    assert isinstance(Cutter([carrier(max_parts=2), carrier(max_parts=9)]).cut("x" * 400), str)


def test_carriers_that_differ_agree_on_ascii_and_on_ucs2_for_what_one_of_them_would_escape() -> None:
    assert cut("hello", GSM, LATIN1).alphabet is Alphabet.ASCII
    assert cut("é", GSM, LATIN1).alphabet is Alphabet.UCS2
    for character in "[]{}\\^~|`":
        assert cut(character, GSM, LATIN1).alphabet is Alphabet.UCS2
    assert cut("{`", LATIN1, ASCII).alphabet is Alphabet.ASCII


def test_shift_tables_are_used_where_all_carriers_of_the_rule_know_them() -> None:
    both, turkish = carrier(languages=("spanish", "turkish")), carrier(languages=("turkish", "spanish"))
    assert cut("ş" * 100, turkish).alphabet is Alphabet.GSM
    assert cut("ş" * 77, turkish, both).bounds == ((0, 77),)
    assert cut("ş" * 100, turkish, GSM).alphabet is Alphabet.UCS2
    assert cut("á", both, turkish).single == 2
    assert cut("hello", both).single == 0


PLAIN = st.builds(
    carrier,
    default_alphabet=st.sampled_from(["gsm", "latin1", "ascii"]),
    concatenation=st.sampled_from(["udh8", "udh16", "sar"]),
    max_parts=st.just(255),
)
SHIFTED = st.builds(
    carrier,
    concatenation=st.sampled_from(["udh8", "udh16"]),
    languages=st.permutations(["turkish", "spanish", "portuguese"]).map(tuple),
    max_parts=st.just(255),
)
CARRIERS = st.lists(PLAIN, min_size=1, max_size=3) | st.lists(SHIFTED, min_size=1, max_size=3)
LETTERS = st.text("ab é€{`@漢😀\n", min_size=1, max_size=400) | st.text("aşğãáÊ€{", min_size=1, max_size=400)


@given(text=LETTERS, carriers=CARRIERS)
def test_every_carrier_of_the_rule_can_write_every_part_in_140_octets(text: str, carriers: list[CarrierConfig]) -> None:
    found = cut(text, *carriers)
    message = Message(
        id=1,
        api_key="shop",
        lane="otp",
        queue=1,
        to="447911123456",
        sender="",
        text=text,
        alphabet=found.alphabet.value,
        reference=1,
        bounds=found.bounds,
        created_at=0,
        deadline=60,
    )
    assert "".join(part.text for part in message.parts()) == text
    for config in carriers:
        translator = Translator(config, LANES)
        for part in message.parts():
            pdu = translator.submit_sm(part, 0)
            header = pdu.short_message[0] + 1 if pdu.esm_class & 0x40 else 0
            octets = len(pdu.short_message) - header
            if config.dialect.default_alphabet == "gsm" and pdu.data_coding == 0:
                octets = (octets * 7 + 7) // 8
            assert octets + max(header, 6 if part.total > 1 else 0) <= 140
