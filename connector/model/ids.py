"""Ids: integers ordered by time, of messages and of their parts, and their text form."""

MAX_PARTS = 255
"""Parts of one message: the concatenation header counts in one octet."""
_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
_ID_LENGTH = 11


def format_id(message_id: int) -> str:
    """Return the text form of a message id: 11 characters, sorting as the ids do, nothing to mistake for another."""
    return "".join(_DIGITS[message_id >> shift & 31] for shift in range(50, -1, -5))


def parse_id(text: str) -> int | None:
    """Return the id whose text form this is, or None if it is not one."""
    if len(text) != _ID_LENGTH or any(character not in _VALUES for character in text):
        return None
    value = 0
    for character in text:
        value = value << 5 | _VALUES[character]
    return value


def part_id(message_id: int, number: int) -> int:
    """Return the id of a part: number 0 for the only part of a message, 1 to 255 for one of several.

    So an id alone tells whether its part *is* the message, and no look-up is needed to know it.
    """
    return message_id << 8 | number


def is_whole(part: int) -> bool:
    """Tell whether this part id is the only part of its message."""
    return part & 0xFF == 0


def user_message_reference(part: int) -> int:
    """Return our own number for a part, of 16 bits, that carriers may echo (SMPP 3.4, 5.3.2.17)."""
    return (part >> 8) * 0x9E37 + (part & 0xFF) & 0xFFFF
