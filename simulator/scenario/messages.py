"""How messages are answered, what becomes of them, and what subscribers write."""

import re
from collections.abc import Callable
from typing import ClassVar, Literal

import attrs

from connector.settings import above, duration, nearest, shown, within
from connector.smpp.pdu import DeliverSm
from simulator.receipt_text import APPENDIX_B, ReceiptFacts, compile_format, problem_of_format
from simulator.scenario.fields import STATES, Delay, IdForm, Problems, a_mix, a_speed, states, weights
from simulator.scenario.fitting import MANY, MOST_NUMBERS, first_problem, problem_of_field, problem_of_text

RECEIPT_TLVS = ("receipted_message_id", "message_state", "network_error_code", "user_message_reference")
RECEIPT_PDUS = ("deliver_sm", "data_sm")
LONGEST_TEXT = 65_535
"""Octets of a message_payload."""
QUOTED_CHARACTERS = 254
"""Of a message, where the format of a receipt does not say how many."""
LONGEST_ID = 64
TOO_WIDE = re.compile(r"{[^}]*\d{6}")
"""Making what is so wide would cost more than telling that it does not fit."""


def _formats(_instance: object, _field: object, value: str | tuple[str, ...]) -> None:
    for text in (value,) if isinstance(value, str) else value:
        problem = _too_wide(text) or problem_of_format(text) or _problem_of_longest(text)
        if problem:
            raise ValueError(problem)


def _too_wide(text: str) -> str | None:
    return "no number in braces may have more than five digits" if TOO_WIDE.search(text) else None


def _problem_of_longest(text_format: str) -> str | None:
    quoted = QUOTED_CHARACTERS if re.search(r"{text(:[^}.]*)?}", text_format) else LONGEST_TEXT
    facts = ReceiptFacts("0" * LONGEST_ID, 1, 0.0, 0.0, "DELIVRD", 999_999, "x" * quoted)
    octets = len(compile_format(text_format)(facts))
    return f"makes up to {octets:,} octets, the limit is {LONGEST_TEXT:,}" if octets > LONGEST_TEXT else None


def _tlvs(_instance: object, _field: object, value: tuple[str, ...]) -> None:
    for name in value:
        if name not in RECEIPT_TLVS:
            raise ValueError(f"{shown(name)} is no TLV of a receipt{nearest(name, RECEIPT_TLVS)}")


def _pdus(_instance: object, _field: object, value: dict[str, float]) -> None:
    for name in value:
        if name not in RECEIPT_PDUS:
            raise ValueError(f"{shown(name)} carries no receipts{nearest(name, RECEIPT_PDUS)}")
    weights(value)
    if not any(value.values()):
        raise ValueError("at least one of deliver_sm and data_sm needs a weight above 0")


@attrs.frozen(kw_only=True)
class MessageId(IdForm):
    """How ids are made for submit_sm_resp."""

    WHOLE: ClassVar = False  # who gives another start, or another form for a while, keeps the rest
    from_: Literal["counter"] = "counter"
    start: int = attrs.field(default=1, validator=within(0))
    """The first number: set it apart from that of an earlier run whose receipts are still awaited."""
    reuse_after: int | None = attrs.field(default=None, validator=within(1))
    """Ids come round again after so many, as with carriers whose counter is short."""

    @property
    def highest_number(self) -> int:
        """The number that a run may come to."""
        return self.start + MOST_NUMBERS


@attrs.frozen(kw_only=True)
class Response:
    """How submit_sm is answered.  Delays overlap: a full window stays in flight."""

    delay: Delay = Delay()
    message_id: MessageId = MessageId()


@attrs.frozen(kw_only=True)
class Sometimes:
    """Something that happens to a share of the receipts; a number stands for the share alone."""

    WHOLE: ClassVar = True
    rate: float = attrs.field(default=0.0, validator=within(0, 1))

    @staticmethod
    def shorthand(raw: object) -> object:
        """Read a number as the rate."""
        return {"rate": raw} if isinstance(raw, int | float) else raw


@attrs.frozen(kw_only=True)
class Duplicate(Sometimes):
    """How often a receipt is sent a second time, and how much later."""

    gap_s: float = duration("1s")


@attrs.frozen(kw_only=True)
class Reorder(Sometimes):
    """How often an intermediate word comes after the final one, and how much later."""

    by_s: float = duration("30s")


def _sayable(_instance: object, _field: object, value: str) -> None:
    problem = problem_of_text(value, "payload")
    if problem:
        raise ValueError(problem)


@attrs.frozen(kw_only=True)
class HandsetRules:
    """What handsets say themselves about messages that were delivered to them; a number is the chance of both ways.

    They do where registered_delivery asks for it in its bits 3 and 2 (SMPP 3.4, 5.2.17): a deliver_sm of esm_class
    0x08 says that the handset has it, one of 0x10 that somebody has done something about it.
    """

    WHOLE: ClassVar = True
    delivery: float = attrs.field(default=0.0, validator=within(0, 1))
    """Chance of an acknowledgement by the handset."""
    manual: float = attrs.field(default=0.0, validator=within(0, 1))
    """Chance of an acknowledgement by the person who holds it."""
    delay: Delay = Delay()
    """From the final state of the message."""
    text: str = attrs.field(default="", validator=_sayable)
    """What it says."""

    @staticmethod
    def shorthand(raw: object) -> object:
        """Read a number as the chance of both."""
        return {"delivery": raw, "manual": raw} if isinstance(raw, int | float) else raw


@attrs.frozen(kw_only=True)
class Burst:
    """Receipts gather and are let go at once, as after an outage of the part that sends them."""

    hold_s: float = duration("60s", validator=above(0))
    """They gather from one multiple of this time to the next."""
    release_per_second: float = attrs.field(default=500.0, validator=a_speed)
    """How fast they are let go then."""


@attrs.frozen(kw_only=True)
class ReceiptRules:
    """What becomes of accepted messages, and how the carrier tells."""

    when: Literal["requested", "always", "never"] = "requested"
    """"requested" honours registered_delivery bit by bit (SMPP 3.4, 5.2.17)."""
    delay: Delay = Delay()
    """From acceptance to the final state."""
    mix: dict[str, float] = attrs.field(factory=lambda: {"DELIVRD": 1.0}, validator=a_mix)
    """Final states by weight."""
    intermediate: dict[str, float] = attrs.field(factory=lambda: {"ENROUTE": 1.0}, validator=states)
    """Chances of a word before the final one, halfway to it; only where registered_delivery asks for it."""
    intermediate_unasked: bool = False
    """Send the intermediate word to whoever asked for the final one, as carriers do that say ACCEPTD first."""
    via: Literal["any", "same", "other"] = "any"
    """Any bind of the account, the one that submitted, or any but that one; as long as such a bind is there."""
    format: str | tuple[str, ...] = attrs.field(default=APPENDIX_B, validator=_formats)
    """Text with the fields id, dlvrd, submitted, done, stat, err and text; of several each message draws one."""
    id: IdForm | None = None
    """Spelling of the id in the text; without it that of submit_sm_resp."""
    tlv_id: IdForm | None = None
    """Spelling of the id in receipted_message_id; without it that of submit_sm_resp."""
    tlv: tuple[str, ...] = attrs.field(default=("receipted_message_id", "message_state"), validator=_tlvs)
    err: dict[str, int] = attrs.field(factory=dict, validator=states)
    """The number after ``err:`` by state, where it is another than GSM's."""
    esm_class: Literal["receipt", "none"] = "receipt"
    """Whether esm_class says what it is; some carriers leave it 0, and only the text tells."""
    carrier_pdu: dict[str, float] = attrs.field(factory=lambda: {"deliver_sm": 1.0}, validator=_pdus)
    """Which PDU carries it, by weight."""
    early: float = attrs.field(default=0.0, validator=within(0, 1))
    """Share that is sent before submit_sm_resp."""
    duplicate: Duplicate = Duplicate()
    reorder: Reorder = Reorder()
    missing: float = attrs.field(default=0.0, validator=within(0, 1))
    """Share that is never sent."""
    unknown_id: float = attrs.field(default=0.0, validator=within(0, 1))
    """Chance of one receipt more, for an id that was never given."""
    burst: Burst | None = None
    heed_times: bool = True
    """Whether validity_period, and qos_time_to_live, end a message as EXPIRED that has no other end by then, and
    schedule_delivery_time puts its delivery off; without it they are taken and mean nothing."""
    handset: HandsetRules = HandsetRules()

    @property
    def formats(self) -> tuple[str, ...]:
        """The texts, be it one or several."""
        return (self.format,) if isinstance(self.format, str) else self.format

    def problems(self) -> Problems:
        if not self.format:
            yield ("format",), "needs one text at least"
        for word in self.mix:
            if not STATES[word].final:
                yield ("mix",), f"{word} is not final: it belongs in intermediate"
        if sum(self.intermediate.values()) > 1:
            yield ("intermediate",), "chances must not sum to more than 1"


@attrs.frozen(kw_only=True)
class DeliveryRules:
    """How deliver_sm are handed over, receipts and messages from subscribers alike."""

    window: int = attrs.field(default=100, validator=within(1, 10_000))
    """Unanswered deliver_sm on one bind."""
    response_timeout_s: float = duration("30s", validator=above(0))
    """One unanswered so long is sent again, on another bind if there is one."""
    attempts: int = attrs.field(default=4, validator=within(1))
    """Times one is sent before the carrier gives up."""
    retry_s: float = duration("5s")
    """Pause after a temporary refusal."""
    max_waiting: int = attrs.field(default=1_000_000, validator=within(1))
    """Kept per account while nobody may receive; more are dropped and counted."""


@attrs.frozen(kw_only=True)
class MoRate:
    """How often a subscriber writes."""

    WHOLE: ClassVar = True
    per_second: float | None = attrs.field(default=None, validator=a_speed)
    per_minute: float | None = attrs.field(default=None, validator=a_speed)

    def problems(self) -> Problems:
        if (self.per_second is None) == (self.per_minute is None):
            yield (), "needs exactly one of per_second and per_minute"

    @property
    def interval_s(self) -> float:
        """Seconds from one message to the next."""
        return 1 / self.per_second if self.per_second else 60 / (self.per_minute or 1)


@attrs.frozen(kw_only=True)
class MoRules:
    """Messages from subscribers, once ``at`` a time or again and again at a ``rate``.

    ``from``, ``to`` and ``text`` may hold ``{n}``, the number of the message from 1, with a format as in ``{n:03}``;
    ``text`` also ``{lorem:400}``, so many characters of filler.
    """

    from_: str
    to: str
    text: str
    split: Literal["udh8", "udh16", "sar", "payload"] = "udh8"
    """How a text that is too long for one travels."""
    at_s: float | None = duration(None)
    """After the start of the simulator."""
    rate: MoRate | None = None
    account: str | None = None
    """Who gets them: a system_id; without it the first account that may receive."""

    def problems(self) -> Problems:
        if (self.at_s is None) == (self.rate is None):
            yield (), "needs exactly one of at and rate"
        numbers = (1,) if self.rate is None else (1, MANY)
        ways = {
            "from": (self.from_, lambda source: problem_of_field(DeliverSm, "source_addr", source)),
            "to": (self.to, lambda destination: problem_of_field(DeliverSm, "destination_addr", destination)),
            "text": (self.text, lambda text: problem_of_text(text, self.split)),
        }
        for key, (form, problem_of) in ways.items():
            problem = problem_of_form(form) or first_problem(form_of(form), problem_of, numbers)
            if problem:
                yield (key,), problem


class Lorem:
    """Filler: ``{lorem:400}`` gives 400 characters of it, the same ones each time."""

    WORDS = "the quick brown fox jumps over the lazy dog while five wizards box and a dozen liquor jugs are packed "

    def __format__(self, spec: str) -> str:
        if not spec.isdecimal():
            raise ValueError("lorem needs a number of characters, as in {lorem:400}")
        characters = int(spec)
        return (self.WORDS * (characters // len(self.WORDS) + 1))[:characters]


def form_of(text: str) -> Callable[[int], str]:
    """Return the function that writes a number into a text with ``{n}``; `problem_of_form` tells what it may hold."""
    return lambda number: text.format(n=number, lorem=Lorem())


def problem_of_form(text: str) -> str | None:
    """Say in a sentence what is wrong with the braces of a text, or None."""
    if TOO_WIDE.search(text):
        return _too_wide(text)
    try:
        for number in (1, MANY):
            form_of(text)(number)
    except (ValueError, LookupError, AttributeError, TypeError, OverflowError) as error:
        return f"only {{n}} with a format may stand in braces, and {{lorem:400}} ({error})"
    return None
