"""What all links of one bind have in common."""

from collections import deque
from collections.abc import Callable

import attrs

from connector.carrier.inbox import Inbox
from connector.carrier.limits import Limits
from connector.carrier.recall import Recalls
from connector.carrier.translate import Translator
from connector.config import BindConfig
from connector.smpp import tables
from connector.smpp.pdu import BindReceiver, BindTransceiver, BindTransmitter, Pdu
from connector.smpp.session import Session
from connector.smpp.tables import Role
from connector.smpp.timers import Timers

_BIND_PDUS = {"transceiver": BindTransceiver, "transmitter": BindTransmitter, "receiver": BindReceiver}
_VERSIONS = {"3.3": tables.SMPP_33, "3.4": tables.SMPP_34, "5.0": tables.SMPP_50}

SAMPLES = 500


@attrs.frozen
class Terms:
    """What all links of one bind have in common; password and host change between them."""

    name: str
    config: BindConfig
    translator: Translator
    inbox: Inbox
    limits: Limits
    """Whom to tell what the carrier takes and what it finds too much."""
    bound: Callable[[], None]
    """To be called when the bind stands."""
    clock: Callable[[], float]
    recalls: Recalls
    """What the carrier is asked to give back, and waits for a place on one of its links."""
    password: str = attrs.field(default="", repr=False)
    peer: str = "the carrier"
    """Host and port of the link."""

    response_times_s: deque[float] = attrs.field(factory=lambda: deque(maxlen=SAMPLES), repr=False, eq=False)
    """One answer of each read, of the last reads."""

    @property
    def carrier(self) -> str:
        return self.translator.config.name

    def bind_pdu(self) -> Pdu:
        """Return the request that opens a session."""
        config = self.config
        return _BIND_PDUS[config.mode](
            system_id=config.system_id,
            password=self.password,
            system_type=config.system_type,
            interface_version=_VERSIONS[config.interface_version],
            addr_ton=config.addr_ton,
            addr_npi=config.addr_npi,
            address_range=config.address_range,
        )

    def session(self) -> Session:
        """Return a fresh session."""
        config = self.config
        return Session(
            Role.ESME,
            window_size=config.window_size,
            timers=Timers(response_s=config.response_timeout_s, enquire_link_s=config.enquire_link_s),
            interface_version=_VERSIONS[config.interface_version],
            tlvs=self.translator.dialect.tlvs,
            now=self.clock(),
        )
