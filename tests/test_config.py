"""The connector's configuration: defaults, cross checks, secrets by origin only."""

from pathlib import Path

import attrs
import pytest

from connector.config import EXAMPLE, LANES, Config, RouteConfig, effective, load_config
from connector.errors import ConfigError
from connector.settings import check, load


def read(text: str) -> Config:
    return load(text, Config, source="c.toml")


def problems_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(text)
    return caught.value.problems


def test_the_example_is_complete_and_short() -> None:
    config = read(EXAMPLE)
    assert len(EXAMPLE.splitlines()) <= 13
    assert [carrier.name for carrier in config.carrier] == ["north"]
    assert config.api.key[0].secret_origin == "env CARRIERLINE_KEY_SHOP"
    check(config)


def test_messages_and_receipts_are_kept_for_as_long_as_an_id_lives() -> None:
    long = EXAMPLE + '[carrier.dialect]\nid_lifetime = "30d"\n'
    [problem] = problems_of(long)
    assert "keep_receipts" in problem
    assert "dialect.id_lifetime of carrier" in problem
    read(long + '[store]\nkeep_receipts = "30d"\n')
    [problem] = problems_of(long + '[store]\nkeep_receipts = "30d"\nkeep_messages = "29d"\n')
    assert "keep_messages" in problem
    assert "dialect.id_lifetime of carrier" in problem


def test_an_option_of_a_key_is_a_field_or_a_tlv_of_smpp_or_of_a_dialect() -> None:
    key = 'secret_env = "CARRIERLINE_KEY_SHOP"'
    assert key in EXAMPLE
    allowed = EXAMPLE.replace(key, f'{key}\noptions = ["priority_flag", "user_message_reference", "north_tariff"]')
    [problem] = problems_of(allowed)
    assert 'options[2]: there is no option "north_tariff"' in problem
    read(allowed + '[carrier.dialect.tlv.north_tariff]\ntag = 0x1452\nkind = "int"\n')


def test_without_routes_every_lane_goes_to_all_carriers_in_file_order() -> None:
    more = EXAMPLE + '[[carrier]]\nname = "south"\n[[carrier.bind]]\nhost = "::1"\nsystem_id = "b"\n'
    assert read(more).route == (RouteConfig(name="default", carriers=("north", "south")),)


def test_routes_without_a_name_are_named_by_their_place() -> None:
    more = EXAMPLE + '[[route]]\ncarriers = ["north"]\n[[route]]\nname = "uk"\ncarriers = ["north"]\n'
    assert [route.name for route in read(more).route] == ["route-1", "uk"]


def test_a_lane_table_overrides_only_the_keys_it_names() -> None:
    lanes = read(EXAMPLE + '[lane.otp]\ndeadline = "30s"\n[lane.otp.retry]\nattempts = 2\n[lane.news]\n').lane
    assert lanes["otp"] == attrs.evolve(
        LANES["otp"], deadline_s=30.0, retry=attrs.evolve(LANES["otp"].retry, attempts=2)
    )
    assert lanes["otp"].retry.backoff_s == (1.0, 3.0, 10.0)
    assert list(lanes) == ["otp", "transactional", "promotional", "news"]


def test_the_effective_configuration_loads_again_to_the_same_value() -> None:
    for text in (
        EXAMPLE,
        EXAMPLE + '[lane.news]\nurgent = true\n[[route]]\ncarriers = ["north"]\nlanes = ["news"]\n',
    ):
        config = read(text)
        assert read(effective(config)) == config


def test_the_effective_configuration_shows_defaults_and_origins() -> None:
    text = effective(read(EXAMPLE))
    for line in (
        'password_env = "NORTH_PASSWORD"',
        "window_size = 50",
        'response_timeout = "1m"',
        'path = "carrierline.db"',
    ):
        assert line in text.splitlines()


def test_what_counts_where_nothing_is_set_is_shown() -> None:
    assert "# binds_per_minute is not set: 12 counts" in effective(read(EXAMPLE)).splitlines()
    many = EXAMPLE.replace('system_id = "acme"', 'system_id = "acme"\ncount = 20')
    assert "# binds_per_minute is not set: 40 counts" in effective(read(many)).splitlines()


def test_the_beginning_of_a_key_is_enough_to_suggest_it() -> None:
    (problem,) = problems_of(EXAMPLE.replace("tls = true", 'tls = {ca = "ca.pem"}'))
    assert problem.endswith('tls.ca: is not known here, did you mean "ca_file"?')


CARRIER = '[[carrier]]\nname = "n"\n[[carrier.bind]]\nhost = "localhost"\nsystem_id = "s"\n'
KEY = '[[api.key]]\nname = "k"\nsecret_env = "K"\n'

WRONG = [
    # (file, the problems in it)
    (KEY, ["c.toml:1: carrier: is missing"]),
    (CARRIER, ["c.toml:1: api: is missing"]),
    (KEY + "[[carrier]]\nname = 'n'\n", ["c.toml:4: carrier[0].bind: is missing"]),
    (
        KEY + CARRIER + 'password = "hush"\n',
        [
            "c.toml:9: carrier[0].bind[0].password: a secret does not belong in this file: "
            "use password_env, password_file or password_command"
        ],
    ),
    (
        CARRIER + '[[api.key]]\nname = "k"\nsecret = "hush"\n',
        [
            "c.toml:6: api.key[0]: needs exactly one of secret_env, secret_file and secret_command",
            "c.toml:8: api.key[0].secret: a secret does not belong in this file: "
            "use secret_env, secret_file or secret_command",
        ],
    ),
    (
        KEY + CARRIER + 'password_env = "A"\npassword_file = "b"\n',
        ["c.toml:6: carrier[0].bind[0]: needs at most one of password_env, password_file and password_command"],
    ),
    (
        KEY + CARRIER + "window_size = 1001\nport = 70000\n",
        [
            "c.toml:9: carrier[0].bind[0].window_size: must be from 1 to 1000, not 1001",
            "c.toml:10: carrier[0].bind[0].port: must be from 1 to 65535, not 70000",
        ],
    ),
    (
        KEY + CARRIER + 'mode = "receiver"\n',
        ["c.toml:6: carrier[0].bind: all are receivers: one transceiver or transmitter is needed to submit"],
    ),
    (
        KEY + CARRIER.replace('"s"', '"sixteen_letters_"'),
        ['c.toml:8: carrier[0].bind[0].system_id: must be at most 15 ASCII characters, not "sixteen_letters_"'],
    ),
    (KEY + CARRIER + CARRIER, ['c.toml:10: carrier[1].name: "n" is the name of another carrier']),
    (CARRIER + KEY + KEY, ['c.toml:10: api.key[1].name: "k" is the name of another key']),
    (
        KEY + CARRIER + '[[route]]\ncarriers = ["n", "nn"]\nlanes = ["opt"]\ncountries = ["gb"]\n',
        [
            'c.toml:10: route[0].carriers[1]: there is no carrier "nn", did you mean "n"?',
            'c.toml:11: route[0].lanes[0]: there is no lane "opt", did you mean "otp"?',
            'c.toml:12: route[0].countries[0]: must be an ISO 3166 code of two capitals such as "GB", not "gb"',
        ],
    ),
    (
        KEY + CARRIER + '[[route]]\ncarriers = ["n", "nn"]\nlanes = ["opt"]\n',
        [
            'c.toml:10: route[0].carriers[1]: there is no carrier "nn", did you mean "n"?',
            'c.toml:11: route[0].lanes[0]: there is no lane "opt", did you mean "otp"?',
        ],
    ),
    (
        KEY + 'lanes = ["otp", "promo"]\n' + CARRIER,
        ['c.toml:4: api.key[0].lanes[1]: there is no lane "promo", did you mean "promotional"?'],
    ),
    (
        '[api]\nlisten = "0.0.0.0:80"\n' + KEY + CARRIER,
        ["c.toml:2: api.listen: 0.0.0.0:80 is reached from other machines: set allow_plaintext = true if meant"],
    ),
    (
        '[api]\nlisten = "8080"\n' + KEY + CARRIER,
        ['c.toml:2: api.listen: must be "host:port" such as "127.0.0.1:8080", not "8080"'],
    ),
    (
        '[api]\nport = 8081\nhost = "::1"\n' + KEY + CARRIER,
        [
            'c.toml:2: api.port: is the end of listen here: listen = "127.0.0.1:PORT"',
            'c.toml:3: api.host: is the beginning of listen here: listen = "127.0.0.1:PORT"',
        ],
    ),
    (
        KEY + CARRIER + 'reconnect_min = "2m"\n',
        ["c.toml:9: carrier[0].bind[0].reconnect_min: must not be longer than reconnect_max"],
    ),
    (
        KEY + CARRIER + "[lane.otp.retry]\nbackoff = []\n",
        ["c.toml:10: lane.otp.retry.backoff: at least one pause is needed"],
    ),
]


@pytest.mark.parametrize(("text", "problems"), WRONG)
def test_what_cannot_be_used_is_said_with_its_line(text: str, problems: list[str]) -> None:
    assert problems_of(text) == problems


def test_a_typing_error_does_not_hide_the_cross_checks() -> None:
    text = KEY + "lane = ['otp']\n" + CARRIER + '[[route]]\ncarriers = ["m"]\n'
    assert problems_of(text) == [
        'c.toml:4: api.key[0].lane: is not known here, did you mean "lanes"?',
        'c.toml:11: route[0].carriers[0]: there is no carrier "m"',
    ]


FAR = KEY + CARRIER + "window_size = 'ten'\n"
"""A file with a field that cannot be read, far away from what is wrong besides."""


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('[[route]]\ncarriers = ["m"]\n', 'route[0].carriers[0]: there is no carrier "m"'),
        ('[store]\nkeep_messages = "1h"\n', "store.keep_messages: must not be less than idempotency"),
        ('[store]\nkeep_receipts = "1h"\n', "store.keep_receipts: must not be less than dialect.id_lifetime"),
        ('[lane.otp]\nsenders = ["no sender at all"]\n', "lane.otp.senders[0]:"),
        ("[lane.otp.carrier.m]\nmax_rate_per_s = 1\n", 'lane.otp.carrier[0]: there is no carrier "m"'),
        ('[[inbound.route]]\napi_key = "kk"\n', 'inbound.route[0].api_key: there is no API key "kk"'),
        ('[[carrier]]\nname = "n"\nbind = []\n', 'carrier[1].name: "n" is the name of another carrier'),
    ],
)
def test_a_field_that_cannot_be_read_hides_nothing_that_others_show(more: str, said: str) -> None:
    found = problems_of(FAR + more)
    assert 'c.toml:9: carrier[0].bind[0].window_size: must be a whole number, not "ten"' in found
    assert [problem for problem in found if said in problem], found


@pytest.mark.parametrize(
    "text",
    [
        KEY + CARRIER + '[carrier.dialect]\nid_lifetime = "1h"\n[store]\nidempotency = "soon"\nkeep_messages = "1h"\n',
        KEY + CARRIER + '[store]\nkeep_receipts = "1h"\n[carrier.dialect]\nid_lifetime = "a week"\n',
        KEY + CARRIER.replace('name = "n"', "name = 7") + '[[route]]\ncarriers = ["n"]\n',
        KEY.replace('name = "k"', "name = 7") + CARRIER + '[[inbound.route]]\napi_key = "k"\n',
        KEY + CARRIER + '[lane.otp]\non_doubt = "resend"\nresend_after = "90s"\ndeadline = 60\n',
        KEY + CARRIER + "rate_per_s = 50\n[[carrier.limit]]\nrate_per_s = 'many'\nsender = 'A'\n",
        KEY + CARRIER + 'reconnect_min = "2m"\nreconnect_max = 180\n',
        KEY + CARRIER.replace('host = "localhost"', "host = 7"),
        KEY + CARRIER + "[lane]\nnews = 7\n[[route]]\ncarriers = ['n']\nlanes = ['news']\n",
    ],
)
def test_a_field_that_cannot_be_read_is_the_only_thing_told_of_itself(text: str) -> None:
    found = problems_of(text)
    assert len(found) == 1, found
    assert "must be " in found[0]


def test_whatever_is_broken_it_is_told_and_nothing_else_breaks() -> None:
    lines = FULL.splitlines()
    read(FULL)
    for number, line in enumerate(lines):
        key, equals, _ = line.partition(" = ")
        if equals:
            broken = [*lines[:number], f"{key} = [[]]", *lines[number + 1 :]]
            found = problems_of("\n".join(broken))
            assert all(problem.startswith(f"c.toml:{number + 1}: ") for problem in found), found


FULL = """\
[api]
listen = "0.0.0.0:80"
allow_plaintext = true
[[api.key]]
name = "k"
secret_env = "K"
lanes = ["otp", "news"]
sender = "Ann"
senders = ["Ann"]
[[carrier]]
name = "n"
rate_per_s = 50
[carrier.dialect]
id_lifetime = "2d"
doubt_settled_by = "reference"
languages = ["turkish"]
outcomes = { ESME_RSYSERR = "other_route" }
[carrier.dialect.tlv.theirs]
tag = 0x1400
kind = "text"
[carrier.dialect.always]
theirs = "x"
[[carrier.limit]]
rate_per_s = 10
country = "GB"
[[carrier.price]]
prefix = "44"
price = 0.01
[[carrier.bind]]
host = "smpp.example"
system_id = "s"
password_env = "P"
tls = { certificate_file = "c", key_file = "k", key_password_env = "KP" }
reconnect_min = "2s"
reconnect_max = "3s"
[store]
idempotency = "1d"
keep_messages = "3d"
keep_receipts = "3d"
[[route]]
carriers = ["n"]
lanes = ["otp"]
keys = ["k"]
[[route]]
name = "rest"
carriers = ["n"]
[lane.otp]
on_doubt = "resend"
resend_after = "10s"
deadline = "1m"
[lane.news]
quiet_hours = { start = "21:00", end = "08:00" }
[[inbound.route]]
api_key = "k"
to = ["60777"]
keywords = ["STOP"]
[[inbound.route]]
name = "rest"
api_key = "k"
"""
"""A file in which nearly every rule has something to judge."""


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "[::1]:8080", "localhost:80"])
def test_loopback_addresses_need_no_permission(listen: str) -> None:
    api = read(f'[api]\nlisten = "{listen}"\n' + KEY + CARRIER).api
    assert (api.host, api.port) == {
        "127.0.0.1:0": ("127.0.0.1", 0),
        "[::1]:8080": ("::1", 8080),
        "localhost:80": ("localhost", 80),
    }[listen]


def test_plaintext_to_the_world_needs_a_word() -> None:
    assert read('[api]\nlisten = "0.0.0.0:80"\nallow_plaintext = true\n' + KEY + CARRIER).api.host == "0.0.0.0"


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_secrets_come_from_the_environment() -> None:
    config = read(EXAMPLE)
    assert config.api.key[0].read_secret({"CARRIERLINE_KEY_SHOP": "hush"}) == "hush"
    assert config.carrier[0].bind[0].read_password({"NORTH_PASSWORD": "pw"}) == "pw"


@pytest.mark.parametrize("environ", [{}, {"NORTH_PASSWORD": "", "CARRIERLINE_KEY_SHOP": ""}])
def test_a_variable_that_is_missing_or_empty_is_named(environ: dict[str, str]) -> None:
    config = read(EXAMPLE)
    with pytest.raises(ConfigError, match=r'api\.key "shop": environment variable CARRIERLINE_KEY_SHOP is not set'):
        config.api.key[0].read_secret(environ)
    with pytest.raises(ConfigError, match=r"acme@smpp\.north\.example:2775: environment variable NORTH_PASSWORD"):
        config.carrier[0].bind[0].read_password(environ)


@pytest.mark.parametrize(
    ("content", "password"),
    [
        (b"pw", "pw"),
        (b"pw\n", "pw"),
        (b"pw\r\n", "pw"),
        (b"pw\n\n", "pw"),
        (b"pw\r\n\r\n", "pw"),
        (b"\npw", "\npw"),
        (b" pw ", " pw "),
    ],
)
def test_closing_newlines_of_a_secret_file_are_no_part_of_it(tmp_path: Path, content: bytes, password: str) -> None:
    (tmp_path / "pw").write_bytes(content)
    bind = read(KEY + CARRIER + f'password_file = "{tmp_path / "pw"}"\n').carrier[0].bind[0]
    assert bind.read_password({}) == password
    assert bind.password_origin == f"file {tmp_path / 'pw'}"


def test_a_secret_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    bind = read(KEY + CARRIER + f'password_file = "{tmp_path / "pw"}"\n').carrier[0].bind[0]
    with pytest.raises(ConfigError, match="pw cannot be read: No such file"):
        bind.read_password({})
    (tmp_path / "pw").write_bytes(b"\n")
    with pytest.raises(ConfigError, match="pw is empty"):
        bind.read_password({})


def test_a_bind_without_a_password_binds_with_an_empty_one() -> None:
    bind = read(KEY + CARRIER).carrier[0].bind[0]
    assert (bind.read_password({}), bind.password_origin) == ("", "none")


def test_a_configuration_is_loaded_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "carrierline.toml"
    path.write_text(EXAMPLE)
    assert load_config(path) == read(EXAMPLE) == load_config(str(path))
