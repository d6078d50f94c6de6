"""The numbers inside fields."""

import re
from pathlib import Path

import pytest
from smpplib import consts

from connector.smpp import flags, tables
from connector.smpp.flags import EsmClass, MessageStateNumber, Npi, RegisteredDelivery, Ton
from connector.smpp.receipt import STATE_OF_NUMBER, MessageState


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (consts.SMPP_TON_UNK, Ton.UNKNOWN),
        (consts.SMPP_TON_INTL, Ton.INTERNATIONAL),
        (consts.SMPP_TON_NATNL, Ton.NATIONAL),
        (consts.SMPP_TON_NWSPEC, Ton.NETWORK_SPECIFIC),
        (consts.SMPP_TON_SBSCR, Ton.SUBSCRIBER_NUMBER),
        (consts.SMPP_TON_ALNUM, Ton.ALPHANUMERIC),
        (consts.SMPP_TON_ABBREV, Ton.ABBREVIATED),
        (consts.SMPP_NPI_ISDN, Npi.ISDN),
        (consts.SMPP_NPI_DATA, Npi.DATA),
        (consts.SMPP_NPI_TELEX, Npi.TELEX),
        (consts.SMPP_NPI_LNDMBL, Npi.LAND_MOBILE),
        (consts.SMPP_NPI_NATNL, Npi.NATIONAL),
        (consts.SMPP_NPI_PRVT, Npi.PRIVATE),
        (consts.SMPP_NPI_ERMES, Npi.ERMES),
        (consts.SMPP_NPI_IP, Npi.INTERNET),
        (consts.SMPP_NPI_WAP, Npi.WAP_CLIENT_ID),
        (consts.SMPP_GSMFEAT_UDHI, EsmClass.UDHI),
    ],
)
def test_a_name_has_the_number_another_author_gives_it(theirs: int, ours: int) -> None:
    assert theirs == ours


def test_every_type_of_message_lies_within_the_bits_of_the_type() -> None:
    types = [
        EsmClass.RECEIPT,
        EsmClass.DELIVERY_ACK,
        EsmClass.MANUAL_ACK,
        EsmClass.CONVERSATION_ABORT,
        EsmClass.INTERMEDIATE,
    ]
    assert all(number & flags.ESM_TYPE_BITS == number for number in types)
    assert not (EsmClass.UDHI | EsmClass.REPLY_PATH) & (flags.ESM_TYPE_BITS | flags.ESM_MODE_BITS)
    assert int(EsmClass.STORE_AND_FORWARD) == flags.ESM_MODE_BITS
    assert int(RegisteredDelivery.RECEIPT_ON_SUCCESS) == flags.REGISTERED_RECEIPT_BITS


def test_every_state_has_its_number_and_its_word() -> None:
    assert set(STATE_OF_NUMBER) == set(MessageStateNumber) == set(range(10))
    assert set(STATE_OF_NUMBER.values()) == set(MessageState)


def test_the_tables_say_where_the_other_facts_live() -> None:
    here = Path(tables.__file__).parent
    named = re.findall(r"``(\w+\.py)``", tables.__doc__ or "")
    assert len(named) >= 8
    assert [name for name in named if not (here / name).exists()] == []
