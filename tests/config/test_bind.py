"""Where a bind goes, under which protection, and with which secrets."""

import ssl
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from connector.config import BindConfig, CarrierConfig, Credentials, TlsConfig, effective
from connector.errors import ConfigError
from tests.test_config import CARRIER, KEY, problems_of, read

# --- commands and systemd ---------------------------------------------------------------------------------------------


def bind_with(*lines: str) -> BindConfig:
    return read(KEY + CARRIER + "".join(f"{line}\n" for line in lines)).carrier[0].bind[0]


@pytest.mark.parametrize(
    "command",
    [
        """["printf", "p w\\\\n"]""",
        '''"printf 'p w\\\\n'"''',
    ],
)
def test_a_command_gives_its_output_without_the_closing_newline(command: str) -> None:
    bind = bind_with(f"password_command = {command}")
    assert bind.read_password({}) == "p w"
    assert bind.password_origin == "command printf"


def test_a_command_meets_no_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bind = bind_with('password_command = ["echo", "$HOME", ">", "x"]')
    monkeypatch.chdir(tmp_path)
    assert bind.read_password({"HOME": "/root"}) == "$HOME > x"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["echo a | tr a b", "echo $HOME", "pass show x > /dev/null", "a; b", "a `b`"])
def test_a_command_that_only_a_shell_would_understand_is_refused(text: str) -> None:
    [found] = problems_of(KEY + CARRIER + f'password_command = "{text}"\n')
    assert "which only a shell would obey" in found


def test_a_secret_in_the_place_of_its_variable_s_name_is_not_shown() -> None:
    [found] = problems_of(KEY + CARRIER + 'password_env = "hunter2!"\n')
    assert found.endswith("password_env: must be the name of an environment variable: letters, digits and _")


def test_a_bind_to_another_machine_needs_a_password() -> None:
    [found] = problems_of(HERE + 'host = "smpp.example"\ntls = true\n')
    assert found.endswith("no carrier on another machine takes a bind without one")


@pytest.mark.parametrize("host", ["smsc.example:3550", "https://smsc.example/", "a b"])
def test_a_host_is_a_name_or_an_address_and_nothing_else(host: str) -> None:
    found = problems_of(HERE + f'host = "{host}"\n')
    assert "must be a name or an address" in found[0]


def test_one_account_belongs_to_one_carrier() -> None:
    again = CARRIER.replace('name = "n"', 'name = "m"')
    assert again != CARRIER
    [found] = problems_of(KEY + CARRIER + again)
    assert "one account, one carrier" in found


@pytest.mark.parametrize(
    "lines",
    [
        'limit = [{ sender = "A", rate_per_s = 500 }]',
        "ramp = [{ rate = 500, for = '1h' }]",
    ],
)
def test_a_limit_above_the_account_s_cannot_be_meant(lines: str) -> None:
    text = KEY + CARRIER.replace("[[carrier.bind]]", f"rate_per_s = 100\n{lines}\n[[carrier.bind]]")
    [found] = problems_of(text)
    assert "500 is more than the 100 of the account around it" in found


def test_a_command_is_run_in_the_environment_it_is_given() -> None:
    assert bind_with('password_command = ["sh", "-c", "echo $TOKEN"]').read_password({"TOKEN": "pw"}) == "pw"


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ('["sh", "-c", "echo hush; echo hush >&2; exit 3"]', "password_command sh failed with exit status 3"),
        ('["sh", "-c", "echo hush; kill -9 $$"]', "password_command sh failed with signal 9"),
        ('"no-such-program --hush"', "password_command no-such-program cannot be run: No such file or directory"),
        ('"true hush"', "command true is empty"),
        ("""["printf", "hush\\\\377"]""", "command printf is not UTF-8 text"),
    ],
)
def test_a_command_that_fails_is_one_line_without_its_output(command: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        bind_with(f"password_command = {command}").read_password({})
    assert caught.value.problems == [f"bind s@localhost:2775: {sentence}"]


def test_a_command_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.config.secrets.COMMAND_LIMIT_S", 0.1)
    with pytest.raises(ConfigError, match=r"password_command sleep gave nothing in 0\.1 s"):
        bind_with('password_command = "sleep 60"').read_password({})


def test_a_secret_of_an_api_key_may_come_from_a_command() -> None:
    key = read('[[api.key]]\nname = "k"\nsecret_command = "printf s3"\n' + CARRIER).api.key[0]
    assert (key.read_secret({}), key.secret_origin) == ("s3", "command printf")


@pytest.mark.parametrize("spelling", ["${CREDENTIALS_DIRECTORY}/pw", "$CREDENTIALS_DIRECTORY/pw"])
def test_a_secret_may_be_a_credential_of_systemd(tmp_path: Path, spelling: str) -> None:
    (tmp_path / "pw").write_text("from systemd\n")
    bind = bind_with(f'password_file = "{spelling}"')
    assert bind.read_password({"CREDENTIALS_DIRECTORY": str(tmp_path)}) == "from systemd"
    with pytest.raises(ConfigError, match="password_file: CREDENTIALS_DIRECTORY is not set"):
        bind.read_password({})


def test_no_other_variable_is_expanded_in_a_path(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"file \$HOME/pw cannot be read"):
        bind_with('password_file = "$HOME/pw"').read_password({"HOME": str(tmp_path)})


@pytest.mark.parametrize("password", ["x" * 65, "pässword", "pass\0word"])
def test_a_password_that_fits_no_bind_is_said_before_anything_is_bound(tmp_path: Path, password: str) -> None:
    (tmp_path / "pw").write_text(password)
    with pytest.raises(ConfigError, match="must be at most 64 ASCII characters") as caught:
        bind_with(f'password_file = "{tmp_path}/pw"').read_password({})
    assert password not in str(caught.value)


def test_secrets_are_read_anew_each_time(tmp_path: Path) -> None:
    bind = bind_with(f'password_file = "{tmp_path}/pw"')
    for password in ("old", "new"):
        (tmp_path / "pw").write_text(password)
        assert bind.read_credentials({}).password == password


# --- where a bind goes ------------------------------------------------------------------------------------------------

HERE = KEY + '[[carrier]]\nname = "n"\n[[carrier.bind]]\nsystem_id = "s"\n'


@pytest.mark.parametrize(
    ("lines", "endpoints"),
    [
        ('host = "::1"\nport = 3550\n', ["[::1]:3550"]),
        ('host = "[::1]"\n', ["[::1]:2775"]),
        (
            'hosts = ["localhost", "127.0.0.2:3600", "[::1]", "[::1]:1"]\n',
            "localhost:2775 127.0.0.2:3600 [::1]:2775 [::1]:1",
        ),
    ],
)
def test_hosts_are_names_and_addresses_with_and_without_ports(lines: str, endpoints: list[str] | str) -> None:
    bind = read(HERE + lines).carrier[0].bind[0]
    expected = endpoints.split() if isinstance(endpoints, str) else endpoints
    assert [str(place) for place in bind.endpoints] == expected


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("", "carrier[0].bind[0]: needs exactly one of host and hosts"),
        ('host = "localhost"\nhosts = ["[::1]"]\n', "carrier[0].bind[0]: needs exactly one of host and hosts"),
        (
            'hosts = ["a:b:c"]\n',
            'carrier[0].bind[0].hosts: must be "host" or "host:port", IPv6 in brackets, not "a:b:c"',
        ),
        ('hosts = ["::1"]\n', 'carrier[0].bind[0].hosts: must be "host" or "host:port", IPv6 in brackets, not "::1"'),
        ('hosts = ["a:70000"]\n', 'carrier[0].bind[0].hosts: the port of "a:70000" must be from 1 to 65535'),
        ('hosts = ["a", "a:2775"]\n', "carrier[0].bind[0].hosts: names a host twice"),
        (
            'host = "smpp.example"\n',
            "carrier[0].bind[0].host: smpp.example:2775 is another machine: "
            "set tls = true, or allow_plaintext = true if meant",
        ),
        (
            'hosts = ["localhost", "10.0.0.1:99"]\n',
            "carrier[0].bind[0].hosts[1]: 10.0.0.1:99 is another machine: "
            "set tls = true, or allow_plaintext = true if meant",
        ),
    ],
)
def test_a_bind_that_leads_nowhere_good_is_said(lines: str, problem: str) -> None:
    [found] = problems_of(HERE + lines)
    assert found.split(": ", 1)[1] == problem


@pytest.mark.parametrize("word", ["tls = true", "allow_plaintext = true", "[carrier.bind.tls]"])
def test_another_machine_is_reached_under_tls_or_with_a_word(word: str) -> None:
    assert read(HERE + f'host = "smpp.example"\npassword_env = "P"\n{word}\n').carrier[0].bind[0].host == "smpp.example"


def test_tries_a_minute_grow_with_the_binds_unless_they_are_given() -> None:
    def carrier(count: int, binds_per_minute: int | None = None) -> CarrierConfig:
        bind = BindConfig(host="h", system_id="s", count=count)
        return CarrierConfig(name="n", bind=(bind,), binds_per_minute=binds_per_minute)

    assert [carrier(count).tries_per_minute for count in (1, 6, 7, 100)] == [12, 12, 14, 200]
    assert carrier(100, 5).tries_per_minute == 5


# --- TLS --------------------------------------------------------------------------------------------------------------


def test_tls_is_a_word_or_a_table() -> None:
    assert bind_with().tls_config is None
    assert bind_with("tls = true").tls_config == TlsConfig()
    table = bind_with("[carrier.bind.tls]", 'server_name = "x"', 'minimum_version = "1.3"').tls_config
    assert table == TlsConfig(server_name="x", minimum_version="1.3")


def test_tls_in_the_effective_configuration_loads_again() -> None:
    for lines in ("tls = true\n", "[carrier.bind.tls]\ncertificate_file = 'x'\nkey_password_command = ['pass', 'x']\n"):
        config = read(KEY + CARRIER + lines)
        assert read(effective(config)) == config


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (
            'key_password = "hush"',
            "carrier[0].bind[0].tls.key_password: a secret does not belong in this file: "
            "use key_password_env, key_password_file or key_password_command",
        ),
        ('key_file = "k"', "carrier[0].bind[0].tls.key_file: needs a certificate_file"),
        ('key_password_env = "K"', "carrier[0].bind[0].tls: a key_password needs a certificate_file"),
        ('minimum_version = "1.1"', 'carrier[0].bind[0].tls.minimum_version: must be one of "1.2", "1.3", not "1.1"'),
        ("verify = false", "carrier[0].bind[0].tls.verify: is not known here"),
        ('key_password_command = ""', "carrier[0].bind[0].tls.key_password_command: must be a program"),
        ('key_password_command = "a \'b"', "carrier[0].bind[0].tls.key_password_command: No closing quotation"),
    ],
)
def test_a_tls_table_that_cannot_be_used_is_said(lines: str, problem: str) -> None:
    [found] = problems_of(KEY + CARRIER + f"[carrier.bind.tls]\n{lines}\n")
    assert found.split(": ", 1)[1].startswith(problem)


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(ca: trustme.CA, tmp_path: Path) -> Path:
    """A folder with an authority, a certificate, its key, the same key under a password, and another key."""
    mine, other = ca.issue_cert("acme"), ca.issue_cert("other")
    ca.cert_pem.write_to_path(tmp_path / "ca")
    mine.cert_chain_pems[0].write_to_path(tmp_path / "certificate")
    mine.private_key_pem.write_to_path(tmp_path / "key")
    other.private_key_pem.write_to_path(tmp_path / "other")
    key = serialization.load_pem_private_key(mine.private_key_pem.bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"hush"),
    )
    (tmp_path / "locked").write_bytes(locked)
    (tmp_path / "rubbish").write_text("no PEM at all\n")
    return tmp_path


@pytest.mark.parametrize(
    "names",
    [
        {},
        {"ca_file": "ca"},
        {"ca_file": "ca", "certificate_file": "certificate", "key_file": "key"},
        {"certificate_file": "certificate", "key_file": "locked", "key_password_env": "K"},
    ],
)
def test_every_context_requires_a_certificate_and_checks_its_name(files: Path, names: dict[str, str]) -> None:
    paths = {key: name if key.endswith("env") else str(files / name) for key, name in names.items()}
    context = TlsConfig(**paths).read("bind", {"K": "hush"})  # type: ignore[arg-type]
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert bool(context.cert_store_stats()["x509_ca"] == 1) is ("ca_file" in names)


@pytest.mark.parametrize(
    ("names", "environ", "sentence"),
    [
        ({"ca_file": "nowhere"}, {}, "tls.ca_file {}/nowhere cannot be read: No such file or directory"),
        ({"ca_file": "."}, {}, "tls.ca_file {}/. cannot be read: Is a directory"),
        ({"ca_file": "rubbish"}, {}, "tls.ca_file {}/rubbish holds no certificate in PEM form"),
        ({"certificate_file": "nowhere"}, {}, "tls.certificate_file {}/nowhere cannot be read: No such file"),
        (
            {"certificate_file": "certificate", "key_file": "nowhere"},
            {},
            "tls.key_file {}/nowhere cannot be read: No such file",
        ),
        (
            {"certificate_file": "certificate"},
            {},
            "tls.certificate_file {}/certificate holds no private key in PEM form that opens without a key_password",
        ),
        (
            {"certificate_file": "certificate", "key_file": "other"},
            {},
            "tls.key_file {}/other is not the private key of the certificate",
        ),
        (
            {"certificate_file": "certificate", "key_file": "locked"},
            {},
            "tls.key_file {}/locked holds no private key in PEM form that opens without a key_password",
        ),
        (
            {"certificate_file": "certificate", "key_file": "locked", "key_password_env": "K"},
            {"K": "wrong"},
            "tls.key_file {}/locked holds no private key that this key_password opens",
        ),
        (
            {"certificate_file": "certificate", "key_file": "locked", "key_password_env": "K"},
            {},
            "tls.key_password: environment variable K is not set or empty",
        ),
    ],
)
def test_a_file_of_tls_that_cannot_be_used_is_one_line_with_its_key(
    files: Path, names: dict[str, str], environ: dict[str, str], sentence: str
) -> None:
    paths = {key: name if key.endswith("env") else f"{files}/{name}" for key, name in names.items()}
    with pytest.raises(ConfigError) as caught:
        TlsConfig(**paths).read("bind s@h:1", environ)  # type: ignore[arg-type]
    [line] = caught.value.problems
    assert line.startswith("bind s@h:1: " + sentence.format(files))


def test_what_a_bind_needs_and_lacks_is_told_with_the_secrets() -> None:
    config = read(KEY + CARRIER + '[carrier.bind.tls]\nca_file = "/nowhere/ca.pem"\n')
    assert config.missing_secrets({"K": "x"}) == [
        "bind s@localhost:2775: tls.ca_file /nowhere/ca.pem cannot be read: No such file or directory"
    ]


def test_credentials_show_no_password() -> None:
    assert "hush" not in repr(Credentials("hush"))
