"""Texts of messages as people read them."""

from connector.smpp.alphabet import Alphabet, alphabet_of, decode
from connector.smpp.parts import strip_udh
from connector.smpp.pdu import Pdu
from connector.smpp.udh import UDH_INDICATOR


def text_of(pdu: Pdu, octets: int | None = None) -> str:
    """Return the text of a message, or its beginning by so many octets; nothing for what has none or is no text."""
    text: bytes = getattr(pdu, "message_octets", b"")
    if getattr(pdu, "esm_class", 0) & UDH_INDICATOR:
        text = strip_udh(text)
    alphabet = alphabet_of(getattr(pdu, "data_coding", 0))
    return "" if alphabet is Alphabet.BINARY else decode(text[:octets], alphabet)
