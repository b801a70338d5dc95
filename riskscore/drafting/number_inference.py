"""Whether a column is numbers, in which spelling, and which of its texts and numbers stand for "missing"."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from riskscore.contract.fast_path import FLOAT32_MAX
from riskscore.drafting import number_formats
from riskscore.drafting.column_profile import MOSTLY, Given, Profile
from riskscore.drafting.number_formats import SPELLINGS, matches
from riskscore.errors import InvalidFile
from riskscore.training.sentinels import sentinels_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from riskscore.drafting.raw_table import Column

CODES = 5  # different texts among numbers that may be codes for missing
SLIPS = 0.01  # up to this share of other texts are mistakes, which a person should correct


def look_numbers(profile: Profile, given: Given) -> bool:
    texts = profile.column.texts
    spelling, fits = _spelling(texts, given)
    if not spelling or (matches(texts, number_formats.PADDED) & given.filled).any():
        return False
    odd = given.filled & ~fits
    if odd.any() and not _are_codes(odd, given.counts):
        _refuse_slips(profile, given, odd)
        return False
    read = texts.filter(pa.array(fits))
    values = np.full(len(texts), np.nan)
    values[fits] = number_formats.numbers(read, spelling)
    if np.nanmax(np.abs(values)) > FLOAT32_MAX:
        return False
    profile.values, profile.unit = values, SPELLINGS[spelling].unit
    profile.missing |= {texts[k].as_py(): int(given.counts[k]) for k in np.flatnonzero(odd).tolist()}
    pointed = pc.any(pc.match_substring_regex(read, r"[.eE]")).as_py()
    profile.kind = "number" if pointed or spelling != "plain" else "integer"
    _take_sentinels(profile, given.counts)
    return True


def _spelling(texts: pa.Array, given: Given) -> tuple[str, NDArray[np.bool_]]:
    """The spelling that most filled rows have, and which texts have it; "" where too few have any."""
    for name, spelling in SPELLINGS.items():
        fits = matches(texts, spelling.pattern) & given.filled
        if given.share(fits) < MOSTLY:
            continue
        if (matches(texts, spelling.sure) & fits).any() or (name == "comma" and given.comma):
            return _doubtful(texts, fits) if name == "plain" and given.comma else name, fits
    return "", given.filled & False


def _doubtful(texts: pa.Array, fits: NDArray[np.bool_]) -> str:
    """What 1.234 is in a file with decimal commas: 1234, where every point of the column stands before three digits."""
    pointed = matches(texts, r".*[.eE].*") & fits
    grouped = matches(texts, number_formats.POINT_GROUPS)
    return "comma" if pointed.any() and not (pointed & ~grouped).any() else "plain"


def _are_codes(odd: NDArray[np.bool_], counts: NDArray[np.int64]) -> bool:
    """A text that stands among numbers on several rows is a code; on one row alone it may be anything."""
    return bool(odd.sum() <= CODES and counts[odd].min() > 1)


def _refuse_slips(profile: Profile, given: Given, odd: NDArray[np.bool_]) -> None:
    """A few texts among numbers are mistakes that a person should see; many make a column of another kind."""
    cells, filled = int(given.counts[odd].sum()), int(given.counts[given.filled].sum())
    place = given.table.place(int(np.flatnonzero(odd[profile.column.codes])[0]))
    if given.share(odd) <= SLIPS:
        raise InvalidFile(
            f"{place}, column {profile.name}: no number, nor in {cells} of the {filled:,} filled rows; correct that, or"
            f" leave the column out (--leave-out)",
            profile.name,
        )
    profile.notes.append(f"most of its values are numbers, but {cells:,} are not (first: {place})")


def _take_sentinels(profile: Profile, counts: NDArray[np.int64]) -> None:
    """Numbers that stand for "missing" become so."""
    found, notes = sentinels_of(profile.values, counts)
    for value in found:
        which = profile.values == value
        code = int(value) if value.is_integer() else value
        profile.missing[code] = int(counts[which].sum())
        profile.spelled[code] = profile.column.texts.filter(pa.array(which)).to_pylist()
        profile.values[which] = np.nan
    profile.notes += notes
    if len(np.unique(profile.values[~np.isnan(profile.values)])) == 1 and not profile.gaps:
        profile.left_out = "it has the same value in every row"


def has_sure_commas(column: Column) -> bool:
    """Whether a column is numbers with decimal commas, beyond doubt."""
    texts = column.texts.filter(pa.array(~number_formats.are_nothing(column.texts)))
    fits = bool(len(texts)) and bool(matches(texts, SPELLINGS["comma"].pattern).mean() >= MOSTLY)
    return fits and bool(matches(texts, SPELLINGS["comma"].sure).any())
