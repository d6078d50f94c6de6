"""What a simulated carrier is and does, as a value; a file of it is TOML (`load_scenario`).

Everything has a default: an empty file, or `Scenario()`, is a carrier that takes any credentials, answers at once and
sends a receipt to whoever asks for one.
"""

from simulator.scenario.carrier import (
    AccountRules,
    CarrierRules,
    Drain,
    Limits,
    Listen,
    Outbind,
    Penalty,
    Queue,
)
from simulator.scenario.fields import (
    STATES,
    STATUS_BY_NAME,
    BindType,
    Delay,
    IdForm,
    Rate,
    StateWord,
    status_number,
)
from simulator.scenario.loading import load_scenario, profiles, scenario_of
from simulator.scenario.messages import (
    Burst,
    DeliveryRules,
    Duplicate,
    HandsetRules,
    MessageId,
    MoRate,
    MoRules,
    ReceiptRules,
    Reorder,
    Response,
)
from simulator.scenario.play import Expect, Load, LoadText, Stage, TimelineEntry
from simulator.scenario.rules import ENDING, Fault, Reply, Rule, RuleLimit, RuleReceipt, When
from simulator.scenario.whole import Scenario
from simulator.scenario.wire import Inject, InjectedPdu, Read, WireFault, WireRule, WireWhen, Write

__all__ = [
    "ENDING",
    "STATES",
    "STATUS_BY_NAME",
    "AccountRules",
    "BindType",
    "Burst",
    "CarrierRules",
    "Delay",
    "DeliveryRules",
    "Drain",
    "Duplicate",
    "Expect",
    "Fault",
    "HandsetRules",
    "IdForm",
    "Inject",
    "InjectedPdu",
    "Limits",
    "Listen",
    "Load",
    "LoadText",
    "MessageId",
    "MoRate",
    "MoRules",
    "Outbind",
    "Penalty",
    "Queue",
    "Rate",
    "Read",
    "ReceiptRules",
    "Reorder",
    "Reply",
    "Response",
    "Rule",
    "RuleLimit",
    "RuleReceipt",
    "Scenario",
    "Stage",
    "StateWord",
    "TimelineEntry",
    "When",
    "WireFault",
    "WireRule",
    "WireWhen",
    "Write",
    "load_scenario",
    "profiles",
    "scenario_of",
    "status_number",
]
