"""How a carrier spells the numbers of its messages."""

from collections.abc import Callable
from hashlib import blake2b
from typing import Final
from uuid import UUID

from connector.smpp.tables import SMPP_34
from simulator.scenario import IdForm

Speller = Callable[[int], str]

V33_CHARACTERS: Final = 8
"""Longest message_id that SMPP 3.3 knows."""


def speller(form: IdForm, seed: int = 0) -> Speller:
    """Return the function from a number to its spelling; UUIDs of the same seed and number are the same."""
    if form.form == "uuid":
        return lambda number: form.prefix + str(UUID(bytes=_sixteen_octets(seed, number), version=4))
    kind = {"decimal": "d", "hex": "x" if form.case == "lower" else "X"}[form.form]
    width = f"0{form.width}" if form.width and form.pad == "zero" else ""
    template = f"{form.prefix.replace('%', '%%')}%{width}{kind}"
    return lambda number: template % number


def _sixteen_octets(seed: int, number: int) -> bytes:
    return blake2b(f"{seed}/{number}".encode(), digest_size=16).digest()


def speller_for(form: IdForm, interface_version: int, seed: int = 0) -> Speller:
    """Return the spelling a session of this version may see: 3.3 has hex numbers of eight digits (SMPP 3.4, 5.2.23)."""
    if interface_version >= SMPP_34:
        return speller(form, seed)
    return speller(IdForm(form="hex", width=V33_CHARACTERS, case=form.case))


def coming_round(spell: Speller, start: int, reuse_after: int | None) -> Speller:
    """Return a spelling whose ids come round again after so many messages."""
    if reuse_after is None:
        return spell
    return lambda number: spell(start + (number - start) % reuse_after)
