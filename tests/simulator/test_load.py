"""The load: when messages are planned, what they say, and what happens to one that is not answered."""

import json
import math
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import attrs
import httpx2
import pytest
import trio
from trio.testing import MockClock

from connector.errors import ConfigError
from connector.settings import load
from connector.smpp.pdu import DeliverSm
from connector.smpp.tlv import tlv
from simulator.load.arrivals import arrivals, most_messages
from simulator.load.http import HttpLoad
from simulator.load.messages import Message, Messages
from simulator.load.receipts import Receipts
from simulator.load.tally import LoadStatistics
from simulator.play import Outcome, play, played
from simulator.scenario import IdForm, Load, LoadText, MessageId, ReceiptRules, Response, Scenario, Stage


def staged(*stages: tuple[float, float], **options: Any) -> Load:
    return Load(stages=tuple(Stage(for_s=for_s, to=to) for for_s, to in stages), **options)


# --- arrivals


def test_a_steady_stage_plans_messages_evenly() -> None:
    times = list(arrivals(staged((1, 10), (2, 10)), 1))
    assert len(times) == 5 + 20
    assert [later - earlier for earlier, later in pairwise(times[6:])] == pytest.approx([0.1] * 18)


def test_a_ramp_plans_more_and_more_messages() -> None:
    times = list(arrivals(staged((10, 20)), 1))
    assert len(times) == 100
    assert sum(time < 5 for time in times) == 25
    assert times == sorted(times)


def test_a_ramp_to_nothing_ends_in_silence() -> None:
    times = list(arrivals(staged((1, 10), (10, 0), (5, 0)), 1))
    assert len(times) == 5 + 50
    assert max(times) < 11


def test_messages_bound_a_load_with_stages_and_without() -> None:
    assert len(list(arrivals(staged((1, 10), (2, 10), messages=7), 1))) == 7
    assert list(arrivals(Load(model="closed", messages=3), 1)) == [0, 0, 0]


def test_poisson_arrivals_scatter_by_the_seed_and_are_never_more_than_is_said() -> None:
    load_ = staged((0.001, 100), (100, 100), arrival="poisson")
    one, two = (list(arrivals(load_, seed)) for seed in (1, 2))
    assert one != two
    assert one == list(arrivals(load_, 1))
    assert len(one) == pytest.approx(10_000, abs=5 * math.sqrt(10_000))
    assert len(one) <= most_messages(load_)
    gaps = [later - earlier for earlier, later in pairwise(one)]
    assert sum(gap > 0.01 for gap in gaps) / len(gaps) == pytest.approx(1 / math.e, abs=0.03)


# --- messages


def test_each_text_begins_with_its_number_and_has_the_length_that_was_asked_for() -> None:
    messages = Messages(staged((1, 1), text=(LoadText(gsm7=25), LoadText(ucs2=70))), 1)
    texts = [messages.text(number) for number in range(1, 101)]
    assert {len(text) for text in texts} == {25, 70}
    assert all(text.startswith(f"#{number} ") for number, text in enumerate(texts, 1))
    assert len(set(texts)) == 100


def test_a_long_text_travels_in_parts_that_are_joined() -> None:
    messages = Messages(staged((1, 1), text=(LoadText(gsm7=300),)), 1)
    message = Message(7, 0.0)
    parts = messages.parts(message)
    assert (len(parts), message.left) == (2, 2)
    assert [part.pdu.esm_class for part in parts] == [0x40, 0x40]
    assert [(part.place, part.total) for part in parts] == [(1, 2), (2, 2)]


def test_a_long_text_has_its_number_in_every_part_and_at_its_end() -> None:
    text = Messages(staged((1, 1), text=(LoadText(gsm7=300),)), 1).text(17)
    assert len(text) == 300
    assert text.endswith(".#17")
    assert all("#17 " in text[start : start + 66] for start in range(300 - 66))


def test_a_text_that_just_fits_into_one_part_has_its_number_once() -> None:
    texts = [Messages(staged((1, 1), text=(LoadText(**kind),)), 1).text(17) for kind in ({"gsm7": 160}, {"ucs2": 70})]
    assert [text.count("#17") for text in texts] == [1, 1]


def test_the_mix_of_texts_goes_by_weight() -> None:
    messages = Messages(staged((1, 1), text=(LoadText(weight=9, gsm7=25), LoadText(ucs2=70))), 1)
    assert sum(len(messages.text(number)) == 70 for number in range(1_000)) == pytest.approx(100, abs=40)


@pytest.mark.parametrize("characters", [0, 9])
def test_a_text_too_short_for_its_number_is_a_problem_of_the_file(characters: int) -> None:
    with pytest.raises(ConfigError, match="must be from 10 to 1600"):
        load(f"[load]\nmodel = 'closed'\nmessages = 1\ntext = [{{ gsm7 = {characters} }}]", Scenario)


# --- receipts


def receipt(text_id: str, tlv_id: str | None = None, stat: str = "DELIVRD", esm_class: int = 4) -> DeliverSm:
    text = f"id:{text_id} sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 stat:{stat} err:000 text:"
    tlvs = () if tlv_id is None else (tlv("receipted_message_id", tlv_id),)
    return DeliverSm(esm_class=esm_class, short_message=text.encode(), tlvs=tlvs)


def receipts_of(**rules: Any) -> Receipts:
    ids = MessageId(form="hex", width=8)
    return Receipts(Scenario(response=Response(message_id=ids), receipt=ReceiptRules(**rules)))


def test_a_receipt_is_matched_however_its_id_is_spelled() -> None:
    receipts = receipts_of(id=IdForm(form="decimal", width=10))
    receipts.expect("0000001a")
    receipts.take(receipt("0000000026"))
    assert (receipts.matched, receipts.unmatched, receipts.awaited) == (1, 0, 0)


def test_a_receipt_is_matched_by_its_tlv_where_the_text_says_another_id() -> None:
    receipts = receipts_of()
    receipts.expect("0000001a")
    receipts.take(receipt("zzz", "0000001a"))
    assert receipts.matched == 1


def test_a_receipt_before_the_answer_is_matched_when_the_answer_comes() -> None:
    receipts = receipts_of()
    receipts.take(receipt("0000001a"))
    assert (receipts.matched, receipts.unmatched) == (0, 1)
    receipts.expect("0000001a")
    assert (receipts.matched, receipts.unmatched, receipts.awaited) == (1, 0, 0)


def test_a_repeated_receipt_matches_nothing_more() -> None:
    receipts = receipts_of()
    receipts.expect("0000001a")
    for _ in range(2):
        receipts.take(receipt("0000001a"))
    assert (receipts.matched, receipts.unmatched) == (1, 1)


def test_an_intermediate_word_and_a_message_are_no_receipts() -> None:
    receipts = receipts_of()
    receipts.expect("0000001a")
    receipts.take(receipt("0000001a", stat="ACCEPTD"))
    receipts.take(receipt("0000001a", stat="ENROUTE", esm_class=0x20))
    receipts.take(DeliverSm(short_message=b"hello"))
    assert (receipts.matched, receipts.unmatched, receipts.awaited) == (0, 0, 1)


# --- the ESME


def outcome_of(text: str, **options: Any) -> Outcome:
    return played(load(text, Scenario), virtual=True, **options)


def numbers_of(text: str, **options: Any) -> LoadStatistics:
    numbers = outcome_of(text, **options).load
    assert numbers is not None
    return numbers


CLOSED = '[load]\nmodel = "closed"\nmessages = 100\nreceipts = false\nresponse_timeout = "2s"\n'
OPEN = "[load]\nreceipts = false\nstages = [{ for = '1ms', to = 50 }, { for = '10s', to = 50 }]\n"


def test_a_closed_load_sends_the_next_when_there_is_a_place() -> None:
    outcome = outcome_of('[response]\ndelay = "1s"\n[limits]\nwindow = 10\n' + CLOSED)
    assert outcome.statistics.submits == {"ESME_ROK": 100}
    assert outcome.ran_s == pytest.approx(10, abs=0.1)


def test_the_corrected_latency_has_the_waiting_for_a_place_that_the_service_time_has_not() -> None:
    # one place and 100 ms an answer let 10 of 50 messages a second through
    numbers = numbers_of('[response]\ndelay = "100ms"\n' + OPEN.replace("[load]", "[load]\nwindow = 1"))
    assert numbers.answered == 501
    assert numbers.service.max_s == pytest.approx(0.1, abs=0.001)
    assert numbers.corrected.max_s == pytest.approx(40, abs=1)
    assert numbers.corrected.p50_s == pytest.approx(20, rel=0.05)


def test_arrivals_that_never_got_a_place_are_dropped_and_counted() -> None:
    settle = '[load]\nwindow = 1\nsettle = "10s"'
    numbers = numbers_of('[response]\ndelay = "100ms"\n' + OPEN.replace("[load]", settle))
    assert numbers.planned == 501
    assert numbers.dropped_arrivals == numbers.planned - numbers.sent
    assert numbers.sent == pytest.approx(200, abs=2)


def test_links_share_what_is_due() -> None:
    links: dict[int, int] = {}

    def crossed(event: Any) -> None:
        octets = getattr(event, "octets", b"")
        if octets[4:8] == bytes.fromhex("00000004"):
            links[event.link] = links.get(event.link, 0) + 1

    numbers_of(OPEN.replace("[load]", "[load]\nbinds = 4"), trace=(crossed,))
    assert len(links) == 4
    assert max(links.values()) - min(links.values()) <= 2


def test_an_answer_that_does_not_come_has_the_message_sent_again_up_to_attempts() -> None:
    silent = '[[rule]]\nwhen = { command = "submit_sm", text = "^#7 " }\nfault = { kind = "no-response" }\n'
    outcome = outcome_of(silent + CLOSED.replace("[load]", "[load]\nattempts = 3"))
    assert outcome.load is not None
    assert (outcome.load.answered, outcome.load.failed, outcome.load.resent) == (99, 1, 2)
    assert outcome.verdict is not None
    assert (outcome.verdict.lost, outcome.verdict.not_accepted) == (0, 1)


def test_a_refusal_for_the_moment_is_tried_again_and_one_for_good_is_not() -> None:
    rules = """
[[rule]]
when = { command = "submit_sm", first = 5 }
reply = "ESME_RTHROTTLED"
[[rule]]
when = { command = "submit_sm", text = "^#50 " }
reply = "ESME_RINVDSTADR"
"""
    numbers = numbers_of(rules + CLOSED)
    assert (numbers.answered, numbers.failed, numbers.resent) == (99, 1, 5)
    assert numbers.refusals == {"ESME_RINVDSTADR": 1}


def test_a_link_that_is_cut_is_replaced_and_its_messages_are_sent_again() -> None:
    cut = '[[rule]]\nwhen = { command = "submit_sm", nth = 30 }\nfault = { kind = "close" }\n'
    numbers = numbers_of(cut + CLOSED)
    assert (numbers.answered, numbers.failed, numbers.binds) == (100, 0, 2)
    assert numbers.resent > 0


def test_a_bind_that_is_refused_is_tried_less_and_less_often() -> None:
    refused = '[[rule]]\nwhen = { command = "bind_*", first = 4 }\nreply = "ESME_RSYSERR"\n'
    outcome = outcome_of(refused + CLOSED)
    assert outcome.statistics.bind_attempts == 5
    assert 7 < outcome.ran_s < 30
    assert outcome.load is not None
    assert outcome.load.answered == 100


@pytest.mark.parametrize("version", ["3.3", "3.4", "5.0"])
def test_the_load_binds_as_its_account_in_the_version_of_the_carrier(version: str) -> None:
    text = f'[carrier]\nversions = ["{version}"]\n[[account]]\nsystem_id = "acme"\npassword = "secret"\n'
    outcome = outcome_of(text + CLOSED.replace("receipts = false", ""))
    assert outcome.load is not None
    assert (outcome.load.answered, outcome.load.receipts_matched) == (100, 100)


def test_a_transmitter_has_a_receiver_beside_it_for_its_receipts() -> None:
    text = '[[account]]\nsystem_id = "acme"\nbind_types = ["transmitter", "receiver"]\n'
    numbers = numbers_of(text + CLOSED.replace("receipts = false", ""))
    assert (numbers.answered, numbers.receipts_matched, numbers.binds) == (100, 100, 2)


def test_a_carrier_that_resets_links_now_and_then_still_gets_all_of_the_traffic() -> None:
    reset = '[[rule]]\nwhen = { every = 97 }\nfault = { kind = "reset", point = "before-response" }\n'
    text = reset + '[response]\ndelay = "25ms"\n' + OPEN.replace("10s", "3m").replace("[load]", '[load]\nsettle = "1m"')
    outcome = outcome_of(text)
    assert outcome.load is not None
    assert (outcome.load.dropped_arrivals, outcome.load.answered) == (0, outcome.load.planned)
    assert outcome.load.binds > 50


REFUSED = '[[rule]]\nwhen = { command = "bind_*" }\nreply = "ESME_RINVPASWD"\n'


@pytest.mark.parametrize(("settle", "patience", "lasts_s"), [("10m", "10m", 600), ("5s", "2m", 120)])
@pytest.mark.parametrize("text", [CLOSED, OPEN.replace("10s", "1h")])
def test_a_load_that_no_bind_is_let_in_for_gives_up_and_says_why(
    text: str, settle: str, patience: str, lasts_s: float
) -> None:
    outcome = outcome_of(REFUSED + text.replace("[load]", f'[load]\nsettle = "{settle}"'))
    assert outcome.load is not None
    assert outcome.load.died_of == f"no bind was let in for {patience}: ESME_RINVPASWD"
    assert not outcome.ok, "a load that came to nothing is no success, whatever nobody expected of it"
    assert lasts_s <= outcome.ran_s <= lasts_s + 31
    assert outcome.verdict is not None
    assert (outcome.verdict.clean, outcome.verdict.nothing) == (False, "nothing was sent")


def test_a_closed_load_that_lost_its_binds_for_good_gives_up_too() -> None:
    later = REFUSED.replace('"bind_*"', '"bind_*", after = "1s"')
    cut = '[[timeline]]\nat = "2s"\ndo = "drop"\n[response]\ndelay = "1s"\n'
    numbers = numbers_of(later + cut + CLOSED.replace("[load]", '[load]\nsettle = "2m"'))
    assert numbers.died_of == "no bind was let in for 2m: ESME_RINVPASWD"
    assert 0 < numbers.answered < 100


def test_an_outage_longer_than_its_patience_ends_no_load_that_was_bound_and_has_stages() -> None:
    outage = '[[timeline]]\nat = "5s"\nfor = "20m"\ndo = "outage"\nmode = "drop"\n'
    text = OPEN.replace("to = 50", "to = 1").replace("10s", "30m")
    numbers = numbers_of(outage + text.replace("[load]", '[load]\nsettle = "2m"'))
    assert (numbers.died_of, numbers.binds) == ("", 2)
    assert numbers.answered == numbers.planned


@pytest.mark.parametrize(
    ("account", "load_", "problem"),
    [
        ('bind_types = ["receiver"]', "", 'account[0].bind_types: the load binds as "acme" and could never send'),
        ('bind_types = ["transceiver", "receiver"]', "", ""),
        ("", 'account = "acne"', 'load.account: there is no account "acne", did you mean "acme"?'),
    ],
)
def test_an_account_that_could_never_send_is_a_problem_of_the_file(account: str, load_: str, problem: str) -> None:
    text = f'[[account]]\nsystem_id = "acme"\n{account}\n[load]\nmodel = "closed"\nmessages = 1\n{load_}\n'
    if not problem:
        load(text, Scenario)
        return
    with pytest.raises(ConfigError) as wrong:
        load(text, Scenario)
    assert problem in str(wrong.value)


def test_a_transceiver_of_3_3_could_never_send_either() -> None:
    text = '[[account]]\nsystem_id = "acme"\nbind_types = ["transceiver"]\n[load]\nmodel = "closed"\nmessages = 1\n'
    with pytest.raises(ConfigError, match="could never send"):
        load('[carrier]\nversions = ["3.3"]\n' + text, Scenario)


def test_a_load_that_cannot_go_on_has_crashed_and_says_why() -> None:
    scenario = load(CLOSED + '[[expect]]\nthat = "esme.crashed == false"\n', Scenario)
    assert scenario.load is not None
    unread = attrs.evolve(scenario.load, from_="much longer than 20 octets")
    outcome = played(attrs.evolve(scenario, load=unread), virtual=True)
    assert not outcome.ok
    assert outcome.load is not None
    assert outcome.load.died_of.startswith("source_addr: ")


# --- through a door


Answer = Callable[[list[dict[str, str]], dict[str, str]], tuple[int, Any]]


@asynccontextmanager
async def door(answer: Answer) -> AsyncIterator[str]:
    """An HTTP door that answers each POST of rows with a status and JSON."""

    async def serve(stream: trio.SocketStream) -> None:
        buffer = b""
        while chunk := await stream.receive_some():
            buffer += chunk
            head, separator, body = buffer.partition(b"\r\n\r\n")
            lines = head.decode().split("\r\n")[1:]
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            if not separator or len(body) < int(headers["content-length"]):
                continue
            status, said = answer(json.loads(body), headers)
            octets = json.dumps(said).encode()
            start = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(octets)}\r\n\r\n"
            await stream.send_all(start.encode() + octets)
            buffer = b""

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, serve, 0)
        yield f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}/v1/messages"
        nursery.cancel_scope.cancel()


async def posted(answer: Answer, **options: Any) -> HttpLoad:
    load_ = Load(model="closed", **{"messages": 2_500, **options})
    async with door(answer) as url, trio.open_nursery() as nursery:
        http = HttpLoad(load_, url, seed=1, started_at=trio.current_time())
        nursery.start_soon(http.run)
        with trio.fail_after(20):
            await http.finished()
        nursery.cancel_scope.cancel()
    return http


async def test_rows_are_posted_in_batches_and_the_taken_ones_should_come() -> None:
    batches: list[int] = []

    def answer(rows: list[dict[str, str]], headers: dict[str, str]) -> tuple[int, Any]:
        batches.append(len(rows))
        taken = [{"id": "x"} if not row["text"].startswith("#7 ") else {"reason": "opted_out"} for row in rows]
        return 202, {"verdicts": taken}

    http = await posted(answer)
    assert batches == [1_000, 1_000, 500]
    numbers = http.statistics()
    assert (numbers.sent, numbers.answered, numbers.failed) == (2_500, 2_499, 1)
    assert numbers.refusals == {"opted_out": 1}
    assert http.expected() == [number for number in range(1, 2_501) if number != 7]


async def test_a_door_that_asks_for_patience_gets_the_same_rows_again_under_the_same_key() -> None:
    keys: list[str] = []

    def answer(rows: list[dict[str, str]], headers: dict[str, str]) -> tuple[int, Any]:
        keys.append(headers["idempotency-key"])
        return (503, {}) if len(keys) == 1 else (200, {})

    http = await posted(answer, messages=10)
    assert len(keys) == 2
    assert keys[0] == keys[1]
    assert (http.statistics().answered, http.statistics().resent) == (10, 10)


@pytest.mark.parametrize(
    ("status", "value", "waits_s"),
    [
        (429, "7", 7),
        (503, "7", 7),
        (429, "Thu, 01 Jan 1970 00:01:40 GMT", 40),
        (429, "1000000", 60),  # no longer than it settles
        (500, "7", 0.5),
        (429, "soon", 0.5),
        (503, "Thu, 01 Jan 1970 00:00:00 GMT", 0.5),
    ],
)
async def test_a_door_says_when_it_wants_the_rows_again(
    status: int, value: str, waits_s: float, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    asked_at: list[float] = []

    async def post(*_arguments: Any, **_options: Any) -> httpx2.Response:
        asked_at.append(trio.current_time())
        return httpx2.Response(200 if len(asked_at) > 1 else status, headers={"retry-after": value})

    monkeypatch.setattr(httpx2.AsyncClient, "post", post)
    load_ = Load(model="closed", messages=10, settle_s=60)
    async with trio.open_nursery() as nursery:
        http = HttpLoad(load_, "http://x/", seed=1, started_at=trio.current_time(), clock=lambda: 60.0)
        nursery.start_soon(http.run)
        await http.finished()
        nursery.cancel_scope.cancel()
    assert asked_at[1] - asked_at[0] == pytest.approx(waits_s)


async def test_a_password_in_the_target_is_sent_and_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    asked: list[dict[str, str]] = []

    def answer(_rows: list[dict[str, str]], headers: dict[str, str]) -> tuple[int, Any]:
        asked.append(headers)
        return 200, {}

    load_ = Load(model="closed", messages=10)
    caplog.set_level("DEBUG")
    async with door(answer) as url, trio.open_nursery() as nursery:
        target = url.replace("http://", "http://user:geheim@")
        http = HttpLoad(load_, target, seed=1, started_at=trio.current_time())
        nursery.start_soon(http.run)
        with trio.fail_after(20):
            await http.finished()
        nursery.cancel_scope.cancel()
    assert asked[0]["authorization"] == "Basic " + b64encode(b"user:geheim").decode()
    assert "geheim" not in caplog.text


async def test_a_door_that_cannot_be_reached_is_named_without_what_is_secret(autojump_clock: MockClock) -> None:
    load_ = Load(model="closed", messages=10, attempts=1)
    target = "http://user:geheim@127.0.0.1:1/v1/messages?key=geheim"
    async with trio.open_nursery() as nursery:
        http = HttpLoad(load_, target, seed=1, started_at=trio.current_time())
        nursery.start_soon(http.run)
        await http.finished()
        nursery.cancel_scope.cancel()
    assert http.statistics().died_of == "http://127.0.0.1:1/v1/messages does not answer: ConnectError"


async def test_a_door_that_refuses_is_not_asked_again() -> None:
    http = await posted(lambda _rows, _headers: (403, {"title": "no"}), messages=10)
    assert (http.statistics().failed, http.statistics().resent) == (10, 0)
    assert http.statistics().refusals == {"HTTP 403": 10}


async def test_of_very_many_reasons_that_a_door_gives_the_first_are_told_and_none_is_repeated_at_length() -> None:
    def answer(rows: list[dict[str, str]], _headers: dict[str, str]) -> tuple[int, Any]:
        words = ["x" * 1_000, *(f"reason_{number}" for number in range(len(rows) - 1))]
        return 422, {"verdicts": [{"reason": word} for word in words]}

    http = await posted(answer, messages=200)
    refusals = http.statistics().refusals
    assert (len(refusals), refusals["refused"], refusals["other"]) == (101, 1, 100)


async def test_a_door_that_is_closed_is_a_load_that_died(autojump_clock: MockClock) -> None:
    load_ = Load(model="closed", messages=10, attempts=2)
    async with trio.open_nursery() as nursery:
        http = HttpLoad(load_, "http://127.0.0.1:1/v1/messages", seed=1, started_at=trio.current_time())
        nursery.start_soon(http.run)
        await http.finished()
        nursery.cancel_scope.cancel()
    assert "does not answer" in http.statistics().died_of
    assert http.statistics().failed == 10


async def test_an_answer_that_cannot_be_read_is_tried_again_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def post(*_arguments: Any, **_options: Any) -> httpx2.Response:
        raise httpx2.DecodingError("not gzip at all")

    monkeypatch.setattr(httpx2.AsyncClient, "post", post)
    http = await posted(lambda _rows, _headers: (200, {}), messages=10, attempts=2)
    assert "does not answer as a door does: DecodingError" in http.statistics().died_of
    assert (http.statistics().failed, http.statistics().resent) == (10, 10)


async def test_a_target_that_is_no_address_is_a_load_that_died(autojump_clock: MockClock) -> None:
    load_ = Load(model="closed", messages=10, attempts=2)
    async with trio.open_nursery() as nursery:
        http = HttpLoad(load_, "http://1.2.3.400/", seed=1, started_at=trio.current_time())
        nursery.start_soon(http.run)
        await http.finished()
        nursery.cancel_scope.cancel()
    assert http.statistics().died_of.endswith("InvalidURL")
    assert http.statistics().failed == 10


@pytest.mark.parametrize(
    "target",
    ["", "localhost:8080", "ftp://localhost/", "http://", "http:///v1", "http://[::1", "http://localhost:99999/"],
)
def test_a_target_that_nothing_can_be_posted_to_is_a_problem_of_the_file(target: str) -> None:
    with pytest.raises(ConfigError, match=r"load\.target: must be an address such as http://"):
        load(f'[load]\ntarget = "{target}"\nmodel = "closed"\nmessages = 1\n', Scenario)


async def test_of_a_door_that_took_nothing_no_message_can_be_judged() -> None:
    expected = '[[expect]]\nthat = "message.lost == 0"\n[[expect]]\nthat = "load.failed == 10"\n'
    async with door(lambda _rows, _headers: (403, {"title": "no"})) as url:
        text = f'[listen]\nsmpp = "127.0.0.1:0"\n[load]\ntarget = "{url}"\nmodel = "closed"\nmessages = 10\n'
        with trio.fail_after(20):
            outcome = await play(load(text + expected, Scenario))
    lost, failed = outcome.expectations
    assert (lost.ok, failed.ok) == (False, True)
    assert lost.reason == "message.lost cannot be known: the door took nothing"


def test_a_token_that_is_not_in_the_environment_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_TOKEN", raising=False)
    with pytest.raises(ConfigError, match="the environment has no NO_SUCH_TOKEN"):
        HttpLoad(Load(model="closed", messages=1, token_env="NO_SUCH_TOKEN"), "http://x/", seed=1, started_at=0.0)
