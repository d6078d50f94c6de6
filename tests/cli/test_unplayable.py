"""``carrierline simulate`` with a scenario that is right and cannot be played here: its line, and status 2."""

from pathlib import Path

import pytest

from tests.cli.calls import Caller

DOOR = """
[listen]
smpp = "127.0.0.1:0"
[load]
target = "http://user:geheim@127.0.0.1:1/v1/messages"
token_env = "NO_SUCH_TOKEN"
model = "closed"
messages = 1
"""


@pytest.fixture
def scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("NO_SUCH_TOKEN", raising=False)
    path = tmp_path / "door.toml"
    path.write_text(DOOR)
    return path


def test_a_missing_token_is_told_with_its_line(carrierline: Caller, scenario: Path) -> None:
    ended = carrierline("simulate", str(scenario))
    assert (ended.status, ended.out) == (2, "")
    assert ended.err == f"{scenario}:6: load.token_env: the environment has no NO_SUCH_TOKEN\n"


def test_a_door_and_virtual_time_are_told_with_the_line_and_without_the_password(
    carrierline: Caller, scenario: Path
) -> None:
    ended = carrierline("simulate", str(scenario), "--virtual")
    assert (ended.status, ended.out) == (2, "")
    first, second = ended.err.splitlines()
    where = f"{scenario}:5: load.target: http://127.0.0.1:1/v1/messages"
    assert first == f"{where} does not live in virtual time: play it by the real clock"
    assert second.startswith(f"{scenario}:6: load.token_env: ")


def test_the_line_is_that_of_the_file_it_extends_where_the_key_stands_there(
    carrierline: Caller, scenario: Path, tmp_path: Path
) -> None:
    heir = tmp_path / "heir.toml"
    heir.write_text('extends = "door"\nseed = 7\n')
    ended = carrierline("simulate", str(heir))
    assert ended.status == 2
    assert ended.err.startswith(f"{scenario}:6: load.token_env: ")


def test_a_file_that_is_only_checked_needs_no_token(carrierline: Caller, scenario: Path) -> None:
    assert carrierline("simulate", str(scenario), "--check").status == 0
