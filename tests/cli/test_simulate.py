"""``carrierline simulate`` as a player: what it prints, and how it ends."""

import json
import socket
from pathlib import Path

import pytest

from simulator.scenario import load_scenario, profiles
from tests.cli.calls import Caller

PLAYED = """
schema = 1
name = "small"
[listen]
smpp = "127.0.0.1:0"
[load]
model = "closed"
messages = 50
"""
TRUE = '[[expect]]\nthat = "message.lost == 0 and submit.count == 50"\n'
UNTRUE = '[[expect]]\nthat = "load.latency.corrected.p99 > 1h"\n'


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(PLAYED + TRUE)
    return path


def test_a_scenario_whose_expectations_are_true_ends_with_0(carrierline: Caller, scenario: Path) -> None:
    ended = carrierline("simulate", str(scenario), "--virtual")
    assert (ended.status, ended.err) == (0, "")
    assert "✓ message.lost == 0 and submit.count == 50  (message.lost is 0, submit.count is 50)" in ended.out
    assert "accepted           50" in ended.out


def test_one_expectation_that_is_not_true_ends_with_1(carrierline: Caller, scenario: Path) -> None:
    scenario.write_text(PLAYED + TRUE + UNTRUE)
    ended = carrierline("simulate", str(scenario), "--virtual")
    assert ended.status == 1
    assert "✗ load.latency.corrected.p99 > 1h  (load.latency.corrected.p99 is 0s)" in ended.out
    assert "✓ message.lost == 0" in ended.out


def test_by_the_real_clock_it_listens_and_ends_with_its_load(carrierline: Caller, scenario: Path) -> None:
    ended = carrierline("simulate", str(scenario), "--for", "30s")
    assert ended.status == 0
    assert "SMSC small listening on 127.0.0.1:" in ended.err
    assert "✓ message.lost == 0" in ended.out


def test_json_holds_numbers_load_verdict_and_expectations(carrierline: Caller, scenario: Path) -> None:
    scenario.write_text(PLAYED + TRUE + UNTRUE)
    ended = carrierline("simulate", str(scenario), "--virtual", "--json", "--seed", "9")
    assert ended.status == 1
    told = json.loads(ended.out)
    assert (told["accepted"], told["seed"], told["ok"], told["virtual"]) == (50, 9, False, True)
    assert told["load"]["answered"] == 50
    assert (told["verdict"]["lost"], told["verdict"]["duplicated"], told["verdict"]["items"]) == (0, 0, [])
    assert [each["ok"] for each in told["expectations"]] == [True, False]
    assert told["expectations"][0]["values"] == {"message.lost": 0, "submit.count": 50}


def test_a_message_that_was_doubled_is_listed(carrierline: Caller, scenario: Path) -> None:
    slow = '[response]\ndelay = "9s"\n'  # longer than the load waits
    scenario.write_text(PLAYED + 'response_timeout = "5s"\n' + slow + '[[expect]]\nthat = "message.duplicated == 0"\n')
    ended = carrierline("simulate", str(scenario), "--virtual")
    assert ended.status == 1
    assert "✗ message.duplicated == 0  (message.duplicated is " in ended.out
    assert "doubled  00000000" in ended.out


def test_check_only_reads_and_says_every_problem(carrierline: Caller, scenario: Path) -> None:
    assert carrierline("simulate", str(scenario), "--check").status == 0
    scenario.write_text(PLAYED + '[[expect]]\nthat = "mesage.lost == 0"\n[[expect]]\nthat = "1 +"\n')
    ended = carrierline("simulate", str(scenario), "--check")
    assert (ended.status, ended.out) == (2, "")
    first, second = ended.err.splitlines()
    assert first == f'{scenario}:10: expect[0].that: there is no fact "mesage.lost", did you mean "message.lost"?'
    assert second.startswith(f'{scenario}:12: expect[1].that: "1 +" is no expectation')


def test_an_expectation_that_needs_a_load_is_refused_where_there_is_none(carrierline: Caller, tmp_path: Path) -> None:
    path = tmp_path / "loadless.toml"
    path.write_text('[[expect]]\nthat = "submit.count > 0"\n[[expect]]\nthat = "message.lost == 0"\n')
    for more in (["--check"], ["--virtual", "--for", "1s"]):
        ended = carrierline("simulate", str(path), *more)
        assert (ended.status, ended.out) == (2, "")
        assert ended.err.strip() == f"{path}:4: expect[1].that: message.lost cannot be known without a [load]: add one"


def test_a_run_in_which_nothing_happened_says_so(carrierline: Caller) -> None:
    assert carrierline("simulate", "--virtual", "--for", "1s").out == "nothing happened\n"


def test_counts_by_name_are_words_for_people(carrierline: Caller, scenario: Path) -> None:
    scenario.write_text(PLAYED + '[[rule]]\nname = "odd"\nwhen = { every = 5 }\nreply = "ESME_RINVDSTADR"\n')
    ended = carrierline("simulate", str(scenario), "--virtual")
    [line] = [line for line in ended.out.splitlines() if line.startswith("submits")]
    assert line.split(None, 1)[1] == "ESME_ROK 40, ESME_RINVDSTADR 10"
    assert "{" not in ended.out


def test_moments_in_json_are_to_the_millisecond(carrierline: Caller, scenario: Path) -> None:
    slow = '[response]\ndelay = "9s"\n'  # longer than the load waits
    scenario.write_text(PLAYED + 'response_timeout = "5s"\n' + slow)
    told = json.loads(carrierline("simulate", str(scenario), "--virtual", "--json").out)
    moments = [item["at_s"] for item in told["verdict"]["items"]]
    assert moments
    assert all(moment == round(moment, 3) for moment in moments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--virtual",), "nothing ends a virtual run without a [load] but --for"),
        (("--for", "soon"), 'must be a duration such as "150ms", "10s" or "1h30m", not "soon"'),
        (("profile:hex-dex",), 'there is no profile "hex-dex", did you mean "hex-dec"?'),
        (("--seed", "-1"), "--seed"),
    ],
)
def test_what_cannot_be_played_is_one_line_and_status_2(
    carrierline: Caller, arguments: tuple[str, ...], words: str
) -> None:
    ended = carrierline("simulate", *arguments)
    assert (ended.status, ended.out) == (2, "")
    assert words in ended.err
    assert ended.err.count("\n") == 1


def test_what_is_to_be_checked_has_to_be_named(carrierline: Caller) -> None:
    ended = carrierline("simulate", "--check")
    assert (ended.status, ended.out) == (2, "")
    assert "--check needs a FILE, or profile:NAME" in ended.err


def test_every_mistake_is_told_at_once_also_what_expectations_ask_for(carrierline: Caller, scenario: Path) -> None:
    scenario.write_text(
        '[limits]\nwindow = 0\n[[rule]]\nname = "barred"\nreply = "ESME_NOSUCH"\n'
        '[[expect]]\nthat = "rule.nosuch == 0"\n[[expect]]\nthat = "message.lost == 0"\n'
        '[[expect]]\nthat = "rule.barred == 0 and faults.barred == 0"\n'
    )
    problems = carrierline("simulate", str(scenario), "--check").err.splitlines()
    assert [problem.removeprefix(f"{scenario}:").split(": ")[0] for problem in problems] == ["2", "5", "7", "9"]
    assert 'there is no fact "rule.nosuch"' in problems[2]
    assert "message.lost cannot be known without a [load]" in problems[3]


@pytest.mark.parametrize("option", ["--record", "--trace", "--pcap"])
def test_a_file_that_cannot_be_written_is_status_3(carrierline: Caller, scenario: Path, option: str) -> None:
    ended = carrierline("simulate", str(scenario), "--virtual", option, "/nope/there.is")
    assert (ended.status, ended.out) == (3, "")
    assert ended.err == "carrierline: /nope/there.is: No such file or directory\n"


def test_a_port_that_is_taken_is_status_3(carrierline: Caller, scenario: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = carrierline("simulate", str(scenario), "--smpp", where)
    assert (ended.status, ended.out) == (3, "")
    assert ended.err.startswith(f"carrierline: cannot listen on {where}: ")


def test_a_certificate_that_cannot_be_signed_here_is_told_before_anything_runs(
    carrierline: Caller, scenario: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.tls.find_spec", lambda _name: None)
    scenario.write_text(PLAYED.replace("smpp =", 'tls = "127.0.0.1:0"\nsmpp ='))
    for more in (["--check"], []):
        ended = carrierline("simulate", str(scenario), *more)
        assert (ended.status, ended.out) == (3, "")
        told = f'{scenario}:5: listen.tls: signing needs trustme: pip install "carrierline[tls]", or give cert and key'
        assert ended.err == f"carrierline: {told}\n"
    assert carrierline("simulate", str(scenario), "--check", "--virtual").status == 0


DROPPING = """
[limits]
rate = { per_second = 1, burst = 1 }
[load]
stages = [{ for = "10s", to = 20 }]
settle = "5s"
"""


def test_a_good_end_with_dropped_arrivals_warns_unless_they_were_asked_for(carrierline: Caller, scenario: Path) -> None:
    scenario.write_text(DROPPING + '[[expect]]\nthat = "message.lost == 0"\n')
    ended = carrierline("simulate", str(scenario), "--virtual", "--json")
    told = json.loads(ended.out)
    dropped = told["load"]["dropped_arrivals"]
    assert (ended.status, dropped > 0) == (0, True)
    assert f"carrierline: warning: {dropped} of 100 planned messages were never sent (dropped arrivals)" in ended.err
    assert [f"{dropped} of 100" in warning for warning in told["warnings"]] == [True]
    scenario.write_text(DROPPING + '[[expect]]\nthat = "load.dropped_arrivals >= 0"\n')
    ended = carrierline("simulate", str(scenario), "--virtual", "--json")
    assert (ended.status, ended.err, json.loads(ended.out)["warnings"]) == (0, "", [])


def test_json_says_how_many_messages_it_does_not_list(carrierline: Caller, scenario: Path) -> None:
    scenario.write_text(
        PLAYED.replace("messages = 50", "messages = 300\nattempts = 1")
        + '[[rule]]\nname = "swallowed"\nfault = { kind = "no-response", point = "after-accept-before-response" }\n'
    )
    verdict = json.loads(carrierline("simulate", str(scenario), "--virtual", "--json").out)["verdict"]
    assert (len(verdict["items"]), verdict["left_off"]) == (100, {"unanswered": verdict["excused"] - 100})


def test_two_counts_of_binds_have_two_names_and_none_bound_is_said(carrierline: Caller, scenario: Path) -> None:
    scenario.write_text(PLAYED + '[[timeline]]\nat = "0s"\nfor = "10s"\ndo = "outage"\n')
    lines = carrierline("simulate", str(scenario), "--virtual").out.splitlines()
    told = [line.rsplit(None, 1) for line in lines if "bound" in line]
    assert told == [["bound at the end", "1"], ["times bound", "1"]]
    scenario.write_text(PLAYED + '[[timeline]]\nat = "0s"\nfor = "10h"\ndo = "outage"\n')
    lines = carrierline("simulate", str(scenario), "--virtual").out.splitlines()
    assert [line.rsplit(None, 1) for line in lines if line.startswith("bound")] == [["bound at the end", "0"]]


def test_the_profiles_are_listed_with_what_they_are_about(carrierline: Caller) -> None:
    ended = carrierline("simulate", "--list", "--json")
    told = {each["name"]: each["about"] for each in json.loads(ended.out)}
    assert set(told) == set(profiles())
    assert all(told.values())
    with_load = {each["name"] for each in json.loads(ended.out) if each["load"]}
    assert with_load == {name for name in profiles() if load_scenario(f"profile:{name}").load}
    assert {"healthy", "throttling", "hostile"} <= with_load < set(profiles())
    assert "hex-dec" in carrierline("simulate", "--list").out


def test_every_pdu_goes_to_the_files_that_are_asked_for(carrierline: Caller, scenario: Path, tmp_path: Path) -> None:
    trace, pcap, record = tmp_path / "t.jsonl", tmp_path / "t.pcapng", tmp_path / "r.jsonl"
    files = ("--trace", str(trace), "--pcap", str(pcap), "--record", str(record))
    assert carrierline("simulate", str(scenario), "--virtual", *files).status == 0
    assert sum('"submit_sm"' in line for line in trace.read_text().splitlines()) == 50
    assert pcap.read_bytes()[:4] == bytes.fromhex("0a0d0d0a")
    assert sum('"accepted"' in line for line in record.read_text().splitlines()) == 50


def test_a_virtual_run_of_a_seed_prints_the_same_each_time(carrierline: Caller, scenario: Path) -> None:
    one, two = (carrierline("simulate", str(scenario), "--virtual", "--json").out for _ in range(2))
    assert one == two


def test_the_keys_of_a_scenario_are_printed(carrierline: Caller) -> None:
    readme = Path(__file__).parents[2] / "simulator" / "scenario" / "README.md"
    assert carrierline("simulate", "--keys").out.rstrip() == readme.read_text(encoding="utf-8").rstrip()


@pytest.mark.parametrize("name", ["healthy", "throttling", "hostile"])
def test_the_scenarios_that_are_shipped_run_to_a_good_verdict(carrierline: Caller, name: str) -> None:
    ended = carrierline("simulate", f"profile:{name}", "--virtual")
    assert (ended.status, ended.err) == (0, ""), ended.out
    assert "✗" not in ended.out


def test_a_load_goes_slower_once_it_was_told_to(carrierline: Caller, tmp_path: Path) -> None:
    path = tmp_path / "limited.toml"
    path.write_text(
        "[limits]\nrate = { per_second = 20, burst = 5 }\n"
        '[load]\nstages = [{ for = "5s", to = 40 }, { for = "1m", to = 40 }]\n'
        '[[expect]]\nthat = "submit.status.ESME_RTHROTTLED <= 0.1 * submit.count and submit.rate.mean >= 14"\n'
    )
    ended = carrierline("simulate", str(path), "--virtual")
    assert ended.status == 0, ended.out
