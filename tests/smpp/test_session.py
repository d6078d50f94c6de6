"""One conversation, from both ends and without a wire."""

import itertools
from collections.abc import Sequence
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import EncodeError, IllegalCommand
from connector.smpp import tables
from connector.smpp.codec import decode, encode
from connector.smpp.events import (
    Answered,
    BindRefused,
    Bound,
    Event,
    LinkDead,
    Notified,
    Requested,
    Strange,
    Unanswered,
    UnbindReceived,
    Unbound,
)
from connector.smpp.framing import Framer
from connector.smpp.pdu import (
    PDU_BY_ID,
    AlertNotification,
    BindReceiver,
    BindReceiverResp,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    BindTransmitterResp,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    DestAddress,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Outbind,
    Pdu,
    QuerySm,
    QuerySmResp,
    SubmitMulti,
    SubmitSm,
    SubmitSmResp,
    Tlv,
    Unbind,
    UnbindResp,
    UnknownPdu,
    tlv,
)
from connector.smpp.session import Session
from connector.smpp.tables import MAX_SEQUENCE_NUMBER, Role, State
from connector.smpp.timers import Timers
from connector.smpp.versions import Tlvs
from tests.smpp import strategies

BINDS = {
    State.BOUND_TX: (BindTransmitter, BindTransmitterResp),
    State.BOUND_RX: (BindReceiver, BindReceiverResp),
    State.BOUND_TRX: (BindTransceiver, BindTransceiverResp),
}


def pdus(octets: bytes) -> list[Pdu]:
    return [decode(pdu) for pdu in Framer().feed(octets)] if octets else []


def bound_to(
    state: State = State.BOUND_TRX,
    *,
    window_size: int = 10,
    first_sequence: int = 1,
    version: int = tables.SMPP_34,
    tlvs: Tlvs = Tlvs.AUTO,
    theirs: int | None = None,
) -> Session:
    """An ESME session in a bound state, at time 0; ``theirs`` is the version in the bind response."""
    request, response = BINDS[state]
    session = Session(
        Role.ESME,
        window_size=window_size,
        now=0.0,
        first_sequence=first_sequence,
        interface_version=version,
        tlvs=tlvs,
    )
    (sent,) = pdus(session.request(request(system_id="acme", interface_version=version), 0.0))
    told = () if theirs is None else (tlv("sc_interface_version", theirs),)
    session.receive_data(encode(response(sequence_number=sent.sequence_number, tlvs=told)), 0.0)
    return session


def smsc_bound(
    state: State = State.BOUND_TRX,
    *,
    timers: Timers | None = None,
    version: int = tables.SMPP_34,
    tlvs: Tlvs = Tlvs.AUTO,
) -> Session:
    """An SMSC session of 5.0 in a bound state, at time 0; the ESME's bind was of ``version``."""
    request, response = BINDS[state]
    session = Session(Role.SMSC, now=0.0, timers=timers, interface_version=tables.SMPP_50, tlvs=tlvs)
    session.receive_data(encode(request(system_id="acme", sequence_number=1, interface_version=version)), 0.0)
    session.answer([response(sequence_number=1)])
    return session


def submit(session: Session, count: int = 1, now: float = 0.0) -> list[Pdu]:
    """The submit_sm the session writes; their tokens are 0, 1, 2 ..."""
    return pdus(session.submit([SubmitSm(destination_addr="447700900123")] * count, range(count), now))


def accept(sent: Sequence[Pdu], status: int = 0) -> bytes:
    """A submit_sm_resp for each, with an id made of its sequence_number."""
    return b"".join(
        encode(
            SubmitSmResp(
                message_id=f"id{pdu.sequence_number}",
                sequence_number=pdu.sequence_number,
                command_status=status,
            )
        )
        for pdu in sent
    )


def tokens(events: Sequence[Event]) -> list[object]:
    return [event.token for event in events if isinstance(event, (Answered, Unanswered))]


# --- binding --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", BINDS)
def test_a_bind_takes_both_ends_to_the_same_state(state: State) -> None:
    request, response = BINDS[state]
    esme, smsc = Session(Role.ESME, now=0.0), Session(Role.SMSC, now=0.0)
    (asked,) = smsc.receive_data(esme.request(request(system_id="acme", password="secret"), 0.0), 0.0)
    assert isinstance(asked, Requested)
    answer = smsc.answer([response(system_id="north", sequence_number=asked.pdu.sequence_number)])
    (bound,) = esme.receive_data(answer, 0.0)
    assert isinstance(bound, Bound)
    assert (esme.state, smsc.state) == (state, state)


@pytest.mark.parametrize(
    ("ours", "theirs", "agreed"),
    [(0x34, None, 0x34), (0x34, 0x50, 0x34), (0x50, 0x34, 0x34), (0x50, 0x50, 0x50), (0x34, 0x33, 0x33)],
)
def test_the_lower_version_is_agreed_and_no_word_means_ours(ours: int, theirs: int | None, agreed: int) -> None:
    esme = Session(Role.ESME, now=0.0, interface_version=ours)
    esme.request(BindTransceiver(interface_version=ours), 0.0)
    tlvs = () if theirs is None else (tlv("sc_interface_version", theirs),)
    esme.receive_data(encode(BindTransceiverResp(sequence_number=1, tlvs=tlvs)), 0.0)
    assert esme.interface_version == agreed


@pytest.mark.parametrize("theirs", [None, 0x34, 0x50])
def test_no_more_is_agreed_than_the_bind_request_said(theirs: int | None) -> None:
    esme = Session(Role.ESME, now=0.0, interface_version=tables.SMPP_50)
    esme.request(BindTransceiver(interface_version=0x33), 0.0)
    tlvs = () if theirs is None else (tlv("sc_interface_version", theirs),)
    esme.receive_data(encode(BindTransceiverResp(sequence_number=1, tlvs=tlvs)), 0.0)
    assert esme.interface_version == 0x33


def test_a_bind_refused_by_generic_nack_may_be_followed_by_another() -> None:
    smsc = Session(Role.SMSC, now=0.0)
    smsc.receive_data(encode(BindTransceiver(sequence_number=1)), 0.0)
    smsc.answer([GenericNack(sequence_number=9, command_status=tables.ESME_RSYSERR)])
    smsc.receive_data(encode(BindTransceiver(sequence_number=2)), 0.0)
    (refusal,) = pdus(smsc.data_to_send())
    assert refusal.command_status == tables.ESME_RALYBND, "the nack was for another request: the first bind waits"
    smsc.answer([GenericNack(sequence_number=1, command_status=tables.ESME_RSYSERR)])
    (asked,) = smsc.receive_data(encode(BindTransceiver(sequence_number=3)), 0.0)
    assert isinstance(asked, Requested)
    smsc.answer([BindTransceiverResp(sequence_number=3)])
    assert smsc.state is State.BOUND_TRX


def test_a_bind_cut_behind_its_system_id_is_not_taken_for_one_of_3_4() -> None:
    smsc = Session(Role.SMSC, now=0.0)
    whole = encode(BindTransceiver(system_id="acme", sequence_number=1))
    smsc.receive_data(pack(">L", 21) + whole[4:21], 0.0)
    smsc.answer([BindTransceiverResp(sequence_number=1)])
    assert smsc.interface_version < tables.SMPP_34


@pytest.mark.parametrize("wrong", [SubmitSm(tlvs=None), SubmitSm(esm_class=1.0), SubmitSm(tlvs=(Tlv("x", b""),))])  # type: ignore[arg-type]
def test_nothing_is_spent_on_what_cannot_be_encoded(wrong: SubmitSm) -> None:
    session = bound_to()
    with pytest.raises(EncodeError):
        session.submit([SubmitSm(), wrong], [1, 2], 0.0)
    assert session.window.used == 0
    (sent,) = pdus(session.request(SubmitSm(), 0.0))
    assert sent.sequence_number == 2


@pytest.mark.parametrize(("theirs", "agreed"), [(0x33, 0x33), (0x34, 0x34), (0x50, 0x34)])
def test_the_smsc_takes_the_lower_version_too(theirs: int, agreed: int) -> None:
    smsc = Session(Role.SMSC, now=0.0)
    smsc.receive_data(encode(BindTransceiver(interface_version=theirs, sequence_number=1)), 0.0)
    smsc.answer([BindTransceiverResp(sequence_number=1)])
    assert smsc.interface_version == agreed


def test_a_refused_bind_leaves_the_session_open_for_another() -> None:
    esme = Session(Role.ESME, now=0.0)
    esme.request(BindTransceiver(), 0.0)
    refusal = BindTransceiverResp(sequence_number=1, command_status=tables.ESME_RINVPASWD)
    (event,) = esme.receive_data(encode(refusal), 0.0)
    assert isinstance(event, BindRefused)
    assert (event.command_status, esme.state) == (tables.ESME_RINVPASWD, State.OPEN)
    assert esme.request(BindTransceiver(), 1.0)


def test_a_generic_nack_refuses_a_bind() -> None:
    esme = Session(Role.ESME, now=0.0)
    esme.request(BindTransceiver(), 0.0)
    (event,) = esme.receive_data(encode(GenericNack(sequence_number=1, command_status=tables.ESME_RINVCMDID)), 0.0)
    assert isinstance(event, BindRefused)
    assert event.command_status == tables.ESME_RINVCMDID


def test_a_second_bind_waits_for_the_answer_to_the_first() -> None:
    esme = Session(Role.ESME, now=0.0)
    esme.request(BindTransceiver(), 0.0)
    with pytest.raises(IllegalCommand, match="already on its way"):
        esme.request(BindTransceiver(), 0.0)


def test_a_bind_that_is_not_answered_kills_the_link() -> None:
    esme = Session(Role.ESME, now=0.0)
    esme.request(BindTransceiver(), 1.0)
    assert esme.next_tick() == 16.0
    assert esme.tick(16.0) == [LinkDead("the bind was not answered in time")]
    assert esme.closed


def test_an_smsc_hangs_up_on_a_peer_that_does_not_bind() -> None:
    smsc = Session(Role.SMSC, now=0.0)
    assert smsc.next_tick() == 10.0
    assert smsc.tick(9.9) == []
    assert smsc.tick(10.0) == [LinkDead("no bind within the session_init timer")]


@pytest.mark.parametrize("bind", [BindTransmitter, BindReceiver, BindTransceiver])
def test_a_bind_on_a_bound_session_is_refused_as_already_bound(bind: type[Pdu]) -> None:
    smsc = smsc_bound()
    (event,) = smsc.receive_data(encode(bind(sequence_number=2)), 0.0)
    assert isinstance(event, Strange)
    (refusal,) = pdus(smsc.data_to_send())
    assert (refusal.command, refusal.command_status) == (f"{bind.command}_resp", tables.ESME_RALYBND)
    assert smsc.state is State.BOUND_TRX


def test_two_binds_at_once_are_not_both_asked() -> None:
    smsc = Session(Role.SMSC, now=0.0)
    both = encode(BindTransceiver(sequence_number=1)) + encode(BindTransceiver(sequence_number=2))
    events = smsc.receive_data(both, 0.0)
    assert [type(event) for event in events] == [Requested, Strange]
    assert [pdu.command_status for pdu in pdus(smsc.data_to_send())] == [tables.ESME_RALYBND]


def test_a_good_bind_response_without_a_bind_is_the_callers_mistake() -> None:
    smsc = Session(Role.SMSC, now=0.0)
    with pytest.raises(IllegalCommand, match="no bind waits"):
        smsc.answer([BindTransceiverResp(sequence_number=1)])
    assert smsc.state is State.OPEN


def test_outbind_invites_a_bind() -> None:
    smsc, esme = Session(Role.SMSC, now=0.0), Session(Role.ESME, now=0.0)
    (event,) = esme.receive_data(smsc.request(Outbind(system_id="north"), 0.0), 0.0)
    assert isinstance(event, Notified)
    assert (smsc.state, esme.state) == (State.OUTBOUND, State.OUTBOUND)
    (asked,) = smsc.receive_data(esme.request(BindReceiver(), 0.0), 0.0)
    assert isinstance(asked, Requested)


# --- the operation matrix -------------------------------------------------------------------------------------

REQUESTS = [PDU_BY_ID[row.command_id] for row in tables.COMMANDS if row.command_id in PDU_BY_ID]


def in_state(role: Role, state: State) -> Session:
    if state in BINDS:
        newest = tables.SMPP_50
        return bound_to(state, version=newest) if role is Role.ESME else smsc_bound(state, version=newest)
    session = Session(role, now=0.0)
    session._enter(state)
    return session


@pytest.mark.parametrize(("role", "state", "layout"), list(itertools.product(Role, State, REQUESTS)))
def test_a_request_is_sent_where_the_matrix_allows_it_and_refused_elsewhere(
    role: Role, state: State, layout: type[Pdu]
) -> None:
    session = in_state(role, state)
    if tables.may_send(role, state, layout.command_id):
        assert [pdu.command for pdu in pdus(session.request(strategies.least(layout), 0.0))] == [layout.command]
    else:
        with pytest.raises(IllegalCommand, match=f"{layout.command} may not be sent by the {role.upper()}"):
            session.request(strategies.least(layout), 0.0)


@pytest.mark.parametrize(("role", "state", "layout"), list(itertools.product(Role, State, REQUESTS)))
def test_a_request_of_the_peer_is_taken_where_the_matrix_allows_it_and_answered_elsewhere(
    role: Role, state: State, layout: type[Pdu]
) -> None:
    session = in_state(role, state)
    events = session.receive_data(encode(strategies.least(layout), 77), 0.0)
    answers = pdus(session.data_to_send())
    if state is State.CLOSED:
        assert (events, answers) == ([], [])
    elif tables.may_receive(role, state, layout.command_id):
        assert not any(isinstance(event, Strange) for event in events)
        assert all(answer.command_status == 0 for answer in answers)
    else:
        assert [type(event) for event in events] == [Strange]
        rebind = layout.command.startswith("bind_") and state in BINDS
        expected = tables.ESME_RALYBND if rebind else tables.ESME_RINVBNDSTS
        answered = tables.COMMAND_BY_ID[layout.command_id].answered
        assert [(a.command, a.command_status, a.sequence_number) for a in answers] == (
            [(f"{layout.command}_resp", expected, 77)] if answered else []
        )


# --- versions -------------------------------------------------------------------------------------------------

REFERENCE = SubmitSm(destination_addr="447700900123", tlvs=(tlv("user_message_reference", 1),))


@pytest.mark.parametrize("version", [0x00, 0x33])
def test_a_tlv_for_a_session_of_3_3_is_refused_by_name_and_nothing_has_changed(version: int) -> None:
    session = bound_to(version=version)
    with pytest.raises(EncodeError, match="user_message_reference: this session sends no TLVs"):
        session.submit([SubmitSm(), REFERENCE], [1, 2], 0.0)
    assert session.window.used == 0
    assert pdus(session.request(Unbind(), 0.0))[0].sequence_number == 2


def test_a_vendors_tlv_is_refused_by_its_tag() -> None:
    vendor = SubmitSm(tlvs=(Tlv(0x1401, b"x"),))
    with pytest.raises(EncodeError, match="TLV 0x1401"):
        bound_to(version=tables.SMPP_33).request(vendor, 0.0)


@pytest.mark.parametrize(
    ("version", "tlvs", "theirs", "sent"),
    [
        (0x33, Tlvs.AUTO, None, False),
        (0x34, Tlvs.AUTO, None, True),  # many SMSCs leave out their version and use TLVs
        (0x34, Tlvs.AUTO, 0x33, True),
        (0x50, Tlvs.AUTO, 0x34, True),
        (0x33, Tlvs.AUTO, 0x34, False),
        (0x33, Tlvs.ALWAYS, None, True),
        (0x34, Tlvs.NEVER, 0x34, False),
    ],
)
def test_tlvs_are_sent_by_the_version_of_the_bind_unless_switched(
    version: int, tlvs: Tlvs, theirs: int | None, sent: bool
) -> None:
    session = bound_to(version=version, tlvs=tlvs, theirs=theirs)
    if sent:
        assert pdus(session.request(REFERENCE, 0.0))[0].tlvs == REFERENCE.tlvs
    else:
        with pytest.raises(EncodeError):
            session.request(REFERENCE, 0.0)


def test_tlvs_of_the_peer_are_taken_whatever_was_agreed() -> None:
    session = bound_to(version=tables.SMPP_33, tlvs=Tlvs.NEVER)
    (event,) = session.receive_data(encode(DeliverSm(tlvs=(tlv("message_state", 2),)), 7), 0.0)
    assert isinstance(event, Requested)
    assert event.pdu.tlv_value("message_state") == 2


def test_an_smsc_sends_no_tlv_to_an_esme_of_3_3() -> None:
    smsc = smsc_bound(version=tables.SMPP_33)
    with pytest.raises(EncodeError, match="message_state"):
        smsc.request(DeliverSm(tlvs=(tlv("message_state", 2),)), 0.0)
    with pytest.raises(EncodeError, match="congestion_state"):
        smsc.answer([SubmitSmResp(message_id="1", tlvs=(tlv("congestion_state", 50),), sequence_number=2)])
    unbound = Session(Role.SMSC, now=0.0)
    unbound.receive_data(encode(BindTransmitter(interface_version=0x33, sequence_number=1)), 0.0)
    response = BindTransmitterResp(tlvs=(tlv("sc_interface_version", 0x34),), sequence_number=1)
    with pytest.raises(EncodeError, match="sc_interface_version"):
        unbound.answer([response])
    assert pdus(unbound.answer([BindTransmitterResp(sequence_number=1)]))
    assert unbound.state is State.BOUND_TX


@pytest.mark.parametrize(("version", "characters"), [(0x33, 8), (0x34, 64), (0x50, 64)])
def test_an_id_is_no_longer_than_the_esmes_version_knows(version: int, characters: int) -> None:
    smsc = smsc_bound(version=version)
    assert pdus(smsc.answer([SubmitSmResp(message_id="7" * characters, sequence_number=2)]))
    with pytest.raises(EncodeError, match="message_id"):
        smsc.answer([SubmitSmResp(message_id="7" * (characters + 1), sequence_number=2)])
    # what a peer asks about is given back as it was asked
    if version == tables.SMPP_33:
        assert pdus(smsc.answer([QuerySmResp(message_id="7" * 20, sequence_number=3)]))


NEWER = [row for row in tables.COMMANDS if row.since > tables.SMPP_33 and row.command_id in PDU_BY_ID]


@pytest.mark.parametrize("row", NEWER, ids=lambda row: row.name)
@pytest.mark.parametrize("version", [0x33, 0x34, 0x40, 0x50])
def test_a_command_newer_than_the_session_is_not_sent(row: tables.Command, version: int) -> None:
    role = Role.ESME if row.esme else Role.SMSC
    session = bound_to(version=version) if role is Role.ESME else smsc_bound(version=version)
    if not tables.may_send(role, session.state, row.command_id):
        return
    if row.since <= version:
        assert pdus(session.request(strategies.least(PDU_BY_ID[row.command_id]), 0.0))
    else:
        with pytest.raises(IllegalCommand, match=f"{row.name} is newer than the SMPP 3"):
            session.request(strategies.least(PDU_BY_ID[row.command_id]), 0.0)


def test_a_command_newer_than_what_the_smsc_says_of_itself_is_not_sent() -> None:
    with pytest.raises(IllegalCommand, match=r"newer than the SMPP 3\.4 of this session"):
        bound_to(version=tables.SMPP_50, theirs=tables.SMPP_34).request(PDU_BY_ID[0x111](), 0.0)


def test_a_command_newer_than_the_session_is_taken_all_the_same() -> None:
    (event,) = smsc_bound().receive_data(encode(strategies.least(PDU_BY_ID[0x111]), 7), 0.0)
    assert isinstance(event, Requested)


@pytest.mark.parametrize("version", [0x34, 0x50])
def test_the_255th_octet_and_the_255th_destination_are_of_5_0(version: int) -> None:
    session = bound_to(version=version)
    assert session.request(SubmitSm(short_message=bytes(254)), 0.0)
    assert session.request(SubmitMulti(dest_addresses=(DestAddress(destination_addr="1"),) * 254), 0.0)
    longer = SubmitSm(short_message=bytes(255)), SubmitMulti(dest_addresses=(DestAddress(),) * 255)
    for pdu, field in zip(longer, ("short_message", "number_of_dests"), strict=True):
        if version == tables.SMPP_50:
            assert session.request(pdu, 0.0)
        else:
            with pytest.raises(EncodeError, match=rf"{field}: 255.*, SMPP 3\.4 allows 254"):
                session.request(pdu, 0.0)


# --- misuse ---------------------------------------------------------------------------------------------------


def test_three_requests_before_a_bind_are_enough() -> None:
    smsc = Session(Role.SMSC, now=0.0)
    events = smsc.receive_data(b"".join(encode(SubmitSm(), n) for n in range(1, 6)), 0.0)
    assert [type(event) for event in events] == [Strange, Strange, Strange, LinkDead]
    assert len(pdus(smsc.data_to_send())) == 3
    assert smsc.closed


@pytest.mark.parametrize("command_id", [0x0A, 0x22, 0x10200, 0x110])
def test_an_unknown_request_gets_a_generic_nack_with_its_number(command_id: int) -> None:
    session = smsc_bound()
    (event,) = session.receive_data(encode(UnknownPdu(command_id=command_id, sequence_number=9)), 0.0)
    assert isinstance(event, Strange)
    (nack,) = pdus(session.data_to_send())
    assert nack == GenericNack(command_status=tables.ESME_RINVCMDID, sequence_number=9)


def test_an_unknown_response_gets_no_answer() -> None:
    session = smsc_bound()
    (event,) = session.receive_data(encode(UnknownPdu(command_id=0x80010200, sequence_number=9)), 0.0)
    assert isinstance(event, Strange)
    assert session.data_to_send() == b""


# --- requests and answers -------------------------------------------------------------------------------------


def test_answers_come_back_with_their_tokens_ids_and_times() -> None:
    session = bound_to()
    sent = submit(session, 3, now=5.0)
    events = session.receive_data(accept(sent), 6.0)
    assert tokens(events) == [0, 1, 2]
    first = events[0]
    assert isinstance(first, Answered)
    assert (first.command_status, first.message_id, first.sent_at, first.late) == (0, "id2", 5.0, False)
    assert isinstance(first.response, SubmitSmResp)
    assert session.window.used == 0


@given(st.permutations(range(10)))
def test_answers_may_come_in_any_order(order: list[int]) -> None:
    session = bound_to()
    sent = submit(session, 10)
    assert tokens(session.receive_data(accept([sent[n] for n in order]), 0.0)) == order


def test_the_id_of_a_refusal_means_nothing_and_blanks_around_an_id_neither() -> None:
    session = bound_to()
    first, second = submit(session, 2)
    refusal = SubmitSmResp(message_id="0000", command_status=8, sequence_number=first.sequence_number)
    padded = SubmitSmResp(message_id=" 42 ", sequence_number=second.sequence_number)
    events = session.receive_data(encode(refusal) + encode(padded), 0.0)
    assert [(event.command_status, event.message_id) for event in events if isinstance(event, Answered)] == [
        (8, ""),
        (0, "42"),
    ]


def test_an_acceptance_without_a_body_is_an_acceptance_without_id() -> None:
    session = bound_to()
    (sent,) = submit(session)
    (event,) = session.receive_data(pack(">4L", 16, 0x80000004, 0, sent.sequence_number), 0.0)
    assert isinstance(event, Answered)
    assert (event.command_status, event.message_id) == (0, "")


def test_more_than_the_window_holds_is_refused_and_nothing_is_sent() -> None:
    session = bound_to(window_size=2)
    with pytest.raises(IllegalCommand, match="3 requests, the window has 2 places free"):
        submit(session, 3)
    assert session.window.free == 2
    submit(session, 2)
    with pytest.raises(IllegalCommand):
        session.request(QuerySm(message_id="7"), 0.0)


def test_one_value_that_does_not_fit_stops_the_whole_batch_before_it_starts() -> None:
    session = bound_to()
    before = submit(session)[0].sequence_number
    with pytest.raises(EncodeError):
        session.submit([SubmitSm(), SubmitSm(source_addr="A" * 30)], ["a", "b"], 0.0)
    assert session.window.used == 1
    assert submit(session)[0].sequence_number == before + 1


def test_tokens_and_requests_must_pair_up() -> None:
    session = bound_to()
    with pytest.raises(ValueError, match="zip"):
        session.submit([SubmitSm(), SubmitSm()], ["a"], 0.0)
    assert session.window.used == 0


def test_session_commands_need_no_place_in_a_full_window() -> None:
    session = bound_to(window_size=1)
    submit(session)
    assert session.request(EnquireLink(), 0.0)
    assert session.request(Unbind(), 0.0)
    assert session.window.used == 1


def test_a_query_takes_a_place_and_its_answer_is_told() -> None:
    session = bound_to()
    (sent,) = pdus(session.request(QuerySm(message_id="7"), 1.0, token="query"))
    assert session.window.used == 1
    (event,) = session.receive_data(
        encode(QuerySmResp(message_id="7", message_state=2, sequence_number=sent.sequence_number)), 2.0
    )
    assert isinstance(event, Answered)
    assert (event.token, event.message_id) == ("query", "7")
    assert event.response.message_state == 2  # type: ignore[attr-defined]


@pytest.mark.parametrize(("status", "told"), [(0x58, 0x58), (2, 2), (0, tables.ESME_RUNKNOWNERR)])
def test_a_generic_nack_answers_the_request_with_its_number_and_never_accepts_it(status: int, told: int) -> None:
    session = bound_to()
    (sent,) = submit(session)
    (event,) = session.receive_data(
        encode(GenericNack(command_status=status, sequence_number=sent.sequence_number)), 0.0
    )
    assert isinstance(event, Answered)
    assert event.command_status == told


def test_the_response_of_another_command_leaves_the_request_in_doubt() -> None:
    session = bound_to()
    (sent,) = submit(session)
    events = session.receive_data(encode(DataSmResp(message_id="7", sequence_number=sent.sequence_number)), 0.0)
    assert [type(event) for event in events] == [Strange, Unanswered]
    assert session.window.used == 0
    (late,) = session.receive_data(accept([sent]), 1.0)
    assert isinstance(late, Answered)
    assert late.late


def test_an_answer_to_nothing_and_a_second_answer_are_strange_and_change_nothing() -> None:
    session = bound_to()
    sent = submit(session)
    session.receive_data(accept(sent), 0.0)
    events = session.receive_data(accept(sent), 0.0)
    assert [type(event) for event in events] == [Strange]
    assert session.data_to_send() == b""


def test_three_stray_nacks_within_a_minute_end_the_session() -> None:
    session = bound_to()
    nack = encode(GenericNack(command_status=2))
    assert [type(e) for t in (0.0, 61.0, 100.0) for e in session.receive_data(nack, t)] == [Strange] * 3
    assert [type(event) for event in session.receive_data(nack, 110.0)] == [Strange, LinkDead]


# --- sequence numbers -----------------------------------------------------------------------------------------


def test_sequence_numbers_wrap_to_one_and_pass_over_what_is_in_flight() -> None:
    session = bound_to(first_sequence=MAX_SEQUENCE_NUMBER - 1)
    assert [pdu.sequence_number for pdu in submit(session, 3)] == [MAX_SEQUENCE_NUMBER, 1, 2]
    session._sequence = MAX_SEQUENCE_NUMBER
    assert [pdu.sequence_number for pdu in submit(session, 2)] == [3, 4]


def test_the_number_of_an_overdue_request_is_not_given_again() -> None:
    session = bound_to(first_sequence=5)
    (sent,) = submit(session)
    session.tick(100.0)
    session._sequence = sent.sequence_number
    assert submit(session)[0].sequence_number == sent.sequence_number + 2  # one is the enquire_link of the tick


def test_a_response_keeps_the_peers_number_whatever_it_is() -> None:
    session = bound_to()
    for number in (0, 1, 0xFFFFFFFF):
        (event,) = session.receive_data(encode(DeliverSm(), number), 0.0)
        assert isinstance(event, Requested)
        (answer,) = pdus(session.answer([DeliverSmResp(sequence_number=event.pdu.sequence_number)]))
        assert answer.sequence_number == number


# --- time -----------------------------------------------------------------------------------------------------


def test_a_request_without_answer_is_told_once_and_its_late_answer_still_finds_it() -> None:
    session = bound_to()
    sent = submit(session, 2, now=1.0)
    session.receive_data(accept(sent[:1]), 40.0)
    assert session.next_tick() == 61.0
    (event,) = session.tick(61.0)
    assert isinstance(event, Unanswered)
    assert (event.token, event.sent_at, event.request.command) == (1, 1.0, "submit_sm")
    assert session.window.used == 0
    (late,) = session.receive_data(accept(sent[1:]), 62.0)
    assert isinstance(late, Answered)
    assert (late.token, late.late, late.message_id) == (1, True, "id3")


def test_ticking_at_next_tick_always_gets_ahead() -> None:
    session = bound_to()
    submit(session, 3, now=0.1)
    now, ticks = 0.0, 0
    while (due_at := session.next_tick()) is not None:
        assert due_at > now
        now, ticks = due_at, ticks + 1
        session.tick(now)
    assert session.closed
    assert ticks < 20


def test_silence_is_asked_twice_and_then_the_link_is_dead() -> None:
    session = bound_to()
    assert session.tick(30.0) == []
    assert [pdu.command for pdu in pdus(session.data_to_send())] == ["enquire_link"]
    assert session.tick(40.0) == []
    assert [pdu.command for pdu in pdus(session.data_to_send())] == ["enquire_link"]
    assert session.tick(50.0) == [LinkDead("enquire_link was not answered in time")]
    assert session.next_tick() is None


def test_an_answered_enquire_link_is_no_event_and_starts_the_silence_anew() -> None:
    session = bound_to()
    session.tick(30.0)
    (asked,) = pdus(session.data_to_send())
    assert session.receive_data(encode(EnquireLinkResp(sequence_number=asked.sequence_number)), 31.0) == []
    assert session.next_tick() == 61.0


def test_an_enquire_link_of_the_application_is_answered_with_its_token() -> None:
    session = bound_to()
    (asked,) = pdus(session.request(EnquireLink(), 1.0, token="ping"))
    (event,) = session.receive_data(encode(EnquireLinkResp(sequence_number=asked.sequence_number)), 2.0)
    assert isinstance(event, Answered)
    assert (event.token, event.sent_at) == ("ping", 1.0)


def test_an_enquire_link_of_the_peer_is_answered_at_once_in_every_state_but_closed() -> None:
    for state in set(State) - {State.CLOSED}:
        session = in_state(Role.ESME, state)
        assert session.receive_data(encode(EnquireLink(), 9), 0.0) == []
        assert pdus(session.data_to_send()) == [EnquireLinkResp(sequence_number=9)]
        assert session.data_to_send() == b""


def test_a_peer_that_only_answers_our_enquire_link_is_inactive() -> None:
    session = smsc_bound(timers=Timers(inactivity_s=120.0))
    for now in (30.0, 60.0, 90.0):
        assert session.tick(now) == []
        (asked,) = pdus(session.data_to_send())
        session.receive_data(encode(EnquireLinkResp(sequence_number=asked.sequence_number)), now)
    assert session.tick(120.0) == [LinkDead("nothing was received within the inactivity timer")]


def test_half_a_pdu_is_not_waited_for_for_ever() -> None:
    session = bound_to()
    session.receive_data(encode(DeliverSm())[:10], 5.0)
    assert session.next_tick() == 15.0
    assert session.tick(15.0) == [LinkDead("a PDU was begun and not finished in time")]


# --- the end --------------------------------------------------------------------------------------------------


def test_our_unbind_stops_requests_and_its_answer_ends_the_session() -> None:
    session = bound_to()
    (sent,) = submit(session)
    (unbind,) = pdus(session.request(Unbind(), 1.0))
    for pdu in (SubmitSm(), EnquireLink(), Unbind()):
        with pytest.raises(IllegalCommand, match="after unbind"):
            session.request(pdu, 1.0)
    assert tokens(session.receive_data(accept([sent]), 1.0)) == [0]
    assert session.receive_data(encode(UnbindResp(sequence_number=unbind.sequence_number)), 2.0) == [Unbound()]
    assert session.state is State.UNBOUND
    assert session.next_tick() is None
    assert session.receive_data(b"", 3.0) == []
    assert session.closed


def test_an_unbind_that_is_not_answered_is_given_up() -> None:
    session = bound_to()
    session.request(Unbind(), 1.0)
    assert session.next_tick() == 6.0
    assert session.tick(6.0) == [LinkDead("the unbind was not answered in time")]


def test_an_unbind_of_the_peer_is_answered_and_answers_to_it_may_still_be_given() -> None:
    session = bound_to()
    octets = encode(DeliverSm(), 7) + encode(Unbind(), 8)
    events = session.receive_data(octets, 0.0)
    assert [type(event) for event in events] == [Requested, UnbindReceived]
    assert pdus(session.data_to_send()) == [UnbindResp(sequence_number=8)]
    assert session.state is State.UNBOUND
    assert session.answer([DeliverSmResp(sequence_number=7)])
    with pytest.raises(IllegalCommand):
        submit(session)


def test_unbinds_that_cross_end_the_session_on_both_sides() -> None:
    esme, smsc = bound_to(), smsc_bound()
    from_esme, from_smsc = esme.request(Unbind(), 0.0), smsc.request(Unbind(), 0.0)
    assert esme.receive_data(from_smsc, 0.0) == [UnbindReceived()]
    assert smsc.receive_data(from_esme, 0.0) == [UnbindReceived()]
    assert esme.receive_data(smsc.data_to_send(), 0.0) == [Unbound()]
    assert smsc.receive_data(esme.data_to_send(), 0.0) == [Unbound()]


def test_a_link_that_ends_leaves_the_window_to_be_abandoned() -> None:
    session = bound_to()
    submit(session, 3)
    assert session.receive_data(b"", 1.0) == [LinkDead("the peer closed the link")]
    assert [item.token for item in session.abandon()] == [0, 1, 2]
    assert session.abandon() == []
    with pytest.raises(IllegalCommand):
        submit(session)
    with pytest.raises(IllegalCommand):
        session.answer([DeliverSmResp(sequence_number=1)])


def test_a_link_that_ends_inside_a_pdu_says_so() -> None:
    session = bound_to()
    session.receive_data(encode(DeliverSm())[:20], 1.0)
    assert session.receive_data(b"", 1.0) == [LinkDead("the peer closed the link inside a PDU, after 20 octets of it")]


def test_octets_that_are_no_pdu_end_the_session_after_what_came_before_them() -> None:
    session = bound_to()
    sent = submit(session, 2)
    events = session.receive_data(accept(sent) + pack(">4L", 5, 0, 0, 0), 0.0)
    assert tokens(events) == [0, 1]
    assert events[-1] == LinkDead("command_length 5 is less than the 16 octets of a header")
    assert pdus(session.data_to_send()) == [GenericNack(command_status=tables.ESME_RINVCMDLEN)]
    assert session.receive_data(accept(sent), 0.0) == []


def test_a_long_pdu_is_refused_before_the_bind_and_taken_after_it() -> None:
    long = encode(DataSm(tlvs=(tlv("message_payload", b"x" * 60_000),)), 2)
    stranger = Session(Role.SMSC, now=0.0)
    (event,) = stranger.receive_data(long, 0.0)
    assert event == LinkDead("command_length 60030 is more than the 1024 allowed here")
    (event,) = smsc_bound().receive_data(long, 0.0)
    assert isinstance(event, Requested)


def test_a_first_delivery_may_come_in_one_piece_with_the_bind_response() -> None:
    esme = Session(Role.ESME, now=0.0)
    esme.request(BindReceiver(), 0.0)
    long = encode(DeliverSm(tlvs=(tlv("message_payload", b"x" * 2000),)), 1)
    events = esme.receive_data(encode(BindReceiverResp(sequence_number=1)) + long, 0.0)
    assert [type(event) for event in events] == [Bound, Requested]


# --- odds and ends --------------------------------------------------------------------------------------------


def test_an_alert_is_told_and_needs_no_answer() -> None:
    smsc, esme = smsc_bound(), bound_to()
    (event,) = esme.receive_data(smsc.request(AlertNotification(source_addr="447700900123"), 0.0), 0.0)
    assert isinstance(event, Notified)
    assert esme.data_to_send() == b""
    assert smsc.window.used == 0


def test_only_responses_answer() -> None:
    with pytest.raises(IllegalCommand, match="enquire_link is no response"):
        bound_to().answer([EnquireLink()])


def test_what_a_session_says_of_itself() -> None:
    session = bound_to()
    sent = submit(session, 3)
    session.receive_data(accept(sent[:1]), 5.0)
    session.tick(100.0)
    session.receive_data(accept(sent[1:2]), 101.0)
    numbers = session.statistics()
    assert (numbers.role, numbers.state, numbers.window_size, numbers.window_used) == (
        Role.ESME,
        State.BOUND_TRX,
        10,
        0,
    )
    assert (numbers.tally.answered, numbers.tally.unanswered, numbers.tally.late) == (1, 2, 1)
    assert numbers.heard_at == 101.0
    assert repr(session) == "<Session [esme bound_trx, window 0 of 10]>"


@given(st.binary(max_size=200), st.sampled_from(Role))
def test_no_octets_of_the_peer_raise(octets: bytes, role: Role) -> None:
    session = bound_to() if role is Role.ESME else smsc_bound()
    framed = pack(">L", 16 + len(octets)) + octets + bytes(12)
    session.receive_data(framed, 0.0)
    session.receive_data(octets or b"x", 1.0)
    session.tick(1000.0)


@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(PDU_BY_ID)), st.integers(0, 20), st.sampled_from([0, 4, 0x58])),
        max_size=30,
    )
)
def test_no_sequence_of_pdus_of_the_peer_raises_or_loses_a_token(peer: list[tuple[int, int, int]]) -> None:
    session = bound_to(first_sequence=3)
    submit(session, 5)
    told: list[object] = []
    for command_id, sequence, status in peer:
        pdu = strategies.least(PDU_BY_ID[command_id], command_status=status)
        told += tokens(session.receive_data(encode(pdu, sequence), 0.0))
    told += [item.token for item in session.abandon()]
    assert set(told) == {0, 1, 2, 3, 4}
