"""The facts of SMPP 3.3, 3.4 and 5.0 as rows: commands and who may send them when, states, TLVs, command_status.

Facts that live beside it: ``flags.py`` what the numbers inside fields mean (TON, NPI, esm_class, registered_delivery,
message_state, networks, USSD); ``pdu.py`` the fields of each PDU; ``alphabet.py`` data_coding; ``shift_tables.py`` the
GSM alphabets; ``udh.py`` the user data header; ``receipt.py`` the words of receipts; ``delivery_errors.py`` the codes
of networks; ``timers.py`` the timers; ``outcomes.py`` what an ESME does about a command_status.
Numbers come from ``smpplib.consts`` wherever it has them; the rest is from the SMPP 5.0 specification.
"""

import enum
from collections.abc import Mapping
from typing import Final

import attrs
from smpplib import consts

HEADER_OCTETS: Final = 16
RESPONSE_BIT: Final = 0x80000000
MAX_SEQUENCE_NUMBER: Final = 0x7FFFFFFF
"""Sequence numbers run from 1 to this and wrap to 1 (SMPP 3.4, 3.2)."""

SMPP_33: Final[int] = consts.SMPP_VERSION_33
SMPP_34: Final[int] = consts.SMPP_VERSION_34
SMPP_50: Final[int] = 0x50


@attrs.frozen
class Version:
    """One row of what the versions differ in for whoever sends."""

    interface_version: int
    name: str
    has_tlvs: bool
    message_id_characters: int
    """Of the ids an SMSC hands out."""
    short_message_octets: int
    destinations: int
    """Of one submit_multi."""


# SMPP 3.4, 3.4 and 5.2.4; SMPP 5.0, 4.7.13.  A command's own row says since when it is there.
VERSIONS: Final = (
    Version(SMPP_33, "3.3", has_tlvs=False, message_id_characters=8, short_message_octets=254, destinations=254),
    Version(SMPP_34, "3.4", has_tlvs=True, message_id_characters=64, short_message_octets=254, destinations=254),
    Version(SMPP_50, "5.0", has_tlvs=True, message_id_characters=64, short_message_octets=255, destinations=255),
)


def version_of(interface_version: int) -> Version:
    """The row of an interface_version: all below 0x34 is 3.3, and what lies between 3.4 and 5.0 is 3.4."""
    return [row for row in VERSIONS if row.interface_version <= max(interface_version, SMPP_33)][-1]


class Role(enum.StrEnum):
    """Who we are on a link."""

    ESME = "esme"
    SMSC = "smsc"

    @property
    def peer(self) -> "Role":
        """The role of the other end."""
        return Role.SMSC if self is Role.ESME else Role.ESME


class State(enum.StrEnum):
    """Where a session stands (SMPP 5.0, 2.3; 3.4 names only OPEN and the three BOUND states)."""

    OPEN = "open"
    """The link is up and nothing is bound."""
    OUTBOUND = "outbound"
    """The SMSC came to the ESME and sent outbind; the ESME answers with a bind request."""
    BOUND_TX = "bound_tx"
    """The ESME may submit."""
    BOUND_RX = "bound_rx"
    """The SMSC may deliver."""
    BOUND_TRX = "bound_trx"
    """Both may."""
    UNBOUND = "unbound"
    """unbind and unbind_resp were exchanged; what is left is to close."""
    CLOSED = "closed"
    """The link is gone, or has to be closed because it cannot be trusted any more."""


# --- commands -------------------------------------------------------------------------------------------------

_OPEN = frozenset({State.OPEN, State.OUTBOUND})
_TX = frozenset({State.BOUND_TX, State.BOUND_TRX})
_RX = frozenset({State.BOUND_RX, State.BOUND_TRX})
_BOUND = _TX | _RX
_CONNECTED = frozenset(State) - {State.CLOSED}
_NEVER: frozenset[State] = frozenset()


@attrs.frozen
class Command:
    """One row of the operation matrix: a request, its response, and the states in which each role may send it."""

    name: str
    command_id: int
    esme: frozenset[State]
    smsc: frozenset[State]
    since: int = SMPP_33
    answered: bool = True

    def states(self, role: Role) -> frozenset[State]:
        """The states in which ``role`` may send the request."""
        return self.esme if role is Role.ESME else self.smsc

    @property
    def response_name(self) -> str:
        """The specification name of the response."""
        return f"{self.name}_resp"

    @property
    def response_id(self) -> int:
        """The command_id of the response (SMPP 3.4, 5.1.2.1)."""
        return self.command_id | RESPONSE_BIT


# SMPP 5.0, 2.4, widened by the looser table of 3.4 (data_sm in every bound state) and by what 3.3 alone knows.
# fmt: off
COMMANDS: Final = (
    Command("bind_receiver",         0x00000001, esme=_OPEN,      smsc=_NEVER),
    Command("bind_transmitter",      0x00000002, esme=_OPEN,      smsc=_NEVER),
    Command("query_sm",              0x00000003, esme=_TX,        smsc=_NEVER),
    Command("submit_sm",             0x00000004, esme=_TX,        smsc=_NEVER),
    Command("deliver_sm",            0x00000005, esme=_NEVER,     smsc=_RX),
    Command("unbind",                0x00000006, esme=_BOUND,     smsc=_BOUND),
    Command("replace_sm",            0x00000007, esme=_TX,        smsc=_NEVER),
    Command("cancel_sm",             0x00000008, esme=_TX,        smsc=_NEVER),
    Command("bind_transceiver",      0x00000009, esme=_OPEN,      smsc=_NEVER, since=SMPP_34),
    Command("outbind",               0x0000000B, esme=_NEVER,     smsc=frozenset({State.OPEN}), since=SMPP_34,
            answered=False),
    Command("enquire_link",          0x00000015, esme=_CONNECTED, smsc=_CONNECTED),
    Command("submit_multi",          0x00000021, esme=_TX,        smsc=_NEVER),
    Command("alert_notification",    0x00000102, esme=_NEVER,     smsc=_RX,    since=SMPP_34, answered=False),
    Command("data_sm",               0x00000103, esme=_BOUND,     smsc=_BOUND, since=SMPP_34),
    Command("broadcast_sm",          0x00000111, esme=_TX,        smsc=_NEVER, since=SMPP_50),
    Command("query_broadcast_sm",    0x00000112, esme=_TX,        smsc=_NEVER, since=SMPP_50),
    Command("cancel_broadcast_sm",   0x00000113, esme=_TX,        smsc=_NEVER, since=SMPP_50),
    # Known only to 3.3: recognised by name, kept as raw octets.  A vendor's own command is one more row here and, when
    # its fields matter, one class in pdu.py.
    Command("param_retrieve",        0x00000022, esme=_TX,        smsc=_NEVER),
    Command("query_last_msgs",       0x00000023, esme=_TX,        smsc=_NEVER),
    Command("query_msg_details",     0x00000024, esme=_TX,        smsc=_NEVER),
)
# fmt: on

GENERIC_NACK_ID: Final = RESPONSE_BIT
VENDOR_COMMAND_IDS: Final = range(0x00010200, 0x00010300)
"""Requests a vendor may define (SMPP 3.4, 5.1.2.1); their responses have bit 31 set as always."""

COMMAND_BY_ID: Final[Mapping[int, Command]] = {row.command_id: row for row in COMMANDS}
COMMAND_NAMES: Final[Mapping[int, str]] = (
    {row.command_id: row.name for row in COMMANDS}
    | {row.response_id: row.response_name for row in COMMANDS if row.answered}
    | {GENERIC_NACK_ID: "generic_nack"}
)


def command_name(command_id: int) -> str:
    """The specification name of a command_id, or the number as ``0x00010200`` where there is none."""
    return COMMAND_NAMES.get(command_id) or f"0x{command_id:08X}"


def may_send(role: Role, state: State, command_id: int) -> bool:
    """Say whether ``role`` may send this command in ``state``.

    A response is legal as long as the link is up: whether its request was legal was settled when that came.
    """
    if command_id & RESPONSE_BIT:
        return state is not State.CLOSED
    command = COMMAND_BY_ID.get(command_id)
    return command is not None and state in command.states(role)


def may_receive(role: Role, state: State, command_id: int) -> bool:
    """Say whether the peer of ``role`` may send this command in ``state``: the same truth, asked from here."""
    return may_send(role.peer, state, command_id)


# A command with command_status 0, sent or received, moves both ends of a session alike; only the link's end is no PDU.
END_OF_LINK: Final = "end of link"
_BINDS: Final = {
    "bind_transmitter_resp": State.BOUND_TX,
    "bind_receiver_resp": State.BOUND_RX,
    "bind_transceiver_resp": State.BOUND_TRX,
}
TRANSITIONS: Final[Mapping[State, Mapping[str, State]]] = {
    State.OPEN: {"outbind": State.OUTBOUND, **_BINDS, END_OF_LINK: State.CLOSED},
    State.OUTBOUND: {**_BINDS, END_OF_LINK: State.CLOSED},
    State.BOUND_TX: {"unbind_resp": State.UNBOUND, END_OF_LINK: State.CLOSED},
    State.BOUND_RX: {"unbind_resp": State.UNBOUND, END_OF_LINK: State.CLOSED},
    State.BOUND_TRX: {"unbind_resp": State.UNBOUND, END_OF_LINK: State.CLOSED},
    State.UNBOUND: {END_OF_LINK: State.CLOSED},
    State.CLOSED: {},
}

BOUND_STATES: Final = _BOUND
UNBOUND_STATES: Final = _OPEN
"""Where a bind is still to come."""
BIND_COMMANDS: Final = frozenset(name.removesuffix("_resp") for name in _BINDS)
BIND_RESPONSES: Final = frozenset(_BINDS)


# --- TLVs -----------------------------------------------------------------------------------------------------


class TlvKind(enum.StrEnum):
    """How the value of a TLV is read."""

    INT = "int"
    CSTRING = "C-octet string"
    OCTETS = "octets"
    DIGITS = "digits"


@attrs.frozen
class TlvSpec:
    """One row of the TLV table; ``octets`` holds the smallest and the largest length of the value.

    ``pdus`` says where it belongs: S submit_sm, M submit_multi, D data_sm, L deliver_sm, P replace_sm, R their
    responses, B bind responses, A alert_notification, C broadcast_sm, Q query and cancel of broadcasts.
    """

    tag: int
    name: str
    kind: TlvKind
    octets: tuple[int, ...]
    pdus: str = ""
    note: str = ""
    since: int = SMPP_34
    """For the reader: on an older session it may be sent all the same, because whoever does not know a TLV skips it
    (SMPP 3.4, 3.3), and carriers bound with 3.4 ask for TLVs of 5.0."""
    exact: bool = False
    """True where only the lengths named are right, and none between them."""

    def accepts(self, length: int) -> bool:
        """Say whether a value of ``length`` octets is one the specification allows."""
        if self.exact:
            return length in self.octets
        return self.octets[0] <= length <= self.octets[-1]


INT, CSTRING, OCTETS, DIGITS = TlvKind
_NAMES_OF_34: Final = {"dest_port": "destination_port"}


def _tlv(
    tag: int,
    name: str,
    kind: TlvKind,
    octets: tuple[int, ...],
    pdus: str,
    note: str,
    *,
    since: int = SMPP_34,
    exact: bool = False,
) -> TlvSpec:
    """A row; a test holds its tag equal to smpplib's where that knows the name."""
    return TlvSpec(tag, name, kind, octets, pdus, note, since, exact)


FIRST_VENDOR_TAG: Final = 0x1400
"""From here to 0x3FFF tags are vendors' own (SMPP 5.0, 4.8.1)."""

# SMPP 3.4, 5.3.2 and SMPP 5.0, 4.8.4, in the order of the tags.  An integer of two lengths is written with the longer.
# A vendor's own TLV is one more row.
# fmt: off
TLVS: Final = (
    _tlv(0x0005, "dest_addr_subunit",            INT,     (1,),       "SMDLC",
         "0 unknown, 1 display (flash), 2 phone memory, 3 SIM, 4 external unit"),
    _tlv(0x0006, "dest_network_type",            INT,     (1,),       "SD",
         "0 unknown, 1 GSM, 2 TDMA, 3 CDMA, 4 PDC, 5 PHS, 6 iDEN, 7 AMPS, 8 paging"),
    _tlv(0x0007, "dest_bearer_type",             INT,     (1,),       "SD",
         "0 unknown, 1 SMS, 2 CSD, 3 packet, 4 USSD, 5 CDPD, 6 DataTAC, 7 FLEX, 8 broadcast"),
    _tlv(0x0008, "dest_telematics_id",           INT,     (2,),       "SD",
         "first octet = GSM protocol id, second reserved"),
    _tlv(0x000D, "source_addr_subunit",          INT,     (1,),       "SMDLC",  "as dest_addr_subunit"),
    _tlv(0x000E, "source_network_type",          INT,     (1,),       "SDL",
         "as dest_network_type; common in receipts"),
    _tlv(0x000F, "source_bearer_type",           INT,     (1,),       "SD",     "as dest_bearer_type"),
    _tlv(0x0010, "source_telematics_id",         INT,     (1,),       "SD",
         "one octet, although dest_telematics_id has two"),
    _tlv(0x0017, "qos_time_to_live",             INT,     (4,),       "SD",     "seconds; overrides validity_period"),
    _tlv(0x0019, "payload_type",                 INT,     (1,),       "SMDLC",  "0 default (WDP), 1 WCMP"),
    _tlv(0x001D, "additional_status_info_text",  CSTRING, (1, 256),   "R",      "human text, log it"),
    _tlv(0x001E, "receipted_message_id",         CSTRING, (1, 65),    "LD",
         "id being receipted; NUL sometimes missing"),
    _tlv(0x0030, "ms_msg_wait_facilities",       INT,     (1,),       "SD",
         "bit 7 on/off, bits 1-0: 0 voice, 1 fax, 2 e-mail, 3 other"),
    _tlv(0x0201, "privacy_indicator",            INT,     (1,),       "SMDLC",  "0-3"),
    _tlv(0x0202, "source_subaddress",            OCTETS,  (2, 23),    "SMDLC",
         "first octet 0x80 NSAP even, 0x88 NSAP odd, 0xA0 user"),
    _tlv(0x0203, "dest_subaddress",              OCTETS,  (2, 23),    "SDLC",
         "as source_subaddress; not in submit_multi"),
    _tlv(0x0204, "user_message_reference",       INT,     (2,),       "SMDLCQ",
         "our own number; some SMSCs echo it in the receipt"),
    _tlv(0x0205, "user_response_code",           INT,     (1,),       "SDL",    ""),
    _tlv(0x020A, "source_port",                  INT,     (2,),       "SMDLC",  "not together with UDHI"),
    _tlv(0x020B, "dest_port",                    INT,     (2,),       "SMDLC",  "not together with UDHI"),
    _tlv(0x020C, "sar_msg_ref_num",              INT,     (2,),       "SMDL",   "counts only with both other sar TLVs"),
    _tlv(0x020D, "language_indicator",           INT,     (1,),       "SMDLC",  "0 none, 1 en, 2 fr, 3 es, 4 de, 5 pt"),
    _tlv(0x020E, "sar_total_segments",           INT,     (1,),       "SMDL",   "1-255"),
    _tlv(0x020F, "sar_segment_seqnum",           INT,     (1,),       "SMDL",   "1-255, starts at 1"),
    _tlv(0x0210, "sc_interface_version",         INT,     (1,),       "B",      "0x34, 0x50"),
    _tlv(0x0302, "callback_num_pres_ind",        INT,     (1,),       "SMDLC",
         "bits 3-2 presentation, bits 1-0 screening; repeats with callback_num"),
    _tlv(0x0303, "callback_num_atag",            OCTETS,  (1, 65),    "SMDLC",
         "first octet is a data_coding; repeats"),
    _tlv(0x0304, "number_of_messages",           INT,     (1,),       "SD",     "0-99 waiting messages (CDMA)"),
    _tlv(0x0381, "callback_num",                 OCTETS,  (4, 19),    "SMDLC",
         "digit mode, TON, NPI, then ASCII digits; may repeat"),
    _tlv(0x0420, "dpf_result",                   INT,     (1,),       "RDL",    "0 not set, 1 set"),
    _tlv(0x0421, "set_dpf",                      INT,     (1,),       "SD",     "0 no, 1 yes"),
    _tlv(0x0422, "ms_availability_status",       INT,     (1,),       "A",
         "0 available, 1 denied, 2 unavailable; absent = available"),
    _tlv(0x0423, "network_error_code",           OCTETS,  (3,),       "LDR",    "type of network (1) + its code (2)"),
    _tlv(0x0424, "message_payload",              OCTETS,  (0, 65535), "SMDLCP",
         "either this or short_message; then sm_length = 0"),
    _tlv(0x0425, "delivery_failure_reason",      INT,     (1,),       "R",
         "0 destination unavailable, 1 address invalid, 2 permanent, 3 temporary network error"),
    _tlv(0x0426, "more_messages_to_send",        INT,     (1,),       "SD",
         "0 last, 1 more; also seen in receipts"),
    _tlv(0x0427, "message_state",                INT,     (1,),       "LDQ",    "the state of the message"),
    _tlv(0x0428, "congestion_state",             INT,     (1,),       "RBQ",    "0-100", since=SMPP_50),
    _tlv(0x0501, "ussd_service_op",              INT,     (1,),       "SDL",    "step of the USSD dialogue"),
    _tlv(0x0600, "broadcast_channel_indicator",  INT,     (1,),       "C",      "0 basic, 1 extended", since=SMPP_50),
    _tlv(0x0601, "broadcast_content_type",       OCTETS,  (3,),       "CQ",
         "network tag (1) + type (2)", since=SMPP_50),
    _tlv(0x0602, "broadcast_content_type_info",  OCTETS,  (1, 255),   "C",      "free", since=SMPP_50),
    _tlv(0x0603, "broadcast_message_class",      INT,     (1,),       "C",
         "0 none, 1-3 (text of the table prints 0x02 twice)", since=SMPP_50),
    _tlv(0x0604, "broadcast_rep_num",            INT,     (2,),       "C",
         "0 = unlimited or derived", since=SMPP_50),
    _tlv(0x0605, "broadcast_frequency_interval", OCTETS,  (3,),       "C",
         "unit (0 always, 8 s, 9 min, 10 h, 11 d, 12 w, 13 months, 14 y) and count", since=SMPP_50),
    _tlv(0x0606, "broadcast_area_identifier",    OCTETS,  (1, 101),   "CQ",
         "format (0 name, 1 ellipsoid arc, 2 polygon) + up to 100; repeats; also the 'failed' list", since=SMPP_50),
    _tlv(0x0607, "broadcast_error_status",       INT,     (4,),       "C",
         "a command_status, one per failed area", since=SMPP_50),
    _tlv(0x0608, "broadcast_area_success",       INT,     (1,),       "Q",      "0-100 %, 255 unknown", since=SMPP_50),
    _tlv(0x0609, "broadcast_end_time",           CSTRING, (16, 17),   "Q",      "absolute time", since=SMPP_50),
    _tlv(0x060A, "broadcast_service_group",      OCTETS,  (1, 255),   "C",      "free", since=SMPP_50),
    _tlv(0x060B, "billing_identification",       OCTETS,  (1, 1024),  "SD",
         "first octet: bit 7 set = vendor format", since=SMPP_50),
    _tlv(0x060D, "source_network_id",            CSTRING, (7, 65),    "SDL",
         "'1'+MCC+MNC, '2'+MCC+SID, '3'+...; needs the node id", since=SMPP_50),
    _tlv(0x060E, "dest_network_id",              CSTRING, (7, 65),    "SDL",    "as source_network_id", since=SMPP_50),
    _tlv(0x060F, "source_node_id",               DIGITS,  (6,),       "SDL",
         "five octets seen in the field", since=SMPP_50),
    _tlv(0x0610, "dest_node_id",                 DIGITS,  (6,),       "SDL",    "", since=SMPP_50),
    _tlv(0x0611, "dest_addr_np_resolution",      INT,     (1,),       "SDL",
         "0 not asked, 1 asked and not ported, 2 ported", since=SMPP_50),
    _tlv(0x0612, "dest_addr_np_information",     OCTETS,  (10,),      "SDL",    "routing number", since=SMPP_50),
    _tlv(0x0613, "dest_addr_np_country",         OCTETS,  (1, 5),     "SDL",    "country code", since=SMPP_50),
    _tlv(0x1201, "display_time",                 INT,     (1,),       "SMDC",   "0 temporary, 1 default, 2 invoke"),
    _tlv(0x1203, "sms_signal",                   INT,     (2,),       "SMDC",   "TDMA tone"),
    _tlv(0x1204, "ms_validity",                  OCTETS,  (1, 4),     "SMDC",
         "0 indefinite, 1 power down, 2 until area changes, 3 display only, 4 relative: unit and count", exact=True),
    _tlv(0x130C, "alert_on_message_delivery",    INT,     (0, 1),     "SMDC",   "presence is the signal"),
    _tlv(0x1380, "its_reply_type",               INT,     (1,),       "SDL",    "Korean CDMA, 0-8"),
    _tlv(0x1383, "its_session_info",             OCTETS,  (2,),       "SDL",
         "session, sequence (7 bits) + end flag"),
)
# fmt: on

TLV_BY_TAG: Final[Mapping[int, TlvSpec]] = {row.tag: row for row in TLVS}
TLV_BY_NAME: Final[Mapping[str, TlvSpec]] = {row.name: row for row in TLVS} | {
    name_34: row for row in TLVS if (name_34 := _NAMES_OF_34.get(row.name))
}


MANDATORY_TLVS: Final[Mapping[str, frozenset[int]]] = {
    "broadcast_sm": frozenset(
        TLV_BY_NAME[name].tag
        for name in (
            "broadcast_area_identifier",
            "broadcast_content_type",
            "broadcast_rep_num",
            "broadcast_frequency_interval",
        )
    ),
}
"""Command to the tags without which its PDU is answered by ESME_RMISSINGTLV (SMPP 5.0, 4.4.1)."""


# --- command_status -------------------------------------------------------------------------------------------


class StatusClass(enum.StrEnum):
    """What a command_status asks of an ESME."""

    OK = "ok"
    """Accepted: wait for the receipt."""
    THROTTLE = "throttle"
    """We are too fast: slow this bind down and send again; no attempt is counted."""
    TRANSIENT = "transient"
    """The SMSC cannot now: again later, a bounded number of times."""
    MESSAGE = "message"
    """This message will never pass here: final, and no fault of the route."""
    ROUTE = "route"
    """This carrier refuses, another may accept."""
    BIND = "bind"
    """The session or the account is at fault: stop submitting on this bind."""
    BUG = "bug"
    """Our encoding or our state is wrong: final, and somebody has to look."""


@attrs.frozen
class Status:
    """One row of the command_status table; ``name_34`` is the name 3.4 gives to the same number."""

    command_status: int
    name: str
    status_class: StatusClass
    meaning: str
    name_34: str | None = None
    since: int = SMPP_33


ESME_ROK: Final[int] = consts.SMPP_ESME_ROK  # 0x00000000
ESME_RINVMSGLEN: Final[int] = consts.SMPP_ESME_RINVMSGLEN  # 0x00000001
ESME_RINVCMDLEN: Final[int] = consts.SMPP_ESME_RINVCMDLEN  # 0x00000002
ESME_RINVCMDID: Final[int] = consts.SMPP_ESME_RINVCMDID  # 0x00000003
ESME_RINVBNDSTS: Final[int] = consts.SMPP_ESME_RINVBNDSTS  # 0x00000004
ESME_RALYBND: Final[int] = consts.SMPP_ESME_RALYBND  # 0x00000005
ESME_RINVPRTFLG: Final[int] = consts.SMPP_ESME_RINVPRTFLG  # 0x00000006
ESME_RINVREGDLVFLG: Final[int] = consts.SMPP_ESME_RINVREGDLVFLG  # 0x00000007
ESME_RSYSERR: Final[int] = consts.SMPP_ESME_RSYSERR  # 0x00000008
ESME_RINVSRCADR: Final[int] = consts.SMPP_ESME_RINVSRCADR  # 0x0000000A
ESME_RINVDSTADR: Final[int] = consts.SMPP_ESME_RINVDSTADR  # 0x0000000B
ESME_RINVMSGID: Final[int] = consts.SMPP_ESME_RINVMSGID  # 0x0000000C
ESME_RBINDFAIL: Final[int] = consts.SMPP_ESME_RBINDFAIL  # 0x0000000D
ESME_RINVPASWD: Final[int] = consts.SMPP_ESME_RINVPASWD  # 0x0000000E
ESME_RINVSYSID: Final[int] = consts.SMPP_ESME_RINVSYSID  # 0x0000000F
ESME_RCANCELFAIL: Final[int] = consts.SMPP_ESME_RCANCELFAIL  # 0x00000011
ESME_RREPLACEFAIL: Final[int] = consts.SMPP_ESME_RREPLACEFAIL  # 0x00000013
ESME_RMSGQFUL: Final[int] = consts.SMPP_ESME_RMSGQFUL  # 0x00000014
ESME_RINVSERTYP: Final[int] = consts.SMPP_ESME_RINVSERTYP  # 0x00000015
ESME_RINVNUMDESTS: Final[int] = consts.SMPP_ESME_RINVNUMDESTS  # 0x00000033
ESME_RINVDLNAME: Final[int] = consts.SMPP_ESME_RINVDLNAME  # 0x00000034
ESME_RINVDESTFLAG: Final[int] = consts.SMPP_ESME_RINVDESTFLAG  # 0x00000040
ESME_RINVSUBREP: Final[int] = consts.SMPP_ESME_RINVSUBREP  # 0x00000042
ESME_RINVESMCLASS: Final[int] = consts.SMPP_ESME_RINVESMCLASS  # 0x00000043
ESME_RCNTSUBDL: Final[int] = consts.SMPP_ESME_RCNTSUBDL  # 0x00000044
ESME_RSUBMITFAIL: Final[int] = consts.SMPP_ESME_RSUBMITFAIL  # 0x00000045
ESME_RINVSRCTON: Final[int] = consts.SMPP_ESME_RINVSRCTON  # 0x00000048
ESME_RINVSRCNPI: Final[int] = consts.SMPP_ESME_RINVSRCNPI  # 0x00000049
ESME_RINVDSTTON: Final[int] = consts.SMPP_ESME_RINVDSTTON  # 0x00000050
ESME_RINVDSTNPI: Final[int] = consts.SMPP_ESME_RINVDSTNPI  # 0x00000051
ESME_RINVSYSTYP: Final[int] = consts.SMPP_ESME_RINVSYSTYP  # 0x00000053
ESME_RINVREPFLAG: Final[int] = consts.SMPP_ESME_RINVREPFLAG  # 0x00000054
ESME_RINVNUMMSGS: Final[int] = consts.SMPP_ESME_RINVNUMMSGS  # 0x00000055
ESME_RTHROTTLED: Final[int] = consts.SMPP_ESME_RTHROTTLED  # 0x00000058
ESME_RINVSCHED: Final[int] = consts.SMPP_ESME_RINVSCHED  # 0x00000061
ESME_RINVEXPIRY: Final[int] = consts.SMPP_ESME_RINVEXPIRY  # 0x00000062
ESME_RINVDFTMSGID: Final[int] = consts.SMPP_ESME_RINVDFTMSGID  # 0x00000063
ESME_RX_T_APPN: Final[int] = consts.SMPP_ESME_RX_T_APPN  # 0x00000064
ESME_RX_P_APPN: Final[int] = consts.SMPP_ESME_RX_P_APPN  # 0x00000065
ESME_RX_R_APPN: Final[int] = consts.SMPP_ESME_RX_R_APPN  # 0x00000066
ESME_RQUERYFAIL: Final[int] = consts.SMPP_ESME_RQUERYFAIL  # 0x00000067
ESME_RINVTLVSTREAM: Final[int] = consts.SMPP_ESME_RINVOPTPARSTREAM  # 0x000000C0
ESME_RTLVNOTALLWD: Final[int] = consts.SMPP_ESME_ROPTPARNOTALLWD  # 0x000000C1
ESME_RINVTLVLEN: Final[int] = consts.SMPP_ESME_RINVPARLEN  # 0x000000C2
ESME_RMISSINGTLV: Final[int] = consts.SMPP_ESME_RMISSINGOPTPARAM  # 0x000000C3
ESME_RINVTLVVAL: Final[int] = consts.SMPP_ESME_RINVOPTPARAMVAL  # 0x000000C4
ESME_RDELIVERYFAILURE: Final[int] = consts.SMPP_ESME_RDELIVERYFAILURE  # 0x000000FE
ESME_RUNKNOWNERR: Final[int] = consts.SMPP_ESME_RUNKNOWNERR  # 0x000000FF
ESME_RSERTYPUNAUTH: Final[int] = 0x00000100
ESME_RPROHIBITED: Final[int] = 0x00000101
ESME_RSERTYPUNAVAIL: Final[int] = 0x00000102
ESME_RSERTYPDENIED: Final[int] = 0x00000103
ESME_RINVDCS: Final[int] = 0x00000104
ESME_RINVSRCADDRSUBUNIT: Final[int] = 0x00000105
ESME_RINVDSTADDRSUBUNIT: Final[int] = 0x00000106
ESME_RINVBCASTFREQINT: Final[int] = 0x00000107
ESME_RINVBCASTALIAS_NAME: Final[int] = 0x00000108
ESME_RINVBCASTAREAFMT: Final[int] = 0x00000109
ESME_RINVNUMBCAST_AREAS: Final[int] = 0x0000010A
ESME_RINVBCASTCNTTYPE: Final[int] = 0x0000010B
ESME_RINVBCASTMSGCLASS: Final[int] = 0x0000010C
ESME_RBCASTFAIL: Final[int] = 0x0000010D
ESME_RBCASTQUERYFAIL: Final[int] = 0x0000010E
ESME_RBCASTCANCELFAIL: Final[int] = 0x0000010F
ESME_RINVBCAST_REP: Final[int] = 0x00000110
ESME_RINVBCASTSRVGRP: Final[int] = 0x00000111
ESME_RINVBCASTCHANIND: Final[int] = 0x00000112

OK, THROTTLE, TRANSIENT, MESSAGE, ROUTE, BIND, BUG = StatusClass

# The class is that of an answer to submit_sm, data_sm or one destination of submit_multi.  ESME_RDELIVERYFAILURE is
# refined by delivery_failure_reason, which outcomes.py does.
# fmt: off
STATUSES: Final = (
    Status(ESME_ROK, "ESME_ROK", OK, "no error"),
    Status(ESME_RINVMSGLEN, "ESME_RINVMSGLEN", MESSAGE, "message length invalid"),
    Status(ESME_RINVCMDLEN, "ESME_RINVCMDLEN", BUG, "command length invalid"),
    Status(ESME_RINVCMDID, "ESME_RINVCMDID", BUG, "command id invalid"),
    Status(ESME_RINVBNDSTS, "ESME_RINVBNDSTS", BIND, "wrong bind state"),
    Status(ESME_RALYBND, "ESME_RALYBND", BIND, "already bound"),
    Status(ESME_RINVPRTFLG, "ESME_RINVPRTFLG", BUG, "priority_flag"),
    Status(ESME_RINVREGDLVFLG, "ESME_RINVREGDLVFLG", BUG, "registered_delivery"),
    Status(ESME_RSYSERR, "ESME_RSYSERR", TRANSIENT, "system error"),
    Status(ESME_RINVSRCADR, "ESME_RINVSRCADR", ROUTE, "source address"),
    Status(ESME_RINVDSTADR, "ESME_RINVDSTADR", MESSAGE, "destination address"),
    Status(ESME_RINVMSGID, "ESME_RINVMSGID", MESSAGE, "message id"),
    Status(ESME_RBINDFAIL, "ESME_RBINDFAIL", BIND, "bind failed"),
    Status(ESME_RINVPASWD, "ESME_RINVPASWD", BIND, "password"),
    Status(ESME_RINVSYSID, "ESME_RINVSYSID", BIND, "system_id"),
    Status(ESME_RCANCELFAIL, "ESME_RCANCELFAIL", MESSAGE, "cancel failed"),
    Status(ESME_RREPLACEFAIL, "ESME_RREPLACEFAIL", MESSAGE, "replace failed"),
    Status(ESME_RMSGQFUL, "ESME_RMSGQFUL", THROTTLE, "queue full"),
    Status(ESME_RINVSERTYP, "ESME_RINVSERTYP", BUG, "service_type"),
    Status(ESME_RINVNUMDESTS, "ESME_RINVNUMDESTS", BUG, "number_of_dests"),
    Status(ESME_RINVDLNAME, "ESME_RINVDLNAME", MESSAGE, "list name"),
    Status(ESME_RINVDESTFLAG, "ESME_RINVDESTFLAG", BUG, "dest_flag"),
    Status(ESME_RINVSUBREP, "ESME_RINVSUBREP", BUG, "submit with replace"),
    Status(ESME_RINVESMCLASS, "ESME_RINVESMCLASS", BUG, "esm_class"),
    Status(ESME_RCNTSUBDL, "ESME_RCNTSUBDL", MESSAGE, "distribution list"),
    Status(ESME_RSUBMITFAIL, "ESME_RSUBMITFAIL", ROUTE, "submit failed"),
    Status(ESME_RINVSRCTON, "ESME_RINVSRCTON", BUG, "source TON"),
    Status(ESME_RINVSRCNPI, "ESME_RINVSRCNPI", BUG, "source NPI"),
    Status(ESME_RINVDSTTON, "ESME_RINVDSTTON", BUG, "destination TON"),
    Status(ESME_RINVDSTNPI, "ESME_RINVDSTNPI", BUG, "destination NPI"),
    Status(ESME_RINVSYSTYP, "ESME_RINVSYSTYP", BIND, "system_type"),
    Status(ESME_RINVREPFLAG, "ESME_RINVREPFLAG", BUG, "replace_if_present_flag"),
    Status(ESME_RINVNUMMSGS, "ESME_RINVNUMMSGS", BUG, "number of messages"),
    Status(ESME_RTHROTTLED, "ESME_RTHROTTLED", THROTTLE, "throttled"),
    Status(ESME_RINVSCHED, "ESME_RINVSCHED", BUG, "schedule time"),
    Status(ESME_RINVEXPIRY, "ESME_RINVEXPIRY", BUG, "validity period"),
    Status(ESME_RINVDFTMSGID, "ESME_RINVDFTMSGID", BUG, "canned message"),
    Status(ESME_RX_T_APPN, "ESME_RX_T_APPN", TRANSIENT, "receiver temporary"),
    Status(ESME_RX_P_APPN, "ESME_RX_P_APPN", MESSAGE, "receiver permanent"),
    Status(ESME_RX_R_APPN, "ESME_RX_R_APPN", ROUTE, "receiver rejects"),
    Status(ESME_RQUERYFAIL, "ESME_RQUERYFAIL", MESSAGE, "query failed"),
    Status(ESME_RINVTLVSTREAM, "ESME_RINVTLVSTREAM", BUG, "TLV area broken", name_34="ESME_RINVOPTPARSTREAM"),
    Status(ESME_RTLVNOTALLWD, "ESME_RTLVNOTALLWD", BUG, "TLV not allowed", name_34="ESME_ROPTPARNOTALLWD"),
    Status(ESME_RINVTLVLEN, "ESME_RINVTLVLEN", BUG, "TLV length", name_34="ESME_RINVPARLEN"),
    Status(ESME_RMISSINGTLV, "ESME_RMISSINGTLV", BUG, "TLV missing", name_34="ESME_RMISSINGOPTPARAM"),
    Status(ESME_RINVTLVVAL, "ESME_RINVTLVVAL", BUG, "TLV value", name_34="ESME_RINVOPTPARAMVAL"),
    Status(ESME_RDELIVERYFAILURE, "ESME_RDELIVERYFAILURE", TRANSIENT, "delivery failed"),
    Status(ESME_RUNKNOWNERR, "ESME_RUNKNOWNERR", TRANSIENT, "unknown"),
    Status(ESME_RSERTYPUNAUTH, "ESME_RSERTYPUNAUTH", ROUTE, "service_type not authorised", since=SMPP_50),
    Status(ESME_RPROHIBITED, "ESME_RPROHIBITED", ROUTE, "operation prohibited", since=SMPP_50),
    Status(ESME_RSERTYPUNAVAIL, "ESME_RSERTYPUNAVAIL", TRANSIENT, "service_type down", since=SMPP_50),
    Status(ESME_RSERTYPDENIED, "ESME_RSERTYPDENIED", MESSAGE, "content does not suit the service", since=SMPP_50),
    Status(ESME_RINVDCS, "ESME_RINVDCS", BUG, "data_coding", since=SMPP_50),
    Status(ESME_RINVSRCADDRSUBUNIT, "ESME_RINVSRCADDRSUBUNIT", BUG, "source subunit", since=SMPP_50),
    Status(ESME_RINVDSTADDRSUBUNIT, "ESME_RINVDSTADDRSUBUNIT", BUG, "destination subunit", since=SMPP_50),
    Status(ESME_RINVBCASTFREQINT, "ESME_RINVBCASTFREQINT", BUG, "frequency interval", since=SMPP_50),
    Status(ESME_RINVBCASTALIAS_NAME, "ESME_RINVBCASTALIAS_NAME", BUG, "alias name", since=SMPP_50),
    Status(ESME_RINVBCASTAREAFMT, "ESME_RINVBCASTAREAFMT", BUG, "area format", since=SMPP_50),
    Status(ESME_RINVNUMBCAST_AREAS, "ESME_RINVNUMBCAST_AREAS", BUG, "number of areas", since=SMPP_50),
    Status(ESME_RINVBCASTCNTTYPE, "ESME_RINVBCASTCNTTYPE", BUG, "content type", since=SMPP_50),
    Status(ESME_RINVBCASTMSGCLASS, "ESME_RINVBCASTMSGCLASS", BUG, "message class", since=SMPP_50),
    Status(ESME_RBCASTFAIL, "ESME_RBCASTFAIL", ROUTE, "broadcast failed", since=SMPP_50),
    Status(ESME_RBCASTQUERYFAIL, "ESME_RBCASTQUERYFAIL", MESSAGE, "broadcast query failed", since=SMPP_50),
    Status(ESME_RBCASTCANCELFAIL, "ESME_RBCASTCANCELFAIL", MESSAGE, "broadcast cancel failed", since=SMPP_50),
    Status(ESME_RINVBCAST_REP, "ESME_RINVBCAST_REP", BUG, "repetitions", since=SMPP_50),
    Status(ESME_RINVBCASTSRVGRP, "ESME_RINVBCASTSRVGRP", BUG, "service group", since=SMPP_50),
    Status(ESME_RINVBCASTCHANIND, "ESME_RINVBCASTCHANIND", BUG, "channel indicator", since=SMPP_50),
)
# fmt: on

STATUS_BY_NUMBER: Final[Mapping[int, Status]] = {row.command_status: row for row in STATUSES}
VENDOR_STATUSES: Final = range(0x00000400, 0x00000500)
"""Numbers each carrier defines for itself: the same one means do-not-disturb here and a bad flag there."""
UNLISTED_STATUS_CLASS: Final = StatusClass.ROUTE
"""Vendor and reserved numbers: this carrier refuses for a reason of its own, another may accept."""


def status_name(command_status: int) -> str:
    """The specification name of a command_status, or the number as ``0x00000499`` where there is none."""
    row = STATUS_BY_NUMBER.get(command_status)
    return row.name if row else f"0x{command_status:08X}"
