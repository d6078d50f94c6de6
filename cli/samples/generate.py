"""Writes the sample lists: ``python -m cli.samples.generate``; with ``--check`` it only tells if they are up to date.

The rows follow from a seed, so a change of a table shows as a change of the files and of nothing else.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import attrs
import click

from cli import output
from cli.samples import CONTACTS, CONTACTS_SEMICOLONS
from cli.samples.tables import (
    NAMES,
    NICKNAMES,
    PLANS,
    SPECIAL_TEXTS,
    TEXTS,
    WESTERN,
    WESTERN_SPECIAL_TEXTS,
    Plan,
)

SEED: Final = 20_260_301

GOOD, REPEATED, UNREADABLE, BLANK = "good", "repeated", "unreadable", "blank"
"""What a record is meant to be; a record meant to be refused has the reason code instead."""


@attrs.frozen
class Made:
    """A record as it stands in the file."""

    meant: str
    cells: tuple[str, ...]
    raw: bool = False
    """Written without the quotes it needs, as careless programs do."""


@attrs.frozen
class Person:
    """Someone who does not exist."""

    plan: Plan
    number: str
    """National significant number."""
    language: str
    name: str

    @property
    def international(self) -> str:
        return f"+{self.plan.calling_code}{self.number}"


# --- spellings ------------------------------------------------------------------------------------------------------


def _grouped(digits: str, sign: str, size: int = 3) -> str:
    """Return the digits in groups, none of a single digit."""
    groups = [digits[at : at + size] for at in range(0, len(digits), size)]
    if len(groups) > 1 and len(groups[-1]) == 1:
        groups[-2:] = [groups[-2] + groups[-1]]
    return sign.join(groups)


def _full_width(text: str) -> str:
    return text.translate({ord(plain): ord(plain) + 0xFEE0 for plain in "+0123456789"})


INTERNATIONAL: Final[tuple[Callable[[Person], str], ...]] = (
    lambda p: p.international,
    lambda p: p.international,
    lambda p: f"+{p.plan.calling_code} {_grouped(p.number, ' ')}",
    lambda p: f"+{p.plan.calling_code} {_grouped(p.number, ' ', 2)}",
    lambda p: f"+{p.plan.calling_code}-{_grouped(p.number, '-')}",
    lambda p: f"+{p.plan.calling_code}.{_grouped(p.number, '.')}",
    lambda p: f"00{p.plan.calling_code}{p.number}",
    lambda p: f"00 {p.plan.calling_code} {_grouped(p.number, ' ', 4)}",
    lambda p: f"(+{p.plan.calling_code}) {_grouped(p.number, ' ')}",
    lambda p: f"+{p.plan.calling_code} ({p.plan.trunk}){p.number}" if p.plan.trunk == "0" else p.international,
    lambda p: f"'{p.international}",
    lambda p: f"\xa0+{p.plan.calling_code}\xa0{_grouped(p.number, chr(0xA0))} ",
)
"""Spellings that name their country."""

WIDE: Final[tuple[Callable[[Person], str], ...]] = (
    lambda p: _full_width(p.international),
    lambda p: f"\u202a+{p.plan.calling_code} {_grouped(p.number, ' ')}\u202c",
    lambda p: f"+{p.plan.calling_code}\u2011{_grouped(p.number, chr(0x2011))}",
    lambda p: f"{p.international}\u200b",
)
"""More of them, outside Windows-1252."""

NATIONAL: Final[tuple[Callable[[Person], str], ...]] = (
    lambda p: p.plan.trunk + p.number,
    lambda p: _grouped(p.plan.trunk + p.number, " "),
    lambda p: _grouped(p.plan.trunk + p.number, "-", 4),
    lambda p: _grouped(p.plan.trunk + p.number, ".", 2),
    lambda p: f"({p.plan.trunk}{p.number[:3]}) {_grouped(p.number[3:], '-')}",
    lambda p: f" {p.plan.trunk}{p.number[:3]}/{p.number[3:]}",
    lambda p: p.number,  # a spreadsheet took it for a sum and dropped the zero
)
"""Spellings that need a country beside them."""


# --- one list -------------------------------------------------------------------------------------------------------


@attrs.frozen
class Recipe:
    """How many records of each kind a list has, and what they are made of."""

    titles: tuple[str, ...]
    """Columns for name, number, country, text, reference and segment."""
    delimiter: str
    encoding: str
    prefix: str
    """Of the references."""
    plans: tuple[Plan, ...]
    special_texts: tuple[str, ...]
    spellings: tuple[Callable[[Person], str], ...]
    good: int
    times: int
    """How often each kind of trouble occurs."""
    nicknames: tuple[str, ...] = ()


class Maker:
    """Makes the records of one list."""

    def __init__(self, recipe: Recipe, draw: random.Random) -> None:
        self._recipe = recipe
        self._draw = draw
        self._tails = {plan.country: draw.sample(plan.tails, len(plan.tails)) for plan in recipe.plans}
        self._landlines = {plan.country: [f"{tail:02}" for tail in range(99, -1, -1)] for plan in recipe.plans}
        self._references = 0

    # people

    def person(self, *, landline: bool = False, national: bool = False) -> Person:
        """Return someone with a number that no one else in the list has."""
        stock = self._landlines if landline else self._tails
        able = [plan for plan in self._recipe.plans if stock[plan.country] and (plan.trunk or not national)]
        plan = self._draw.choice(able)
        number = (plan.landline if landline else plan.mobile) + stock[plan.country].pop()
        language = self._draw.choice(plan.languages)
        return Person(plan, number, language, self._name(language))

    def _name(self, language: str) -> str:
        if self._recipe.nicknames and self._draw.random() < 0.03:
            return self._draw.choice(self._recipe.nicknames)
        given, family = (self._draw.choice(names.split()) for names in NAMES[language])
        return f"{family}{given}" if language in ("zh", "ja", "ko") else f"{given} {family}"

    def spelled(self, person: Person, *, national: bool) -> tuple[str, str]:
        """Return (number, country) in one of the ways people write them."""
        if national:
            country = self._draw.choice((person.plan.country, person.plan.country, person.plan.country.lower()))
            return self._draw.choice(NATIONAL)(person), "uk" if country == "gb" else country
        country = self._draw.choice(("", "", person.plan.country, f" {person.plan.country} "))
        return self._draw.choice(self._recipe.spellings)(person), country

    # texts

    def text(self, person: Person) -> str:
        """Return a text in the person's language, now and then a difficult or a long one."""
        kind = self._draw.random()
        if kind < 0.08:
            return self.filled(self._draw.choice(self._recipe.special_texts), person)
        if kind < 0.12:
            return self._long(person)
        return self.filled(self._draw.choice(TEXTS[person.language]), person)

    def _long(self, person: Person) -> str:
        """Return a text of two to four parts: outside the GSM alphabet they are less than half as long."""
        room = 580 if person.language == "en" and person.name.isascii() else 260
        text = self.filled(TEXTS[person.language][0], person)
        while len(text) < room - 100:
            text += " " + self.filled(self._draw.choice(TEXTS[person.language]), person)
        return text

    def filled(self, text: str, person: Person) -> str:
        draw = self._draw
        return text.format(
            name=person.name if person.language in ("zh", "ja", "ko") else person.name.split()[0],
            code=f"{draw.randrange(1_000_000):06}",
            day=f"{draw.randint(1, 28)}.{draw.randint(1, 12)}.",
            hour=f"{draw.randint(8, 19)}:{draw.choice(('00', '15', '30', '45'))}",
            percent=draw.choice((10, 15, 20, 25, 30)),
            ref=f"{draw.choice('ABCDEFGH')}{draw.randrange(10_000):04}",
        )

    # records

    def cells(
        self,
        person: Person,
        *,
        to: str | None = None,
        country: str | None = None,
        text: str | None = None,
        reference: str | None = None,
        national: bool | None = None,
    ) -> tuple[str, ...]:
        """Return the cells of this person's record; what is given replaces what would be made."""
        national = self._draw.random() < 0.45 if national is None else national
        spelled, its_country = self.spelled(person, national=national)
        return (
            person.name,
            spelled if to is None else to,
            its_country if country is None else country,
            self.text(person) if text is None else text,
            self._reference() if reference is None else reference,
            self._draw.choice(("", "loyal", "new", "trial", "winback")),
        )

    def _reference(self) -> str:
        self._references += 1
        return "" if self._draw.random() < 0.15 else f"{self._recipe.prefix}-{self._references:05}"

    def good(self) -> Iterator[Made]:
        for _ in range(self._recipe.good):
            landline = self._draw.random() < 0.02
            yield Made(GOOD, self.cells(self.person(landline=landline)))

    def repeated(self) -> Iterator[tuple[Made, Made]]:
        """Yield records with others that ask for the same again, and some with another text to the same person."""
        for turn in range(self._recipe.times * 11):
            person = self.person()
            first = Made(GOOD, self.cells(person))
            if turn % 11 < 9:
                again = Made(REPEATED, self.cells(person, text=first.cells[3]))
            else:
                again = Made(GOOD, self.cells(person, text=self.filled(TEXTS[person.language][0], person) + " (2)"))
            yield first, again

    def reused(self) -> Iterator[tuple[Made, Made]]:
        """Yield records with others that carry their reference and ask for something else."""
        for number in range(2):
            reference = f"{self._recipe.prefix}-again-{number + 1}"
            first = Made(GOOD, self.cells(self.person(), reference=reference))
            yield first, Made("client_ref_reused", self.cells(self.person(), reference=reference))

    def refused(self) -> Iterator[Made]:
        for _ in range(self._recipe.times):
            for meant, to, country in self._bad_numbers():
                yield Made(meant, self.cells(self.person(), to=to, country=country))
            for _ in range(2):
                yield Made("country_unknown", self.cells(self.person(national=True), country="", national=True))
            for text in ("", "\n"):
                yield Made("text_missing", self.cells(self.person(), text=text))
        for sentence, times in (("All seats are taken but one. ", 60), ("Größe ändern… ", 60)):
            yield Made("text_too_long", self.cells(self.person(), text=sentence * times))
        yield Made("bad_request", self.cells(self.person(), reference="R" * 129))
        for _ in range(3):
            yield Made("number_invalid", self._recipe.titles)

    def _bad_numbers(self) -> Iterator[tuple[str, str, str]]:
        """Yield (reason, number, country) of each kind once."""
        person = self.person(national=True)
        home, number = person.plan.country, person.international
        yield "number_missing", "", home
        yield "number_missing", " ", ""
        yield "number_invalid", number[:7], ""
        yield "number_invalid", f"{number}1234567", home
        yield "number_invalid", f"{number} ext. 12", ""
        yield "number_invalid", f"{number}#7", home
        yield "number_invalid", f"{number[:-5]}{number[-5]}.{number[-4:]}E+11", home
        yield "number_invalid", self._draw.choice(("ask reception", "n/a", "see notes", "0800-FLOWERS")), home
        yield "number_invalid", f"=CONCAT(B{len(number)};C2)", home
        # the range that Ofcom keeps for fiction: no network uses it
        yield "number_invalid", f"07700 900{self._draw.randrange(1_000):03}", "GB"
        yield "number_invalid", f"+44 7700 900{self._draw.randrange(1_000):03}", ""
        yield "number_invalid", f"+999 {person.number}", ""
        yield "country_unknown", number, self._draw.choice(("Germany", "XX", "Deutschland", "ZZ"))

    def unreadable(self) -> Iterator[Made]:
        sign = self._recipe.delimiter
        for _ in range(2):
            text = f"See you soon{sign} bring a friend{sign} and an umbrella"
            yield Made(UNREADABLE, self.cells(self.person(), text=text), raw=True)
            yield Made(UNREADABLE, self.cells(self.person(), text="See you soon")[:4], raw=True)
        yield Made(UNREADABLE, self.cells(self.person(), text='"Soon" is the word'), raw=True)

    def blank(self) -> Iterator[Made]:
        yield Made(BLANK, ("",))
        yield Made(BLANK, ("",) * len(self._recipe.titles))


def records(recipe: Recipe) -> list[Made]:
    """Return the records of a list in their order: mixed, but what repeats something comes after it."""
    draw = random.Random(f"{SEED} {recipe.prefix}")
    maker = Maker(recipe, draw)
    placed = [
        (draw.random(), made) for kind in (maker.good, maker.refused, maker.unreadable, maker.blank) for made in kind()
    ]
    for first, again in (*maker.repeated(), *maker.reused()):
        place = draw.random()
        placed += ((place, first), (place + (1 - place) * draw.random(), again))
    return [made for _, made in sorted(placed, key=lambda pair: pair[0])]


# --- the files ------------------------------------------------------------------------------------------------------

RECIPES: Final = {
    CONTACTS: Recipe(
        titles=("name", "phone", "country", "message", "ref", "segment"),
        delimiter=",",
        encoding="utf-8-sig",
        prefix="spring",
        plans=PLANS,
        special_texts=SPECIAL_TEXTS,
        spellings=INTERNATIONAL + WIDE,
        good=1_900,
        times=9,
        nicknames=NICKNAMES,
    ),
    CONTACTS_SEMICOLONS: Recipe(
        titles=("Name", "Handynummer", "Land", "Nachricht", "Referenz", "Gruppe"),
        delimiter=";",
        encoding="windows-1252",
        prefix="kunde",
        plans=tuple(plan for plan in PLANS if plan.country in WESTERN),
        special_texts=WESTERN_SPECIAL_TEXTS,
        spellings=INTERNATIONAL,
        good=380,
        times=2,
    ),
}


def content(recipe: Recipe, made: Sequence[Made]) -> bytes:
    """Return the octets of a list."""
    lines = [recipe.delimiter.join(recipe.titles)]
    lines += (recipe.delimiter.join(_written(each, recipe.delimiter)) for each in made)
    return "".join(f"{line}\r\n" for line in lines).encode(recipe.encoding)


def _written(made: Made, delimiter: str) -> Iterator[str]:
    for cell in made.cells:
        quotes = not made.raw and any(sign in cell for sign in (delimiter, '"', "\r", "\n"))
        yield '"{}"'.format(cell.replace('"', '""')) if quotes else cell


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit status 1 if a file is not what would be written.")
def main(check: bool) -> None:
    """Write the sample lists next to this file."""
    stale = False
    for path, recipe in RECIPES.items():
        made = records(recipe)
        octets = content(recipe, made)
        if not check:
            path.write_bytes(octets)
        elif not path.exists() or path.read_bytes() != octets:
            output.note(f"{path.name} is not up to date: run python -m cli.samples.generate")
            stale = True
        kinds = Counter(each.meant for each in made)
        output.line(f"{path.name}: {', '.join(f'{count} {meant}' for meant, count in kinds.most_common())}")
    raise SystemExit(int(stale))


if __name__ == "__main__":
    main()
