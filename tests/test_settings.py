"""Settings files: what is read, what is refused, and where each problem is."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import ConfigError
from connector.key_lines import KeyPath, key_lines
from connector.settings import (
    above,
    as_toml,
    at_least_one,
    check,
    duration,
    durations,
    format_duration,
    load,
    named,
    parse_duration,
    secret,
    within,
)


@attrs.frozen(kw_only=True)
class Wheel:
    size: int = attrs.field(default=20, validator=within(1, 100))
    kind: Literal["road", "mud"] = "road"


@attrs.frozen(kw_only=True)
class Owner:
    REFUSED: ClassVar = {"pin": "is never written here"}
    name: str
    age: int | None = None
    token: str | None = secret(None)

    def problems(self) -> Iterator[tuple[KeyPath, str]]:
        if self.age == 13:
            yield ("age",), "is unlucky"


@attrs.frozen(kw_only=True)
class Weight:
    kg: float

    @staticmethod
    def shorthand(raw: object) -> object:
        return {"kg": raw} if isinstance(raw, int | float) else raw


STOCK = {"front": Wheel(size=30), "rear": Wheel(kind="mud")}


@attrs.frozen(kw_only=True)
class Cart:
    owner: tuple[Owner, ...] = attrs.field(validator=at_least_one("[[owner]]"))
    wheel: dict[str, Wheel] = attrs.field(metadata=named(STOCK), factory=lambda: dict(STOCK))
    speed_per_s: float | None = attrs.field(default=None, validator=above(0))
    rest_s: float = duration("1m")
    pauses_s: tuple[float, ...] = durations("1s", "2s")
    tags: tuple[str, ...] = ()
    braked: bool = False
    load: Weight = Weight(kg=1.0)


def problems_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(text, Cart, source="cart.toml")
    return caught.value.problems


def test_a_complete_file_becomes_a_frozen_value() -> None:
    text = """
    rest = "1h30m"
    pauses = ["150ms"]
    speed_per_s = 3
    tags = ["a"]
    load = 7
    [[owner]]
    name = "ann"
    """
    cart = load(text, Cart)
    assert cart == Cart(
        owner=(Owner(name="ann"),),
        rest_s=5_400.0,
        pauses_s=(0.15,),
        speed_per_s=3.0,
        tags=("a",),
        load=Weight(kg=7.0),
    )
    assert isinstance(cart.speed_per_s, float)


def test_a_table_of_a_known_name_overrides_only_the_keys_it_names() -> None:
    wheels = load('owner = [{name = "ann"}]\n[wheel.front]\nkind = "mud"\n[wheel.spare]\n', Cart).wheel
    assert wheels == {"front": Wheel(size=30, kind="mud"), "rear": STOCK["rear"], "spare": Wheel()}


WRONG = [
    # (what is in the file, the lines said about it)
    ("speed_per_s = true", ["cart.toml:1: speed_per_s: must be a number, not true"]),
    ("\ntags = [1]", ["cart.toml:2: tags[0]: must be text, not 1"]),
    ('tags = "a"', ['cart.toml:1: tags: must be an array, not "a"']),
    ("braked = 1", ["cart.toml:1: braked: must be true or false, not 1"]),
    ("wheel.x.size = 2.0", ["cart.toml:1: wheel.x.size: must be a whole number, not 2.0"]),
    ('wheel.x.size = "2"', ['cart.toml:1: wheel.x.size: must be a whole number, not "2"']),
    ("wheel.x.size = 101", ["cart.toml:1: wheel.x.size: must be from 1 to 100, not 101"]),
    ("speed_per_s = 0", ["cart.toml:1: speed_per_s: must be more than 0, not 0.0"]),
    ("rest = 60", ['cart.toml:1: rest: must be a duration such as "150ms", "10s" or "1h30m", not 60']),
    (
        'pauses = ["1s", "2 s"]',
        ['cart.toml:1: pauses[1]: must be a duration such as "150ms", "10s" or "1h30m", not "2 s"'],
    ),
    (
        'wheel.x.kind = "rood"',
        ['cart.toml:1: wheel.x.kind: must be one of "road", "mud", not "rood", did you mean "road"?'],
    ),
    ("breaked = true", ['cart.toml:1: breaked: is not known here, did you mean "braked"?']),
    ("rest_s = 60.0", ['cart.toml:1: rest_s: is not known here, did you mean "rest"?']),
    ("zzz = 1", ["cart.toml:1: zzz: is not known here"]),
    ("owner = []", ["cart.toml:1: owner: at least one [[owner]] is needed"]),
    ("[owner]\nname = 'a'", ["cart.toml:1: owner: must be an array, not a table: write [[owner]]"]),
    ("[[owner]]", ["cart.toml:1: owner[0].name: is missing"]),
    ("[[owner]]\nname = 'a'\npin = 1", ["cart.toml:3: owner[0].pin: is never written here"]),
    ("[[owner]]\nname = 'a'\ntoken = 99", ["cart.toml:3: owner[0].token: must be text"]),
    ("[[owner]]\nname = 'a'\n\nage = 13", ["cart.toml:4: owner[0].age: is unlucky"]),
    ("wheel = 3", ["cart.toml:1: wheel: must be a table, not 3"]),
    ("load = 'x'", ['cart.toml:1: load: must be a table, not "x"']),
]


@pytest.mark.parametrize(("text", "lines"), WRONG)
def test_what_is_wrong_is_said_with_its_line(text: str, lines: list[str]) -> None:
    assert problems_of(text if "owner" in text else f"{text}\nowner = [{{name = 'ann'}}]") == lines


def test_all_problems_are_said_at_once_in_the_order_of_the_file() -> None:
    text = """\
rest = 5
[wheel.front]
sice = 3
size = "big"
[[owner]]
name = "ann"
age = 13
[[owner]]
age = "old"
"""
    assert problems_of(text) == [
        'cart.toml:1: rest: must be a duration such as "150ms", "10s" or "1h30m", not 5',
        'cart.toml:3: wheel.front.sice: is not known here, did you mean "size"?',
        'cart.toml:4: wheel.front.size: must be a whole number, not "big"',
        "cart.toml:7: owner[0].age: is unlucky",
        "cart.toml:8: owner[1].name: is missing",
        'cart.toml:9: owner[1].age: must be a whole number, not "old"',
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [("a = 1\nb = = 2\n", 2), ('[x]\n\ny = "open\n', 3), ("a = 1\na = 2\n", 2), ('a = """\nx\n', 3)],
)
def test_text_that_is_not_toml_is_one_problem_with_its_line(text: str, line: int) -> None:
    (problem,) = problems_of(text)
    assert problem.startswith(f"cart.toml:{line}: not TOML: ")


def test_a_file_that_cannot_be_read_is_one_problem(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read: No such file"):
        load(tmp_path / "none.toml", Cart)
    (tmp_path / "latin.toml").write_bytes(b"# \xe9\n")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        load(tmp_path / "latin.toml", Cart)


def test_a_file_is_named_in_its_problems(tmp_path: Path) -> None:
    path = tmp_path / "cart.toml"
    path.write_text("x = 1\nowner = [{name = 'a'}]")
    with pytest.raises(ConfigError) as caught:
        load(path, Cart)
    assert caught.value.problems == [f"{path}:1: x: is not known here"]


def test_a_value_built_in_python_is_checked_as_a_whole() -> None:
    with pytest.raises(ConfigError) as caught:
        check(Cart(owner=(Owner(name="a"), Owner(name="b", age=13))))
    assert caught.value.problems == ["settings: owner[1].age: is unlucky"]


# --- where the keys stand ---------------------------------------------------------------------------------------------


def test_every_kind_of_key_is_found_on_its_line() -> None:
    text = '''\
top = 1 # [not.a.table]
"quoted key".'and another' = """
fake = 1
[[fake]]
"""
list = [
  1, # one ]
  [ "]", 2 ],
  { deep = 'a', more.deep = 3 },
]
[a.b]
c.d = '''
    text += """'''
[fake]
'''
[[a.rows]]
x = 1
[[a.rows]]
y = { z = 2 }
[a.rows.sub]
w = 1
[[a.rows.inner]]
v = "esc \\" # no"
u = 2
"""
    lines = key_lines(text)
    assert {path: line for path, line in lines.items() if path in EXPECTED_LINES} == EXPECTED_LINES
    assert not [path for path in lines if "fake" in path]


EXPECTED_LINES: dict[KeyPath, int] = {
    ("top",): 1,
    ("quoted key", "and another"): 2,
    ("list",): 6,
    ("list", 0): 7,
    ("list", 1): 8,
    ("list", 1, 1): 8,
    ("list", 2, "deep"): 9,
    ("list", 2, "more", "deep"): 9,
    ("a", "b"): 11,
    ("a", "b", "c", "d"): 12,
    ("a", "rows", 0, "x"): 16,
    ("a", "rows", 1, "y"): 18,
    ("a", "rows", 1, "y", "z"): 18,
    ("a", "rows", 1, "sub", "w"): 20,
    ("a", "rows", 1, "inner", 0, "v"): 22,
    ("a", "rows", 1, "inner", 0, "u"): 23,
}


def test_windows_line_ends_are_counted_once() -> None:
    assert key_lines("a = 1\r\n\r\nb = 2\r\n")[("b",)] == 3


# --- durations and writing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("150ms", 0.15),
        ("10s", 10),
        ("2m", 120),
        ("3h", 10_800),
        ("7d", 604_800),
        ("1h30m", 5_400),
        ("1.5s", 1.5),
    ],
)
def test_a_duration_is_text_with_units(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "s", "10 s", "-1s", "1y", "1s ", "١s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a duration"):
        parse_duration(text)


@given(st.floats(min_value=0, max_value=1e9, allow_nan=False))
def test_durations_survive_being_written_and_read(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


CARTS = st.builds(
    Cart,
    owner=st.lists(
        st.builds(Owner, name=st.text(st.characters(exclude_categories=["Cs"])), age=st.integers(0, 12)),
        min_size=1,
        max_size=3,
    ).map(tuple),
    wheel=st.dictionaries(st.sampled_from(["x", "a b", 'q"']), st.builds(Wheel, size=st.integers(1, 100))).map(
        lambda extra: {**STOCK, **extra}
    ),
    tags=st.lists(st.text(st.characters(exclude_categories=["Cs"]))).map(tuple),
    rest_s=st.floats(min_value=0, max_value=1e6),
    speed_per_s=st.none() | st.floats(min_value=0.001, max_value=1e9),
)


@given(CARTS)
def test_what_is_written_is_read_back_as_the_same_value(cart: Cart) -> None:
    assert load(as_toml(cart), Cart) == cart


def test_secrets_are_neither_printed_nor_written() -> None:
    owner = Owner(name="ann", token="hush")
    assert "hush" not in repr(owner)
    assert "hush" not in as_toml(owner)
    assert 'token = "***"' in as_toml(owner)


# --- what was read in part ---


@attrs.frozen(kw_only=True)
class Pair:
    low: int
    high: int
    name: str = "pair"

    def problems(self) -> Iterator[Iterator[tuple[KeyPath, str]]]:
        yield self._order()
        yield self._named()

    def _order(self) -> Iterator[tuple[KeyPath, str]]:
        if self.low > self.high:
            yield ("low",), "is above high"

    def _named(self) -> Iterator[tuple[KeyPath, str]]:
        if self.name == "nobody":
            yield ("name",), "is nobody's"


def test_rules_speak_that_look_at_nothing_broken() -> None:
    with pytest.raises(ConfigError) as caught:
        load('low = 3\nhigh = "two"\nname = "nobody"\n', Pair, source="p")
    assert caught.value.problems == ['p:2: high: must be a whole number, not "two"', "p:3: name: is nobody's"]
    with pytest.raises(ConfigError) as caught:
        load('low = 3\nname = "nobody"\n', Pair, source="p")
    assert caught.value.problems == ["p:1: high: is missing", "p:2: name: is nobody's"]


def test_a_mistake_in_a_rule_is_not_taken_for_a_field_that_is_broken() -> None:
    @attrs.frozen(kw_only=True)
    class Mistaken:
        size: int

        def problems(self) -> Iterator[tuple[KeyPath, str]]:
            yield ("size",), self.sise  # type: ignore[attr-defined]

    with pytest.raises(AttributeError, match="sise"):
        load("size = 1\n", Mistaken, source="p")
    with pytest.raises(AttributeError, match="sise"):
        check(Mistaken(size=1))
