"""What a label means: 1, 0, or nothing; as model.toml's words say, or as labels are written where it names none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

LABELS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}
UNLABELLED = -1
WHOLE = re.compile(r"([+-]?[0-9]+)\.0+")  # 2.0 is how a table with gaps writes 2


def text_of_label(value: Any) -> str:
    """A label of any type as a CSV would hold it."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value) if isinstance(value, float) and value.is_integer() else value).strip()


def folded(text: str) -> str:
    """What two spellings of one word have in common: capitals, further blanks and a .0 don't count."""
    whole = WHOLE.fullmatch(text)
    return whole[1] if whole else " ".join(text.split()).casefold()


def meaning_of(
    positive: Iterable[str], negative: Iterable[str], unlabelled: Iterable[str] = ()
) -> Callable[[str], int | None]:
    """What tells a label's meaning by the words of each: 1, 0 or UNLABELLED; None for a word of neither.

    A word as it stands there goes before one in other capitals.
    """
    words = [(word, UNLABELLED) for word in unlabelled]
    words += [(word, label) for label, named in ((0, negative), (1, positive)) for word in named]
    if all(label == UNLABELLED for _, label in words):
        words += LABELS.items()
    exact = dict(words)
    alike: dict[str, set[int]] = {}
    for word, label in words:
        alike.setdefault(folded(word), set()).add(label)
    sure = {word: label for word, (label, *others) in alike.items() if not others}
    return lambda text: exact[text] if text in exact else sure.get(folded(text))


def label_meaning(source: Mapping[str, Any]) -> tuple[Callable[[Any], int | None], str]:
    """What tells the meaning of a label of any type, and what it has to be, in words. source: model.toml's table."""
    positive, negative = source["positive"], source["negative"]
    meaning = meaning_of(positive, negative, source["unlabelled"])
    expected = "one of source.positive and negative" if positive or negative else "0 or 1"
    return lambda value: meaning(text_of_label(value)), expected
