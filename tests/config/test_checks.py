"""Countries, beginnings of numbers and senders: what the configuration takes is what the doors take."""

import phonenumbers
import pytest

from connector.config import Config, checks
from connector.config.config import EXAMPLE
from connector.errors import ConfigError
from connector.policy import senders
from connector.settings import load


@pytest.mark.parametrize("code", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_a_country_with_phone_numbers_is_one(code: str) -> None:
    assert checks.country_problem(code) is None


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("UK", 'did you mean "GB"?'),
        ("ZZ", 'there is no country "ZZ"'),
        ("AQ", 'there is no country "AQ" that has phone numbers'),
        ("gb", 'such as "GB", not "gb"'),
        ("GBR", "of two capitals"),
        ("", "of two capitals"),
    ],
)
def test_any_other_code_is_refused(code: str, words: str) -> None:
    assert words in str(checks.country_problem(code))


@pytest.mark.parametrize(
    ("prefix", "words"),
    [
        ("0044", "no number in E.164 begins with 0"),
        ("0", "no number in E.164 begins with 0"),
        ("+44", "without a plus"),
        ("44 7", "must be the first digits"),
        ("", "must be the first digits"),
        ("1234567890123456", "must be the first digits"),
    ],
)
def test_what_no_number_begins_with_is_refused(prefix: str, words: str) -> None:
    assert words in str(checks.prefix_problem(prefix))


@pytest.mark.parametrize("prefix", ["1", "44", "4474", "123456789012345"])
def test_a_country_code_and_what_follows_is_a_beginning(prefix: str) -> None:
    assert checks.prefix_problem(prefix) is None


@pytest.mark.parametrize("sender", ["", "Shop", "ElevenSigns", "12345678901", "TwelveSigns!", "1" * 15, "1" * 16, "12"])
def test_the_configuration_takes_the_senders_that_the_door_takes(sender: str) -> None:
    assert (checks.not_sender(sender) is None) == (senders.problem(sender) is None)


LONG = '"MuchTooLongSender"'


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("api.key[0].sender", EXAMPLE.replace("operator", f"sender = {LONG}\noperator")),
        ("api.key[0].senders[1]", EXAMPLE.replace("operator", f'senders = ["Shop", {LONG}]\noperator')),
        ("lane.otp.senders[0]", f"{EXAMPLE}[lane.otp]\nsenders = [{LONG}]\n"),
        (
            "carrier[0].limit[0].sender",
            EXAMPLE.replace("[[carrier.bind]]", f"limit = [{{ sender = {LONG}, rate_per_s = 1 }}]\n[[carrier.bind]]"),
        ),
    ],
)
def test_senders_are_checked_wherever_they_stand(path: str, text: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(text, Config)
    (problem,) = error.value.problems
    assert f" {path}: {LONG} is no sender: an alphanumeric sender has at most 11 characters" in problem


def test_a_limit_for_each_sender_or_country_needs_no_name_of_one() -> None:
    each = 'limit = [{ sender = "*", rate_per_s = 1 }, { country = "*", rate_per_s = 1 }]\n[[carrier.bind]]'
    assert len(load(EXAMPLE.replace("[[carrier.bind]]", each), Config).carrier[0].limit) == 2


@pytest.mark.parametrize("prefix", ["0044", "044"])
def test_a_price_is_for_numbers_that_there_can_be(prefix: str) -> None:
    price = f'price = [{{ prefix = "{prefix}", price = 1 }}]\n[[carrier.bind]]'
    with pytest.raises(ConfigError, match=r"no number in E\.164 begins with 0"):
        load(EXAMPLE.replace("[[carrier.bind]]", price), Config)
