"""A route rule that could not be meant is refused with its line."""

from pathlib import Path

import pytest

from connector.config import Config
from connector.config.config import EXAMPLE
from connector.errors import ConfigError
from connector.settings import load


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("lanes = []", "lanes: an empty list fits nothing: leave the key out for all"),
        ("classes = []", "classes: an empty list fits nothing: leave the key out for all"),
        (
            'prefixes = ["+44"]',
            'route[0].prefixes[0]: must be the first digits of numbers, without a plus, such as "4474"',
        ),
        ('countries = ["UK"]', 'there is no country "UK" that has phone numbers, did you mean "GB"?'),
        ('senders = ["TwelveSigns!"]', '"TwelveSigns!" is no sender: an alphanumeric sender has at most 11 characters'),
        ('classes = ["loud"]', '"flash", "device", "sim", "terminal", "none"'),
        ('keys = ["shp"]', 'there is no API key "shp", did you mean "shop"?'),
        ('carriers = ["north", "north"]', '"north" is named before'),
        ('prefer = "price"', '"order", "speed", "cost"'),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(tmp_path: Path, line: str, problem: str) -> None:
    carriers = "" if line.startswith("carriers") else 'carriers = ["north"]\n'
    path = tmp_path / "carrierline.toml"
    path.write_text(f"{EXAMPLE}\n[[route]]\n{carriers}{line}\n")
    with pytest.raises(ConfigError) as error:
        load(path, Config)
    assert problem in "\n".join(error.value.problems)


def test_every_item_that_cannot_be_meant_is_named_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "carrierline.toml"
    rule = 'carriers = ["north"]\nprefixes = ["0044", "44", "+33"]\ncountries = ["GB", "ZZ", "uk"]\n'
    path.write_text(f"{EXAMPLE}\n[[route]]\n{rule}")
    with pytest.raises(ConfigError) as error:
        load(path, Config)
    named = [problem.split(": ", 2)[1] for problem in error.value.problems]
    assert sorted(named) == [
        f"route[0].{place}" for place in ("countries[1]", "countries[2]", "prefixes[0]", "prefixes[2]")
    ]
    assert "no number in E.164 begins with 0" in "\n".join(error.value.problems)
