"""Scenario files."""

import re
from pathlib import Path

import pytest

from connector.errors import ConfigError
from connector.settings import as_toml, load
from simulator import Scenario, load_scenario
from simulator.scenario import AccountRules, Delay, Duplicate, MoRate, MoRules, Rate, profiles

FULL = """
schema = 1
name = "full"
seed = 42
[listen]
smpp = "127.0.0.1:0"
[carrier]
system_id = "NORTH"
versions = ["3.4"]
[[account]]
system_id = "acme"
password = "hush"
bind_types = ["transmitter", "receiver"]
max_binds = 4
over_binds = "ESME_RBINDFAIL"
[limits]
rate = { per_second = 500, burst = 50, scope = "carrier" }
window = 100
over_rate = 0x58
[response]
delay = { dist = "lognormal", median = "25ms", p99 = "120ms" }
message_id = { form = "hex", width = 8, from = "counter" }
[receipt]
when = "requested"
delay = { dist = "mix", of = [
  { weight = 80, dist = "uniform", min = "1s", max = "1m" },
  { weight = 5, never = true },
] }
mix = { DELIVRD = 97, UNDELIV = 2, EXPIRED = 1 }
via = "same"
id = { form = "decimal", width = 10 }
tlv = []
duplicate = 0.03
early = 0.02
[[mo]]
from = "447700900{n:03}"
to = "60777"
text = "STOP"
rate = { per_minute = 1 }
"""


def test_a_full_scenario_is_read(tmp_path: Path) -> None:
    path = tmp_path / "full.toml"
    path.write_text(FULL)
    scenario = load_scenario(path)
    assert scenario.account == (
        AccountRules(
            system_id="acme",
            password="hush",
            bind_types=("transmitter", "receiver"),
            max_binds=4,
            over_binds="ESME_RBINDFAIL",
        ),
    )
    assert scenario.limits.rate == Rate(per_second=500.0, burst=50, scope="carrier")
    assert scenario.response.delay == Delay(dist="lognormal", median_s=0.025, p99_s=0.12)
    assert scenario.receipt.delay.of[1].never
    assert scenario.receipt.duplicate == Duplicate(rate=0.03)
    assert scenario.mo == (MoRules(from_="447700900{n:03}", to="60777", text="STOP", rate=MoRate(per_minute=1.0)),)


def test_an_empty_file_is_the_plain_carrier() -> None:
    assert load("", Scenario) == Scenario()


def test_a_scenario_is_written_with_its_defaults_and_without_its_passwords() -> None:
    scenario = load(FULL, Scenario)
    text = as_toml(scenario)
    assert "hush" not in text + repr(scenario)
    assert as_toml(load(text, Scenario)) == text


WRONG = [
    # (what is in the file, what is said about it)
    (
        "[limits]\nover_rate = 'ESME_RTHROTLED'",
        'over_rate: "ESME_RTHROTLED" is no command_status, did you mean "ESME_RTHROTTLED"?',
    ),
    ("[limits]\nover_rate = 0", "over_rate: must be a command_status other than 0, not 0"),
    ("[receipt]\nmix = { DELIVERED = 1 }", 'mix: "DELIVERED" is no state, did you mean "DELIVRD"?'),
    ("[receipt]\nmix = { ENROUTE = 1 }", "mix: ENROUTE is not final: it belongs in intermediate"),
    ("[receipt]\nmix = { DELIVRD = 0 }", "mix: at least one state needs a weight above 0"),
    (
        "[receipt]\nintermediate = { ENROUTE = 0.7, ACCEPTD = 0.7 }",
        "intermediate: chances must not sum to more than 1",
    ),
    ("[receipt]\nformat = 'id:{ident}'", "format: {ident} is not known here: the fields are id, dlvrd"),
    ("[receipt]\nformat = 'id:{id'", "format: is no format (expected '}' before end of string)"),
    ("[receipt]\nformat = 'err:{err:%y}'", "format: is no format ("),
    (
        "[receipt]\ntlv = ['message_stat']",
        'tlv: "message_stat" is no TLV of a receipt, did you mean "message_state"?',
    ),
    ("[response]\ndelay = '5'", "delay.value: must be a duration"),
    ("[response]\ndelay = { dist = 'mix' }", "delay.of: a mix needs its members"),
    (
        "[response]\ndelay = { dist = 'lognormal', median = '2s', p99 = '1s' }",
        "delay.median: must be above 0s and not longer",
    ),
    (
        "[response]\ndelay = { dist = 'uniform', min = '2s', max = '1s' }",
        "delay.min: must not be longer than max",
    ),
    ("[[mo]]\nfrom = '1'\nto = '2'\ntext = 't'", "mo[0]: needs exactly one of at and rate"),
    (
        "[[mo]]\nfrom = '{m}'\nto = '2'\ntext = 't'\nat = '1s'",
        "mo[0].from: only {n} with a format may stand in braces",
    ),
    (
        "account = [{system_id = 'a'}, {system_id = 'a'}]",
        'account[1].system_id: "a" is the name of another account',
    ),
    ("[listen]\nsmpp = '2775'", 'listen.smpp: must be "host:port"'),
]

MO = "[[mo]]\nfrom = '{}'\nto = '{}'\ntext = '{}'\nsplit = '{}'\n{}\n"
ONCE, AGAIN = "at = '1s'", "rate = { per_second = 5 }"
LONG = "x" * 70
TOO_LONG = [
    # (what is in the file, the key whose value no PDU can carry)
    (f"[carrier]\nsystem_id = '{LONG}'", "carrier.system_id: does not fit bind_transceiver_resp: 70 characters"),
    (f"[response.message_id]\nprefix = '{LONG}'", "response.message_id.prefix: does not fit submit_sm_resp: 80 char"),
    ("[response.message_id]\nprefix = 'é'", "response.message_id.prefix: does not fit submit_sm_resp: only ASCII"),
    ("[response.message_id]\nform = 'uuid'\nprefix = '01234567890123456789012345678'", "response.message_id.prefix: "),
    (f"[response.message_id]\nstart = 1{'0' * 70}", "response.message_id.start: does not fit submit_sm_resp"),
    ("[receipt.id]\nprefix = 'é'", "receipt.id.prefix: does not fit"),
    ("[receipt.tlv_id]\nprefix = 'é'", "receipt.tlv_id.prefix: does not fit"),
    (f"[receipt]\ntlv_id = {{ prefix = '{LONG}' }}", "receipt.tlv_id.prefix: does not fit"),
    ("[receipt]\nformat = '{stat:>70000}'", "receipt.format: makes up to 70,000 octets, the limit is 65,535"),
    ("[receipt]\nformat = '{text:.60000}{text:.60000}'", "receipt.format: makes up to 120,000 octets"),
    ("[receipt]\nformat = '{stat:>9999999999}'", "receipt.format: no number in braces may have more than five digits"),
    (f"[[rule]]\nreply = {{ message_id = '{LONG}' }}", "rule[0].reply.message_id: does not fit submit_sm_resp"),
    ("[[rule]]\nreply = { command = 0x100000000 }", "rule[0].reply.command: must be a command_id of 32 bits"),
    (MO.format("4" * 30, 1, "x", "udh8", ONCE), "mo[0].from: does not fit deliver_sm: 30 characters, the limit is 20"),
    (MO.format(1, "4" * 30, "x", "udh8", ONCE), "mo[0].to: does not fit deliver_sm: 30 characters, the limit is 20"),
    (MO.format("4" * 19 + "{n}", 1, "x", "udh8", AGAIN), "mo[0].from: number 1,000,000: does not fit deliver_sm"),
    (MO.format("{n[0]}", 1, "x", "udh8", ONCE), "mo[0].from: only {n} with a format may stand in braces"),
    (MO.format("{n:9999999999}", 1, "x", "udh8", ONCE), "mo[0].from: no number in braces may have more than five"),
    (MO.format(1, 2, "{lorem:60000}", "udh8", ONCE), "mo[0].text: cannot be sent: needs at least"),
    (MO.format(1, 2, "{lorem:60000}", "sar", ONCE), "mo[0].text: cannot be sent: needs at least"),
    (MO.format(1, 2, "{lorem:70000}", "payload", ONCE), "mo[0].text: cannot be sent: 70000 octets"),
    (f"[[outbind]]\nto = '127.0.0.1:1'\nsystem_id = '{LONG}'", "outbind[0].system_id: does not fit outbind"),
    (f"[[outbind]]\nto = '127.0.0.1:1'\npassword = '{LONG}'", "outbind[0].password: does not fit outbind"),
    ("[load]\nmodel = 'closed'\nmessages = 5\nfrom = '123456789012345678901'", "load.from: does not fit submit_sm"),
    ("[load]\nmodel = 'closed'\nmessages = 5\nto = '12345678901234567890{n}'", "load.to: does not fit submit_sm"),
    (
        f"[load]\nmodel = 'closed'\nmessages = 5\n[[account]]\nsystem_id = 'a'\npassword = '{LONG}'",
        "account[0].password: of the load does not fit bind_transceiver",
    ),
]
DELAY = "[response]\ndelay = {{ {} }}"
USELESS = [
    # (what is in the file, the key that would do nothing)
    ("[[rule]]\nwhen = { at = '1s', every = 3 }\nreply = 8", "rule[0].when.at: alone is the first request from then"),
    ("[[rule]]\nwhen = { at = '1s', nth = 3 }\nreply = 8", "rule[0].when.at: alone is the first request from then on"),
    *(
        (f"[[rule]]\nwhen = {{ command = '{name}' }}\nreply = 8", f'rule[0].when.command: no rule sees "{name}"')
        for name in ("unbind", "generic_nack", "submit_sm_resp", "*_resp", "deliver_sm")
    ),
    ("[[rule]]\nwhen = { command = 'bind_*', bind = 1 }\nreply = 8", "rule[0].when.bind: nobody has a place"),
    ("[[rule]]\nfault = { kind = 'close' }\nreceipt = 'UNDELIV'", "rule[0].receipt: is of no use: with point"),
    ("[[rule]]\nreply = 'ESME_RSYSERR'\nreceipt = 'UNDELIV'", "rule[0].receipt: is of no use: what is refused"),
    ("[[rule]]\nwhen = { command = 'query_sm' }\nreceipt = 'UNDELIV'", "rule[0].receipt: is of no use: query_sm"),
    (DELAY.format("median = '1s'"), 'response.delay.median: is of dist = "lognormal", and this is "fixed"'),
    (DELAY.format("max = '1s'"), 'response.delay.max: is of dist = "uniform", and this is "fixed"'),
    (DELAY.format("dist = 'uniform', max = '1s', value = '1s'"), 'response.delay.value: is of dist = "fixed"'),
    (DELAY.format("of = [{ value = '1s' }]"), 'response.delay.of: is of dist = "mix", and this is "fixed"'),
    ("[[timeline]]\nat = '1s'\ndo = 'drop'\nmode = 'blackhole'", "timeline[0].mode: is of an outage only"),
    ("[[timeline]]\nat = '1s'\ndo = 'unbind'\nfor = '5s'", 'timeline[0].for: "unbind" is over at once'),
]


@pytest.mark.parametrize(("text", "problem"), [*WRONG, *TOO_LONG, *USELESS])
def test_what_cannot_be_played_is_said(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(problem)) as caught:
        load(text, Scenario)
    assert len(caught.value.problems) == 1


GOOD = [
    "[response.message_id]\nform = 'uuid'\nprefix = '0123456789012345678901234567'",
    MO.format("447700900{n:03}", 60777, "{lorem:30000}", "payload", AGAIN),
    MO.format("4" * 19 + "{n}", 1, "x", "udh8", ONCE),
    "[[rule]]\nwhen = { at = '1s', for = '5s', every = 3 }\nreply = 8",
    "[[rule]]\nwhen = { at = '1s', first = 3 }\nreply = 8",
    "[[rule]]\nwhen = { command = '*', bind = 1 }\nreply = 8",
    "[[rule]]\nwhen = { command = 'enquire_*' }\nfault = { kind = 'no-response' }",
    "[[rule]]\nfault = { kind = 'close', point = 'after-response' }\nreceipt = 'UNDELIV'",
    "[[rule]]\nreply = { message_id = '' }\nreceipt = 'UNDELIV'",
    "[[rule]]\nreply = 'ESME_RSYSERR'\nfault = { kind = 'close', point = 'after-response' }",
    "[listen]\nsmpp = '[::1]:2775'\ntls = '[fe80::1%eth0]:0'",
    "[receipt]\nformat = 'submit date:{submitted:%Y-%m-%d %H:%M:%S.%f %%}'",
    "[[account]]\nsystem_id = 'a'\nbind_types = ['receiver']\n" + MO.format(1, 2, "x", "udh8", ONCE) + "account = 'a'",
    "[[timeline]]\nat = '1s'\ndo = 'drop'\nfor = '5s'\nset = { 'limits.window' = 3 }",
    "[load]\ntarget = 'http://127.0.0.1/'\nmodel = 'closed'\nmessages = 5\nto = '12345678901234567890{n}'",
]


@pytest.mark.parametrize("text", GOOD)
def test_what_can_be_played_is_let_pass(text: str) -> None:
    load(text, Scenario)


INFINITE = "must not be infinite: for no limit leave it out, or the table it stands in"
BRACKETS = 'an IPv6 address stands in brackets, as in "[::1]:2775", not'
ACCOUNT = "[[account]]\nsystem_id = '{}'\nbind_types = ['{}']\n"
REFUSED = [
    # (what is in the file, all that is said about it)
    ("[limits]\nrate = { per_second = inf }", f"2: limits.rate.per_second: {INFINITE}"),
    ("[[rule]]\nreply = 8\nlimit = { per_second = inf }", f"3: rule[0].limit.per_second: {INFINITE}"),
    ("[queue]\ncapacity = 1\ndrain = { per_second = inf }", f"3: queue.drain.per_second: {INFINITE}"),
    (MO.format(1, 2, "x", "udh8", "rate = { per_minute = inf }"), f"6: mo[0].rate.per_minute: {INFINITE}"),
    ("[[wire]]\nread = { bytes_per_second = inf }", f"2: wire[0].read.bytes_per_second: {INFINITE}"),
    (
        "[receipt]\nburst = { release_per_second = nan }",
        "2: receipt.burst.release_per_second: must be more than 0, not nan",
    ),
    (
        "[receipt]\nmix = { DELIVRD = inf }",
        "2: receipt.mix: the weight of DELIVRD must not be negative or infinite, and is inf",
    ),
    (
        "[load]\nstages = [{ for = '1s', to = inf }]",
        "2: load.stages[0].to: must be at least 0 and not infinite, not inf: write how many a second are to come",
    ),
    ("[listen]\nsmpp = '[::1'", f'2: listen.smpp: {BRACKETS} "[::1"'),
    ("[listen]\nsmpp = '::1:2775'", f'2: listen.smpp: {BRACKETS} "::1:2775"'),
    ("[listen]\nsmpp = '[localhost]:2775'", f'2: listen.smpp: {BRACKETS} "[localhost]:2775"'),
    ("[listen]\ntls = '::1]:2775'", f'2: listen.tls: {BRACKETS} "::1]:2775"'),
    (
        "[receipt]\nformat = 'date:{submitted:%Q}'",
        "2: receipt.format: is no format (%Q is no part of a date: write one such as %y%m%d%H%M%S)",
    ),
    (
        "[receipt]\nformat = 'date:{done:%y%}'",
        "2: receipt.format: is no format (% is no part of a date: write one such as %y%m%d%H%M%S)",
    ),
    *(
        (
            f"[[rule]]\nreply = 'ESME_RSYSERR'\nfault = {{ kind = 'close'{point} }}",
            f'2: rule[0].reply: is of no use: with point = "{name}" nothing is said; take it away, or write '
            'point = "after-response"',
        )
        for point, name in (
            ("", "before-response"),
            (", point = 'after-accept-before-response'", "after-accept-before-response"),
        )
    ),
    ("[[account]]\nsystem_id = 'a'\nbind_types = []", "3: account[0].bind_types: at least one bind type is needed"),
    (
        ACCOUNT.format("a", "transmitter") + MO.format(1, 2, "x", "udh8", ONCE),
        '4: mo[0]: nobody gets it: add "receiver" to the bind_types of an account',
    ),
    (
        ACCOUNT.format("a", "transmitter") + ACCOUNT.format("b", "receiver") + MO.format(1, 2, "x", "udh8", ONCE)
        + "account = 'a'",
        '13: mo[0].account: "a" only transmits: add "receiver" to its bind_types, or name another',
    ),
    (
        "[[timeline]]\nat = '1s'\nset = { 'response.message_id.start' = 7 }",
        "3: timeline[0].set.response.message_id.start: cannot change while the simulator runs",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "problem"), REFUSED)
def test_what_would_do_nothing_or_harm_is_told_with_its_line_and_a_cure(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(text, Scenario, source="it")
    assert caught.value.problems == [f"it:{problem}"]


def test_all_is_told_at_once_though_a_part_could_not_be_read() -> None:
    with pytest.raises(ConfigError) as caught:
        load("[limits]\nwindow = 'x'\n[[rule]]\nname = 'rule 2'\ndelay = '1s'\n[[rule]]\ndelay = '2s'\n", Scenario)
    assert len(caught.value.problems) == 2


def test_what_only_a_load_tells_is_told_of_what_is_to_be_played_alone(tmp_path: Path) -> None:
    expect = "[[expect]]\nthat = 'message.lost == 0'\n"
    written(tmp_path, parent="\n" + expect, child="extends = 'parent'\nseed = 2\n")
    assert len(load_scenario(tmp_path / "child.toml").expect) == 1
    with pytest.raises(ConfigError) as caught:
        load_scenario(tmp_path / "child.toml", to_play=True)
    where = f"{tmp_path}/parent.toml:3: expect[0].that"
    assert caught.value.problems == [f"{where}: message.lost cannot be known without a [load]: add one"]


def test_no_password_is_told_though_it_is_wrong() -> None:
    with pytest.raises(ConfigError) as caught:
        load("[[outbind]]\nto = '127.0.0.1:1'\npassword = 'hüsh'", Scenario)
    assert "hüsh" not in str(caught.value)


def test_the_examples_of_the_readme_can_be_loaded(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[2] / "simulator" / "README.md").read_text()
    blocks = re.findall(r"```toml\n(.*?)```", readme, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        (tmp_path / "example.toml").write_text(block)
        assert load_scenario(tmp_path / "example.toml").account


@pytest.mark.parametrize("name", sorted(profiles()))
def test_every_profile_can_be_played_and_says_what_it_is_known_for(name: str) -> None:
    scenario = load_scenario(f"profile:{name}")
    assert scenario.name == name
    assert "Seen: " in scenario.about


def test_there_are_profiles_enough_to_choose_from() -> None:
    assert len(profiles()) >= 10


def test_an_unknown_profile_is_told_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match='there is no profile "hexdec", did you mean "hex-dec"'):
        load_scenario("profile:hexdec")


# --- what a scenario extends ------------------------------------------------------------------------------------------


SUBSCRIBER = "[[mo]]\nfrom = '{}'\nto = '2'\ntext = '3'\nat = '1s'\n"


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.toml").write_text(text)
    return folder


def test_tables_merge_and_arrays_replace(tmp_path: Path) -> None:
    written(
        tmp_path,
        parent=f"[limits]\nrate = {{ per_second = 5, burst = 3 }}\nwindow = 7\n{SUBSCRIBER.format(1)}",
        child=f"extends = 'parent'\n[limits]\nwindow = 8\n[limits.rate]\nper_second = 6\n{SUBSCRIBER.format(4)}",
    )
    scenario = load_scenario(tmp_path / "child.toml")
    assert scenario.limits.rate == Rate(per_second=6, burst=3)
    assert scenario.limits.window == 8
    assert [mo.from_ for mo in scenario.mo] == ["4"]


def test_nothing_stays_of_a_delay_that_is_replaced(tmp_path: Path) -> None:
    written(
        tmp_path,
        parent="[response]\ndelay = { dist = 'uniform', min = '1s', max = '2s' }",
        child="extends = 'parent'\n[response]\ndelay = '5s'",
    )
    assert load_scenario(tmp_path / "child.toml").response.delay == Delay(value_s=5)


def test_a_scenario_that_extends_another_is_called_as_its_file_unless_it_says_how(tmp_path: Path) -> None:
    written(tmp_path, mine="extends = 'profile:hex-dec'", named="extends = 'profile:hex-dec'\nname = 'sixteen'")
    assert [load_scenario(tmp_path / f"{name}.toml").name for name in ("mine", "named")] == ["mine", "sixteen"]


def test_a_scenario_extends_a_profile(tmp_path: Path) -> None:
    written(tmp_path, child="extends = 'profile:hex-dec'\n[response]\ndelay = '5s'")
    assert load_scenario(tmp_path / "child.toml").response.message_id.form == "hex"


def test_problems_of_both_files_are_told_each_with_its_file_and_line(tmp_path: Path) -> None:
    written(tmp_path, parent="\n[limits]\nwidnow = 7", child="extends = 'parent'\n\n[receipt]\nwhenn = 'never'")
    with pytest.raises(ConfigError) as caught:
        load_scenario(tmp_path / "child.toml")
    first, second = caught.value.problems
    assert re.search(r'parent\.toml:3: limits\.widnow: is not known here, did you mean "window"\?', first)
    assert re.search(r'child\.toml:4: receipt\.whenn: is not known here, did you mean "when"\?', second)


@pytest.mark.parametrize(
    ("child", "problem"),
    [("extends = 'nowhere'", "child.toml:1: extends: "), ("extends = 'child'", "extends: goes in a circle")],
)
def test_what_cannot_be_extended_is_told(child: str, problem: str, tmp_path: Path) -> None:
    written(tmp_path, child=child)
    with pytest.raises(ConfigError, match=problem):
        load_scenario(tmp_path / "child.toml")
