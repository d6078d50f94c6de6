"""carrierline preview: what would become of a message or a list, from a configuration or from a running connector."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from connector.client import Client
from connector.model import SendRequest
from tests.cli.calls import Caller

CONFIG = """\
[[api.key]]
name = "shop"
secret_env = "UNSET"
country = "GB"
sender = "Shop"

[[api.key]]
name = "bank"
secret_env = "UNSET"
lanes = ["otp"]

[[carrier]]
name = "north"
price = [{ prefix = "44", price = 0.035 }]
[[carrier.bind]]
host = "127.0.0.1"
system_id = "acme"
password_env = "UNSET"

[[carrier]]
name = "south"
price = [{ prefix = "447", price = 0.03 }]
[[carrier.bind]]
host = "127.0.0.2"
system_id = "acme"
password_env = "UNSET"

[[route]]
name = "banking"
carriers = ["north"]
keys = ["bank"]

[[route]]
name = "home"
carriers = ["north", "south"]
prefer = "cost"
countries = ["GB", "FR"]
"""
ROWS = """\
phone,text
07400 123456,Hello
07400 123457,"It’s fine"
12,x
+33 6 12 34 56 78,Bonjour
07400 123456,Hello
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "carrierline.toml"
    path.write_text(CONFIG)
    return str(path)


@pytest.fixture
def rows(tmp_path: Path) -> str:
    path = tmp_path / "rows.csv"
    path.write_text(ROWS, encoding="utf-8")
    return str(path)


def words(line: str) -> list[str]:
    return line.split()


# --- one message ----------------------------------------------------------------------------------------------------


def test_one_message_is_a_block_that_says_why(carrierline: Caller, config: str) -> None:
    ended = carrierline("preview", "--config", config, "--to", "07400 123456", "--text", "It’s")
    assert (ended.status, ended.err) == (0, "")
    lines = ended.out.splitlines()
    leaves = lines.pop(5)
    assert leaves.startswith("  leaves    20")
    assert "; deadline 20" in leaves
    assert lines == [
        "accepted",
        "  to        447400123456 (GB)",
        "  lane      transactional",
        "  from      Shop (the API key's default)",
        "  text      ucs2, 1 part, for the default alphabet lacks ’",
        "  route     home",
        "  carriers  1. south: 0.03 a part, 0.03 in all; not running",
        "            2. north: 0.035 a part, 0.035 in all; not running",
        "  rules     banking: API key shop is not bank",
        "            home: fits",
        "  passed    lane, number, sender, text, route, parts, cost, times, quiet_hours, deadline, client_ref,"
        " metadata, options, queue",
    ]


def test_a_refusal_is_exit_status_1_and_names_the_check(carrierline: Caller, config: str) -> None:
    ended = carrierline("preview", "--config", config, "--to", "+49 30 123456", "--text", "Hi")
    assert ended.status == 1
    lines = ended.out.splitlines()
    assert lines[0] == "refused: to: no route takes lane transactional to DE (no_route)"
    assert "            home: country DE is not FR or GB" in lines
    assert lines[-1] == "  failed    route"


def test_another_key_of_the_configuration_may_be_asked_as(carrierline: Caller, config: str) -> None:
    asked = ("preview", "--config", config, "--to", "+447400123456", "--text", "Hi", "--json", "--api-key")
    found = json.loads(carrierline(*asked, "bank").out)
    assert (found["route"], found["lane"], found["from_given_by"]) == ("banking", "otp", "none")
    ended = carrierline(*asked, "bnk")
    assert (ended.status, ended.err) == (2, 'carrierline: there is no API key "bnk", did you mean "bank"?\n')


def test_a_configuration_with_problems_is_told_with_its_lines(carrierline: Caller, tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text(CONFIG.replace('prefer = "cost"', 'prefer = "price"'))
    ended = carrierline("preview", "--config", str(path), "--to", "1", "--text", "x")
    assert ended.status == 2
    assert "route[1].prefer: must be one of" in ended.err


# --- a list ---------------------------------------------------------------------------------------------------------


def test_a_list_is_added_up(carrierline: Caller, config: str, rows: str) -> None:
    ended = carrierline("preview", "--config", config, "--csv", rows)
    assert (ended.status, ended.err) == (1, "")
    lines = ended.out.splitlines()
    assert [words(line) for line in lines[1:3]] == [
        ["transactional", "GB", "Shop", "home", "south", "2", "2"],
        ["transactional", "FR", "Shop", "home", "north", "1", "1"],
    ]
    assert sorted(words(line) for line in lines[5:7]) == [
        ["north", "1", "0", "3", "0.07", "1"],
        ["south", "2", "0.06", "3", "0.06", "1"],
    ]
    assert lines[8:] == [
        "5 rows: 3 would be accepted in 3 parts, 1 refused, 1 repeated",
        "      1 number_invalid: the number is too short for GB; line 4",
        "      1 repeated: line 6 repeats 2",
    ]


def test_json_is_a_line_for_each_row_and_one_with_the_totals(carrierline: Caller, config: str, rows: str) -> None:
    *each, last = carrierline("preview", "--config", config, "--csv", rows, "--json").out.splitlines()
    shown = [json.loads(line) for line in each]
    assert [(row["line"], row["status"]) for row in shown] == [
        (2, "accepted"),
        (3, "accepted"),
        (4, "refused"),
        (5, "accepted"),
        (6, "repeated"),
    ]
    assert shown[-1]["of_line"] == 2
    totals = json.loads(last)["totals"]
    assert (totals["rows"], totals["accepted"], totals["parts"], totals["refused"]) == (5, 3, 3, 1)
    assert totals["refused_by_reason"] == {"number_invalid": 1}
    assert totals["carriers"]["south"] == {
        "first_parts": 2,
        "first_cost": 0.06,
        "parts": 3,
        "cost": 0.06,
        "unpriced": 1,
    }


def test_thousands_of_rows_are_all_previewed(carrierline: Caller, config: str, tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    path.write_text("phone,text\n" + "".join(f"+4474001{n:05},Hello {n}\n" for n in range(2_300)))
    ended = carrierline("preview", "--config", config, "--csv", str(path))
    assert ended.status == 0
    assert "2300 rows: 2300 would be accepted in 2300 parts, 0 refused, 0 repeated" in ended.out


# --- a running connector --------------------------------------------------------------------------------------------

PRESENT = {"bound": True, "suspended": False, "state": "reduced", "share": 0.25, "text": "its health"}
PREVIEW: dict[str, Any] = {
    "status": "accepted",
    "reason": None,
    "field": None,
    "detail": None,
    "to": "447400123456",
    "country": "GB",
    "lane": "otp",
    "from": "Shop",
    "from_given_by": "request",
    "alphabet": "gsm",
    "forced_by": [],
    "parts": 1,
    "leaves_at": "2026-01-31T09:00:00.000Z",
    "quiet_until": "2026-01-31T09:00:00.000Z",
    "deadline": "2026-01-31T09:02:00.000Z",
    "route": "home",
    "carriers": [
        {"name": "north", "price": None, "cost": None, "passed_over": None, "present": PRESENT},
        {
            "name": "south",
            "price": 0.03,
            "cost": 0.03,
            "passed_over": "it is suspended",
            "present": {**PRESENT, "suspended": True},
        },
    ],
    "rules": [{"rule": "home", "fits": True, "why_not": None}],
    "checks": [{"name": "lane", "passed": True, "detail": None}],
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[SendRequest]]:
    """What a running connector is asked; it answers each row alike."""
    batches: list[Sequence[SendRequest]] = []

    async def preview(self: Client, requests: Sequence[SendRequest]) -> list[dict[str, Any]]:
        batches.append(requests)
        return [PREVIEW] * len(requests)

    async def key(self: Client) -> dict[str, Any]:
        return {"country": "GB"}

    monkeypatch.setattr(Client, "preview", preview)
    monkeypatch.setattr(Client, "key", key)
    monkeypatch.setenv("CARRIERLINE_KEY", "key")
    return batches


def test_a_running_connector_says_how_the_carriers_fare(
    carrierline: Caller, asked: list[Sequence[SendRequest]]
) -> None:
    ended = carrierline("preview", "--to", "07400123456", "--text", "Hi", "--lane", "otp", "--from", "Shop")
    assert asked == [[SendRequest(to="07400123456", text="Hi", lane="otp", sender="Shop")]]
    lines = ended.out.splitlines()
    assert "  leaves    2026-01-31T09:00:00.000Z, the end of quiet hours; deadline 2026-01-31T09:02:00.000Z" in lines
    first, second = (line[12:] for line in lines if line[12:14] in ("1.", "2."))
    assert first == "1. north: price unknown; bound, reduced, 25% of its share; its health"
    assert second.endswith("; suspended, reduced, 25% of its share; its health; passed over: it is suspended")


def test_a_list_goes_over_in_batches(carrierline: Caller, asked: list[Sequence[SendRequest]], tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    path.write_text("phone,text\n" + "".join(f"+4474001{n:05},Hello {n}\n" for n in range(1_200)))
    assert carrierline("preview", "--csv", str(path)).status == 0
    assert [len(batch) for batch in asked] == [500, 500, 200]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give either --to with --text, or --csv FILE"),
        (("--to", "1", "--csv", "x"), "give either --to with --text, or --csv FILE"),
        (("--to", "1", "--api-key", "shop"), "--api-key goes with --config"),
        (("--to", "1", "--key-env", "NOT_SET_ANYWHERE"), "no API key"),
    ],
)
def test_a_wrong_call_is_told(carrierline: Caller, arguments: tuple[str, ...], words: str) -> None:
    ended = carrierline("preview", *arguments)
    assert ended.status == 2
    assert words in ended.err


def test_json_has_a_line_for_every_row_in_order_whatever_it_is(
    carrierline: Caller, asked: list[Sequence[SendRequest]], tmp_path: Path
) -> None:
    path = tmp_path / "mixed.csv"
    rows = [
        f"+4474001{n:05},Hello" if n % 3 else ("+447400100001,Hello" if n % 2 else "too,many,values")
        for n in range(1_300)
    ]
    path.write_text("phone,text\n" + "\n".join(rows) + "\n")
    *each, _ = map(json.loads, carrierline("preview", "--csv", str(path), "--json").out.splitlines())
    assert [row["line"] for row in each] == list(range(2, 1_302))
    assert {row["status"] for row in each} == {"accepted", "refused", "repeated"}


def test_a_list_of_one_is_one_row_and_one_part(carrierline: Caller, config: str, tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("phone,text\n+447400123456,Hi\n")
    out = carrierline("preview", "--config", config, "--csv", str(path)).out
    assert out.splitlines()[-1] == "1 row: 1 would be accepted in 1 part, 0 refused, 0 repeated"
