"""From a seed to a plan.  Every rate is drawn anew for each world: some are quiet but for one fault, some are hell."""

import random
from collections.abc import Sequence
from typing import Any, Final

from connector.config import (
    ApiConfig,
    BindConfig,
    CarrierConfig,
    Config,
    DialectConfig,
    HealthConfig,
    InboundConfig,
    InboundRouteConfig,
    KeyConfig,
    LaneConfig,
    RetryConfig,
    RouteConfig,
    StoreConfig,
)
from connector.config.lane import QuietHours
from tests.simulation.faults import ACTS
from tests.simulation.habits import HABITS, Drawn
from tests.simulation.network import Weather
from tests.simulation.plan import CarrierPlan, Moment, Plan, Send

CARRIERS: Final = ("north", "south", "west")
KEYS: Final = ("shop", "bank", "poll")
LANES: Final = ("otp", "transactional", "promotional")
SHORT: Final = "your code is 4711"
LONG: Final = "a text of several parts, as long as it takes " * 8
WEIRD: Final = "Ünïcödé 🙂 for everybody, in more than one part " * 3
PASSWORD: Final = "hush4711"
MOST_CALLS: Final = 60
"""Of a short world."""
MANY_BINDS: Final = 60
"""Of one carrier: now and then they come back as a storm."""
A_CALL_EVERY_S: Final = 60.0
BUSY_MORE_S: Final = 10.0
"""After the last call: what waits leaves, and receipts come."""
LEFT_OUT: Final = "a carrier left out"
EVENING: Final = "08:01"
EVENING_S: Final = 60.0
"""When it is that time in a world."""
FAULTS_AN_HOUR: Final = 12
"""Of a long one."""


def draw(seed: int, *, hours: float | None = None) -> Plan:
    """Return the world of a seed; of ``hours`` a long one, with its traffic and faults in proportion."""
    chance = random.Random(seed)
    span_s = chance.choice([20.0, 45.0, 45.0, 90.0, 90.0, 240.0]) if hours is None else 3_600 * hours
    carriers = _carriers(chance)
    settings = _settings(chance, carriers, span_s)
    names = [carrier.name for carrier in carriers]
    sends = _sends(chance, span_s, None if hours is None else A_CALL_EVERY_S)
    busy_s = min(span_s, BUSY_MORE_S + max((send.at_s for send in sends), default=0.0))
    count = None if hours is None else round(hours * FAULTS_AN_HOUR)
    moments = tuple(_moments(chance, (busy_s, span_s), names, count))
    sends += _campaign(settings.lane["promotional"], first=sum(send.count for send in sends))
    sends += _long_texts(chance, moments, first=sum(send.count for send in sends))
    return Plan(
        seed=seed,
        span_s=span_s,
        settings=settings,
        carriers=tuple(carriers),
        weather=_weather(chance),
        commit_s=chance.choice([(0.001, 0.003), (0.002, 0.05), (0.02, 0.3)]),
        engine=chance.choice(["memory"] * 9 + ["sqlite"]),
        sends=tuple(sends),
        moments=moments,
    )


def _weather(chance: random.Random) -> Weather:
    return Weather(
        latency_s=chance.choice([(0.0005, 0.002), (0.001, 0.08), (0.001, 0.08), (0.05, 0.4), (0.01, 3.0)]),
        fragments=chance.choice([0.0, 0.0, 0.2, 0.9]),
        torn=chance.choice([0.0, 0.0, 0.01, 0.08]),
    )


def _carriers(chance: random.Random) -> list[CarrierPlan]:
    names = CARRIERS[: chance.choice([1, 2, 2, 3])]
    return [
        CarrierPlan(
            name=name,
            habits=tuple(_habits(chance)),
            seed=chance.randrange(10**6),
            receipt_s=chance.choice([0.2, 2.0, 2.0, 20.0]),
        )
        for name in names
    ]


def _habits(chance: random.Random) -> Sequence[Drawn]:
    """Return some; but of those that spell ids one at most, for the connector is told of one way."""
    count = chance.choice([0, 1, 1, 2, 3, 5])
    drawn = [HABITS[name].drawn(chance) for name in chance.sample(list(HABITS), count)]
    spelling = [each for each in drawn if 43 in HABITS[each.name].faults]
    return [each for each in drawn if each not in spelling[1:]]


# --- the configuration ---


def _settings(chance: random.Random, carriers: Sequence[CarrierPlan], span_s: float) -> Config:
    names = tuple(carrier.name for carrier in carriers)
    built = [_carrier(chance, carrier) for carrier in carriers]
    return Config(
        api=ApiConfig(key=tuple(KeyConfig(name=name, secret_env="X", country="GB") for name in KEYS)),
        carrier=tuple(built),
        store=_store(chance),
        route=tuple(_routes(chance, names)),
        lane={name: _lane(chance, name, span_s) for name in LANES},
        health=HealthConfig(min_samples=chance.choice([5, 20]), window_s=20.0, probe_after_s=2.0, probe_at_most_s=8.0),
        inbound=InboundConfig(join_timeout_s=20.0, route=(InboundRouteConfig(api_key="shop"),)),
    )


def _store(chance: random.Random) -> StoreConfig:
    """Return how long rows are kept: in one world in five so short that they go while it lives."""
    if chance.random() < 0.8:
        return StoreConfig(min_free_mb=0)
    return StoreConfig(
        min_free_mb=0,
        idempotency_s=60.0,
        keep_messages_s=90.0,
        keep_events_s=60.0,
        keep_receipts_s=7 * 86_400.0,
        keep_inbound_s=90.0,
    )


def _routes(chance: random.Random, names: tuple[str, ...]) -> list[RouteConfig]:
    prefer: Any = chance.choice(["order", "speed", "cost"])
    if len(names) > 1 and chance.random() < 0.3:
        return [
            RouteConfig(carriers=names[::-1], lanes=("otp",), name="codes"),
            RouteConfig(carriers=names, prefer=prefer, name="rest"),
        ]
    return [RouteConfig(carriers=names, prefer=prefer)]


def _carrier(chance: random.Random, plan: CarrierPlan) -> CarrierConfig:
    profiles = [HABITS[each.name].dialect for each in plan.habits if HABITS[each.name].dialect]
    dialect: dict[str, Any] = {"profile": profiles[0]} if profiles else {}
    bind = BindConfig(
        host=plan.name,
        system_id="acme",
        allow_plaintext=True,
        password_env="X",
        count=chance.choice([1, 1, 1, 1, 2, 2, 2, 4, 4, 4] * 3 + [MANY_BINDS]),
        window_size=chance.choice([1, 2, 5, 20, 50]),
        response_timeout_s=chance.choice([2.0, 5.0, 10.0]),
        enquire_link_s=chance.choice([5.0, 15.0]),
        connect_timeout_s=5.0,
        reconnect_max_s=10.0,
        rebind_after_s=5.0,
        unbind_pause_s=2.0,
        drain_s=chance.choice([1.0, 5.0]),
    )
    return CarrierConfig(
        name=plan.name,
        bind=(bind,),
        rate_per_s=chance.choice([None, None, 5.0, 20.0, 100.0]),
        binds_per_minute=None,
        dialect=DialectConfig(
            **dialect,
            doubt_settled_by=chance.choice(["id", "id", "text"]),
            cancel_sm=chance.random() < 0.5,
            registered_delivery=chance.choice([1, 1, 17]),
        ),
    )


def _lane(chance: random.Random, name: str, span_s: float) -> LaneConfig:
    urgent = name == "otp"
    retry = RetryConfig(
        attempts=chance.choice([1, 3, 8]),
        backoff_s=chance.choice([(0.5,), (1.0, 4.0), (2.0, 10.0)]),
        second_opinion=chance.random() < 0.5,
        set_aside_after=chance.choice([1, 3]),
        within_s=chance.choice([None, 25.0]),
    )
    resends = name == "promotional" or (name == "otp" and chance.random() < 0.5)
    return LaneConfig(
        reserve={"otp": 0.6, "transactional": 0.3, "promotional": 0.1}[name],
        keep_free=0.1 if urgent else 0.0,
        deadline_s=chance.choice([20.0, 60.0, 120.0]),
        patience_s=60.0,
        on_doubt="resend" if resends else "hold",
        resends=chance.choice([1, 2, 3]),
        resend_after_s=chance.choice([0.5, 4.0, 15.0]),
        retry=retry,
        urgent=urgent,
        max_rate_per_s=chance.choice([None, None, None, 3.0]),
        keep_body_s=chance.choice([0.0, 30.0, 7 * 86_400.0]),
        quiet_hours=_quiet(chance, span_s) if name == "promotional" else None,
    )


def _quiet(chance: random.Random, span_s: float) -> QuietHours | None:
    """Return hours that begin or end within the world, which starts at 08:00:00 UTC."""
    if chance.random() < 0.5:
        return None
    begins = span_s > EVENING_S and chance.random() < 0.75
    start, end = (EVENING, "08:03") if begins else ("07:00", "08:01")
    return QuietHours(start=start, end=end, zone="UTC")


# --- what callers want ---


def _sends(chance: random.Random, span_s: float, every_s: float | None) -> list[Send]:
    pause_s = every_s or chance.choice([0.3, 1.0, 3.0])
    at_s, first, sends = chance.uniform(0.0, 2.0), 0, list[Send]()
    while at_s < span_s * 0.7 and (every_s or len(sends) < MOST_CALLS):
        count = chance.choice([1, 1, 1, 2, 5, 20])
        sends.append(_send(chance, at_s, first, count))
        first += count
        at_s += chance.expovariate(1 / pause_s)
    return sends


def _campaign(lane: LaneConfig, *, first: int) -> list[Send]:
    """Return what somebody wants to have sent in the last second before hours begin that are quiet."""
    if lane.quiet_hours is None or lane.quiet_hours.start != EVENING:
        return []
    return [
        Send(
            at_s=EVENING_S - 0.2 * before,
            key="shop",
            lane="promotional",
            first=first + 10 * number,
            count=10,
            text=SHORT,
        )
        for number, before in enumerate((5, 4, 3, 2, 1))
    ]


def _long_texts(chance: random.Random, moments: Sequence[Moment], *, first: int) -> list[Send]:
    """Return messages of several parts that are under way when a carrier gets into trouble and is left out for it."""
    times = [moment.at_s - 0.3 for moment in moments if moment.act == LEFT_OUT for _ in range(3)]
    return [
        Send(
            at_s=at_s,
            key=chance.choice(KEYS),
            lane=chance.choice(LANES),
            first=first + 3 * number,
            count=3,
            text=3 * LONG,
        )
        for number, at_s in enumerate(times)
    ]


def _send(chance: random.Random, at_s: float, first: int, count: int) -> Send:
    return Send(
        at_s=round(at_s, 3),
        key=chance.choice(KEYS),
        lane=chance.choice(LANES),
        first=first,
        count=count,
        text=chance.choice([SHORT, SHORT, SHORT, LONG, WEIRD]),
        again_s=chance.choice([None, None, None, 0.0, 0.05, 5.0]),
        deadline_in_s=chance.choice([None, None, None, 15.0]),
        send_in_s=chance.choice([None, None, None, None, 10.0]),
        sender=chance.choice([None, None, "60777"]),
    )


# --- what goes wrong ---


def _moments(
    chance: random.Random, within_s: tuple[float, float], hosts: Sequence[str], count: int | None
) -> list[Moment]:
    if count is None:
        count = chance.choice([0, 1, 2, 3, 5, 8, 12])
    acts = {name: act for name, act in ACTS.items() if len(hosts) >= act.least_hosts}
    weights = [act.weight * chance.choice([0.0, 1.0, 1.0, 3.0]) for act in acts.values()]
    if not any(weights):
        return []
    names = chance.choices(list(acts), weights=weights, k=count)
    moments = [_moment(chance, name, within_s, hosts) for name in names]
    return sorted(moments, key=lambda moment: moment.at_s)


def _moment(chance: random.Random, name: str, within_s: tuple[float, float], hosts: Sequence[str]) -> Moment:
    """Return a fault, most of them while callers call."""
    act, (busy_s, span_s) = ACTS[name], within_s
    return Moment(
        at_s=round(chance.uniform(1.0, busy_s if chance.random() < 0.75 else span_s), 3),
        act=name,
        host=chance.choice(hosts) if act.at_host else "",
        for_s=round(chance.uniform(*act.for_s), 3),
        size=round(chance.uniform(*act.size), 3),
    )
