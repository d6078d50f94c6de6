"""Who refuses everything in a row says nothing about a message."""

from hypothesis import given
from hypothesis import strategies as st

from connector.carrier.refusals import BELIEVED, Refusals


def test_a_few_refusals_in_a_row_are_believed_and_no_more() -> None:
    refusals = Refusals()
    assert [refusals.refused("GB") for _ in range(BELIEVED + 2)] == [True] * BELIEVED + [False] * 2


def test_an_acceptance_begins_a_new_row() -> None:
    refusals = Refusals()
    for _ in range(BELIEVED):
        refusals.refused("GB")
    refusals.accepted("GB")
    assert refusals.refused("GB")


def test_each_country_has_a_row_of_its_own() -> None:
    refusals = Refusals()
    for _ in range(BELIEVED):
        refusals.refused("GB")
    refusals.accepted("DE")
    assert refusals.refused("DE")
    assert refusals.refused(None)
    assert not refusals.refused("GB")


@given(st.lists(st.tuples(st.sampled_from(["GB", "DE", None]), st.booleans())))
def test_a_refusal_is_believed_by_the_length_of_its_row(answers: list[tuple[str | None, bool]]) -> None:
    refusals = Refusals()
    rows: dict[str | None, int] = {}
    for country, taken in answers:
        if taken:
            refusals.accepted(country)
            rows[country] = 0
        else:
            rows[country] = rows.get(country, 0) + 1
            assert refusals.refused(country) == (rows[country] <= BELIEVED)
