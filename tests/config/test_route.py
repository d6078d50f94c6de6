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
        ('prefixes = ["+44"]', 'such as "4474", not "+44"'),
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
