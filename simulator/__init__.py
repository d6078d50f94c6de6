"""The carrier's side: an SMSC that plays a scenario over TCP and keeps a ledger of its own."""

from simulator.ledger import Entry, Ledger
from simulator.scenario import Scenario, load_scenario
from simulator.smsc import Smsc
from simulator.statistics import Statistics

__all__ = ["Entry", "Ledger", "Scenario", "Smsc", "Statistics", "load_scenario"]
