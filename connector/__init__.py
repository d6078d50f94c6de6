"""Carrierline's connector: persistent SMPP binds behind a durable queue.

The names below are the public ones; they are loaded when first asked for, so that the command line starts at once.
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from connector.app import Connector
    from connector.client import Client
    from connector.config import Config, load_config
    from connector.errors import CarrierlineError
    from connector.lifecycle import Status
    from connector.model import SendRequest, Verdict
    from connector.opening import open_connector

__all__ = [
    "CarrierlineError",
    "Client",
    "Config",
    "Connector",
    "SendRequest",
    "Status",
    "Verdict",
    "__version__",
    "load_config",
    "open_connector",
]

_HOMES = {
    "CarrierlineError": "connector.errors",
    "Client": "connector.client",
    "Config": "connector.config",
    "Connector": "connector.app",
    "SendRequest": "connector.model",
    "Status": "connector.lifecycle",
    "Verdict": "connector.model",
    "load_config": "connector.config",
    "open_connector": "connector.opening",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(home), name)
