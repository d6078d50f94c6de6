"""Our numbers in Prometheus' words.  The one importer of prometheus_client; nothing below knows of it."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from connector.model import Ledger
from connector.pipeline.door import BindStatistics, CarrierStatistics, Statistics
from connector.pipeline.limited import Cause

_NOT_COUNTED = frozenset({"scheduled", "accepted", "sending"})
"""Where we bring parts ourselves: the rows and the ledger tell of those."""

_Rows = Sequence[tuple[tuple[str, ...], float]]
"""Label values and a number."""


class _Numbers(Collector):
    def __init__(self, statistics: Statistics, ledger: Ledger, statuses: Iterable[str]) -> None:
        self._statistics = statistics
        self._ledger = ledger
        self._statuses = dict.fromkeys(statuses, 0)

    def collect(self) -> Iterator[Metric]:
        yield from _of_ledger(self._ledger, self._statuses)
        yield from _of_pipeline(self._statistics, self._statuses)
        yield from _of_loop(self._statistics)
        yield from _of_carriers(self._statistics)


def render(statistics: Statistics, ledger: Ledger, statuses: Iterable[str] = ()) -> bytes:
    """Return the numbers of this moment in Prometheus' text format.

    ``statuses``: the names that have a line even at zero, so that rates and alarms on them work from the first one on.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Numbers(statistics, ledger, statuses))
    return generate_latest(registry)


def _gauge(name: str, text: str, rows: _Rows, labels: tuple[str, ...] = ()) -> Metric:
    metric = GaugeMetricFamily(f"carrierline_{name}", text, labels=labels)
    for values, number in rows:
        metric.add_metric(values, number)
    return metric


def _counter(name: str, text: str, rows: _Rows, labels: tuple[str, ...] = ()) -> Metric:
    metric = CounterMetricFamily(f"carrierline_{name}", text, labels=labels)
    for values, number in rows:
        metric.add_metric(values, number)
    return metric


def _of_ledger(ledger: Ledger, statuses: Mapping[str, int]) -> Iterator[Metric]:
    yield _counter("messages_kept", "Messages ever kept.", [((), ledger.accepted)])
    by_status = [((status,), float(n)) for status, n in sorted({**statuses, **ledger.messages}.items())]
    yield _gauge("messages", "Messages by status.", by_status, ("status",))
    yield _counter(
        "attempts_submitted", "Attempts of which nobody has proved that no octet left.", [((), ledger.submitted)]
    )
    yield _counter("attempts_answered", "Attempts that were answered.", [((), ledger.answered)])
    yield _gauge("attempts_in_doubt", "Attempts whose answer was lost and has not come since.", [((), ledger.doubted)])
    yield _gauge("receipts_parked", "Receipts that match no attempt yet.", [((), ledger.parked)])
    yield from _of_inbound(ledger)
    yield _gauge(
        "ledger_imbalance",
        "Messages, parts and attempts unaccounted for: anything but 0 is a defect.",
        [((), ledger.imbalance)],
    )


def _of_inbound(ledger: Ledger) -> Iterator[Metric]:
    for name, key, text in (
        ("inbound_messages", "messages", "Messages from subscribers, joined of their parts."),
        ("inbound_partial", "partial", "Those among them that lack parts."),
        ("inbound_unmatched", "unmatched", "Those among them that belong to no API key."),
        ("inbound_parts", "parts", "deliver_sm from subscribers that were kept."),
        ("inbound_repeats", "repeats", "Those among them that carriers sent again."),
    ):
        yield _counter(name, text, [((), ledger.inbound.get(key, 0))])
    text = "Parts of messages from subscribers that wait for others."
    yield _gauge("inbound_open_parts", text, [((), ledger.inbound.get("open", 0))])


def _of_pipeline(statistics: Statistics, statuses: Mapping[str, int]) -> Iterator[Metric]:
    waiting = [((queue.lane,), float(queue.waiting)) for queue in statistics.queues]
    yield _gauge("waiting_parts", "Parts that wait, by lane.", waiting, ("lane",))
    rows = [((verdict,), float(n)) for verdict, n in sorted(statistics.rows.items())]
    yield _counter("rows", "Rows of requests by verdict, since the start.", rows, ("verdict",))
    reached = {status: n for status, n in {**statuses, **statistics.parts}.items() if status not in _NOT_COUNTED}
    if statistics.recovered:  # put in doubt before any carrier could say a word
        reached["in_doubt"] = reached.get("in_doubt", 0) + statistics.recovered
    parts = [((status,), float(n)) for status, n in sorted(reached.items())]
    yield _counter("parts", "Parts by where carriers and time brought them, since the start.", parts, ("status",))
    notices = [((str(kind),), float(n)) for kind, n in statistics.notice_counts.items()]
    yield _counter("notices", "Notices to operators since the start, by what they are about.", notices, ("kind",))
    store = statistics.store
    yield _counter("store_commits", "Transactions committed.", [((), store.commits)])
    yield _gauge("store_last_commit_seconds", "Duration of the newest transaction.", [((), store.last_commit_s)])
    yield _gauge("store_waiting", "Pieces of work that wait for the writer.", [((), store.waiting)])
    yield _gauge("store_log_bytes", "Size of the store's write-ahead log.", [((), store.log_bytes)])
    inbound = statistics.inbound
    text = "Messages from subscribers that wait for parts."
    yield _gauge("inbound_open_messages", text, [((), inbound.open_messages)])
    words = [((word,), float(n)) for word, n in inbound.receipts.items()]
    yield _counter("receipts", "Receipts kept since the start, repeats too, by what they say.", words, ("event",))
    text = "deliver_sm left to their carriers, for the disk did not take them in time."
    yield _counter("deliveries_refused", text, [((), inbound.refused)])
    yield _gauge("draining", "1 while the connector is about to stop.", [((), float(statistics.draining))])


def _of_loop(statistics: Statistics) -> Iterator[Metric]:
    loop = statistics.loop
    yield _gauge("loop_lag_seconds", "How late the event loop comes round, smoothed.", [((), loop.lag_s)])
    yield _gauge("loop_lag_max_seconds", "The worst of the last ten seconds.", [((), loop.lag_max_s)])
    yield _gauge("loop_busy", "Share of one CPU that the event loop uses, smoothed.", [((), loop.busy)])
    text = "From the read of an answer to its commit, smoothed."
    yield _gauge("processing_seconds", text, [((), statistics.processing_s)])


_BIND_GAUGES: Sequence[tuple[str, str, Callable[[BindStatistics], float]]] = (
    ("bind_up", "1 while the bind stands.", lambda bind: bind.state == "bound"),
    ("window_used", "Requests sent and not yet answered.", lambda bind: bind.window_used),
    ("window_size", "Places of the window.", lambda bind: bind.window_size),
    ("response_time_seconds", "From the wire to the wire, smoothed.", lambda bind: bind.response_time_s),
    ("response_p50_seconds", "Median response time of late.", lambda bind: bind.response_p50_s),
    ("response_p99_seconds", "99th percentile of the response time of late.", lambda bind: bind.response_p99_s),
    ("oldest_in_flight_seconds", "Age of the oldest request without answer.", lambda bind: bind.oldest_in_flight_s),
)

_CARRIER_GAUGES: Sequence[tuple[str, str, Callable[[CarrierStatistics], float]]] = (
    ("rate_per_second", "Parts a second that may leave now; +Inf for any number.", lambda it: _any(_account(it))),
    ("credit", "Parts that may be claimed now.", lambda it: it.credit),
    ("claimed", "Parts that have credit and have not left.", lambda it: it.claimed),
    ("claim_wait_seconds", "From a claim's commit to the wire, smoothed.", lambda it: it.wait_s),
    ("suspended", "1 while an operator has stopped its traffic.", lambda it: it.suspended),
    ("eased", "1 while the carrier's complaints hold any of its limits down.", lambda it: it.eased),
    ("ramp_stage", "Stages of its ramp that are over.", lambda it: it.ramp_stage),
    ("ramp_halted", "1 while its ramp does not rise.", lambda it: bool(it.ramp_halted)),
)

_SCOPES = ("account", "bind", "country", "sender")


def _any(rate_per_s: float | None) -> float:
    return math.inf if rate_per_s is None else rate_per_s


def _account(carrier: CarrierStatistics) -> float | None:
    return carrier.limits[0].rate_per_s


def _of_carriers(statistics: Statistics) -> Iterator[Metric]:
    carriers, outlooks = statistics.carriers, statistics.outlooks.items()
    for name, text, carrier_value in _CARRIER_GAUGES:
        rows = [((carrier.name,), float(carrier_value(carrier))) for carrier in carriers]
        yield _gauge(f"carrier_{name}", text, rows, ("carrier",))
    contract = [((name,), _any(outlook.contract_per_s)) for name, outlook in outlooks]
    yield _gauge("carrier_contract_per_second", "The configured rate; +Inf for none.", contract, ("carrier",))
    waiting = [((name,), float(outlook.waiting)) for name, outlook in outlooks]
    yield _gauge("carrier_waiting_parts", "Parts that wait under a rule that names it.", waiting, ("carrier",))
    held = [((name, str(cause)), outlook.limited_by.shares[cause]) for name, outlook in outlooks for cause in Cause]
    text = "Share of the last ten seconds in which this held the carrier back."
    yield _gauge("limited_by", text, held, ("carrier", "cause"))
    throttled = [((carrier.name,), float(carrier.throttled)) for carrier in carriers]
    yield _counter("throttled", "Times the carrier asked us to slow down.", throttled, ("carrier",))
    yield from _of_health(statistics)
    yield from _of_limits(carriers)
    yield from _of_binds(carriers)


def _of_health(statistics: Statistics) -> Iterator[Metric]:
    """Tell of a country only where it gets less than all: most of the world has nothing to say."""
    known = {(each.carrier, each.country): each.share for each in statistics.health}
    whole = [((carrier.name,), known.get((carrier.name, None), 1.0)) for carrier in statistics.carriers]
    yield _gauge(
        "carrier_health_share", "Share of its traffic that the carrier gets for its health.", whole, ("carrier",)
    )
    names = {carrier.name for carrier in statistics.carriers}
    parts = [
        ((name, at), share) for (name, at), share in known.items() if at is not None and share != 1 and name in names
    ]
    text = "The same of a country that does not stand as the carrier does."
    yield _gauge("carrier_country_share", text, parts, ("carrier", "country"))


def _of_limits(carriers: Sequence[CarrierStatistics]) -> Iterator[Metric]:
    """Count limits by scope: a line for each sender would grow with what callers make up."""
    counted = [(c.name, scope, [it for it in c.limits if it.scope == scope]) for c in carriers for scope in _SCOPES]
    labels = ("carrier", "scope")
    kept = [((name, scope), float(len(limits))) for name, scope, limits in counted]
    yield _gauge("limits", "Limits that are watched.", kept, labels)
    eased = [((name, scope), float(sum(it.eased for it in limits))) for name, scope, limits in counted]
    yield _gauge("limits_eased", "Limits that the carrier's complaints hold down.", eased, labels)


def _of_binds(carriers: Sequence[CarrierStatistics]) -> Iterator[Metric]:
    binds = [((carrier.name, bind.name), bind) for carrier in carriers for bind in carrier.binds]
    for name, text, value in _BIND_GAUGES:
        yield _gauge(name, text, [(names, float(value(bind))) for names, bind in binds], ("carrier", "bind"))
    tries = [(names, float(bind.attempts)) for names, bind in binds]
    yield _counter("bind_attempts", "Tries to bind since the start.", tries, ("carrier", "bind"))
