"""The timers of a session as values: time is an argument, and what ran out is returned (SMPP 5.0, 2.7)."""

import enum
from collections.abc import Iterator

import attrs
from attrs.validators import gt, optional

from connector.smpp.tables import Role


def _seconds(default: float | None) -> float | None:
    seconds: float | None = attrs.field(default=default, validator=optional(gt(0)))
    return seconds


@attrs.frozen(kw_only=True)
class Timers:
    """How long to wait for what, in seconds; None switches a timer off.  The defaults are an ESME's."""

    session_init_s: float | None = _seconds(None)
    """From the link's start, or from outbind, to the bind.  For an SMSC, and an ESME that accepts outbind."""
    enquire_link_s: float | None = _seconds(30.0)
    """Silence of the peer after which enquire_link is sent.  Carriers ask for one every 30 to 60 s."""
    enquire_link_response_s: float = attrs.field(default=10.0, validator=gt(0))
    """From enquire_link to any octet at all: an answer by other traffic is an answer."""
    enquire_link_misses: int = 1
    """How many enquire_link may stay unanswered before the link counts as dead."""
    inactivity_s: float | None = _seconds(None)
    """From the peer's last PDU to the end; answers to our own enquire_link do not count."""
    response_s: float = attrs.field(default=60.0, validator=gt(0))
    """From a request to its answer.  Carriers answer within seconds, one advises to wait 600 s."""
    bind_response_s: float = attrs.field(default=15.0, validator=gt(0))
    """From a bind request to its response."""
    unbind_s: float = attrs.field(default=5.0, validator=gt(0))
    """From unbind to unbind_resp."""
    partial_pdu_s: float | None = _seconds(10.0)
    """From the first octets of a PDU to the rest."""

    @classmethod
    def defaults(cls, role: Role) -> "Timers":
        """The defaults of a role."""
        return ESME_TIMERS if role is Role.ESME else SMSC_TIMERS


ESME_TIMERS = Timers()
# Carriers close an unbound link after 10 s and an idle one after 30 s to 5 min.
SMSC_TIMERS = Timers(session_init_s=10.0, inactivity_s=120.0)


class Expiry(enum.Enum):
    """What ran out; the value is the reason in words where that ends the session."""

    SESSION_INIT = "no bind within the session_init timer"
    BIND_RESPONSE = "the bind was not answered in time"
    UNBIND = "the unbind was not answered in time"
    INACTIVITY = "nothing was received within the inactivity timer"
    PARTIAL_PDU = "a PDU was begun and not finished in time"
    ENQUIRE_LINK_RESPONSE = "enquire_link was not answered in time"
    ENQUIRE_LINK = "it is time to send enquire_link"


@attrs.define
class LinkTimers:
    """When the things happened that timers count from; None means that this timer does not run."""

    timers: Timers
    opened_at: float | None
    heard_at: float
    active_at: float
    bound: bool = False
    bind_sent_at: float | None = None
    unbind_sent_at: float | None = None
    partial_since: float | None = None
    enquired_at: float | None = None
    misses: int = 0

    @classmethod
    def started(cls, timers: Timers, now: float) -> "LinkTimers":
        """The timers of a link that came up just now."""
        return cls(timers, opened_at=now, heard_at=now, active_at=now)

    def heard(self, now: float) -> None:
        """Octets came, whatever they are: the peer lives."""
        self.heard_at = now
        self.enquired_at = None
        self.misses = 0

    def kept_alive(self, now: float) -> None:
        """The owner knows that the peer lives, and that it is not idle."""
        self.heard(now)
        self.active_at = now

    def became_bound(self, now: float) -> None:
        """The session is bound: the timers of its beginning stop, those of its life start."""
        self.bound = True
        self.opened_at = self.bind_sent_at = None
        self.heard_at = self.active_at = now

    def ended(self) -> None:
        """The session is unbound, or about to be: nothing of its life is timed any more."""
        self.bound = False
        self.enquired_at = self.unbind_sent_at = None

    def enquired(self, now: float) -> None:
        """An enquire_link leaves."""
        if self.enquired_at is not None:
            self.misses += 1
        self.enquired_at = now

    def received(self, now: float, *, whole: bool, partial: bool) -> None:
        """Some octets were cut into PDUs: ``whole`` if any was finished, ``partial`` if one is begun."""
        if not partial:
            self.partial_since = None
        elif whole or self.partial_since is None:
            self.partial_since = now

    def expired(self, now: float) -> list[Expiry]:
        """What has run out, in the order of Expiry."""
        return [expiry for expiry, due_at in self._due() if due_at <= now]

    def next_due(self) -> float | None:
        """When the next timer runs out."""
        return min((due_at for _, due_at in self._due()), default=None)

    @property
    def enquiry_failed(self) -> bool:
        """True when the enquire_link that ran out was the last one allowed."""
        return self.misses >= self.timers.enquire_link_misses

    def _due(self) -> Iterator[tuple[Expiry, float]]:
        timers = self.timers
        rows = (
            (Expiry.SESSION_INIT, self.opened_at, timers.session_init_s),
            (Expiry.BIND_RESPONSE, self.bind_sent_at, timers.bind_response_s),
            (Expiry.UNBIND, self.unbind_sent_at, timers.unbind_s),
            (Expiry.INACTIVITY, self.active_at if self.bound else None, timers.inactivity_s),
            (Expiry.PARTIAL_PDU, self.partial_since, timers.partial_pdu_s),
            (Expiry.ENQUIRE_LINK_RESPONSE, self.enquired_at, timers.enquire_link_response_s),
            (Expiry.ENQUIRE_LINK, self._silent_since(), timers.enquire_link_s),
        )
        for expiry, since, limit_s in rows:
            if since is not None and limit_s is not None:
                yield expiry, since + limit_s

    def _silent_since(self) -> float | None:
        return self.heard_at if self.bound and self.enquired_at is None else None
