"""The facts as rows."""

import itertools
import re
from pathlib import Path

import pytest
from smpplib import consts

from connector.smpp import tables
from connector.smpp.tables import COMMANDS, STATUSES, TLVS, TRANSITIONS, Role, State, may_receive, may_send

PAIRS = list(itertools.product(Role, State, [row.command_id for row in COMMANDS]))


def ids(*names: str) -> set[int]:
    return {row.command_id for row in COMMANDS if row.name in names}


def test_numbers_and_names_are_unique() -> None:
    for numbers in (
        [row.command_id for row in COMMANDS],
        [row.name for row in COMMANDS],
        [row.tag for row in TLVS],
        [row.name for row in TLVS],
        [row.command_status for row in STATUSES],
        [row.name for row in STATUSES],
    ):
        assert len(numbers) == len(set(numbers))


def test_every_number_smpplib_knows_has_a_row() -> None:
    assert {number for name, number in vars(consts).items() if name.startswith("SMPP_ESME_")} <= set(
        tables.STATUS_BY_NUMBER
    )
    assert set(consts.OPTIONAL_PARAMS.values()) <= set(tables.TLV_BY_TAG)
    assert {name: tables.TLV_BY_NAME[name].tag for name in consts.OPTIONAL_PARAMS} == consts.OPTIONAL_PARAMS


def test_a_constant_has_the_number_of_its_name() -> None:
    for row in STATUSES:
        assert getattr(tables, row.name) == row.command_status


def test_all_rows_of_5_0_are_there() -> None:
    assert {row.command_status for row in STATUSES if row.since == 0x50} == set(range(0x100, 0x113))
    assert sum(row.tag < tables.FIRST_VENDOR_TAG for row in TLVS) == 64


@pytest.mark.parametrize(
    ("role", "state", "commands"),
    [
        (Role.ESME, State.OPEN, {"bind_receiver", "bind_transmitter", "bind_transceiver", "enquire_link"}),
        (Role.SMSC, State.OPEN, {"outbind", "enquire_link"}),
        (Role.ESME, State.BOUND_RX, {"unbind", "enquire_link", "data_sm"}),
        (Role.SMSC, State.BOUND_TX, {"unbind", "enquire_link", "data_sm"}),
        (
            Role.SMSC,
            State.BOUND_RX,
            {"unbind", "enquire_link", "data_sm", "deliver_sm", "alert_notification"},
        ),
        (Role.ESME, State.UNBOUND, {"enquire_link"}),
        (Role.ESME, State.CLOSED, set()),
        (Role.SMSC, State.CLOSED, set()),
    ],
)
def test_what_a_state_allows(role: Role, state: State, commands: set[str]) -> None:
    assert {row.command_id for row in COMMANDS if may_send(role, state, row.command_id)} == ids(*commands)


def test_a_transceiver_may_do_what_a_transmitter_and_a_receiver_may() -> None:
    for role, row in itertools.product(Role, COMMANDS):
        both = may_send(role, State.BOUND_TX, row.command_id) or may_send(role, State.BOUND_RX, row.command_id)
        assert may_send(role, State.BOUND_TRX, row.command_id) == both


@pytest.mark.parametrize(("role", "state", "command_id"), PAIRS)
def test_what_one_may_send_the_other_may_receive(role: Role, state: State, command_id: int) -> None:
    assert may_receive(role.peer, state, command_id) == may_send(role, state, command_id)


def test_responses_are_legal_while_the_link_is_up() -> None:
    assert all(may_send(role, state, 0x80000004) == (state is not State.CLOSED) for role in Role for state in State)


def test_unknown_commands_are_never_legal() -> None:
    assert not any(may_send(role, state, 0x0A) for role in Role for state in State)


def test_every_state_is_reached_and_only_closed_is_left_by_nothing() -> None:
    assert set(TRANSITIONS) == set(State)
    assert {target for moves in TRANSITIONS.values() for target in moves.values()} == set(State) - {State.OPEN}
    assert [state for state, moves in TRANSITIONS.items() if not moves] == [State.CLOSED]


def test_every_stimulus_is_a_command_or_the_end_of_the_link() -> None:
    stimuli = {stimulus for moves in TRANSITIONS.values() for stimulus in moves}
    assert stimuli - {tables.END_OF_LINK} <= set(tables.COMMAND_NAMES.values())


SOURCE = Path(tables.__file__).read_text(encoding="utf-8")


def test_the_tags_a_reader_sees_are_the_tags_of_the_rows() -> None:
    seen = re.findall(r'_tlv\((0x[0-9A-F]{4}), "(\w+)"', SOURCE)
    assert [(int(tag, 16), name) for tag, name in seen] == [(row.tag, row.name) for row in tables.TLVS]
    assert [row.tag for row in tables.TLVS] == sorted(row.tag for row in tables.TLVS)


def test_the_numbers_a_reader_sees_are_the_numbers_of_the_statuses() -> None:
    told = re.findall(r"^(ESME_\w+): Final\[int\] = .*?(0x[0-9A-F]{8})$", SOURCE, re.MULTILINE)
    assert {name: int(number, 16) for name, number in told} == {row.name: row.command_status for row in tables.STATUSES}


@pytest.mark.parametrize(
    ("interface_version", "name"),
    [(0x00, "3.3"), (0x05, "3.3"), (0x33, "3.3"), (0x34, "3.4"), (0x40, "3.4"), (0x50, "5.0"), (0xFF, "5.0")],
)
def test_the_version_of_any_number(interface_version: int, name: str) -> None:
    assert tables.version_of(interface_version).name == name


def test_names_of_commands() -> None:
    assert tables.command_name(0x80000009) == "bind_transceiver_resp"
    assert tables.command_name(0x80000000) == "generic_nack"
    assert tables.command_name(0x8000000B) == "0x8000000B", "outbind has no response"
    assert tables.command_name(0x10200) == "0x00010200"


def test_lengths_of_tlvs_are_ranges_with_both_ends_or_those_named() -> None:
    atag = tables.TLV_BY_NAME["callback_num"]
    assert [length for length in range(30) if atag.accepts(length)] == list(range(4, 20))
    validity = tables.TLV_BY_NAME["ms_validity"]
    assert [length for length in range(6) if validity.accepts(length)] == [1, 4]
    assert tables.TLV_BY_NAME["destination_port"] is tables.TLV_BY_NAME["dest_port"]
