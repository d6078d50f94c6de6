"""Every key of a configuration file as Markdown."""

from typing import Final

from connector.config.config import Config
from connector.settings.reference import reference as of_settings

_HEAD: Final = """\
# connector/config

Every key of a configuration file, as `carrierline config reference` prints it. `carrierline config example` prints a
small file that is complete, `carrierline config check FILE` names every problem with its line. Durations are text such
as `"150ms"`, `"10s"` or `"1h30m"`; an unknown key is an error. *not set* means that a key may be left out. Where the
lanes that exist without being configured have a default of their own, it stands behind the lane's name;
`carrierline config check --effective FILE` prints what counts in the lanes of a file.
"""


def reference() -> str:
    """Return the whole reference; the file README.md of this room holds the same."""
    return of_settings(Config, _HEAD)
