"""A scenario as one value."""

from typing import Literal

import attrs

from connector.settings import duration, nearest, shown, within
from connector.smpp.pdu import BindTransceiver
from simulator.judge.facts import slug
from simulator.scenario.carrier import AccountRules, CarrierRules, Limits, Listen, Outbind, Queue
from simulator.scenario.changes import problems_of_timeline
from simulator.scenario.fields import Problems
from simulator.scenario.fitting import problem_of_field
from simulator.scenario.messages import DeliveryRules, MoRules, ReceiptRules, Response
from simulator.scenario.names import unknown_names
from simulator.scenario.play import Expect, Load, TimelineEntry
from simulator.scenario.rules import Rule
from simulator.scenario.wire import Inject, WireRule


@attrs.frozen(kw_only=True)
class Scenario:
    """A simulated carrier, and what is played on it."""

    schema: Literal[1] = 1
    name: str = "plain"
    extends: str | None = None
    """Another scenario that this one changes: a file beside it, or ``profile:NAME``.  Tables merge, arrays replace."""
    about: str = ""
    """What the carrier is known for, and where it was seen."""
    seed: int = 1
    """Every random draw derives from it."""
    fault_budget: int | None = attrs.field(default=None, validator=within(0))
    """Rules, wire and inject do no more faults than these."""
    quiet_after_s: float | None = duration(None)
    """From then on rules, wire and inject do no faults any more."""
    listen: Listen = Listen()
    carrier: CarrierRules = CarrierRules()
    account: tuple[AccountRules, ...] = ()
    """Without any, all credentials are accepted."""
    limits: Limits = Limits()
    queue: Queue | None = None
    response: Response = Response()
    receipt: ReceiptRules = ReceiptRules()
    delivery: DeliveryRules = DeliveryRules()
    mo: tuple[MoRules, ...] = ()
    outbind: tuple[Outbind, ...] = ()
    rule: tuple[Rule, ...] = ()
    wire: tuple[WireRule, ...] = ()
    inject: tuple[Inject, ...] = ()
    timeline: tuple[TimelineEntry, ...] = ()
    load: Load | None = None
    expect: tuple[Expect, ...] = ()

    def problems(self) -> Problems:
        names = [account.system_id for account in self.account]
        yield from _repeated("account", "system_id", names)
        for array in ("rule", "wire", "inject", "timeline"):
            yield from _alike(array, [each.name for each in getattr(self, array)])
        yield from unknown_names(self)
        for array in ("mo", "inject"):
            for index, each in enumerate(getattr(self, array)):
                if names and each.account is not None and each.account not in names:
                    yield (
                        (array, index, "account"),
                        f"there is no account {shown(each.account)}{nearest(each.account, names)}",
                    )
        yield from problems_of_timeline(self, self.timeline)
        if self.load is not None and self.load.target is None:
            yield from self._problems_of_login(self.load)

    def _problems_of_login(self, load: Load) -> Problems:
        """Say why the simulator's own ESME could not bind."""
        names = [account.system_id for account in self.account]
        chosen = load.account or next(iter(names), "load")
        if chosen not in names:
            problem = problem_of_field(BindTransceiver, "system_id", chosen)
            if problem:
                yield ("load", "account"), problem
            return
        index = names.index(chosen)
        for key in ("system_id", "password", "system_type"):
            problem = problem_of_field(BindTransceiver, key, getattr(self.account[index], key) or "")
            if problem:
                yield ("account", index, key), f"of the load {problem}"


def _alike(array: str, names: list[str]) -> Problems:
    """Say which names an expectation could not tell from one before: "a b" and "a_b" are written alike in it."""
    slugs = [slug(name) for name in names]
    for index, name in enumerate(names):
        before = slugs.index(slugs[index])
        if not name or before == index:
            continue
        if names[before] == name:
            yield (array, index, "name"), f"{shown(name)} is the name of another {array}"
        else:
            yield (array, index, "name"), f"{shown(name)} and {shown(names[before])} are one name in an expectation"


def _repeated(array: str, key: str, names: list[str]) -> Problems:
    for index, name in enumerate(names):
        if name and name in names[:index]:
            yield (array, index, key), f"{shown(name)} is the name of another {array}"
