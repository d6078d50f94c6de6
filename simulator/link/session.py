"""The SMPP session of a carrier's end of a link."""

from typing import Final

import attrs
import trio

from connector.smpp import tables
from connector.smpp.session import Session
from connector.smpp.tables import Role
from connector.smpp.timers import SMSC_TIMERS
from connector.smpp.versions import Tlvs
from simulator.ids import Speller, coming_round, speller_for
from simulator.rules import Rulebook
from simulator.scenario import Scenario

_VERSIONS: Final = {tables.SMPP_33: "3.3", tables.SMPP_34: "3.4", tables.SMPP_50: "5.0"}


def session_of(rules: Scenario) -> Session:
    """Return a new session that goes by a scenario."""
    return Session(
        Role.SMSC,
        window_size=rules.delivery.window,
        interface_version=tables.SMPP_50,
        tlvs=Tlvs.ALWAYS,  # a carrier's receipt does not fail for being too long for a 3.3 peer's short_message
        timers=attrs.evolve(
            SMSC_TIMERS,
            session_init_s=rules.carrier.session_init_s,
            inactivity_s=rules.carrier.inactivity_s,
            enquire_link_s=rules.carrier.enquire_link_s,
            response_s=rules.delivery.response_timeout_s,
        ),
        now=trio.current_time(),
    )


def hand_over(session: Session, rulebook: Rulebook) -> None:
    """Have a session leave enquire_link to the rules where one is about it, and answer it itself where none is."""
    session.hands_over = frozenset({"enquire_link"}) if rulebook.knows("enquire_link") else frozenset()


def spelling_of(session: Session, rules: Scenario) -> Speller:
    """Return how a scenario spells ids for a session of this version."""
    ids = rules.response.message_id
    return coming_round(speller_for(ids, session.interface_version, rules.seed), ids.start, ids.reuse_after)


def version_of(session: Session) -> str:
    """Return the interface version spoken: "3.3", "3.4" or "5.0"."""
    return _VERSIONS.get(session.interface_version, "3.4")
