"""Dialects: profiles and what is written beside them, and whatever cannot be told by its key and line."""

import os
import subprocess
import sys

import attrs
import pytest

from connector.config import DialectConfig, effective
from connector.config.dialect import PROFILES, ErrorConfig, TlvConfig, profile_names
from connector.errors import ConfigError
from connector.settings import check
from tests.test_config import CARRIER, KEY, problems_of, read


def dialect_of(toml: str) -> DialectConfig:
    return read(KEY + CARRIER.replace("[[carrier.bind]]", f"{toml}\n[[carrier.bind]]")).carrier[0].dialect


def test_a_profile_gives_what_the_file_does_not() -> None:
    dialect = dialect_of('dialect = { profile = "hex-response", id_in_tlv = "decimal" }')
    assert (dialect.profile, dialect.id_in_response, dialect.id_in_receipt) == ("hex-response", "hex", "decimal")
    assert dialect.id_in_tlv == "decimal"
    assert dialect_of('dialect = { profile = "hex-response", id_in_response = "same" }').id_in_response == "same"
    assert dialect_of('dialect = "hex-response"') == DialectConfig(profile="hex-response")


def test_a_table_of_a_profile_is_added_to_and_not_replaced() -> None:
    dialect = dialect_of(
        '[carrier.dialect]\nprofile = "india-dlt"\n[carrier.dialect.always]\ndlt_entity_id = "1101"\n'
        '[carrier.dialect.tlv.mine]\ntag = 0x1500\nkind = "int"\n[carrier.dialect.tlv.dlt_entity_id]\noctets = 20'
    )
    assert list(dialect.tlv) == ["dlt_entity_id", "dlt_template_id", "mine"]
    assert dialect.tlv["dlt_entity_id"] == TlvConfig(tag=0x1400, kind="c-octets", octets=20)
    assert dialect.always == {"dlt_entity_id": "1101"}


@pytest.mark.parametrize("name", profile_names())
def test_every_shipped_profile_says_why_and_loads_without_a_problem(name: str) -> None:
    dialect = dialect_of(f'dialect = "{name}"')
    check(dialect)
    assert dialect == DialectConfig(profile=name)
    assert (PROFILES / f"{name}.toml").read_text(encoding="utf-8").startswith("# ")


@pytest.mark.parametrize("name", profile_names())
def test_a_configuration_with_a_profile_shows_its_values_and_loads_again(name: str) -> None:
    config = read(KEY + CARRIER.replace("[[carrier.bind]]", f'dialect = "{name}"\n[[carrier.bind]]'))
    assert read(effective(config)) == config


def test_the_plain_profile_is_the_default() -> None:
    assert attrs.evolve(DialectConfig(profile="plain"), profile=None) == DialectConfig()


@pytest.mark.parametrize(
    ("toml", "path", "sentence"),
    [
        ('dialect = "hex-respons"', "profile", 'did you mean "hex-response"?'),
        ("dialect = { registered_delivery = 256 }", "registered_delivery", "from 0 to 255"),
        ('dialect = { time_zone = "Europe/Atlantis" }', "time_zone", "time zone"),
        ('dialect = { validity_cap = "0s" }', "validity_cap", "more than 0"),
        ('dialect = { gsm_packed = true, default_alphabet = "latin1" }', "gsm_packed", "GSM"),
        ('dialect = { receipt_state = "both" }', "receipt_state", "must be one of"),
        ('dialect = { languages = ["klingon"] }', "languages[0]", "must be one of"),
        ('dialect = { languages = ["turkish"], concatenation = "sar" }', "languages", "udh8"),
        ('dialect = { languages = ["turkish"], default_alphabet = "ascii" }', "languages", "GSM"),
        ('dialect = { tlvs = "never", concatenation = "payload" }', "concatenation", "never"),
        ('dialect = { outcomes = { "0x400" = "refuse" } }', "outcomes.0x400", 'did you mean "refused"?'),
        ('dialect = { outcomes = { "0x400" = "accepted" } }', "outcomes.0x400", "must be one of"),
        ('dialect = { tlv = { a = { tag = 65536, kind = "int" } } }', "tlv.a.tag", "65535"),
        ('dialect = { tlv = { a = { tag = 5120, kind = "int", octets = 3 } } }', "tlv.a.octets", "1, 2, 4 or 8"),
        (
            'dialect = { tlv = { a = { tag = 5120, kind = "int" }, b = { tag = 5120, kind = "text" } } }',
            "tlv.b.tag",
            "0x1400 is a already",
        ),
        ("dialect = { always = { priority_flag = true } }", "always.priority_flag", "must be"),
        ("dialect = { addresses = { short_code = { ton = 6 } } }", "addresses.short_code.npi", "is missing"),
        ('dialect = { errors = { "027" = { reason = "other" } } }', "errors.027.temporary", "is missing"),
    ],
)
def test_a_dialect_that_cannot_be_is_said_by_its_key(toml: str, path: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        dialect_of(toml)
    (problem,) = caught.value.problems
    assert f"carrier[0].dialect.{path}: " in problem
    assert sentence in problem


@pytest.mark.parametrize(
    ("toml", "path", "word"),
    [
        ('outcomes = { ESME_RTHROTLED = "refused" }', "outcomes.ESME_RTHROTLED", 'did you mean "ESME_RTHROTTLED"?'),
        ('outcomes = { 0x0 = "refused" }', "outcomes.0x0", "acceptance"),
        ("always = { dlt_entity = 1 }", "always.dlt_entity", "there is no field or TLV"),
        ("always = { priority_flg = 1 }", "always.priority_flg", 'did you mean "priority_flag"?'),
        ("always = { priority_flag = 300 }", "always.priority_flag", "does not fit"),
        ("always = { dest_port = 65536 }", "always.dest_port", "does not fit"),
        ("lane = { otp = { service_type = 'TOOLONG' } }", "lane.otp.service_type", "does not fit"),
        ("lane = { oto = { priority_flag = 1 } }", "lane.oto", 'there is no lane "oto", did you mean "otp"?'),
        ("always = { dest_port = 1 }\ntlvs = 'never'", "always.dest_port", "never"),
        ('tlv = { dest_port = { tag = 0x1400, kind = "int" } }', "tlv.dest_port", "SMPP's own"),
        ('tlv = { mine = { tag = 0x0427, kind = "int" } }', "tlv.mine.tag", "message_state"),
        ('tlv = { mine = { tag = 0x1400, kind = "integer" } }', "tlv.mine.kind", "must be one of"),
        (
            "errors = { 1 = { reason = 'absent_subscribr', temporary = true } }",
            "errors.1.reason",
            'did you mean "absent_subscriber"?',
        ),
    ],
)
def test_a_name_smpp_does_not_know_is_told_with_its_line(toml: str, path: str, word: str) -> None:
    text = KEY + CARRIER + f"[carrier.dialect]\nid_in_tlv = 'hex'\n{toml}\n"
    line = 1 + text[: text.index(path.split(".")[1])].count("\n")
    (problem,) = problems_of(text)
    assert problem.startswith(f"c.toml:{line}: carrier[0].dialect.{path}: ")
    assert word in problem


def test_what_a_profile_defines_may_be_named_beside_it() -> None:
    assert dialect_of('dialect = { profile = "india-dlt", always = { dlt_entity_id = "1101" } }').always
    (problem,) = problems_of(KEY + CARRIER + '[carrier.dialect.always]\ndlt_entity_id = "1101"\n')
    assert "there is no field or TLV" in problem


def test_time_zones_are_known_on_a_machine_that_has_none() -> None:
    program = "from connector.config import DialectConfig; print(DialectConfig(profile='india-dlt').time_zone)"
    bare = {**os.environ, "PYTHONTZPATH": "", "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run([sys.executable, "-c", program], env=bare, capture_output=True, text=True, timeout=60)
    assert (ended.stdout, ended.stderr) == ("Asia/Kolkata\n", "")


# --- in Python --------------------------------------------------------------------------------------------------------


def test_a_profile_given_in_python_gives_what_is_not_given() -> None:
    dialect = DialectConfig(profile="hex-response", id_in_tlv="decimal", id_in_response="same")
    assert (dialect.profile, dialect.id_in_response, dialect.id_in_receipt) == ("hex-response", "same", "decimal")
    assert dialect.id_in_tlv == "decimal"
    assert list(DialectConfig(profile="india-dlt").tlv) == ["dlt_entity_id", "dlt_template_id"]


def test_a_table_given_in_python_counts_as_a_whole() -> None:
    assert DialectConfig(profile="route-mobile", outcomes={}).outcomes == {}
    changed = attrs.evolve(DialectConfig(profile="route-mobile"), outcomes={}, id_in_response="hex")
    assert (changed.outcomes, changed.id_in_response, changed.profile) == ({}, "hex", "route-mobile")


def test_a_profile_nobody_ships_is_refused_in_python() -> None:
    with pytest.raises(ValueError, match='did you mean "hex-response"'):
        DialectConfig(profile="hex-respons")


def test_a_dialect_built_in_python_is_checked_with_its_configuration() -> None:
    built = read(KEY + CARRIER)
    dialect = DialectConfig(outcomes={"ESME_RTHROTLED": "refused"}, lane={"oto": {"priority_flag": 1}})
    with pytest.raises(ConfigError) as caught:
        check(attrs.evolve(built, carrier=(attrs.evolve(built.carrier[0], dialect=dialect),)))
    assert [problem.split(": ")[1] for problem in caught.value.problems] == [
        "carrier[0].dialect.outcomes.ESME_RTHROTLED",
        "carrier[0].dialect.lane.oto",
    ]
    with pytest.raises(ValueError, match="absent_subscriber"):
        ErrorConfig(reason="absent_subscribr", temporary=True)
