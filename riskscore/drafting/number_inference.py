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
# What was chosen where each separator of a column could be either.
COMMA_GROUPS = '1,234 is read as 1234; if the comma is decimal, put unit = "decimal_comma"'
COMMA_DECIMAL = '1,234 is read as 1.234, as other columns have decimal commas; if it is 1234, put unit = "money"'
POINT_GROUPS = '1.234 is read as 1234, as other columns have decimal commas; if it is not, put unit = "money"'
POINT_DECIMAL = '1.234 is read with a decimal point; if it is 1234, put unit = "decimal_comma", parse = "text"'
SOME = 1000  # texts that tell most columns of another kind apart
SLIPS = 0.01  # up to this share of other texts are mistakes, which a person should correct


def infer_numbers(profile: Profile, given: Given) -> bool:
    texts = number_formats.tidied(profile.column.texts)
    spelling, fits = _spelling(profile, texts, given)
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
    profile.as_text = texts is not profile.column.texts
    profile.missing |= {profile.column.texts[k].as_py(): int(given.counts[k]) for k in np.flatnonzero(odd).tolist()}
    pointed = pc.any(pc.match_substring_regex(read, r"[.eE]")).as_py()
    profile.kind = "number" if pointed or spelling != "plain" else "integer"
    _take_sentinels(profile, given.counts)
    several = number_formats.currencies(read) if spelling in ("money", "comma") else []
    if len(several) > 1:
        profile.left_out = f"its amounts are in several currencies ({', '.join(several)}): convert them into one"
    return True


def _spelling(profile: Profile, texts: pa.Array, given: Given) -> tuple[str, NDArray[np.bool_]]:
    """The spelling that most filled rows have, and which texts have it; "" where too few have any.

    The column as a whole decides; where its texts leave open which sign is decimal, the profile says what was chosen.
    """
    none = given.filled & False
    if given.share(matches(texts, number_formats.CANDIDATE) & given.filled) < MOSTLY:
        fits = {"plain": matches(texts, SPELLINGS["plain"].pattern) & given.filled}  # .5, and beside codes in words
    else:
        marked = pc.any(pc.match_substring(texts, "%")).as_py()
        tried = [name for name in SPELLINGS if marked or name != "percent"]
        fits = {name: matches(texts, SPELLINGS[name].pattern) & given.filled for name in tried}
    if given.share(fits["plain"]) >= MOSTLY:
        name = _doubtful(profile, texts, given, fits["plain"])
        return name, fits["plain"]
    usable = [name for name in SPELLINGS if name != "plain" and given.share(fits.get(name, none)) >= MOSTLY]
    if len(usable) < 2 or usable[-1] != "comma":
        return (usable[0], fits[usable[0]]) if usable else ("", none)
    point, comma = fits[usable[0]], fits["comma"]
    sure_point, sure_comma = given.share(point & ~comma), given.share(comma & ~point)
    by_comma = sure_comma > sure_point or (sure_comma == sure_point and given.comma)
    if sure_comma == sure_point and (matches(texts, number_formats.EITHER) & given.filled).any():
        profile.reading = COMMA_DECIMAL if by_comma else COMMA_GROUPS
    return ("comma", comma) if by_comma else (usable[0], point)


def _doubtful(profile: Profile, texts: pa.Array, given: Given, fits: NDArray[np.bool_]) -> str:
    """What 1.234 is where every point of a column stands before three digits: 1234 in a file with decimal commas."""
    pointed = matches(texts, r".*[.eE].*") & fits
    if not pointed.any() or (pointed & ~matches(texts, number_formats.POINT_GROUPS)).any():
        return "plain"
    profile.reading = POINT_GROUPS if given.comma else POINT_DECIMAL
    return "comma" if given.comma else "plain"


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
    if not pc.any(pc.match_substring(column.texts, ",")).as_py():
        return False
    texts = number_formats.tidied(column.texts.filter(pa.array(~number_formats.are_nothing(column.texts))))
    if not len(texts) or matches(texts[:SOME], SPELLINGS["comma"].pattern).mean() < MOSTLY / 2:
        return False
    fits = matches(texts, SPELLINGS["comma"].pattern)
    if fits.mean() < MOSTLY:
        return False
    points = matches(texts, SPELLINGS["money"].pattern) | matches(texts, SPELLINGS["percent"].pattern)
    return bool((fits & ~points).sum() > (points & ~fits).sum())
