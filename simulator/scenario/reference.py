"""Every key of a scenario file as Markdown."""

from typing import Final

from connector.settings.reference import reference as of_settings
from simulator.scenario.whole import Scenario

_HEAD: Final = """\
# simulator/scenario

Every key of a scenario file, as `carrierline simulate --keys` prints it; `carrierline simulate --check FILE` names
every problem with its line. Durations are text such as `"150ms"`, `"10s"` or `"1h30m"`; an unknown key is an error
that names the nearest one. *not set* means that a key may be left out. Every key has a default: an empty file is a
carrier that takes any credentials, answers at once and sends a receipt to whoever asks for one.
"""


def reference() -> str:
    """Return the whole reference; the file README.md of this room holds the same."""
    return of_settings(Scenario, _HEAD, top=True, once=True)
