"""Limits nest, and a carrier's "too much" is charged to the narrowest of them that explains it."""

from collections.abc import Sequence

import attrs

from connector.carrier.limits import ACCOUNT, Limits, Scope
from connector.config import BindConfig, CarrierConfig
from connector.config.carrier import LimitConfig
from connector.model import Part, part_id

START_S = 1_800_000_000.0


def limits(*limit: LimitConfig, rate_per_s: float | None = 100) -> Limits:
    bind = BindConfig(host="127.0.0.1", system_id="acme")
    return Limits(CarrierConfig(name="north", bind=(bind,), rate_per_s=rate_per_s, limit=limit))


def part(sender: str = "ACME", country: str | None = "GB") -> Part:
    return Part(
        id=part_id(1, 0),
        number=1,
        total=1,
        queue=1,
        lane="promotional",
        to="447911123456",
        sender=sender,
        text="hello",
        alphabet="gsm",
        reference=0,
        deadline=START_S + 600,
        country=country,
    )


@attrs.define
class Talk:
    """Answers of a carrier, one every ten milliseconds."""

    limits: Limits
    now: float = START_S

    def answers(self, parts: Sequence[tuple[Part, bool]], bind: str = "north/1") -> list[object]:
        charged: list[object] = []
        for each, taken in parts:
            self.now += 0.01
            if not taken:
                charged.append(self.limits.refused(each, bind, self.now, sent_at=self.now - 0.001))
            elif self.limits.is_watching(self.now):
                self.limits.accepted(each, bind, self.now)
        return charged


def admitted(it: Limits, parts: Sequence[Part], now: float = START_S, ahead_s: float = 0.0) -> int:
    budget = it.budget([], now, ahead_s)
    return len(parts) if budget is None else sum(budget.admits(each) for each in parts)


def test_without_nested_limits_nothing_is_looked_at_part_by_part() -> None:
    assert limits().budget([], START_S, 0.1) is None


def test_a_sender_with_a_limit_of_its_own_leaves_no_more_than_that() -> None:
    it = limits(LimitConfig(sender="ACME", rate_per_s=1))
    parts = [part("ACME") for _ in range(5)]
    assert admitted(it, parts) == 1
    assert admitted(it, [part("OTHER") for _ in range(5)]) == 5
    it.take(parts[:1], START_S)
    assert admitted(it, parts, START_S + 0.5) == 0
    assert admitted(it, parts, START_S + 1.1) == 1


def test_each_sender_may_have_a_limit_by_itself() -> None:
    it = limits(LimitConfig(sender="*", rate_per_s=1))
    assert admitted(it, [part("A"), part("A"), part("B"), part("C"), part("C")]) == 3


def test_a_country_and_a_sender_both_have_to_let_a_part_through() -> None:
    it = limits(LimitConfig(country="IN", rate_per_s=1), LimitConfig(sender="A", rate_per_s=1))
    assert admitted(it, [part("A", "IN"), part("B", "IN"), part("B", "GB"), part("A", "GB")]) == 2


def test_what_is_claimed_already_counts() -> None:
    it = limits(LimitConfig(sender="A", rate_per_s=1))
    budget = it.budget([part("A")], START_S, 0.05)
    assert budget is not None
    assert not budget.admits(part("A"))


def test_one_throttled_sender_is_found_while_the_others_pass() -> None:
    talk = Talk(limits())
    mixed = [(part("SLOW"), False), *((part(name), True) for name in ("A", "B", "C", "D"))] * 20
    charged = talk.answers(mixed)
    assert (Scope.SENDER, "SLOW") in charged
    assert ACCOUNT not in charged
    assert not talk.limits.account.is_eased(talk.now)
    assert talk.limits.throttle((Scope.SENDER, "SLOW")).is_eased(talk.now)


def test_two_throttled_senders_are_charged_each_and_nobody_else() -> None:
    talk = Talk(limits())
    mixed = [(part("S1"), False), (part("S2"), False), *((part(name), True) for name in "ABCDEFGH")] * 20
    charged = set(talk.answers(mixed)) - {None}
    assert charged == {(Scope.SENDER, "S1"), (Scope.SENDER, "S2")}


def test_one_throttled_country_is_found_while_its_senders_pass_elsewhere() -> None:
    talk = Talk(limits())
    mixed = [(part("A", "IN"), False), (part("B", "IN"), False), *((part(x, "GB"), True) for x in "ABABABABABAB")] * 20
    assert (Scope.COUNTRY, "IN") in talk.answers(mixed)
    assert not talk.limits.account.is_eased(talk.now)


def test_one_throttled_bind_is_found_while_the_others_pass() -> None:
    talk = Talk(limits())
    for _ in range(100):
        talk.answers([(part(), True), (part(), True)], bind="north/2")
        talk.answers([(part(), False)], bind="north/1")
    assert talk.limits.bind("north/1").is_eased(talk.now)
    assert not talk.limits.bind("north/2").is_eased(talk.now)
    assert not talk.limits.account.is_eased(talk.now)


def test_when_everybody_is_throttled_it_is_the_account() -> None:
    talk = Talk(limits())
    mixed = [(part(name), number % 5 != 0) for number, name in enumerate("ABCDEF" * 20)]
    assert ACCOUNT in talk.answers(mixed)


def test_when_there_is_one_sender_only_the_account_stays_open_for_others() -> None:
    talk = Talk(limits())
    charged = set(talk.answers([(part(), number % 3 == 0) for number in range(100)]))
    assert charged - {None} == {(Scope.SENDER, "ACME")}
    assert not talk.limits.account.is_eased(talk.now)
    assert admitted(talk.limits, [part("OTHER")], talk.now) == 1


def test_when_many_senders_are_refused_and_nobody_passes_it_is_the_account() -> None:
    talk = Talk(limits())
    assert ACCOUNT in talk.answers([(part(f"S{number}"), False) for number in range(20)])


def test_limits_the_carrier_had_shown_are_forgotten_when_it_lifts_them() -> None:
    talk = Talk(limits())
    talk.answers([(part("SLOW"), False), *((part(name), True) for name in "ABCD")] * 20)
    assert talk.limits.nested
    assert talk.limits.budget([], talk.now + 3_600, 0.0) is not None
    assert not talk.limits.nested
    assert talk.limits.throttled == 20


def test_a_link_cut_while_little_was_sent_was_not_cut_for_its_speed() -> None:
    it = limits(rate_per_s=500)
    it.account.take(11, START_S)
    it.cut_off("north/1", START_S + 0.5, sent_at=START_S)
    assert not it.bind("north/1").is_eased(START_S + 0.5)
    for number in range(100):
        it.account.take(5, START_S + 1 + number / 100)
    it.cut_off("north/1", START_S + 2, sent_at=START_S + 1.99)
    assert it.bind("north/1").is_eased(START_S + 2)
    assert not it.any_bind(START_S + 30)


def test_limits_the_carrier_had_shown_recover_as_before_when_the_configuration_changes() -> None:
    talk = Talk(limits())
    talk.answers([(part("SLOW"), False), *((part(name), True) for name in "ABCD")] * 20)
    bind = BindConfig(host="127.0.0.1", system_id="acme")
    talk.limits.change(CarrierConfig(name="north", bind=(bind,), rate_per_s=100, max_parts=3))
    assert talk.limits.throttle((Scope.SENDER, "SLOW")).is_eased(talk.now + 5)
    assert not talk.limits.throttle((Scope.SENDER, "SLOW")).is_eased(talk.now + 30)


def test_senders_that_hold_nobody_back_any_more_cost_nothing() -> None:
    it = limits(LimitConfig(sender="*", rate_per_s=1))
    for number in range(500):
        assert admitted(it, [part(f"S{number}")], START_S) == 1
        it.take([part(f"S{number}")], START_S)
    assert it.next_opening(START_S + 0.5) is not None
    it.budget([], START_S + 3, 0.0)
    assert it.next_opening(START_S + 3) is None
    assert len(it.statistics(START_S + 3)) == 1
