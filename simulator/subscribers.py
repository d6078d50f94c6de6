"""Who writes to which account, from the start and after a change.  No I/O."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs

from simulator.accounts import Account
from simulator.mo import MoRun
from simulator.scenario import MoRules


class Subscribers:
    """All that ``[[mo]]`` says: each entry writes to the account it names, or to the first that may receive."""

    def __init__(self, rules: Sequence[MoRules]) -> None:
        self._rules = tuple(rules)
        self._waiting: list[MoRun] = []
        """Those whose account has not come."""

    def start(self, started_at: float) -> None:
        """Begin with all: times count from here."""
        self._waiting = [MoRun.started(rules, started_at) for rules in self._rules]

    def write_to(self, account: Account) -> None:
        """Have those write to a new account that have waited for it."""
        mine = [run for run in self._waiting if _is_for(run, account)]
        self._waiting = [run for run in self._waiting if run not in mine]
        account.runs += mine

    def change(self, rules: Sequence[MoRules], accounts: Mapping[str, Account], started_at: float, now: float) -> None:
        """Go by other entries from now on: what stays goes on, and what differs in its rate alone goes on at that.

        Of entries that are new, a rate begins now, and a time that lies behind has been, without effect.
        """
        if tuple(rules) == self._rules:
            return
        self._rules = tuple(rules)
        left = self._waiting + [run for account in accounts.values() for run in account.runs]
        runs = [_taken(left, each, now) or MoRun.begun(each, started_at, now) for each in rules]
        self._waiting = runs
        for account in accounts.values():
            account.runs = []
            self.write_to(account)
            if account.receivers:
                account.receivers[0].ring_by(account.next_at)


def _is_for(run: MoRun, account: Account) -> bool:
    if run.rules.account is None:
        return account.rules.may_receive
    return run.rules.account == account.rules.system_id


def _taken(left: list[MoRun], rules: MoRules, now: float) -> MoRun | None:
    """Take out of what was going on what a new entry goes on with."""
    ways: Iterable[Callable[[MoRules], bool]] = (lambda old: old == rules, lambda old: _is_other_rate(old, rules))
    for is_same in ways:
        for place, run in enumerate(left):
            if is_same(run.rules):
                del left[place]
                run.go_on(rules, now)
                return run
    return None


def _is_other_rate(old: MoRules, new: MoRules) -> bool:
    return old.rate is not None and new.rate is not None and attrs.evolve(old, rate=new.rate) == new
