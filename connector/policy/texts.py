"""How a text is cut when the carrier is not chosen yet: for the smallest profile common to a rule's carriers."""

from collections.abc import Sequence

import attrs

from connector.config import CarrierConfig
from connector.errors import EncodeError
from connector.smpp.alphabet import Alphabet, Language
from connector.smpp.parts import Concatenation, Cut, Profile, cut

_ALPHABETS = {
    "gsm": (Alphabet.GSM, Alphabet.UCS2),
    "latin1": (Alphabet.LATIN1, Alphabet.UCS2),
    "ascii": (Alphabet.ASCII, Alphabet.UCS2),
}
_TWO_SEPTETS_OR_NONE = frozenset("[]{}\\^~|`")
"""What is one octet in ASCII, and in the GSM alphabet an escape sequence or nothing."""
# The room a header leaves: whoever needs the most decides, so that every carrier of the rule can take the parts.
_NEEDIEST = (Concatenation.UDH16, Concatenation.UDH8, Concatenation.SAR, Concatenation.PAYLOAD)


def profile_of(carriers: Sequence[CarrierConfig]) -> Profile:
    """Return the profile that suits all of these carriers (at least one)."""
    alphabets = {carrier.dialect.default_alphabet for carrier in carriers}
    ways = {Concatenation(carrier.dialect.concatenation) for carrier in carriers}
    return Profile(
        # carriers that read data_coding 0 differently agree only on ASCII
        alphabets=_ALPHABETS[alphabets.pop()] if len(alphabets) == 1 else _ALPHABETS["ascii"],
        concatenation=next(way for way in _NEEDIEST if way in ways),
        max_parts=min(carrier.max_parts for carrier in carriers),
        languages=_common_languages(carriers),
    )


def _common_languages(carriers: Sequence[CarrierConfig]) -> tuple[Language, ...]:
    """Return the shift tables that all of these carriers know, in the order of the first."""
    first, *others = (carrier.dialect.languages for carrier in carriers)
    return tuple(Language[name.upper()] for name in first if all(name in known for known in others))


class Cutter:
    """Cuts texts for one route rule."""

    def __init__(self, carriers: Sequence[CarrierConfig]) -> None:
        self._profile = profile_of(carriers)
        alphabets = {carrier.dialect.default_alphabet for carrier in carriers}
        self._differ = "gsm" in alphabets and len(alphabets) > 1
        self._wide = attrs.evolve(self._profile, alphabets=(Alphabet.UCS2,))

    def cut(self, text: str) -> Cut | str:
        """Return the text's alphabet and parts, or what is wrong with it."""
        # in no alphabet but UCS-2 do these take the same room with all of the carriers
        wide = self._differ and not _TWO_SEPTETS_OR_NONE.isdisjoint(text)
        try:
            return cut(text, self._wide if wide else self._profile)
        except EncodeError as error:
            return error.problem
