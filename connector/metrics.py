"""Our numbers in Prometheus' words.  The one importer of prometheus_client; nothing below knows of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from connector.model import Ledger
from connector.pipeline.door import Statistics

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
    yield _gauge("receipts_parked", "Receipts that match no attempt yet.", [((), ledger.parked)])
    yield _gauge("ledger_imbalance", "Messages unaccounted for: anything but 0 is a defect.", [((), ledger.imbalance)])


def _of_pipeline(statistics: Statistics, statuses: Mapping[str, int]) -> Iterator[Metric]:
    waiting = [((queue.lane,), float(queue.waiting)) for queue in statistics.queues]
    yield _gauge("waiting_parts", "Parts that wait, by lane.", waiting, ("lane",))
    rows = [((verdict,), float(n)) for verdict, n in sorted(statistics.rows.items())]
    yield _counter("rows", "Rows of requests by verdict, since the start.", rows, ("verdict",))
    reached = {status: n for status, n in {**statuses, **statistics.parts}.items() if status not in _NOT_COUNTED}
    parts = [((status,), float(n)) for status, n in sorted(reached.items())]
    yield _counter("parts", "Parts by where carriers and time brought them, since the start.", parts, ("status",))
    store = statistics.store
    yield _counter("store_commits", "Transactions committed.", [((), store.commits)])
    yield _gauge("store_last_commit_seconds", "Duration of the newest transaction.", [((), store.last_commit_s)])
    yield _gauge("store_waiting", "Pieces of work that wait for the writer.", [((), store.waiting)])
    yield _gauge("draining", "1 while the connector is about to stop.", [((), float(statistics.draining))])


def _of_carriers(statistics: Statistics) -> Iterator[Metric]:
    carriers = statistics.carriers
    binds = [(carrier.name, bind) for carrier in carriers for bind in carrier.binds]
    labels = ("carrier", "bind")
    up = [((name, bind.name), float(bind.state == "bound")) for name, bind in binds]
    yield _gauge("bind_up", "1 while the bind stands.", up, labels)
    used = [((name, bind.name), float(bind.window_used)) for name, bind in binds]
    yield _gauge("window_used", "Requests sent and not yet answered.", used, labels)
    size = [((name, bind.name), float(bind.window_size)) for name, bind in binds]
    yield _gauge("window_size", "Places of the window.", size, labels)
    response = [((name, bind.name), bind.response_time_s) for name, bind in binds]
    yield _gauge("response_time_seconds", "From the wire to the wire, smoothed.", response, labels)
    tries = [((name, bind.name), float(bind.attempts)) for name, bind in binds]
    yield _counter("bind_attempts", "Tries to bind since the start.", tries, labels)
    throttled = [((carrier.name,), float(carrier.throttled)) for carrier in carriers]
    yield _counter("throttled", "Times the carrier asked us to slow down.", throttled, ("carrier",))
