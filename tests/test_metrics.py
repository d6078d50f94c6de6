"""The numbers for Prometheus: names that do not change, labels that cannot grow, and a ledger that balances."""

import math
from collections.abc import Iterator

import attrs
from prometheus_client.parser import text_string_to_metric_families

from connector.api.status import show_status
from connector.lifecycle import Event, Status
from connector.metrics import render
from connector.model import Ledger, Receipt
from connector.pipeline.door import HealthStatistics, QueueStatistics, ScopeStatistics, Statistics, Steered
from connector.pipeline.health_rules import State
from connector.pipeline.limited import Cause
from connector.pipeline.notices import Kind
from tests.api.conftest import door as door
from tests.api.world import NUMBER, World

NAMES = {
    "carrierline_messages_kept_total",
    "carrierline_messages",
    "carrierline_receipts_parked",
    "carrierline_receipts_total",
    "carrierline_ledger_imbalance",
    "carrierline_waiting_parts",
    "carrierline_rows_total",
    "carrierline_parts_total",
    "carrierline_store_commits_total",
    "carrierline_store_last_commit_seconds",
    "carrierline_store_waiting",
    "carrierline_store_log_bytes",
    "carrierline_draining",
    "carrierline_bind_up",
    "carrierline_window_used",
    "carrierline_window_size",
    "carrierline_response_time_seconds",
    "carrierline_attempts_answered_total",
    "carrierline_attempts_in_doubt",
    "carrierline_attempts_submitted_total",
    "carrierline_bind_attempts_total",
    "carrierline_throttled_total",
    "carrierline_loop_lag_seconds",
    "carrierline_loop_lag_max_seconds",
    "carrierline_loop_busy",
    "carrierline_processing_seconds",
    "carrierline_response_p50_seconds",
    "carrierline_response_p99_seconds",
    "carrierline_oldest_in_flight_seconds",
    "carrierline_carrier_rate_per_second",
    "carrierline_carrier_contract_per_second",
    "carrierline_carrier_credit",
    "carrierline_carrier_claimed",
    "carrierline_carrier_claim_wait_seconds",
    "carrierline_carrier_suspended",
    "carrierline_carrier_eased",
    "carrierline_carrier_ramp_stage",
    "carrierline_carrier_ramp_halted",
    "carrierline_carrier_waiting_parts",
    "carrierline_limited_by",
    "carrierline_limits",
    "carrierline_limits_eased",
    "carrierline_notices_total",
    "carrierline_carrier_health_share",
    "carrierline_carrier_country_share",
    "carrierline_inbound_messages_total",
    "carrierline_inbound_partial_total",
    "carrierline_inbound_unmatched_total",
    "carrierline_inbound_parts_total",
    "carrierline_inbound_repeats_total",
    "carrierline_inbound_open_parts",
    "carrierline_inbound_open_messages",
    "carrierline_deliveries_refused_total",
}
LABELS = {"status", "lane", "verdict", "carrier", "bind", "cause", "scope", "kind", "country", "event"}
LEDGER = Ledger(accepted=5, messages={"sent": 2, "delivered": 3}, parts_accepted=5, parts={"sent": 5}, parked=4)

Sample = tuple[str, dict[str, str], float]


def samples(text: bytes) -> Iterator[Sample]:
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value


def value(text: bytes, name: str, **labels: str) -> float:
    (found,) = [number for other, given, number in samples(text) if other == name and given == labels]
    return found


def health(country: str | None, share: float, carrier: str = "north") -> HealthStatistics:
    return HealthStatistics(
        carrier=carrier,
        country=country,
        state=State.REDUCED,
        share=share,
        samples=10,
        bad_share=0.0,
        response_p50_s=None,
        receipts=0,
        delivered_share=None,
        delivered_p50_s=None,
        silent_share=None,
        since=None,
        reason=None,
        text="",
    )


async def test_the_write_ahead_log_has_a_size(door: World) -> None:
    statistics = door.connector.statistics()
    store = attrs.evolve(statistics.store, log_bytes=4_152)
    assert value(render(attrs.evolve(statistics, store=store), LEDGER), "carrierline_store_log_bytes") == 4_152


async def test_names_and_labels_are_a_fixed_set(door: World) -> None:
    statistics = attrs.evolve(door.connector.statistics(), parts={"sent": 1}, health=(health("FR", 0.5),))
    shown = list(samples(render(statistics, LEDGER)))
    assert {name for name, _, _ in shown} == NAMES
    assert {label for _, labels, _ in shown for label in labels} == LABELS


async def test_no_label_holds_what_callers_make_up(door: World) -> None:
    before = {(name, *labels.values()) for name, labels, _ in samples(render(door.connector.statistics(), LEDGER))}
    for number in range(20):
        await door.post({"to": NUMBER, "text": "x", "lane": f"lane-{number}", "client_ref": str(number)})
    after = {(name, *labels.values()) for name, labels, _ in samples(render(door.connector.statistics(), LEDGER))}
    assert after == before


async def test_the_ledger_is_told_as_it_stands(door: World) -> None:
    text = render(door.connector.statistics(), LEDGER)
    assert value(text, "carrierline_messages_kept_total") == 5
    assert value(text, "carrierline_messages", status="delivered") == 3
    assert value(text, "carrierline_receipts_parked") == 4
    assert value(text, "carrierline_ledger_imbalance") == 0
    short = attrs.evolve(LEDGER, accepted=7)
    assert value(render(door.connector.statistics(), short), "carrierline_ledger_imbalance") == 2


async def test_every_status_has_its_line_so_that_an_alarm_on_it_can_be_written(door: World) -> None:
    text = (await door.get("/metrics")).content
    reached = set(Status) - {Status.SCHEDULED, Status.ACCEPTED, Status.SENDING}
    for metric, statuses in (("carrierline_messages", set(Status)), ("carrierline_parts_total", reached)):
        shown = {labels["status"]: number for name, labels, number in samples(text) if name == metric}
        assert shown == dict.fromkeys(statuses, 0)


async def test_what_a_restart_has_put_in_doubt_counts_with_what_came_to_it_since(door: World) -> None:
    statistics = attrs.evolve(door.connector.statistics(), parts={"in_doubt": 2, "sent": 1}, recovered=3)
    text = render(statistics, LEDGER, Status)
    assert value(text, "carrierline_parts_total", status="in_doubt") == 5
    assert value(text, "carrierline_parts_total", status="sent") == 1
    assert value(render(attrs.evolve(statistics, parts={}), LEDGER), "carrierline_parts_total", status="in_doubt") == 3


async def test_every_receipt_is_counted_by_what_it_says_repeats_too(door: World) -> None:
    shown = render(door.connector.statistics(), LEDGER)
    words = {labels["event"]: number for name, labels, number in samples(shown) if name == "carrierline_receipts_total"}
    assert words == dict.fromkeys(["delivered", "undelivered", "expired", "rejected", "receipt"], 0)
    note = door.connector._inbounds.noting(lambda *_: None)
    on_its_way, delivered = Receipt("north", ("7",), 0.0, None), Receipt("north", ("7",), 0.0, Event.DELIVERED)
    note([on_its_way, on_its_way, delivered], [], 0.0)
    note([on_its_way], [], 1.0)
    shown = render(door.connector.statistics(), LEDGER)
    assert value(shown, "carrierline_receipts_total", event="receipt") == 3
    assert value(shown, "carrierline_receipts_total", event="delivered") == 1


async def test_what_waits_and_what_was_said_at_the_door_is_counted(door: World) -> None:
    await door.post([{"to": NUMBER, "text": "x"}] * 3 + [{"to": "1"}])
    text = render(door.connector.statistics(), await door.connector.queries.ledger())
    assert value(text, "carrierline_waiting_parts", lane="transactional") == 3
    assert value(text, "carrierline_waiting_parts", lane="otp") == 0
    assert value(text, "carrierline_rows_total", verdict="accepted") == 3
    assert value(text, "carrierline_rows_total", verdict="refused") == 1
    assert value(text, "carrierline_bind_up", carrier="north", bind="north/1") == 0
    assert value(text, "carrierline_draining") == 0


async def test_every_carrier_and_cause_has_its_line_from_the_start(door: World) -> None:
    text = render(door.connector.statistics(), LEDGER)
    shown = {labels["cause"]: number for name, labels, number in samples(text) if name == "carrierline_limited_by"}
    assert set(shown) == {str(cause) for cause in Cause}
    assert sum(shown.values()) == 1
    assert shown["unbound"] == 1
    assert value(text, "carrierline_carrier_rate_per_second", carrier="north") == math.inf
    assert value(text, "carrierline_limits", carrier="north", scope="account") == 1
    assert value(text, "carrierline_limits_eased", carrier="north", scope="sender") == 0


async def test_health_has_a_line_for_each_carrier_and_for_countries_that_get_less(door: World) -> None:
    shown = [
        (labels, share)
        for name, labels, share in samples(render(door.connector.statistics(), LEDGER))
        if name in ("carrierline_carrier_health_share", "carrierline_carrier_country_share")
    ]
    assert shown == [({"carrier": "north"}, 1.0)], "before anything was sent"
    judged = (health(None, 0.5), health("FR", 0.25), health("DE", 1.0), health("GB", 0.1, "removed"))
    text = render(attrs.evolve(door.connector.statistics(), health=judged), LEDGER)
    assert value(text, "carrierline_carrier_health_share", carrier="north") == 0.5
    countries = [labels for name, labels, _ in samples(text) if name == "carrierline_carrier_country_share"]
    assert countries == [{"carrier": "north", "country": "FR"}]


async def test_notices_are_counted_by_kind_from_zero(door: World) -> None:
    door.connector.notices.give(Kind.SET_ASIDE, "message 1 ended", 0.0, carrier="north")
    text = render(door.connector.statistics(), LEDGER)
    counted = {labels["kind"]: n for name, labels, n in samples(text) if name == "carrierline_notices_total"}
    assert counted == {**dict.fromkeys(map(str, Kind), 0.0), "set_aside": 1.0}


async def test_a_suspended_carrier_shows_it(door: World) -> None:
    assert await door.connector.suspend("north") is Steered.DONE
    text = render(door.connector.statistics(), LEDGER)
    assert value(text, "carrierline_carrier_suspended", carrier="north") == 1


async def test_a_carrier_one_sender_of_which_is_held_down_is_eased_here_and_in_the_status(door: World) -> None:
    statistics = door.connector.statistics()
    (carrier,) = statistics.carriers
    assert value(render(statistics, LEDGER), "carrierline_carrier_eased", carrier="north") == 0
    eased = ScopeStatistics("sender", "Shop", 5.0, eased=True, throttled=3)
    forgotten = ScopeStatistics("sender", "Once", None, eased=False, throttled=1)
    carrier = attrs.evolve(carrier, limits=(*carrier.limits, eased, forgotten))
    statistics = attrs.evolve(statistics, carriers=(carrier,))
    assert value(render(statistics, LEDGER), "carrierline_carrier_eased", carrier="north") == 1
    (shown,) = show_status(statistics)["carriers"]
    assert shown["eased"] is True
    assert [limit["value"] for limit in shown["limits"]] == ["Shop"], "what has recovered and is not configured is gone"


async def test_a_lane_with_a_strange_name_is_escaped(door: World) -> None:
    statistics: Statistics = attrs.evolve(door.connector.statistics(), queues=(QueueStatistics('a"b\n\\c', 1),))
    assert value(render(statistics, LEDGER), "carrierline_waiting_parts", lane='a"b\n\\c') == 1
