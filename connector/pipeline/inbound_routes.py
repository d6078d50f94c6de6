"""Whose a message from a subscriber is: by rule, or because they answer one of ours.

Pure: the message, the rules and what was last sent to that number come in, a decision comes out.
"""

from collections.abc import Collection, Iterable

import attrs

from connector.config.inbound import InboundRouteConfig, address_of, keyword_of
from connector.model import InboundMessage, Sent

REPLY = "reply"


@attrs.frozen
class _Rule:
    """A rule as it is compared."""

    api_key: str
    name: str
    places: frozenset[str] | None
    words: frozenset[str] | None
    carriers: frozenset[str] | None

    def fits(self, message: InboundMessage, word: str | None) -> bool:
        return (
            (self.places is None or message.to in self.places)
            and (self.words is None or word in self.words)
            and (self.carriers is None or message.carrier in self.carriers)
        )


class Rules:
    """The rules of a configuration, in their order."""

    def __init__(self, routes: Iterable[InboundRouteConfig]) -> None:
        self._rules = [
            _Rule(route.api_key, str(route.name), route.places, route.words, route.through) for route in routes
        ]

    def apply(self, message: InboundMessage) -> InboundMessage:
        """Return the message with its owner by the first rule that fits, or as it is."""
        word = keyword_of(message.text)
        rule = next((rule for rule in self._rules if rule.fits(message, word)), None)
        if rule is None:
            return message
        return attrs.evolve(message, api_key=rule.api_key, matched=f"rule {rule.name}")


def answered(message: InboundMessage, sent: Iterable[Sent], keys: Collection[str]) -> InboundMessage:
    """Return the message with the owner of the newest of ours that it can be an answer to, or as it is.

    ``sent``: messages to that subscriber, newest first.  One is answered at the number it came from; one without a
    sender, at whatever number its carrier gave it, so only through the same carrier.  ``keys``: API keys there are.
    """
    for ours in sent:
        from_here = address_of(ours.sender) == message.to if ours.sender else ours.carrier == message.carrier
        if from_here and ours.api_key in keys:
            return attrs.evolve(message, api_key=ours.api_key, matched=REPLY, reply_to=ours.id)
    return message
