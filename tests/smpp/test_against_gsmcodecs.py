"""The national shift tables against the tables of another author."""

import pytest

from connector.smpp.shift_tables import ESCAPE, LOCKING, SINGLE, UNDEFINED, Language

charmaps = pytest.importorskip("gsmcodecs.charmaps")

# Where the two differ we side with two other implementations: the comma, which no table could do without (theirs has
# the apostrophe a second time); a letter of Kannada that the standard misprints; the euro sign of Telugu.
_MISPRINTS = {
    **{(language, 0x2C): "," for language in Language if language >= Language.BENGALI},
    (Language.KANNADA, 0x24): "\u0ca1",
}


@pytest.mark.parametrize("language", [language for language in Language if language in LOCKING])
def test_the_locking_tables_are_theirs(language: Language) -> None:
    theirs = charmaps.GSMCHARMAPS[language]["locking"]["decode"]
    assert len(LOCKING[language]) == 128
    for code in set(range(128)) - {ESCAPE}:
        ours = LOCKING[language][code]
        if ours == UNDEFINED:
            assert theirs.get(code, 0x20) == 0x20
        else:
            assert ours == _MISPRINTS.get((language, code), chr(theirs[code])), hex(code)


@pytest.mark.parametrize("language", Language)
def test_the_single_shift_tables_are_theirs(language: Language) -> None:
    theirs = charmaps.GSMCHARMAPS[language]["singleShift"]["decode"]
    expected = {code: chr(point) for code, point in theirs.items() if code != ESCAPE}
    if language is Language.TELUGU:
        expected[0x65] = "€"
    assert SINGLE[language] == expected
