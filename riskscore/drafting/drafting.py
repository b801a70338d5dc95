"""Writes the first model.toml of a table that was looked at: one that a person only has to read over.

Whatever was guessed stands there with its reason. What was left out stands there too, as a comment that becomes a
feature where its "# " is taken away.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import numpy as np

from riskscore.drafting.time_columns import time_columns
from riskscore.drafting.type_inference import ORDINAL_FROM
from riskscore.model_toml.keys import MINUTES
from riskscore.model_toml.labels import UNLABELLED
from riskscore.model_toml.schema import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from riskscore.drafting.column_profile import Profile
    from riskscore.drafting.profiling import TableProfile

WIDTH = 118
SEED = 1
WELL_MANY = 25  # rows of the rarer label, for five folds
MANY = 200  # rows from which on the cross-validation isn't repeated: a choice among candidates takes its time
PURPOSE = """\
Drafted from a file by a program, which knows its columns and nothing else. Say here what the score is for, on whom, \
and who decides by it."""
LIMITS = (
    "Nobody has reviewed this model yet: types, codes for missing and what is left out were guessed from a file.",
    "The cross-validation draws its folds from the same file as the training; test on later rows too, and expect less.",
)


def draft(name: str, table: TableProfile, training: str = "", minutes: float = MINUTES) -> str:
    """The text of model.toml for model `name`. training: the command that trains it in the project's folder.

    minutes: that the choice of an estimator may take."""
    training = training or training_command(name, table.file)
    text = any(column.is_text for column in table.features)
    return "\n".join(
        [
            *_head(table, text, training),
            *_rest(table, training, minutes),
            *(line for column in table.features for line in ("", *_feature(column, text))),
            *_left_out(table, text),
            "",
        ]
    )


def _head(table: TableProfile, text: bool, training: str) -> list[str]:
    what = f"is {' or '.join(map(quoted, table.labels.words[1]))}" if table.labels.named else "is 1"
    unlabelled = table.rows - table.labelled
    return [
        *comment(
            f"A first draft by riskscore new, from {quoted(table.file)}: {table.rows:,} rows,"
            f" {table.labelled:,} of them labelled. Review it: all of it was guessed from that file. After a"
            " change, train again with"
        ),
        f"#   {printable(training)}",
        *(comment(f"{unlabelled:,} rows have no label: training skips them.") if unlabelled else []),
        "",
        f"description = {quoted(f'Probability that {table.target} {what}')}",
        *_ids(table),
        f"seed = {SEED}",
        *(["", *comment(TEXT_WHY), 'parse = "text"'] if text else []),
        "",
        *comment(
            f"prediction is 1 from here on. This is the share of 1 among the labels ({table.base_rate:.2%}), so it"
            " flags what is riskier than average. Where a missed 1 costs c times a false alarm, put 1 / (1 + c)."
        ),
        f"threshold = {threshold_of(table)}",
    ]


TEXT_WHY = (
    "Some columns below are written as text (amounts, percentages, decimal commas, numbers in a column of texts, words"
    " in several spellings or with blanks around them), so every value may arrive as a string."
)


def training_command(name: str, data: str, *more: str) -> str:
    """What a person pastes to train a model from a file."""
    return shlex.join(["riskscore", "train", name, "--data", data, *more])


def _ids(table: TableProfile) -> list[str]:
    if table.ids:
        together = f"Together they name a row; cross-validation keeps the rows of one {quoted(table.ids[0])} together."
        return [*(comment(together) if len(table.ids) > 1 else []), f"ids = {listed(table.ids)}"]
    taken = {table.target, *(column.name for column in table.columns)}
    name = next(name for name in ("id", "row_id", "id_of_the_row", "own_id_of_the_row") if name not in taken)
    return [
        *comment("No column names the rows; an event may bring this one, and its answer repeats it."),
        f'ids = ["{name}"]',
    ]


def threshold_of(table: TableProfile) -> float:
    """The base rate, with four digits and strictly between 0 and 1."""
    return min(max(round(table.base_rate, 4), 0.0001), 0.9999)


def folds_of(table: TableProfile) -> tuple[int, int]:
    """(folds, repeats): every fold has rows of the rarer label, and few rows are dealt again."""
    rarer = min(table.positives, table.labelled - table.positives)
    folds = 5 if rarer >= WELL_MANY else max(2, min(5, rarer // 5))
    return folds, 3 if table.labelled < MANY else 1


def _rest(table: TableProfile, training: str, minutes: float) -> list[str]:
    """What stands between the head and the features."""
    rarer = min(table.positives, table.labelled - table.positives)
    return [
        *_source(table),
        *_protected(table),
        *_estimator(minutes),
        *_validation(table, rarer),
        "",
        *comment("Remove the #, and a value that training never saw gives the outcome refer instead of scored."),
        "# [refer]",
        '# warnings = ["outside_support"]',
        *_card(training),
        "",
        *comment(
            "The features. minimum and maximum are hard limits, beyond which a row is refused: add them where you are"
            " sure. A value of a category that isn't listed is refused, unless unknown says otherwise. description is"
            " what reasons call the feature."
        ),
    ]


def _source(table: TableProfile) -> list[str]:
    words = table.labels.words
    lines = [f"positive = {listed(words[1])}", f"negative = {listed(words[0])}"] if table.labels.named else []
    none = [word for word in words[UNLABELLED] if word]
    lines += [f"unlabelled = {listed(none)}  # no label: training skips such rows"] if none else []
    return ["", "[source]", f"target = {quoted(table.target)}", *lines]


def _protected(table: TableProfile) -> list[str]:
    """Why columns that tell of a protected characteristic are features."""
    chosen = [column for column in table.features if column.kept]
    if not chosen:
        return []
    said = comment("Features that tell of a protected characteristic, or are proxies for one, and why they are used.")
    return ["", *said, "[protected]", *(f"{quoted(column.name)} = {quoted(column.kept)}" for column in chosen)]


def _estimator(minutes: float) -> list[str]:
    return [
        "",
        *comment(
            "Training chooses among a scorecard, logistic regressions and trees of several depths: the simplest within"
            " one standard error of the best; MODEL_CARD.md shows them all. It starts with the simplest. Those that"
            " don't fit into the minutes are left out; the next training continues with them."
        ),
        "[estimator]",
        'family = "auto"',
        f"minutes = {minutes:g}",
    ]


def _validation(table: TableProfile, rarer: int) -> list[str]:
    folds, repeats = folds_of(table)
    return [
        "",
        f"[validation]  # {rarer:,} rows have the rarer label",
        f"folds = {folds}",
        f"repeats = {repeats}",
        *(
            line
            for name in time_columns(table)
            for line in (
                *comment(f"{quoted(name)} holds dates. Remove the # to test on later rows too; see docs/MODELS.md."),
                f"# time = {quoted(name)}",
            )
        ),
    ]


def _card(training: str) -> list[str]:
    return [
        "",
        "[card]",
        f"purpose = {quoted(PURPOSE)}",
        "limits = [",
        *(f"  {quoted(limit)}," for limit in LIMITS),
        "]",
        f"reproduce = [{quoted(training)}]",
    ]


def _feature(column: Profile, text: bool) -> list[str]:
    """One [[features]] block."""
    said = (*_range(column), *_reading(column), *column.notes, *_doubts(column))
    lines = [line for sentence in said for line in comment(sentence)]
    lines += ["[[features]]", f"name = {quoted(column.name)}"]
    if column.kind != "number":
        lines.append(f'type = "{column.kind}"')
    if column.gaps or column.rare[1]:
        lines.append(f"nullable = true  # {_gaps(column)}")
    if column.unit:
        lines.append(f'unit = "{column.unit}"')
    return [*lines, *_codes(column, text), *(_values(column) if column.kind == "category" else [])]


def _range(column: Profile) -> list[str]:
    """Where most values lie; the outermost ones would be somebody's."""
    if column.kind not in ("number", "integer"):
        return []
    low, high = np.nanquantile(column.rows, [0.01, 0.99]).tolist()
    return [f"mostly {_short(low)}" + (f" to {_short(high)}" if low < high else "")]


def _reading(column: Profile) -> list[str]:
    return [f"To be sure of: {column.reading}"] if column.reading else []


def _short(number: float) -> str:
    return f"{float(f'{number:.3g}'):,g}"


def _doubts(column: Profile) -> list[str]:
    if column.suspicion:
        return [f"Taken as asked for, although {column.suspicion}: is it known when the score is made?"]
    if column.alone is not None and column.alone >= 0.9:
        return [f"Strong: alone it separates the labels with an AUC of {column.alone:.3f}. Is it known beforehand?"]
    return []


def _gaps(column: Profile) -> str:
    share = (column.gaps + column.rare[1]) / len(column.column.codes)
    return f"{share:.1%} of the rows have no value" + (" that is listed here" if column.rare[1] else "")


def _codes(column: Profile, text: bool) -> list[str]:
    """Codes for missing, with their rows. Where values are texts, a number's code is one as well."""
    if not column.missing:
        return []
    lines = ["missing = ["]
    for code, rows in column.missing.items():
        said = (
            f"{rows:,} rows: nothing is there" if isinstance(code, str) else f"{rows:,} rows, far from all other values"
        )
        lines.append(f"  {quoted(code) if isinstance(code, str) else code},  # {said}")
        if text and not isinstance(code, str):
            lines.append(f"  {listed(column.spelled[code])[1:-1]},")
    return [*lines, "]"]


def _values(column: Profile) -> list[str]:
    lines = ["values = [", *(f"  {quoted(value)},  # {rows:,}" for value, rows in column.categories.items()), "]"]
    if column.rare[0]:
        lines.append(f'unknown = "missing"  # {column.rare[0]:,} rarer values, on {column.rare[1]:,} rows in all')
    elif column.gaps:
        lines.append('unknown = "missing"  # a value that isn\'t listed is taken as none')
    if len(column.categories) >= ORDINAL_FROM:
        lines.append(
            'encoding = "ordinal"  # one column for the estimator, by frequency, instead of one for each value'
        )
    return lines


def _left_out(table: TableProfile, text: bool) -> list[str]:
    lines = []
    for column in table.left_out:
        lines += ["", *comment(f"Left out: {quoted(column.name)}, since {column.left_out}.")]
        if column.kind in ("number", "integer", "boolean", "category"):
            lines += [f"# {line}" for line in _feature(column, text)]
    heading = [
        "",
        *comment("Columns of the file that are no features. To use one, remove the # below its reason."),
    ]
    return [*heading, *lines] if lines else []


def comment(text: str) -> list[str]:
    """A text as lines of a comment; line ends and other controls in names would end it."""
    words = printable(text).split()
    lines = [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + 1 + len(word) > WIDTH:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return [f"# {line}" for line in lines]


def printable(text: str) -> str:
    """A text with a space for each line end and other control."""
    return "".join(character if character.isprintable() else " " for character in text)


def listed(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(quoted, texts))}]"
