"""A scenario as one value."""

from typing import Literal

import attrs

from connector.settings import Rules, duration, nearest, shown, within
from connector.smpp.pdu import BindTransceiver
from simulator.scenario.carrier import AccountRules, CarrierRules, Limits, Listen, Outbind, Queue
from simulator.scenario.changes import problems_of_timeline
from simulator.scenario.fields import Problems
from simulator.scenario.fitting import problem_of_field
from simulator.scenario.messages import DeliveryRules, MoRules, ReceiptRules, Response
from simulator.scenario.names import problems_of_names, unknown_names
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
    """How many faults there may be: of rules, wire and inject, and answers and receipts that never come."""
    quiet_after_s: float | None = duration(None)
    """From then on there are no such faults any more."""
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

    def problems(self) -> Rules:
        yield self._repeated_accounts()
        yield problems_of_names(self)
        yield unknown_names(self)
        yield self._unknown_accounts()
        yield self._deaf_accounts()
        yield problems_of_timeline(self, self.timeline)
        yield self._problems_of_login()

    def _repeated_accounts(self) -> Problems:
        names = [account.system_id for account in self.account]
        for index, name in enumerate(names):
            if name in names[:index]:
                yield ("account", index, "system_id"), f"{shown(name)} is the name of another account"

    def _unknown_accounts(self) -> Problems:
        names = [account.system_id for account in self.account]
        for array in ("mo", "inject"):
            for index, each in enumerate(getattr(self, array)):
                if names and each.account is not None and each.account not in names:
                    problem = f"there is no account {shown(each.account)}{nearest(each.account, names)}"
                    yield (array, index, "account"), problem

    def _deaf_accounts(self) -> Problems:
        """Say which messages from subscribers nobody could ever be sent."""
        deaf = [account.system_id for account in self.account if not account.may_receive]
        for index, mo in enumerate(self.mo):
            if mo.account is not None and mo.account in deaf:
                problem = f'{shown(mo.account)} only transmits: add "receiver" to its bind_types, or name another'
                yield ("mo", index, "account"), problem
            elif mo.account is None and deaf and len(deaf) == len(self.account):
                yield ("mo", index), 'nobody gets it: add "receiver" to the bind_types of an account'

    def _lets_send(self, account: AccountRules) -> bool:
        """Say whether an account has a bind that may send: 3.3 knows no transceiver."""
        only_33 = set(self.carrier.versions) == {"3.3"}
        return "transmitter" in account.bind_types or ("transceiver" in account.bind_types and not only_33)

    def _problems_of_login(self) -> Problems:
        """Say why the simulator's own ESME could not bind."""
        load = self.load
        if load is None or load.target is not None:
            return
        names = [account.system_id for account in self.account]
        chosen = load.account or next(iter(names), "load")
        if chosen not in names:
            problem = problem_of_field(BindTransceiver, "system_id", chosen)
            if names:
                problem = f"there is no account {shown(chosen)}{nearest(chosen, names)}"
            if problem:
                yield ("load", "account"), problem
            return
        index = names.index(chosen)
        if not self._lets_send(self.account[index]):
            problem = f"the load binds as {shown(chosen)} and could never send: let it be a transmitter"
            yield ("account", index, "bind_types"), problem
        for key in ("system_id", "password", "system_type"):
            problem = problem_of_field(BindTransceiver, key, getattr(self.account[index], key) or "")
            if problem:
                yield ("account", index, key), f"of the load {problem}"
