"""What holds for every PDU, every tear of a stream and any octets at all."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.smpp import tables
from connector.smpp.codec import decode, encode
from connector.smpp.events import Event
from connector.smpp.framing import MAX_UNBOUND_PDU_OCTETS, Framer
from connector.smpp.pdu import PDU_BY_ID, BindTransceiver, BindTransceiverResp, Pdu, SubmitSm, UnknownPdu
from connector.smpp.session import Session
from connector.smpp.tables import RESPONSE_BIT, Role
from tests.fuzz.targets import TARGETS
from tests.smpp import strategies

UNKNOWN_IDS = st.integers(0, 0xFFFFFFFF).filter(lambda number: number not in PDU_BY_ID)
WITH_RESPONSE = [row for row in tables.COMMANDS if row.response_id in PDU_BY_ID]


def session_of(role: Role) -> Session:
    """A bound session; an ESME's with four requests in flight, which have the numbers 2 to 5."""
    session = Session(role, window_size=4, now=0.0)
    if role is Role.ESME:
        session.request(BindTransceiver(), 0.0)
        session.receive_data(encode(BindTransceiverResp(sequence_number=1)), 0.0)
        session.submit([SubmitSm()] * 4, range(4), 0.0)
    else:
        session.receive_data(encode(BindTransceiver(sequence_number=1)), 0.0)
        session.answer([BindTransceiverResp(sequence_number=1)])
    return session


def torn(octets: bytes, cuts: list[int]) -> list[bytes]:
    """The octets in pieces, cut at these offsets."""
    ends = sorted({0, len(octets), *(cut % (len(octets) + 1) for cut in cuts)})
    return [octets[start:end] for start, end in itertools.pairwise(ends)]


def heard(role: Role, pieces: list[bytes]) -> tuple[list[Event], bytes, str]:
    """What a session tells and says of these pieces, all at the same time."""
    session = session_of(role)
    events = [event for piece in pieces for event in session.receive_data(piece, 1.0)]
    return events, session.data_to_send(), repr(session)


# --- every PDU ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", PDU_BY_ID.values(), ids=lambda layout: layout.command)
def test_a_pdu_comes_back_as_it_was(layout: type[Pdu]) -> None:
    @given(strategies.pdus(layout))
    def check(pdu: Pdu) -> None:
        again = decode(encode(pdu))
        if again.body_omitted:  # a refusal with nothing in it loses its empty body
            assert encode(pdu)[8:] == encode(again)[8:]
            assert pdu.command_status
            return
        again.oddities = ()  # both texts at once are flagged and kept
        assert again == pdu

    check()


@given(UNKNOWN_IDS, st.binary(max_size=200), st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF))
def test_a_pdu_nobody_knows_comes_back_octet_for_octet(
    command_id: int, body: bytes, command_status: int, sequence_number: int
) -> None:
    pdu = UnknownPdu(command_id=command_id, body=body, command_status=command_status, sequence_number=sequence_number)
    again = decode(encode(pdu))
    assert isinstance(again, UnknownPdu)
    assert (again.command_id, again.body) == (command_id, body)
    assert encode(again) == encode(pdu)


@pytest.mark.parametrize("row", WITH_RESPONSE, ids=lambda row: row.name)
def test_every_request_and_its_response_have_a_layout(row: tables.Command) -> None:
    assert PDU_BY_ID[row.response_id].command == row.response_name
    assert PDU_BY_ID[row.command_id].command == row.name


# --- every tear of a stream -----------------------------------------------------------------------------------

STREAMS = st.lists(
    st.one_of(
        strategies.pdus().map(encode),
        st.builds(
            lambda layout, number: encode(strategies.least(layout), number),
            st.sampled_from(list(PDU_BY_ID.values())),
            st.integers(1, 6),
        ),
        st.builds(
            lambda number, body: encode(UnknownPdu(command_id=number, body=body), 9), UNKNOWN_IDS, st.binary(max_size=9)
        ),
    ),
    max_size=6,
).map(b"".join)
ENDINGS = st.just(b"") | st.binary(max_size=40) | st.just(b"GET / HTTP/1.1\r\n\r\n")


@given(STREAMS, ENDINGS, st.lists(st.integers(0, 10_000), max_size=12), st.sampled_from(Role))
def test_however_a_stream_is_torn_the_session_hears_the_same(
    stream: bytes, ending: bytes, cuts: list[int], role: Role
) -> None:
    octets = stream + ending
    assert heard(role, torn(octets, cuts)) == heard(role, [octets] if octets else [])


# --- any octets at all ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.__qualname__)
def test_any_octets_end_in_values_or_one_typed_error(target: object) -> None:
    @given(st.binary(max_size=120) | STREAMS)
    def check(octets: bytes) -> None:
        assert callable(target)
        target(octets)

    check()


@given(st.sampled_from(sorted(PDU_BY_ID)), st.binary(max_size=60), st.integers(1, 6), st.sampled_from(Role))
def test_one_pdu_is_at_most_two_events_and_one_answer(
    command_id: int, body: bytes, sequence_number: int, role: Role
) -> None:
    octets = encode(UnknownPdu(command_id=command_id, body=body), sequence_number)
    events, said, _ = heard(role, [octets])
    assert len(events) <= 2
    answers = Framer().feed(said) if said else []
    assert len(answers) <= (0 if command_id & RESPONSE_BIT else 1)


@given(st.lists(st.binary(min_size=1, max_size=200), max_size=40))
def test_a_peer_that_never_binds_is_held_in_no_more_than_one_short_pdu(pieces: list[bytes]) -> None:
    session = Session(Role.SMSC, now=0.0)
    for piece in pieces:
        session.receive_data(piece, 0.0)
        assert session._framer.partial <= MAX_UNBOUND_PDU_OCTETS
