"""How a carrier spells the numbers of its messages."""

from collections.abc import Callable
from typing import Final

from connector.smpp.tables import SMPP_34
from simulator.scenario import IdForm

Speller = Callable[[int], str]

V33_CHARACTERS: Final = 8
"""Longest message_id that SMPP 3.3 knows."""


def speller(form: IdForm) -> Speller:
    """Return the function from a number to its spelling."""
    kind = {"decimal": "d", "hex": "x" if form.case == "lower" else "X"}[form.form]
    template = f"%0{form.width}{kind}" if form.width else f"%{kind}"
    return lambda number: template % number


def speller_for(form: IdForm, interface_version: int) -> Speller:
    """Return the spelling a session of this version may see: 3.3 has hex numbers of eight digits (SMPP 3.4, 5.2.23)."""
    if interface_version >= SMPP_34:
        return speller(form)
    return speller(IdForm(form="hex", width=V33_CHARACTERS, case=form.case))
