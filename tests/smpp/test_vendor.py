"""A vendor's own TLV and PDU: one row each, and everything that walks the tables knows them.

The room is copied and the rows of its README are written into the copy, so that this is what an engineer would do.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import connector.smpp

ROOM = Path(connector.smpp.__file__).parent
README = (ROOM / "README.md").read_text(encoding="utf-8")

USE = """
import json
from connector.smpp import tables
from connector.smpp.codec import decode, encode
from connector.smpp.describe import describe, operation_matrix
from connector.smpp.pdu import PDU_BY_ID, BindTransceiver, BindTransceiverResp, SubmitSm, tlv
from connector.smpp.session import Session

tariff = SubmitSm(destination_addr="447700900123", tlvs=(tlv("north_tariff", 7),))
ask = PDU_BY_ID[0x00010201](message_id="42", sequence_number=1)
assert decode(encode(ask)) == ask
session = Session(tables.Role.ESME, now=0.0)
session.request(BindTransceiver(), 0.0)
session.receive_data(encode(BindTransceiverResp(sequence_number=1)), 0.0)
session.request(ask, 0.0, "token")
(answered,) = session.receive_data(encode(PDU_BY_ID[0x80010201](balance=5, sequence_number=2)), 0.0)
assert "| north_balance | BOUND_TX, BOUND_TRX |" in operation_matrix()
print(json.dumps([
    describe(decode(encode(tariff)))["tlvs"],
    describe(decode(encode(ask))),
    answered.token,
    answered.response.balance,
]))
"""


def example(language_and_title: str) -> str:
    """The code block of the README whose first line is this comment."""
    found = re.search(rf"```python\n# {re.escape(language_and_title)}\n(.*?)```", README, re.DOTALL)
    assert found, language_and_title
    return found[1]


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The room in a place of its own, with the rows of the README."""
    shutil.copytree(ROOM, tmp_path / "connector" / "smpp", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOM.parent / "errors.py", tmp_path / "connector")
    (tmp_path / "connector" / "__init__.py").touch()
    tables = tmp_path / "connector" / "smpp" / "tables.py"
    text = tables.read_text(encoding="utf-8")
    for name in ("TLVS", "COMMANDS"):
        start = text.index(f"{name}: Final = (\n")
        end = text.index("\n)\n", start) + 1
        text = text[:end] + example(f"tables.py, at the end of {name}") + text[end:]
    tables.write_text(text, encoding="utf-8")
    pdus = tmp_path / "connector" / "smpp" / "pdu.py"
    text = pdus.read_text(encoding="utf-8")
    at = text.index("def _all_pdus(")
    pdus.write_text(text[:at] + example("pdu.py") + "\n\n" + text[at:], encoding="utf-8")
    return tmp_path


ROW_ALONE = """
from connector.smpp import tables
from connector.smpp.codec import decode, encode
from connector.smpp.events import Answered, Requested
from connector.smpp.pdu import BindTransceiver, BindTransceiverResp, GenericNack, UnknownPdu
from connector.smpp.session import Session

row = tables.COMMAND_BY_ID[0x00010203]
esme, smsc = Session(tables.Role.ESME, now=0.0), Session(tables.Role.SMSC, now=0.0)
(asked,) = smsc.receive_data(esme.request(BindTransceiver(), 0.0), 0.0)
esme.receive_data(smsc.answer([BindTransceiverResp(sequence_number=1)]), 0.0)

# the SMSC asks the ESME, which is told and answers
(asked,) = esme.receive_data(smsc.request(UnknownPdu(command_id=row.command_id, body=b"ask"), 0.0, "token"), 0.0)
assert isinstance(asked, Requested)
assert (asked.pdu.command, asked.pdu.body, esme.data_to_send()) == ("north_notice", b"ask", b"")
answer = UnknownPdu(command_id=row.response_id, body=b"told", sequence_number=asked.pdu.sequence_number)
(answered,) = smsc.receive_data(esme.answer([answer]), 0.0)
assert isinstance(answered, Answered)
assert (answered.token, answered.response.command, answered.response.body) == ("token", "north_notice_resp", b"told")

# the ESME asks the SMSC, which has nobody to tell
octets = esme.request(UnknownPdu(command_id=row.command_id, body=b"ask"), 0.0, "ours")
smsc.receive_data(octets, 0.0)
refusal = decode(smsc.data_to_send())
assert isinstance(refusal, GenericNack) and refusal.command_status == tables.ESME_RINVCMDID
"""


def test_a_row_alone_is_told_to_an_esme_and_answered_by_it(copied: Path) -> None:
    tables = copied / "connector" / "smpp" / "tables.py"
    text = tables.read_text(encoding="utf-8")
    start = text.index("COMMANDS: Final = (\n")
    end = text.index("\n)\n", start) + 1
    row = '    Command("north_notice", 0x00010203, esme=_BOUND, smsc=_BOUND),\n'
    tables.write_text(text[:end] + row + text[end:], encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", ROW_ALONE], cwd=copied, capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_the_rows_of_the_readme_are_all_it_takes(copied: Path) -> None:
    done = subprocess.run([sys.executable, "-c", USE], cwd=copied, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert '"name": "north_tariff", "length": 1, "value_hex": "07", "value": 7' in done.stdout
    assert '"command": "north_balance"' in done.stdout
    assert '"body": {"message_id": "42"}' in done.stdout
    assert done.stdout.endswith('"token", 5]\n')
