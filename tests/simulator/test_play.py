"""Playing a scenario: what ends it, what it comes to, and that virtual time repeats to the octet."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from cli.simulate import _heed_signals
from connector.errors import ConfigError
from connector.settings import load
from simulator.judge.verdict import Book
from simulator.play import EPOCH, Checked, Outcome, play, played
from simulator.scenario import Scenario, load_scenario
from simulator.trace.record import LinkEvent, Packet

LOAD = """
[load]
stages = [{ for = "1s", to = 20 }, { for = "20s", to = 20 }]
"""
ANSWERED = """
[response]
delay = "20ms"
[receipt]
delay = { dist = "uniform", min = "1s", max = "4s" }
"""


def outcome_of(text: str, *expectations: str, **options: Any) -> Outcome:
    expects = "".join(f"[[expect]]\n{each}\n" for each in expectations)
    return played(load(text + expects, Scenario), virtual=True, **options)


def checked(text: str, *expectations: str) -> list[Checked]:
    return list(outcome_of(text, *expectations).expectations)


def test_a_run_ends_when_all_is_answered_and_every_receipt_delivered() -> None:
    outcome = outcome_of(ANSWERED + LOAD)
    assert outcome.load is not None
    assert outcome.verdict is not None
    assert (outcome.load.planned, outcome.load.answered, outcome.load.failed) == (410, 410, 0)
    assert (outcome.statistics.accepted, outcome.statistics.receipts_acknowledged) == (410, 410)
    assert outcome.load.receipts_matched == 410
    assert outcome.verdict.clean
    assert 21 < outcome.ran_s < 26
    assert outcome.ok


def test_expectations_are_evaluated_with_the_values_they_ask_for() -> None:
    first, second = checked(ANSWERED + LOAD, 'that = "submit.count == 410"', 'that = "load.latency.service.p50 > 1s"')
    assert (first.ok, first.values) == (True, {"submit.count": 410})
    assert not second.ok
    assert second.values["load.latency.service.p50"] == pytest.approx(0.02, rel=0.01)


def test_one_expectation_that_is_not_true_makes_the_outcome_bad() -> None:
    assert not outcome_of(LOAD, 'that = "submit.count == 410"', 'that = "submit.count == 1"').ok


@pytest.mark.parametrize(
    ("text", "that", "words"),
    [
        ("", "message.lost == 0", "message.lost cannot be known without a [load]"),
        ("", "load.sent == 0", "load.sent cannot be known without a [load]"),
        ("", "submit.count / deliver.sent == 1", "it divides by a fact that is 0"),
        (LOAD, "submit.count == 410'\nafter = '10m", "the run ended before 10m"),
        (LOAD, "submit.count == 410'\nafter = 'quiet", "the faults had not ended"),
        (LOAD, "load.latency.service.p99 < 1'\nafter = '1s", "is of the whole run"),
        (
            "[[rule]]\nwhen = { command = 'bind_*' }\nreply = 'ESME_RSYSERR'\n" + LOAD,
            "message.lost == 0",
            "nothing was sent",
        ),
        ("[[rule]]\nreply = 'ESME_RINVDSTADR'\n" + LOAD, "load.latency.service.p99 < 1", "nothing was answered"),
    ],
)
def test_what_cannot_be_known_fails_with_a_sentence(text: str, that: str, words: str) -> None:
    [only] = outcome_of(text, f"that = '{that}'", duration_s=60).expectations
    assert not only.ok
    assert words in only.reason


def test_after_a_time_only_what_came_later_counts() -> None:
    expects = [f'that = "submit.count == 0"\nafter = "{after}"' for after in ("1s", "11s", "20s")]
    counts = [each.values["submit.count"] for each in checked(LOAD, *expects)]
    assert counts == pytest.approx([400, 200, 20], abs=1)


def test_quiet_begins_when_the_budget_of_faults_is_used_up_or_at_its_time() -> None:
    rule = '[[rule]]\nname = "odd"\nwhen = { every = 50 }\nfault = { kind = "no-response" }\n'
    for quiet in ("fault_budget = 4\n", 'quiet_after = "10s500ms"\n'):
        text = quiet + rule + LOAD.replace("[load]", '[load]\nresponse_timeout = "2s"')
        done, later, rules = checked(
            text,
            'that = "faults.odd == 4"',
            'that = "faults.no_response == 0"\nafter = "quiet"',
            'that = "rule.odd == 0"\nafter = "quiet"',
        )
        assert (done.ok, later.ok, rules.ok) == (True, True, True), (quiet, done, later, rules)


def test_within_waits_for_what_may_still_become_true() -> None:
    slow = "[receipt]\ndelay = '30s'\n" + LOAD.replace("[load]", '[load]\nsettle = "1s"')
    late, soon, never = checked(
        slow,
        'that = "receipt.acknowledged == 410"\nwithin = "1m"',
        'that = "receipt.acknowledged == 410"',
        'that = "receipt.acknowledged == 411"\nwithin = "1m"',
    )
    assert (late.ok, never.ok) == (True, False)
    assert soon.ok  # it is looked at when the first one has had its time


def test_expectations_that_contradict_each_other_are_never_both_true() -> None:
    slow = "[receipt]\ndelay = '30s'\n" + LOAD.replace("[load]", '[load]\nsettle = "1s"')
    none, all_ = checked(slow, 'that = "receipt.sent == 0"', 'that = "receipt.sent == 410"\nwithin = "1m"')
    assert (none.ok, all_.ok) == (False, True)
    assert none.values == all_.values


async def test_who_ends_the_run_ends_what_is_waited_for_within_a_time(autojump_clock: MockClock) -> None:
    ended = trio.Event()

    async def end() -> None:
        await trio.sleep(100)
        ended.set()

    expected = '[[expect]]\nthat = "submit.count == 411"\nwithin = "10m"\n'
    async with trio.open_nursery() as nursery:
        nursery.start_soon(end)
        outcome = await play(load(LOAD + expected, Scenario), virtual=True, ended=ended)
    assert outcome.ran_s == pytest.approx(100, abs=0.2)
    assert not outcome.ok
    assert outcome.expectations[0].values == {"submit.count": 410}


@pytest.fixture
def own_handlers() -> Iterator[list[int]]:
    """Signals that reach the handlers of before, which would end the process."""
    left: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _frame: left.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    yield left
    for number, handler in before.items():
        signal.signal(number, handler)


async def test_every_signal_is_heeded_and_none_is_left_to_break_off_the_end(own_handlers: list[int]) -> None:
    ended = trio.Event()
    async with trio.open_nursery() as nursery:
        await nursery.start(_heed_signals, ended)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
            signal.raise_signal(number)
            await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert ended.is_set()
    assert own_handlers == []


def test_the_name_of_a_fault_may_begin_as_that_of_another_fact() -> None:
    name = "accept without response late"
    rule = f'[[rule]]\nname = "{name}"\nwhen = {{ every = 50 }}\nfault = {{ kind = "no-response" }}\n'
    [only] = checked(rule + LOAD, f"that = 'faults[\"{name}\"] > 0'")
    assert only.ok, only


def test_the_number_of_a_status_is_the_same_fact_as_its_name() -> None:
    rule = '[[rule]]\nwhen = { first = 7 }\nreply = "ESME_RTHROTTLED"\n'
    vendor = "[[rule]]\nwhen = { nth = 100 }\nreply = 0x499\n"
    text = rule + vendor + LOAD
    number, name, later, own = checked(
        text,
        "that = 'submit.status[\"0x00000058\"] == 7'",
        'that = "submit.status.ESME_RTHROTTLED == 7"',
        "that = 'submit.status[\"0x00000058\"] == 0'\nafter = '15s'",
        "that = 'submit.status[\"0x00000499\"] == 1'",
    )
    assert (number.ok, name.ok, later.ok, own.ok) == (True, True, True, True), (number, name, later, own)


@pytest.mark.parametrize("array", ["rule", "wire", "inject"])
def test_two_names_that_an_expectation_cannot_tell_apart_are_refused(array: str) -> None:
    what = {
        "rule": 'reply = "ESME_RSYSERR"',
        "wire": 'write = { chunk = 1, gap = "1ms" }',
        "inject": 'at = "1s"\npdu = { command = "enquire_link" }',
    }[array]
    text = "".join(f'[[{array}]]\nname = "{name}"\n{what}\n' for name in ("a b", "other", "a_b"))
    with pytest.raises(ConfigError, match=rf'{array}\[2\].name: "a_b" and "a b" are one name'):
        load(text, Scenario)


def test_what_is_lost_is_known_however_many_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.play.Book", partial(Book, remembered=10))
    lost, refused, doubled = checked(
        LOAD, 'that = "message.lost == 0"', 'that = "message.not_accepted == 0"', 'that = "message.duplicated == 0"'
    )
    assert (lost.ok, refused.ok) == (True, True)
    assert "messages are forgotten" in doubled.reason


def test_a_message_given_up_after_it_was_swallowed_is_not_accepted() -> None:
    silent = '[[rule]]\nwhen = { command = "submit_sm", text = "^#7 " }\nfault = { kind = "no-response" }\n'
    text = silent + LOAD.replace("[load]", '[load]\nattempts = 2\nresponse_timeout = "1s"')
    lost, not_accepted = checked(text, 'that = "message.lost == 0"', 'that = "message.not_accepted == 1"')
    assert (lost.ok, not_accepted.ok) == (True, True), not_accepted


LONG = '[load]\nmodel = "closed"\nmessages = 5\ntext = [{ gsm7 = 400 }]\nattempts = 1\nresponse_timeout = "1s"\n'


@pytest.mark.parametrize(
    ("nth", "window", "of"),
    [
        (2, 10, "part 2 of 3"),
        (3, 10, "part 3 of 3"),
        (1, 10, "part 1 of 3"),
        (1, 1, "part 1 of 3"),  # the others are never sent
    ],
)
def test_a_long_message_of_which_a_part_is_never_accepted_is_not_accepted(nth: int, window: int, of: str) -> None:
    silent = f"[[rule]]\nwhen = {{ nth = {nth} }}\nfault = {{ kind = 'no-response' }}\n"
    outcome = outcome_of(silent + LONG + f"window = {window}\n", 'that = "message.not_accepted == 1"')
    assert outcome.ok, outcome.expectations
    assert outcome.verdict is not None
    assert [(item.id, item.of) for item in outcome.verdict.items] == [("#1", of)]


def test_a_run_that_is_cut_off_within_a_long_message_has_lost_nothing() -> None:
    outcome = outcome_of("[response]\ndelay = '1s'\n" + LONG.replace("1s", "9s") + "window = 1\n", duration_s=1.5)
    assert outcome.load is not None
    assert (outcome.load.sent, outcome.load.answered) == (1, 0)
    assert outcome.verdict is not None
    assert outcome.verdict.clean, outcome.verdict


def test_long_messages_to_one_number_are_no_doubles_of_each_other() -> None:
    text = LONG.replace("messages = 5", 'messages = 400\nto = "447700900000"')
    outcome = outcome_of(text, 'that = "message.duplicated == 0 and submit.count == 1200"')
    assert outcome.ok, outcome.expectations


def test_what_a_hole_swallows_for_ever_is_excused_and_not_lost() -> None:
    hole = '[[wire]]\nname = "hole"\nwhen = { after = "3s" }\nfault = { kind = "blackhole" }\n'
    text = hole + '[load]\nresponse_timeout = "6s"\nsettle = "20s"\nstages = [{ for = "9s", to = 9 }]\n'
    outcome = outcome_of(text, 'that = "message.lost == 0 and message.excused > 0"')
    assert outcome.ok, outcome.expectations
    assert outcome.verdict is not None
    assert set(outcome.verdict.excused_by) == {"hole"}
    assert "hole swallowed it" in {item.excuse for item in outcome.verdict.items}


def test_an_account_that_lost_its_bind_is_timed_until_it_is_back() -> None:
    text = LOAD + '[[timeline]]\nat = "5s"\nfor = "6s"\ndo = "outage"\nmode = "drop"\n'
    restored, attempts, count = checked(
        text,
        'that = "bind.restored.max >= 6s"',
        'that = "bind.attempts.per_minute.max <= 6"',
        'that = "bind.count == 2"',
    )
    assert restored.ok, restored
    assert restored.values["bind.restored.max"] < 15
    assert attempts.ok
    assert count.ok


def test_what_a_fault_swallows_is_sent_again_and_nothing_is_lost() -> None:
    faults = """
[[rule]]
name = "swallowed"
when = { command = "submit_sm", every = 20 }
fault = { kind = "no-response" }
[[rule]]
name = "accepted and hung up"
when = { command = "submit_sm", every = 101 }
fault = { kind = "close", point = "after-accept-before-response" }
"""
    outcome = outcome_of(
        faults + LOAD.replace("[load]", '[load]\nresponse_timeout = "3s"'),
        'that = "message.lost == 0 and message.duplicated == 0"',
        'that = "message.excused > 0 and faults.accept_without_response == faults.close"',
        'that = "load.answered == 410"',
    )
    assert [each.ok for each in outcome.expectations] == [True, True, True], outcome.expectations


def test_throughput_before_the_faults_is_compared_with_that_after_them() -> None:
    rule = '[[rule]]\nwhen = { between = ["8s", "12s"] }\nfault = { kind = "no-response" }\n'
    text = 'quiet_after = "12s"\n' + rule + LOAD.replace("[load]", '[load]\nresponse_timeout = "1s"')
    [same] = checked(text, 'that = "throughput.after_quiet >= 0.95 * throughput.before_faults"')
    assert same.ok, same
    assert same.values["throughput.before_faults"] == pytest.approx(20, abs=1)


def test_a_duration_ends_a_run_whose_load_goes_on() -> None:
    outcome = outcome_of(LOAD, duration_s=5)
    assert outcome.ran_s == pytest.approx(5)
    assert outcome.load is not None
    assert outcome.load.planned < 100


def test_virtual_time_begins_at_a_fixed_moment() -> None:
    seen: list[Packet | LinkEvent] = []
    outcome_of(LOAD, trace=(seen.append,))
    assert seen[0].at == EPOCH


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "nothing ends a virtual run"),
        ('[load]\ntarget = "http://127.0.0.1:1/"\nmodel = "closed"\nmessages = 1\n', "does not live in virtual time"),
    ],
)
def test_what_cannot_be_played_in_virtual_time_is_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        outcome_of(text)


async def test_a_target_is_named_without_its_password_where_it_cannot_be_played() -> None:
    text = '[load]\ntarget = "http://user:geheim@127.0.0.1:1/"\nmodel = "closed"\nmessages = 1\n'
    with pytest.raises(ConfigError) as refused:
        await play(load(text, Scenario), virtual=True)
    assert "geheim" not in str(refused.value)


async def test_a_token_that_is_missing_is_one_error_and_no_group_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_TOKEN", raising=False)
    text = '[load]\ntarget = "http://127.0.0.1:1/"\ntoken_env = "NO_SUCH_TOKEN"\nmodel = "closed"\nmessages = 1\n'
    with pytest.raises(ConfigError, match=r"load\.token_env: the environment has no NO_SUCH_TOKEN"):
        await play(load(text, Scenario))


REPEATED = """
[response]
delay = { dist = "lognormal", median = "30ms", p99 = "400ms" }
[receipt]
delay = { dist = "uniform", min = "1s", max = "9s" }
mix = { DELIVRD = 8, UNDELIV = 2 }
duplicate = 0.1
[[mo]]
from = "447700900{n:03}"
to = "60777"
text = "STOP"
rate = { per_second = 3 }
[[rule]]
when = { command = "submit_sm", rate = 0.02 }
fault = { kind = "close", point = "after-accept-before-response" }
[load]
binds = 3
arrival = "poisson"
stages = [{ for = "20s", to = 60 }]
text = [{ weight = 3, gsm7 = 40 }, { weight = 1, ucs2 = 100 }]
"""
HASHED = """
import hashlib, sys
from connector.settings import load
from simulator.play import played
from simulator.scenario import Scenario, load_scenario
digest = hashlib.sha256()
def crossed(event):
    digest.update(f"{event.at} {event.link} {getattr(event, 'outgoing', '')}".encode() + getattr(event, "octets", b""))
outcome = played(load(sys.stdin.read(), Scenario), virtual=True, trace=(crossed,))
assert outcome.statistics.accepted > 500
print(digest.hexdigest())
"""


def octets_hashed(text: str, hash_seed: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", HASHED],
        input=text,
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
    )
    return ended.stdout


def test_the_same_seed_gives_the_same_octets_in_another_process() -> None:
    first = octets_hashed(REPEATED, "1")
    assert octets_hashed(REPEATED, "2") == first
    assert octets_hashed("seed = 2\n" + REPEATED, "1") != first


async def test_a_run_by_the_real_clock_listens_and_ends_when_it_is_told() -> None:
    ended, ports = trio.Event(), []

    def listening(smsc: Any) -> None:
        ports.append(smsc.port)
        ended.set()

    scenario = load('[listen]\nsmpp = "127.0.0.1:0"\n[[expect]]\nthat = "bind.count == 0"\n', Scenario)
    with trio.fail_after(10):
        outcome = await play(scenario, ended=ended, listening=listening)
    assert ports[0] > 0
    assert outcome.ok
    assert not outcome.virtual


async def test_a_load_by_the_real_clock_goes_through_a_socket() -> None:
    text = '[listen]\nsmpp = "127.0.0.1:0"\n[load]\nmodel = "closed"\nmessages = 500\nbinds = 2\nwindow = 20\n'
    with trio.fail_after(30):
        outcome = await play(load(text, Scenario))
    assert outcome.load is not None
    assert (outcome.load.answered, outcome.load.receipts_matched, outcome.load.binds) == (500, 500, 2)
    assert outcome.verdict is not None
    assert outcome.verdict.lost == 0


HALF_OPEN = """
extends = "profile:healthy"
[[wire]]
name = "half-open"
when = { at = "1m", for = "15s" }
fault = { kind = "blackhole", for = "90s" }
"""


def test_every_excuse_of_a_black_hole_has_its_name(tmp_path: Path) -> None:
    (tmp_path / "hole.toml").write_text(HALF_OPEN)
    verdict = played(load_scenario(tmp_path / "hole.toml"), virtual=True).verdict
    assert verdict is not None
    assert verdict.excused == sum(verdict.excused_by.values()) > 0
    assert set(verdict.excused_by) == {"half-open"}
