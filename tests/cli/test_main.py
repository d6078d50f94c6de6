"""What holds for every command: help at once, one line for a mistake, and the exit status."""

import subprocess
import sys
from pathlib import Path

import pytest

from cli import COMMANDS, first_error
from connector.errors import StoreError
from tests.cli.calls import Caller

HEAVY = (
    "trio",
    "phonenumbers",
    "starlette",
    "hypercorn",
    "httpx2",
    "prometheus_client",
    "msgspec",
    "smpplib",
)


def test_help_lists_every_command_and_loads_nothing_heavy() -> None:
    code = (
        "import sys, cli\n"
        "try: cli.main(['--help'])\n"
        f"finally: print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stderr.strip() == "[]"
    for name, (_, text) in COMMANDS.items():
        assert f"  {name} " in ended.stdout
        assert text.split()[0] in ended.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_of_its_own(carrierline: Caller, name: str) -> None:
    ended = carrierline(name, "--help")
    assert ended.status == 0
    assert f"Usage: carrierline {name}" in ended.out


def test_called_with_nothing_it_shows_what_there_is(carrierline: Caller) -> None:
    ended = carrierline()
    assert (ended.status, "Commands:" in ended.err) == (2, True)


def test_the_version_is_told(carrierline: Caller) -> None:
    ended = carrierline("--version")
    assert (ended.status, ended.out.startswith("carrierline, version ")) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("snd",), "did you mean 'send'?"),
        (("xyzzy",), "No such command 'xyzzy'"),
        (("messages", "lst"), "Did you mean 'list'?"),
        (("--nope",), "No such option '--nope'"),
        (("send", "--to"), "requires an argument"),
        (("send",), "give either --to with --text, or --csv FILE"),
        (("send", "--to", "1", "--csv", "x"), "give either --to with --text, or --csv FILE"),
        (("send", "--to", "1", "--text", "x"), "no API key: set CARRIERLINE_KEY"),
        (("messages", "list", "--key-file", "/nope"), "the key file /nope cannot be read: No such file"),
        (("messages", "list", "--limit", "0"), "--limit"),
        (("messages", "show"), "Missing argument 'ID'"),
        (("verify", "--key-env", "NOPE_KEY"), "no API key: set NOPE_KEY"),
        (("run",), "Missing argument 'CONFIG'"),
        (("run", "/nope"), "/nope: cannot be read: No such file or directory"),
        (("config", "check", "/nope"), "/nope: cannot be read: No such file or directory"),
        (("simulate", "/nope"), "/nope: cannot be read: No such file or directory"),
        (("simulate", "--smpp", "nowhere"), '--smpp must be "host:port"'),
        (("decode",), "Missing argument"),
        (("messages", "list", "--store", "/nope.db"), "there is no store at /nope.db"),
        (("messages", "show", "00000000000", "--store", "/nope.db"), "there is no store at /nope.db"),
        (("verify", "--store", "/nope.db"), "there is no store at /nope.db"),
        (("decode", "--receipt", "--zone", "Mars/Base", "id:1"), "there is no time zone 'Mars/Base'"),
    ],
)
def test_a_wrong_call_is_one_line_and_status_2(
    carrierline: Caller, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.delenv("CARRIERLINE_KEY", raising=False)
    ended = carrierline(*arguments)
    assert (ended.status, ended.out) == (2, "")
    assert words in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("verify", "--store", __file__), "not a database"),
        (("messages", "list", "--url", "http://127.0.0.1:1"), "no connector answers at http://127.0.0.1:1"),
        (("decode", "zz"), "neither hexadecimal octets nor a file: 'zz'"),
    ],
)
def test_what_fails_is_one_line_and_status_1(
    carrierline: Caller, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.setenv("CARRIERLINE_KEY", "a-key-that-is-secret")
    ended = carrierline(*arguments)
    assert (ended.status, ended.out) == (1, "")
    assert words in ended.err
    assert ended.err.count("\n") == 1
    assert "a-key-that-is-secret" not in ended.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("send", "--csv", "/nope.csv"), "/nope.csv: No such file or directory"),
        (("preview", "--csv", "/nope.csv"), "/nope.csv: No such file or directory"),
        (("send", "--csv", "/"), "is a directory"),
        (("messages", "list", "--url", "http://[::1"), "'http://[::1' is no address of a connector"),
        (("verify", "--url", "127.0.0.1:8080"), "'127.0.0.1:8080' is no address of a connector"),
        (("send", "--to", "1", "--send-at", "soon"), "--send-at is a time with its offset"),
        (("send", "--to", "1", "--send-at", "2026-01-31T09:00:00"), "or a duration such as 2h"),
        (("send", "--to", "1", "--deadline", "9"), "--deadline is a time with its offset"),
        (("send", "--csv", __file__, "--send-at", "2h"), "--send-at with --csv is a time"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_status_2_too(
    carrierline: Caller, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.setenv("CARRIERLINE_KEY", "a-key-that-is-secret")
    ended = carrierline(*arguments)
    assert (ended.status, ended.out) == (2, "")
    assert words in ended.err
    assert ended.err.count("\n") == 1


def test_the_readme_names_every_command() -> None:
    readme = Path(__file__).parents[2].joinpath("cli", "README.md").read_text(encoding="utf-8")
    for name in COMMANDS:
        assert f"`carrierline {name}" in readme, name


def test_all_problems_of_a_configuration_are_told_at_once(carrierline: Caller, tmp_path: Path) -> None:
    file = tmp_path / "carrierline.toml"
    file.write_text(
        '[[api.key]]\nname = "shop"\nsecret = "4711"\nlanez = ["otp"]\n'
        '[[carrier]]\nname = "north"\n[[carrier.bind]]\nhost = "h"\nsystem_id = "acme"\nwindow_sise = 5\nport = 0\n'
    )
    for command in (("run", str(file)), ("config", "check", str(file))):
        ended = carrierline(*command)
        assert ended.status == 2
        lines = ended.err.splitlines()
        assert all(line.startswith(f"{file}:") for line in lines)
        for words in (
            "secret_env, secret_file or secret_command",
            'did you mean "lanes"?',
            'did you mean "window_size"?',
            "port",
        ):
            assert sum(words in line for line in lines) >= 1, words
        assert "4711" not in ended.err


def test_all_secrets_that_are_missing_are_told_at_once(
    carrierline: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CARRIERLINE_KEY_SHOP", "NORTH_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "carrierline.toml"
    file.write_text(carrierline("config", "example").out)
    ended = carrierline("run", str(file))
    assert ended.status == 2
    assert "CARRIERLINE_KEY_SHOP is not set" in ended.err
    assert "NORTH_PASSWORD is not set" in ended.err
    assert list(tmp_path.iterdir()) == [file], "nothing is made before it is known that it can run"


def test_of_nested_errors_the_first_that_went_wrong_is_told() -> None:
    cause = StoreError("the cause")
    group = ExceptionGroup("outer", [ExceptionGroup("inner", [cause]), OSError("later")])
    assert first_error(group) is cause
