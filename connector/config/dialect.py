"""Dialects: a carrier's habits, as data."""

from typing import Literal

import attrs


@attrs.frozen(kw_only=True)
class DialectConfig:
    """A carrier's habits."""

    id_in_response: Literal["same", "hex", "decimal"] = "same"
    """How the number in submit_sm_resp is spelled; "same" as in the receipts."""
    id_in_receipt: Literal["same", "hex", "decimal"] = "same"
    """How the same number is spelled in receipts."""
    default_alphabet: Literal["gsm", "latin1", "ascii"] = "gsm"
    """What data_coding 0 means there."""
    concatenation: Literal["udh8", "udh16", "sar", "payload"] = "udh8"
    """How parts of one message are tied together."""
    accepted_is_final: bool = False
    """Whether a receipt with ACCEPTD is the last word (Bandwidth) or only one on the way."""
