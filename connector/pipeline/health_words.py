"""What made a carrier get less or more, in numbers and in a sentence for people.  Pure."""

from collections.abc import Callable, Mapping
from typing import Final

from connector.config import HealthConfig
from connector.pipeline.health_numbers import Numbers, share
from connector.pipeline.health_rules import SickBecause, Standing, State, answer_within_s, pause_s
from connector.pipeline.limited import shown_s

TOLD_DETAILS: Final = 3
"""Words of the carrier that a sentence names."""


def measured(numbers: Numbers) -> dict[str, float]:
    """Return the numbers a judgement rested on, by name; shares are of 1, what was not measured is left out."""
    found = {
        "samples": float(numbers.answers),
        "bad_share": numbers.bad_share,
        "failed_share": share(numbers.failures, numbers.answers),
        "throttled_share": share(numbers.throttled, numbers.answers),
        "refused_share": share(numbers.refused, numbers.answers),
        "over_s": numbers.over_s,
        "silent_s": numbers.silent_s,
        "link_ends": float(numbers.link_ends),
        "receipts": float(numbers.receipts),
        "silent_share": share(numbers.silent, numbers.receipts),
        "undelivered_share": share(numbers.undelivered, numbers.finals),
    }
    if numbers.response_p50_s is not None:
        found["response_p50_s"] = numbers.response_p50_s
    if numbers.delivered_p50_s is not None:
        found["delivered_p50_s"] = numbers.delivered_p50_s
    return found


def sentence(carrier: str, country: str | None, numbers: Numbers, new: Standing, config: HealthConfig) -> str:
    """Return one sentence about a change: who, why, and what follows."""
    who = f"carrier {carrier}" if country is None else f"carrier {carrier}, country {country}"
    why = _WHY[new.reason](numbers, config) if new.reason is not None else ""
    return f"{who}: {why}: {_consequence(new, config)}"


def _consequence(new: Standing, config: HealthConfig) -> str:
    if new.state is State.SICK:
        return f"gets nothing for {shown_s(pause_s(new, config))}, then {config.probes} parts to try it"
    if new.state is State.PROBING:
        return f"is tried with {config.probes} parts"
    if new.state is State.WELL:
        return "gets all of its traffic"
    return f"gets {new.share * 100:.0f} % of its traffic"


def _details(numbers: Numbers) -> str:
    words = [f"{detail} {count}" for detail, count in numbers.details[:TOLD_DETAILS]]
    if numbers.lost:
        words.append(f"no answer {numbers.lost}")
    return f" ({', '.join(words)})" if words else ""


def _of_answers(count: int, numbers: Numbers) -> str:
    return f"{count} of {numbers.answers} answers in the last {shown_s(numbers.over_s)}"


def _say_errors(numbers: Numbers, config: HealthConfig) -> str:
    bad = numbers.answers - numbers.taken
    return f"{_of_answers(bad, numbers)} were no acceptance{_details(numbers)}"


def _say_throttled(numbers: Numbers, config: HealthConfig) -> str:
    return f"{_of_answers(numbers.throttled, numbers)} said that it is too much"


def _say_refused(numbers: Numbers, config: HealthConfig) -> str:
    return f"{_of_answers(numbers.refused, numbers)} refused the message for what it is{_details(numbers)}"


def _say_slow(numbers: Numbers, config: HealthConfig) -> str:
    median = shown_s(numbers.response_p50_s or 0.0)
    return f"half of its {numbers.taken} acceptances in the last {shown_s(numbers.over_s)} took {median} or longer"


def _say_silent(numbers: Numbers, config: HealthConfig) -> str:
    return f"it has answered nothing for {shown_s(numbers.silent_s)}"


def _say_links(numbers: Numbers, config: HealthConfig) -> str:
    return f"{numbers.link_ends} links ended in the last {shown_s(numbers.over_s)}"


def _say_no_receipts(numbers: Numbers, config: HealthConfig) -> str:
    due = f"{numbers.silent} of {numbers.receipts} parts have no final receipt"
    why = f", and {numbers.witness}" if numbers.witness else ""
    return f"{due} {shown_s(config.receipts_within_s)} after they were taken{why}"


def _say_undelivered(numbers: Numbers, config: HealthConfig) -> str:
    return f"{numbers.undelivered} of {numbers.finals} final receipts say that the message was not delivered"


def _say_probes_failed(numbers: Numbers, config: HealthConfig) -> str:
    if numbers.answers == numbers.taken and numbers.probes_out:
        return f"{numbers.probes_out} probes had no answer within {shown_s(answer_within_s(config))}"
    if numbers.answers == numbers.taken:
        return f"half of the probes were answered after {shown_s(numbers.response_p50_s or 0.0)} or later"
    return f"{numbers.answers - numbers.taken} of {numbers.answers} probes were no acceptance{_details(numbers)}"


def _say_pause_over(numbers: Numbers, config: HealthConfig) -> str:
    return "its pause is over"


def _say_recovered(numbers: Numbers, config: HealthConfig) -> str:
    if not numbers.answers:
        return "it is good again"
    return f"{_of_answers(numbers.taken, numbers)} were acceptances"


_WHY: Final[Mapping[SickBecause, Callable[[Numbers, HealthConfig], str]]] = {
    SickBecause.SILENT: _say_silent,
    SickBecause.ERRORS: _say_errors,
    SickBecause.THROTTLED: _say_throttled,
    SickBecause.REFUSED: _say_refused,
    SickBecause.SLOW: _say_slow,
    SickBecause.LINKS: _say_links,
    SickBecause.NO_RECEIPTS: _say_no_receipts,
    SickBecause.UNDELIVERED: _say_undelivered,
    SickBecause.PROBES_FAILED: _say_probes_failed,
    SickBecause.PAUSE_OVER: _say_pause_over,
    SickBecause.RECOVERED: _say_recovered,
}
