"""What the storm of receipts counts, in short runs of both."""

from collections import Counter

from connector.lifecycle import Status
from perf.receipts import DISORDERS, run_ids, run_storm, stories


def test_every_receipt_of_a_storm_is_on_its_message_or_kept() -> None:
    found = run_storm(2_000, seed=3)
    assert found["wrong"] == 0
    assert found["parked"] == found["parked_expected"] > 0
    assert found["balanced"]
    assert found["receipts"] > found["messages"]


def test_no_id_of_a_few_values_leads_to_another_message() -> None:
    found = run_ids(20_000, seed=3)
    assert found["wrong"] == 0
    assert all(each["right"] > 0.9 * 5_000 for each in found["carriers"].values())


def test_the_stories_have_every_disorder() -> None:
    told = stories(2_000, seed=3)
    assert Counter(story.disorder for story in told).keys() == DISORDERS.keys()
    assert {story.end for story in told} == {Status.DELIVERED, Status.SENT}
