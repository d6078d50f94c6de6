"""What the numbers inside fields mean: TON, NPI, the bits of esm_class and registered_delivery, states, networks, USSD.

A field of a PDU stays the integer that was sent; these are the names for it.  Numbers are of SMPP 3.4, section 5.2, and
SMPP 5.0, section 4.7.
"""

from enum import IntEnum
from typing import Final


class Ton(IntEnum):
    """Type of number: source_addr_ton, dest_addr_ton and others (SMPP 3.4, 5.2.5)."""

    UNKNOWN = 0
    INTERNATIONAL = 1
    NATIONAL = 2
    NETWORK_SPECIFIC = 3
    SUBSCRIBER_NUMBER = 4
    ALPHANUMERIC = 5
    ABBREVIATED = 6


class Npi(IntEnum):
    """Numbering plan: source_addr_npi, dest_addr_npi and others (SMPP 3.4, 5.2.6)."""

    UNKNOWN = 0
    ISDN = 1
    """E.163 and E.164."""
    DATA = 3
    """X.121."""
    TELEX = 4
    """F.69."""
    LAND_MOBILE = 6
    """E.212."""
    NATIONAL = 8
    PRIVATE = 9
    ERMES = 10
    INTERNET = 14
    """IP."""
    WAP_CLIENT_ID = 18


ESM_MODE_BITS: Final = 0x03
"""The bits of esm_class that hold the mode, from an ESME alone: 0 the SMSC's default, DATAGRAM and the two after it."""
ESM_TYPE_BITS: Final = 0x3C
"""The bits of esm_class that hold the type of the message: 0 a plain one, RECEIPT to INTERMEDIATE."""


class EsmClass(IntEnum):
    """What esm_class is made of (SMPP 3.4, 5.2.12)."""

    DATAGRAM = 0x01
    TRANSACTION = 0x02
    """Forward: the answer waits for the attempt to deliver."""
    STORE_AND_FORWARD = 0x03
    RECEIPT = 0x04
    """From an SMSC: a delivery receipt."""
    DELIVERY_ACK = 0x08
    MANUAL_ACK = 0x10
    CONVERSATION_ABORT = 0x18
    """From an SMSC: Korean CDMA."""
    INTERMEDIATE = 0x20
    """From an SMSC: an intermediate notification."""
    UDHI = 0x40
    """The text begins with a user data header."""
    REPLY_PATH = 0x80


REGISTERED_RECEIPT_BITS: Final = 0x03
"""The bits of registered_delivery that ask for a receipt: 0 none, RECEIPT to RECEIPT_ON_SUCCESS."""


class RegisteredDelivery(IntEnum):
    """What registered_delivery is made of (SMPP 3.4, 5.2.17; 5.0, 4.7.21)."""

    RECEIPT = 0x01
    """A final receipt, whatever became of it."""
    RECEIPT_ON_FAILURE = 0x02
    RECEIPT_ON_SUCCESS = 0x03
    """Since 5.0."""
    DELIVERY_ACK = 0x04
    MANUAL_ACK = 0x08
    INTERMEDIATE = 0x10
    """Bit 4: 3.4 heads the row "bit 5" and prints the pattern of bit 4."""


class MessageStateNumber(IntEnum):
    """TLV and field message_state (SMPP 3.4, 5.2.28; 5.0, 4.7.15); ``receipt.MessageState`` has the words for them."""

    SCHEDULED = 0
    """Since 5.0, as SKIPPED."""
    ENROUTE = 1
    DELIVERED = 2
    EXPIRED = 3
    DELETED = 4
    UNDELIVERABLE = 5
    ACCEPTED = 6
    UNKNOWN = 7
    REJECTED = 8
    SKIPPED = 9


class NetworkType(IntEnum):
    """TLVs source_network_type and dest_network_type (SMPP 3.4, 5.3.2.3)."""

    UNKNOWN = 0
    GSM = 1
    TDMA = 2
    CDMA = 3
    PDC = 4
    PHS = 5
    IDEN = 6
    AMPS = 7
    PAGING = 8


class ErrorNetwork(IntEnum):
    """The first octet of TLV network_error_code (SMPP 3.4, 5.3.2.31; those above GSM since 5.0, 4.8.4.42)."""

    ANSI_136_ACCESS_DENIED = 1
    IS_95_ACCESS_DENIED = 2
    GSM = 3
    """Codes of MAP."""
    ANSI_136_CAUSE = 4
    IS_95_CAUSE = 5
    ANSI_41 = 6
    SMPP = 7
    SMSC_SPECIFIC = 8


class UssdServiceOp(IntEnum):
    """TLV ussd_service_op (SMPP 3.4, 5.3.2.44); 32 to 255 are a vendor's."""

    PSSD_INDICATION = 0
    PSSR_INDICATION = 1
    """From an SMSC: the subscriber begins a dialogue."""
    USSR_REQUEST = 2
    """From an ESME: a menu that waits for an answer."""
    USSN_REQUEST = 3
    """From an ESME: a notification."""
    PSSD_RESPONSE = 16
    PSSR_RESPONSE = 17
    """From an ESME: the last page, which ends the dialogue."""
    USSR_CONFIRM = 18
    """From an SMSC: the subscriber's answer."""
    USSN_CONFIRM = 19


class DeliveryFailureReason(IntEnum):
    """TLV delivery_failure_reason (SMPP 3.4, 5.3.2.33)."""

    DESTINATION_UNAVAILABLE = 0
    ADDRESS_INVALID = 1
    PERMANENT_NETWORK_ERROR = 2
    TEMPORARY_NETWORK_ERROR = 3


class DestFlag(IntEnum):
    """What stands before each destination of submit_multi (SMPP 3.4, 5.2.25)."""

    ADDRESS = 1
    DISTRIBUTION_LIST = 2
