"""What carriers write about the fate of a message, and what we read."""

from datetime import UTC, datetime, timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.smpp.parts import udh
from connector.smpp.receipt import (
    STATE_OF_NUMBER,
    STATE_OF_WORD,
    MessageState,
    Receipt,
    _read_appendix_b,
    _read_by_grammar,
    is_intermediate,
    is_receipt,
    parse_date,
    parse_receipt,
)

APPENDIX_B = (
    b"id:0000412345 sub:001 dlvrd:001 submit date:2603091415 done date:2603091416"
    b" stat:DELIVRD err:000 text:Your parcel is on it"
)


def local(*fields: int) -> datetime:
    return datetime(*fields)  # type: ignore[arg-type]  # noqa: DTZ001 - a receipt names no zone


# --- the text -------------------------------------------------------------------------------------------------


def test_the_example_of_appendix_b_is_read_whole() -> None:
    receipt = parse_receipt(APPENDIX_B)
    assert receipt == Receipt(
        id="0000412345",
        sub="001",
        dlvrd="001",
        submit_date_raw="2603091415",
        done_date_raw="2603091416",
        stat="DELIVRD",
        err="000",
        text="Your parcel is on it",
        state=MessageState.DELIVERED,
        raw=APPENDIX_B,
    )
    assert receipt.submit_date == local(2026, 3, 9, 14, 15)
    assert receipt.done_date == local(2026, 3, 9, 14, 16)
    assert receipt.effective_id == "0000412345"
    assert receipt.is_final


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (
            b"ID:7 STAT:delivrd Err:0",
            {"id": "7", "stat": "delivrd", "err": "0", "state": MessageState.DELIVERED},
        ),
        (b"stat:EXPIRED err:21b id:A-1.2", {"id": "A-1.2", "stat": "EXPIRED", "err": "21b"}),
        (b"  id:7   stat:DELIVRD  ", {"id": "7", "stat": "DELIVRD"}),
        (b"\r\nid:7\r\nstat:DELIVRD\r\n", {"id": "7", "stat": "DELIVRD"}),
        (b"\0id:7 stat:DELIVRD", {"id": "7", "stat": "DELIVRD"}),
        (b"id:ns:12345 stat:DELIVRD", {"id": "ns:12345"}),
        (b"id:a1@smsc.example stat:DELIVRD", {"id": "a1@smsc.example"}),
        (b"id: sub:001 stat:DELIVRD", {"id": "", "sub": "001", "effective_id": None}),
        (b"id: 77 stat:DELIVRD", {"id": "77"}),
        (b"id:7\0 stat:DELIVRD", {"id": "7"}),
        (b"sub:001 stat:DELIVRD", {"id": None, "text": None, "err": None}),
        (b"id:7 IMSI:23410 stat:DELIVRD MSC:44 err:E_NETWORK", {"stat": "DELIVRD", "err": "E_NETWORK"}),
        (b"message id:7 stat:DELIVRD", {"id": "7"}),
        (b"idd:7 sat:DELIVRD er:3", {"id": None, "stat": None, "err": None, "state": MessageState.UNKNOWN}),
        (b"id:7 submit date:2603091415 done  date:2603091416", {"done_date": local(2026, 3, 9, 14, 16)}),
        (b"id:7 submit_date:2603091415", {"submit_date": local(2026, 3, 9, 14, 15)}),
        (b"", {"id": None, "stat": None, "text": None, "state": MessageState.UNKNOWN}),
    ],
)
def test_keys_are_found_wherever_they_stand(text: bytes, fields: dict[str, object]) -> None:
    receipt = parse_receipt(text)
    assert {name: getattr(receipt, name) for name in fields} == fields
    assert receipt.raw == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"id:7 stat:DELIVRD text:", ""),
        (b"id:7 stat:DELIVRD te", None),
        (b"id:7 stat:DELIVRD TEXT:none", "none"),
        (b"id:7 stat:DELIVRD text:a b  c", "a b  c"),
        (b"id:7 stat:DELIVRD text:your id:8 and stat:FAILED", "your id:8 and stat:FAILED"),
        (b"id:7 text:hi there stat:DELIVRD", "hi there"),
        (b"id:7 text: stat:DELIVRD", ""),
        (b"id:7 stat:DELIVRD text:caf\xe9\0\0", "caf\xe9"),
        (b"id:7 stat:DELIVRD text:code@@@@", "code"),
        (b"id:7 stat:DELIVRD text:me@", "me@"),
        (
            b"id:7 stat:DELIVRD text:\x04\x40\x04\x20",
            "\x04@\x04 ",
        ),  # UTF-16BE after ASCII keys: octets are kept
    ],
)
def test_the_text_is_what_follows_its_key_up_to_a_key_that_was_missing(text: bytes, expected: str | None) -> None:
    receipt = parse_receipt(text)
    assert receipt.text == expected
    assert receipt.id == "7"


@pytest.mark.parametrize("padding", [b"\0", b"\0\0\0", b"@@", b"@", b" ", b" \0"])
def test_padding_after_the_last_field_is_dropped(padding: bytes) -> None:
    receipt = parse_receipt(b"id:7 stat:UNDELIV err:00B" + padding)
    assert receipt.err == "00B"


@pytest.mark.parametrize("codec", ["utf-16-be", "utf-16-le", "utf-16"])
@pytest.mark.parametrize("data_coding", [0, 8])
def test_a_receipt_in_utf_16_is_read_as_such(codec: str, data_coding: int) -> None:
    receipt = parse_receipt("id:7 stat:DELIVRD err:000 text:ok".encode(codec), data_coding=data_coding)
    assert (receipt.id, receipt.stat, receipt.text) == ("7", "DELIVRD", "ok")


def test_text_beyond_latin_is_read_where_data_coding_announces_utf_16() -> None:
    receipt = parse_receipt("id:7 stat:DELIVRD text:дом".encode("utf-16-be"), data_coding=8)
    assert receipt.text == "дом"


def test_ascii_keys_are_read_though_data_coding_says_utf_16() -> None:
    assert parse_receipt(APPENDIX_B, data_coding=8).id == "0000412345"


def test_the_user_data_header_is_stripped_when_announced() -> None:
    receipt = parse_receipt(udh(1, 1, 1) + APPENDIX_B, esm_class=0x44)
    assert receipt.id == "0000412345"
    assert parse_receipt(APPENDIX_B, esm_class=0x44).id == "0000412345"  # announced, but not there


def test_neither_text_nor_id_shows_in_a_log_line() -> None:
    assert "parcel" not in repr(parse_receipt(APPENDIX_B))


# --- both readers ---------------------------------------------------------------------------------------------

WORDS = st.text(st.characters(codec="latin-1"), max_size=12)
VALUES = st.one_of(st.from_regex(r"[0-9A-Za-z@:.\-]{0,12}", fullmatch=True), WORDS)
KEYS = st.sampled_from(
    [
        "id:",
        "sub:",
        "dlvrd:",
        "submit date:",
        "done date:",
        "stat:",
        "err:",
        "text:",
        "Text:",
        "ID:",
        "x:",
        "",
    ]
)


PLAIN_VALUES = st.from_regex(r"[!-?A-~]{0,12}", fullmatch=True)
TAILS = st.one_of(
    st.sampled_from(["", "\0", "@@", "id:1 stat:FAILED", "x sub:2", " err:2", "x\ny", "a@@", "\0\0"]), WORDS
)


@st.composite
def appendix_b_like(draw: st.DrawFn) -> str:
    """The form of Appendix B, with a field left out, a blank too many or an odd value now and then."""
    values = draw(st.sampled_from([PLAIN_VALUES, PLAIN_VALUES, VALUES]))
    left_out = draw(st.sampled_from(["", "", "sub:", "dlvrd:", "stat:", "err:"]))
    keys = [k for k in ("id:", "sub:", "dlvrd:", "submit date:", "done date:", "stat:", "err:") if k != left_out]
    body = draw(st.sampled_from([" ", "  "])).join(key + draw(values) for key in keys)
    return body + draw(st.sampled_from(["", " text:", " Text:"])) + draw(TAILS)


@given(st.one_of(appendix_b_like(), st.lists(st.tuples(KEYS, VALUES)).map(lambda p: " ".join(k + v for k, v in p))))
def test_the_fast_reader_agrees_with_the_grammar(body: str) -> None:
    fast = _read_appendix_b(body)
    assert fast is None or fast == _read_by_grammar(body)


def test_a_field_left_out_before_the_text_is_looked_for_in_it_by_both_readers() -> None:
    body = "id:7 submit date:1 done date:2 stat:DELIVRD err:0 text:a sub:3"
    assert parse_receipt(body.encode()).sub == "3"
    assert parse_receipt(body.encode()).text == "a"


@pytest.mark.parametrize("tail", ["", " text:", " Text:a id:4\n@@", " text:\0"])
def test_the_fast_reader_takes_the_plain_form(tail: str) -> None:
    body = APPENDIX_B.decode().partition(" text:")[0] + tail
    assert _read_appendix_b(body) == _read_by_grammar(body)
    assert _read_appendix_b(body) is not None


@given(
    st.one_of(st.binary(), st.lists(st.tuples(KEYS, VALUES)).map(lambda p: " ".join(map("".join, p)).encode())),
    st.integers(0, 255),
    st.integers(0, 255),
    st.one_of(st.none(), st.binary(max_size=12)),
    st.one_of(st.none(), st.integers(0, 255)),
)
def test_no_octets_stop_the_parser(
    text: bytes, esm_class: int, data_coding: int, tlv_id: bytes | None, message_state: int | None
) -> None:
    receipt = parse_receipt(
        text,
        esm_class=esm_class,
        data_coding=data_coding,
        receipted_message_id=tlv_id,
        message_state=message_state,
        now=datetime(2026, 3, 9, tzinfo=UTC),
    )
    assert receipt.raw == text
    assert receipt.submit_date is None or receipt.submit_date.tzinfo is None
    assert receipt.state in MessageState


@pytest.mark.parametrize("noise", [":", "submit ", "id: ", " ", "@", "\0", "submit_", "text:\n"])
def test_a_hostile_payload_of_64_kilobytes_is_read_in_a_moment(noise: str) -> None:
    started = datetime.now(UTC)
    parse_receipt(noise.encode() * (65_000 // len(noise)))
    assert datetime.now(UTC) - started < timedelta(seconds=2)


# --- state ----------------------------------------------------------------------------------------------------


def test_a_receipt_without_stat_is_unknown() -> None:
    receipt = parse_receipt(b"id:7 err:000")
    assert receipt.state is MessageState.UNKNOWN
    assert receipt.stat is None
    assert not receipt.is_final


def test_a_word_nobody_knows_is_unknown_and_kept() -> None:
    receipt = parse_receipt(b"id:7 stat:DND_REJECTED err:000")
    assert receipt.state is MessageState.UNKNOWN
    assert receipt.stat == "DND_REJECTED"


@pytest.mark.parametrize(
    ("text", "stat"),
    [
        (b"id:7 sub:001 done date:2603091416 DELIVRD err:000", "DELIVRD"),
        (b"DELIVRD id:7", "DELIVRD"),
        (b"id:7 err:000 EXPIRED", "EXPIRED"),
        (b"id:7 err:000 YOUR CARD EXPIRED", None),
        (b"id:7 err:000 text:x EXPIRED", None),
        (b"id:7 err:000 expired", None),
        (b"id:7 FAILED stat:DELIVRD", "DELIVRD"),
    ],
)
def test_a_state_word_may_stand_without_its_key(text: bytes, stat: str | None) -> None:
    assert parse_receipt(text).stat == stat


def test_numbers_of_states_are_those_of_the_specification() -> None:
    assert STATE_OF_NUMBER[0] is MessageState.SCHEDULED
    assert STATE_OF_NUMBER[2] is MessageState.DELIVERED
    assert STATE_OF_NUMBER[5] is MessageState.UNDELIVERABLE
    assert STATE_OF_NUMBER[8] is MessageState.REJECTED
    assert len(STATE_OF_NUMBER) == 10


def test_every_state_has_a_word() -> None:
    assert set(STATE_OF_WORD.values()) == set(MessageState)


@pytest.mark.parametrize(
    ("stat", "message_state", "by_tlv", "by_text"),
    [
        (b"UNDELIV", 2, MessageState.DELIVERED, MessageState.UNDELIVERABLE),
        (b"DELIVRD", None, MessageState.DELIVERED, MessageState.DELIVERED),
        (b"BADSTAT", 8, MessageState.REJECTED, MessageState.REJECTED),
        (b"DELIVRD", 0x32, MessageState.DELIVERED, MessageState.DELIVERED),
        (b"BADSTAT", 200, MessageState.UNKNOWN, MessageState.UNKNOWN),
        (b"DELIVRD", 0, MessageState.SCHEDULED, MessageState.DELIVERED),
    ],
)
def test_the_preferred_witness_of_the_state_is_believed(
    stat: bytes, message_state: int | None, by_tlv: MessageState, by_text: MessageState
) -> None:
    text = b"id:7 stat:" + stat
    assert parse_receipt(text, message_state=message_state).state is by_tlv
    assert parse_receipt(text, message_state=message_state, prefer="text").state is by_text


def test_text_and_tlv_that_contradict_each_other_are_told() -> None:
    assert parse_receipt(b"stat:UNDELIV", message_state=2).is_contradictory
    assert not parse_receipt(b"stat:DELIVRD", message_state=2).is_contradictory
    assert not parse_receipt(b"stat:BADSTAT", message_state=2).is_contradictory
    assert not parse_receipt(b"stat:DELIVRD").is_contradictory


@pytest.mark.parametrize("state", ["ENROUTE", "SCHEDULED", "ACCEPTD", "UNKNOWN"])
def test_these_states_are_not_the_last_word(state: str) -> None:
    assert not parse_receipt(b"stat:" + state.encode()).is_final


def test_an_intermediate_notification_is_never_final() -> None:
    receipt = parse_receipt(APPENDIX_B, esm_class=0x20)
    assert receipt.state is MessageState.DELIVERED
    assert receipt.intermediate
    assert not receipt.is_final


# --- TLVs and recognition -------------------------------------------------------------------------------------


def test_a_receipt_of_tlvs_alone_is_enough() -> None:
    receipt = parse_receipt(b"", receipted_message_id=b"38601fa\0", message_state=5, network_error_code=b"\x03\x00\x1b")
    assert (receipt.id, receipt.tlv_id, receipt.effective_id) == (None, "38601fa", "38601fa")
    assert receipt.state is MessageState.UNDELIVERABLE
    assert receipt.network_error_code == b"\x03\x00\x1b"


@pytest.mark.parametrize(
    ("value", "tlv_id"),
    [(b"a1", "a1"), (b"a1\0\0", "a1"), (b" a1 \0", "a1"), (b"\0", None), (b"", None), (None, None)],
)
def test_the_tlv_id_is_read_with_or_without_its_nul(value: bytes | None, tlv_id: str | None) -> None:
    assert parse_receipt(APPENDIX_B, receipted_message_id=value).tlv_id == tlv_id


@pytest.mark.parametrize(
    ("esm_class", "with_tlv", "receipt", "intermediate"),
    [
        (0x04, False, True, False),
        (0x44, False, True, False),
        (0x84, False, True, False),
        (0x0C, False, True, False),
        (0x24, False, True, False),
        (0x20, False, False, True),
        (0x60, True, False, True),
        (0x00, False, False, False),
        (0x00, True, True, False),
        (0x03, True, True, False),
        (0x08, True, False, False),
        (0x10, False, False, False),
        (0x18, False, False, False),
    ],
)
def test_esm_class_tells_receipts_from_messages(
    esm_class: int, with_tlv: bool, receipt: bool, intermediate: bool
) -> None:
    assert is_receipt(esm_class, with_tlv) is receipt
    assert is_intermediate(esm_class) is intermediate


def test_a_receipt_does_not_change() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        parse_receipt(APPENDIX_B).id = "8"  # type: ignore[misc]


# --- dates ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("digits", "expected"),
    [
        ("2603091415", local(2026, 3, 9, 14, 15)),
        ("260309141507", local(2026, 3, 9, 14, 15, 7)),
        ("20260309141507", local(2026, 3, 9, 14, 15, 7)),
        ("202603091415", local(2026, 3, 9, 14, 15)),  # month 26 there is not: the year has four digits
        ("260309141507912+", local(2026, 3, 9, 14, 15, 7)),
        ("260309141507004-", local(2026, 3, 9, 14, 15, 7)),
        ("1773065707000", local(2026, 3, 9, 14, 15, 7)),
        ("3701010000", local(2037, 1, 1)),
        ("3801010000", local(1938, 1, 1)),
        ("0002290000", local(2000, 2, 29)),
        ("0000000000", None),
        ("00000000000000", None),
        ("2602300000", None),
        ("2603092415", None),
        ("99990309141507", None),
        ("000000000500000R", None),
        ("26030914150791²+", None),
        ("260309141507912x", None),
        ("260309²415", None),
        ("26030914", None),
        ("yesterday!", None),
        ("", None),
    ],
)
def test_a_date_is_read_by_its_length(digits: str, expected: datetime | None) -> None:
    assert parse_date(digits) == expected


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (None, local(2020, 10, 11, 12, 13, 14)),
        (local(2010, 11, 12, 13, 20), local(2010, 11, 12, 13, 14)),
        (datetime(2010, 11, 12, 13, 20, tzinfo=UTC), local(2010, 11, 12, 13, 14)),
        (local(2020, 10, 11, 13), local(2020, 10, 11, 12, 13, 14)),
        (local(2026, 3, 9), local(2020, 10, 11, 12, 13, 14)),
    ],
)
def test_twelve_digits_with_two_readings_are_settled_by_the_clock(now: datetime | None, expected: datetime) -> None:
    assert parse_date("201011121314", now) == expected
    assert parse_receipt(b"id:7 done date:201011121314", now=now).done_date == expected


@given(st.text(max_size=18))
def test_no_digits_stop_the_date_reader(digits: str) -> None:
    parse_date(digits)


@given(st.datetimes(local(2000, 1, 1), local(2037, 12, 31)))
def test_a_written_date_comes_back(moment: datetime) -> None:
    whole = moment.replace(microsecond=0)
    assert parse_date(f"{whole:%Y%m%d%H%M%S}") == whole
    assert parse_date(f"{whole:%y%m%d%H%M%S}", whole) == whole
    assert parse_date(f"{whole:%y%m%d%H%M}") in (whole.replace(second=0), None)


# --- what carriers do around words --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (
            b"id: 123 sub: 001 dlvrd: 001 submit date: 1807110702 done date: 1807110703 DELIVRD err: 000",
            ("123", "DELIVRD", "1807110703", "000"),
        ),
        (b"id: 123 DELIVRD", ("123", "DELIVRD", None, None)),
        (b"id:123 DELIVRD", ("123", "DELIVRD", None, None)),
        (b"id: 123 text: DELIVRD", ("123", None, None, None)),
        (b'"id:123 done date:1807110703 stat:DELIVRD err:000"', ("123", "DELIVRD", "1807110703", "000")),
        (b"id:'123' stat:\"DELIVRD\" err:'000'", ("123", "DELIVRD", None, "000")),
        (
            b'id:"123" sub:001 submit date:1807110702 done date:1807110703 stat:"UNDELIV" err:"021" text:',
            ("123", "UNDELIV", "1807110703", "021"),
        ),
        (b"\xef\xbb\xbfid:123 stat:DELIVRD err:000", ("123", "DELIVRD", None, "000")),
        (b"\xa0id:123\xa0stat:DELIVRD\xa0err:000\xa0", ("123", "DELIVRD", None, "000")),
        (b"\0\0id:123 stat:DELIVRD", ("123", "DELIVRD", None, None)),
    ],
)
def test_blanks_quotes_and_marks_are_no_part_of_a_word(text: bytes, fields: tuple[str | None, ...]) -> None:
    receipt = parse_receipt(text)
    assert (receipt.id, receipt.stat, receipt.done_date_raw, receipt.err) == fields


def test_a_quote_that_closes_the_whole_receipt_is_no_part_of_its_text() -> None:
    assert parse_receipt(b'"id:1 stat:DELIVRD text:hello"').text == "hello"
    assert parse_receipt(b'id:1 stat:DELIVRD text:"hello"').text == '"hello"'


@pytest.mark.parametrize("data_coding", [0, 3, 8, 0xF0])
@pytest.mark.parametrize("codec", ["utf-16-be", "utf-16-le"])
@pytest.mark.parametrize("text", ["Привет", "漢字", "été"])
def test_a_receipt_in_utf_16_is_proved_by_its_first_octets_alone(data_coding: int, codec: str, text: str) -> None:
    octets = f"id:123 stat:DELIVRD err:000 text:{text}".encode(codec)
    receipt = parse_receipt(octets, data_coding=data_coding)
    assert (receipt.id, receipt.stat, receipt.text) == ("123", "DELIVRD", text)


def test_text_and_tlv_that_contradict_each_other_are_told_in_words() -> None:
    receipt = parse_receipt(b"id:1 stat:UNDELIV", message_state=2)
    assert receipt.contradiction == "TLV says delivered, text says UNDELIV"
    assert parse_receipt(b"id:1 stat:UNDELIV", message_state=5).contradiction is None
    assert parse_receipt(b"id:1 stat:UNDELIV").contradiction is None
    assert parse_receipt(b"id:1 stat:odd", message_state=2).contradiction is None
