"""What does one PDU cost to write and to read, and how many times faster is that than smpplib?

Everything is measured in one process and in turns, so that the ratios hold on any machine; CPU time is counted.
"""

import json
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import click
import smpplib.smpp

from connector.smpp.codec import decode, encode
from connector.smpp.pdu import DeliverSm, DeliverSmResp, SubmitSm, SubmitSmResp, tlv
from connector.smpp.receipt import parse_receipt

SUBMIT = SubmitSm(
    source_addr_ton=5,
    source_addr="Carrierline",
    dest_addr_ton=1,
    dest_addr_npi=1,
    destination_addr="447700900123",
    validity_period="000000000500000R",
    registered_delivery=1,
    short_message=b"Your code is 482913. It is good for five minutes; do not pass it on.",
)
SUBMIT_RESP = encode(SubmitSmResp(message_id="0059113978"), 7)
RECEIPT = encode(
    DeliverSm(
        source_addr="447700900123",
        destination_addr="Carrierline",
        esm_class=4,
        short_message=b"id:0059113978 sub:001 dlvrd:001 submit date:2601310900 done date:2601310901"
        b" stat:DELIVRD err:000 text:Your code is 482913.",
        tlvs=(tlv("receipted_message_id", "38601fa"), tlv("message_state", 2)),
    ),
    7,
)
SUBMIT_OCTETS = encode(SUBMIT, 7)
THEIR_FIELDS = {name: getattr(SUBMIT, name) for name, _ in SUBMIT.wire}


_layout: Any = SubmitSm  # its positions are those of the wire table


def build_submit_sm() -> object:
    """What the connector does for each message: values to a PDU to octets."""
    pdu = _layout(
        "",
        5, 0, "Carrierline",
        1, 1, "447700900123",
        0, 0, 0, "", "000000000500000R",
        1, 0, 0, 0,
        SUBMIT.short_message,
    )  # fmt: skip
    return encode(pdu, 7)


def read_receipt() -> object:
    """A deliver_sm from octets to a receipt, its TLVs included."""
    pdu: Any = decode(RECEIPT)
    return parse_receipt(
        pdu.short_message,
        esm_class=pdu.esm_class,
        data_coding=pdu.data_coding,
        receipted_message_id=pdu.tlv_octets("receipted_message_id"),
        message_state=pdu.tlv_value("message_state"),
    )


class _Client:
    sequence = 7

    def next_sequence(self) -> int:
        return self.sequence


_CLIENT = _Client()
_READY = smpplib.smpp.make_pdu("submit_sm", client=_CLIENT, **THEIR_FIELDS)


def smpplib_build_submit_sm() -> object:
    return smpplib.smpp.make_pdu("submit_sm", client=_CLIENT, **THEIR_FIELDS).generate()


QUESTIONS: Mapping[str, Callable[[], object]] = {
    "encode_submit_sm": lambda: encode(SUBMIT, 7),
    "build_submit_sm": build_submit_sm,
    "decode_submit_sm": lambda: decode(SUBMIT_OCTETS),
    "decode_submit_sm_resp": lambda: decode(SUBMIT_RESP),
    "decode_receipt": read_receipt,
    "encode_deliver_sm_resp": lambda: encode(DeliverSmResp(sequence_number=7)),
    "smpplib_encode_submit_sm": _READY.generate,
    "smpplib_build_submit_sm": smpplib_build_submit_sm,
    "smpplib_decode_submit_sm": lambda: smpplib.smpp.parse_pdu(SUBMIT_OCTETS, client=_CLIENT),
}
TURNS = 7


def _seconds(call: Callable[[], object], times: int) -> float:
    began = time.process_time()
    for _ in range(times):
        call()
    return time.process_time() - began


def measure(seconds: float) -> dict[str, float]:
    """CPU microseconds of each question, the median of several turns that share ``seconds``."""
    share = seconds / len(QUESTIONS) / TURNS
    times = {name: max(1, int(share / max(1e-7, _seconds(call, 200) / 200))) for name, call in QUESTIONS.items()}
    turns: dict[str, list[float]] = {name: [] for name in QUESTIONS}
    for _ in range(TURNS):
        for name, call in QUESTIONS.items():
            turns[name].append(_seconds(call, times[name]) / times[name])
    return {name: round(statistics.median(taken) * 1e6, 3) for name, taken in turns.items()}


@click.command()
@click.option("--seconds", default=4.0, show_default=True, help="CPU time to spend on all questions together.")
def main(seconds: float) -> None:
    """Measure the codec, and smpplib beside it."""
    microseconds = measure(seconds)
    for name, cost in microseconds.items():
        print(f"{name:<28}{cost:>10.3f} us")
    # one message with its receipt, on the ESME's side
    ours = ("build_submit_sm", "decode_submit_sm_resp", "decode_receipt", "encode_deliver_sm_resp")
    message = sum(microseconds[name] for name in ours)
    ratios = {
        f"times_smpplib_{verb}": round(microseconds[f"smpplib_{verb}_submit_sm"] / microseconds[f"{verb}_submit_sm"], 1)
        for verb in ("encode", "build", "decode")
    }
    # smpplib numbers a PDU when it makes it, so that one that is ready cannot be sent again: what a sender pays
    ratios["times_smpplib_encode_of_a_new_one"] = round(
        microseconds["smpplib_build_submit_sm"] / microseconds["encode_submit_sm"], 1
    )
    told = {
        "question": "codec",
        "messages_per_second": round(1e6 / message),
        "cpu_us_per_message": round(message, 2),
        **ratios,
        "cpu_us": microseconds,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
