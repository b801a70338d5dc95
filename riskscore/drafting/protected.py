"""Which columns tell of a characteristic that law protects, or let it be guessed: by their names, and by their values.

A program can only suspect. A suspected column is left out with the reason, and a person who keeps it says why.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from riskscore.drafting import protected_words as words
from riskscore.drafting.protected_words import AGE, DISABILITY, MARITAL, NAME, ORIGIN, POSTCODE, PROXIES, RELIGION, SEX
from riskscore.errors import InvalidFile

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from riskscore.drafting.column_profile import Profile

LETTERS = str.maketrans({"ł": "l", "Ł": "L", "ß": "ss", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "AE"})
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
FEW = 12  # different values, at most, of a column that is judged by them
YEAR = re.compile(r"(?<![0-9])(19[0-9]{2}|20[0-9]{2})(?![0-9])")
SPREAD = 25  # years between the early and the late dates of birth of adults; those of loans are nearer to each other
STEMS = {kind: re.compile("|".join(stems.split())) for kind, stems in words.STEMS.items()}
WORDS = {word: kind for kind, listed in words.WORDS.items() for word in listed.split()}
PEOPLE, THINGS = frozenset(words.PEOPLE.split()), frozenset(words.THINGS.split())
FILLERS, NAMES = frozenset(words.FILLERS.split()), frozenset(words.NAMES.split())
AT = frozenset(["at", "when", "on", "as", "by", "zum", "bei", "am", "a", "al", "na", "bij", "przy"])
OF_THINGS = (AGE, POSTCODE, DISABILITY)  # kinds whose words are said of things too
PAIRS = [frozenset(pair.split()) for pair in words.SEX_PAIRS]


def protected(column: Profile) -> tuple[str, str]:
    """The protected characteristic that a column tells of, and what gives it away: name or values; "" for none."""
    kind = by_name(column.name)
    if kind:
        return kind, "name"
    kind = by_values(column)
    return (kind, "values") if kind else ("", "")


def reason(kind: str, by: str) -> str:
    """Why such a column is left out."""
    if kind in PROXIES:
        return f"it is a proxy for protected characteristics by its {by}: {kind}"
    return f"it tells of a protected characteristic by its {by}: {kind}"


def by_name(name: str) -> str:
    """The characteristic that a column's name says, in whatever spelling; "" where it says none."""
    said = words_of(name)
    joined = "".join(word for word in said if not word.isdecimal())
    for kind, stems in STEMS.items():
        if stems.search(joined) and not (kind == NAME and THINGS & {*said} and not PEOPLE & {*said}):
            return kind
    for place, word in enumerate(said):
        kind = WORDS.get(word, "")
        if word == "eta" and {*said} - {word} - PEOPLE - FILLERS:  # an estimated time of arrival
            continue
        if kind and not (kind in OF_THINGS and _of_a_thing(said, place)):
            return kind
    return NAME if _names_people(said) else ""


def words_of(name: str) -> list[str]:
    """A name's words: customerAge, CUSTOMER_AGE and Customer-Age are customer and age."""
    plain = unicodedata.normalize("NFKD", name.translate(LETTERS))
    return [word.lower() for word in WORD.findall("".join(c for c in plain if not unicodedata.combining(c)))]


def _of_a_thing(said: Sequence[str], place: int) -> bool:
    """Whether the age at this place is an account's, say, and no person's: age_of_account, account_age, edad_cuenta."""
    before = [word for word in said[:place] if word not in FILLERS]
    if before and (before[-1] in THINGS or before[-1] in PEOPLE):
        return before[-1] in THINGS
    after = list(said[place + 1 :])
    if after and after[0] in AT:
        return False
    after = [word for word in after if word not in FILLERS]
    return bool(after) and not (after[0] in PEOPLE and after[-1] not in THINGS) and any(w in THINGS for w in after[:2])


def _names_people(said: Sequence[str]) -> bool:
    """name, customer_name, nombre_cliente; not product_name, nombre_de_prets (French: how many)."""
    rest = [word for word in said if word not in NAMES and word not in FILLERS and not word.isdecimal()]
    return len(rest) < len(said) and any(w in NAMES for w in said) and all(word in PEOPLE for word in rest)


def by_values(column: Profile) -> str:
    """The characteristic that a column's values are, such as M and F; "" where they are none."""
    if len(column.column.texts) > FEW:
        return AGE if _are_births(column) else ""
    texts = {text for text in (_plain(text) for text in column.column.texts.to_pylist()) if text}
    texts -= {_plain(str(code)) for code in column.missing}
    if _are_sexes(texts):
        return SEX
    for kind, all_of_it, sure in (
        (MARITAL, words.MARITAL_VALUES, words.MARITAL_SURE),
        (ORIGIN, words.ORIGIN_VALUES, words.ORIGIN_SURE),
        (RELIGION, words.RELIGION_VALUES, words.RELIGION_SURE),
    ):
        if len(texts) > 1 and texts <= set(all_of_it.split()) and texts & set(sure.split()):
            return kind
    return ""


def _are_sexes(texts: set[str]) -> bool:
    rest = texts - set(words.SEX_ALSO.split())
    if any(pair <= texts and rest <= pair for pair in PAIRS):
        return True
    within = [next((sex for sex in ("female", "male") if text.startswith(sex)), "") for text in texts]
    return all(within) and set(within) == set(words.SEX_WITHIN)


def _plain(text: str) -> str:
    return "".join(words_of(text.lower()))


def _are_births(column: Profile) -> bool:
    """Whether dates lie as far apart as the births of adults do."""
    if "dates" not in column.left_out:
        return False
    years = sorted(_years(column.column.texts.to_pylist()))
    if len(years) < 0.9 * len(column.column.texts):
        return False
    low, high = years[len(years) // 20], years[-1 - len(years) // 20]
    return low < 1990 and high - low >= SPREAD


def _years(texts: Iterable[str]) -> list[int]:
    return [int(found[0]) for found in map(YEAR.search, texts) if found]


def leave_out_protected(file: str, columns: Sequence[Profile], keep: Mapping[str, str]) -> None:
    """Keeping such a column needs a reason, which stands in model.toml and on the card."""
    for column in columns:
        kind, by = column.protected
        if kind and column.name in keep:
            column.kept = " ".join(keep[column.name].split())
            if not column.kept:
                raise InvalidFile(
                    f"{file}: keeping {column.name} needs a reason, --keep {column.name}=REASON, since"
                    f" {reason(kind, by)}",
                    column.name,
                )
        elif kind:
            column.left_out = reason(kind, by)
        elif why := " ".join(keep.get(column.name, "").split()):
            column.notes.append(f"Kept: {why}")


def kept(asked: Sequence[str], why: str, columns: Collection[str]) -> dict[str, str]:
    """The columns of --keep COLUMN and --keep COLUMN=REASON with their reasons. why: for those that have none."""
    if why.strip() and not asked:
        raise InvalidFile("--reason says why a column is kept: name it with --keep COLUMN")
    found = {}
    for text in asked:
        places = [place for place, character in enumerate(text) if character == "=" and text[:place] in columns]
        place = len(text) if text in columns or not places else places[0]
        name = text[:place] if places or text in columns else text.partition("=")[0]
        found[name] = text[place + 1 :].strip() or why
    return found
