"""Every key of a scenario file, and every fact that expectations may ask for, as Markdown."""

from typing import Final

from connector.settings.reference import reference as of_settings
from simulator.judge.facts import FACTS, Fact
from simulator.scenario.whole import Scenario

_HEAD: Final = """\
# simulator/scenario

Every key of a scenario file, as `carrierline simulate --keys` prints it; `carrierline simulate --check FILE` names
every problem with its line. Durations are text such as `"150ms"`, `"10s"` or `"1h30m"`; an unknown key is an error
that names the nearest one. *not set* means that a key may be left out. Every key has a default: an empty file is a
carrier that takes any credentials, answers at once and sends a receipt to whoever asks for one. [The facts](#the-facts)
that an expectation may ask for stand at the end.
"""


_FACTS_HEAD: Final = """\
## The facts

What the expectations (`that` of `[[expect]]`) may ask for. They are compared (`== != < <= > >=`), computed with
(`+ - * /`) and joined (`and`, `or`, `not`). A duration is written `30s` or `1m30s`, and is never compared with a count.
`rule["barred prefix"]` is the same as `rule.barred_prefix`: what is no letter or digit of a name becomes `_`.

| fact | unit | |
| --- | --- | --- |
"""
_NO_UNIT: Final = "true or false"
_LOAD_ONLY: Final = " Only with a `[load]`."


def reference() -> str:
    """Return the whole reference; the file README.md of this room holds the same."""
    keys = of_settings(Scenario, _HEAD, top=True, once=True)
    return f"{keys}\n{_FACTS_HEAD}{''.join(map(_row, FACTS))}"


def _row(fact: Fact) -> str:
    return f"| `{fact.name}` | {fact.unit or _NO_UNIT} | {fact.sentence}{_LOAD_ONLY if fact.needs_load else ''} |\n"
