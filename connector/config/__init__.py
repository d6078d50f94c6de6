"""What the connector is configured with: one frozen value, every limit named with its unit, no secret in it.

Keys in the file are the field names; a field that ends in ``_s`` is a duration, written without the suffix as text:
``response_timeout = "60s"``.
"""

from connector.config.api import ApiConfig, KeyConfig
from connector.config.bind import BindConfig, Credentials, Endpoint
from connector.config.carrier import CarrierConfig, PriceConfig
from connector.config.config import EXAMPLE, Config, effective, load_config
from connector.config.dialect import DialectConfig
from connector.config.health import HealthConfig
from connector.config.inbound import InboundConfig, InboundRouteConfig
from connector.config.lane import LANES, LaneAtCarrier, LaneConfig, QuietHours, RetryConfig, RetryRule
from connector.config.route import RouteConfig
from connector.config.store import StoreConfig
from connector.config.tls import TlsConfig
from connector.settings import parse_duration

__all__ = [
    "EXAMPLE",
    "LANES",
    "ApiConfig",
    "BindConfig",
    "CarrierConfig",
    "Config",
    "Credentials",
    "DialectConfig",
    "Endpoint",
    "HealthConfig",
    "InboundConfig",
    "InboundRouteConfig",
    "KeyConfig",
    "LaneAtCarrier",
    "LaneConfig",
    "PriceConfig",
    "QuietHours",
    "RetryConfig",
    "RetryRule",
    "RouteConfig",
    "StoreConfig",
    "TlsConfig",
    "effective",
    "load_config",
    "parse_duration",
]
