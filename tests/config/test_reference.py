"""The reference of all keys: made from the classes that read them, and the file that people read is the same."""

from pathlib import Path

import connector.config
from connector.config.reference import reference


def test_the_readme_of_the_room_is_the_reference() -> None:
    """If not: ``carrierline config reference > connector/config/README.md``."""
    readme = Path(connector.config.__file__).with_name("README.md")
    assert readme.read_text(encoding="utf-8").rstrip() == reference().rstrip()


def test_a_key_stands_with_type_default_and_words() -> None:
    lines = reference().splitlines()
    start = lines.index("## `[[carrier.bind]]`")
    rows = lines[start : lines.index("## `[carrier.bind.tls]`")]
    assert "| `window_size` | whole number | `50` | Requests in flight on one link. |" in rows
    assert '| `drain` | duration | `"10s"` | How long an orderly end waits for answers still due. |' in rows
    assert "| `system_id` | text | **required** | Name of the account, as the carrier gave it. |" in rows
    (command,) = [row for row in rows if row.startswith("| `password_command`")]
    assert "Its error output is never shown" in command


def test_lanes_stand_with_the_defaults_of_those_that_are_there() -> None:
    assert any("otp `0.6`" in line and line.startswith("| `reserve`") for line in reference().splitlines())


def test_their_retry_tables_stand_with_what_differs_too() -> None:
    lines = reference().splitlines()
    start = lines.index("## `[lane.NAME.retry]`")
    rows = lines[start : lines.index("## `[lane.NAME.retry.temporary]`")]
    (backoff,) = [row for row in rows if row.startswith("| `backoff`")]
    assert '`["5s", "30s", "2m"]`; otp `["1s", "3s", "10s"]`' in backoff
    (opinion,) = [row for row in rows if row.startswith("| `second_opinion`")]
    assert "`false`; otp `true`" in opinion
