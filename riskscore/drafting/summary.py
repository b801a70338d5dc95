"""What a person is told of a table that was looked at: rows, labels, features, and what was left out and why."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from riskscore.drafting.label_words import in_words
from riskscore.drafting.time_columns import time_columns
from riskscore.model_toml.labels import UNLABELLED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from riskscore.drafting.label_words import Labels
    from riskscore.drafting.profiling import TableProfile

KINDS = {
    "number": ("number", "numbers"),
    "integer": ("whole number", "whole numbers"),
    "boolean": ("boolean", "booleans"),
    "category": ("category", "categories"),
}


def found(name: str, table: TableProfile) -> str:
    """What is in the table, in a few lines."""
    counts = Counter(column.kind for column in table.features).most_common()
    kinds = ", ".join(f"{count} {KINDS[kind][count > 1]}" for kind, count in counts)
    labelled = "" if table.labelled == table.rows else f", {table.labelled:,} labelled"
    suspects = any(column.suspicion for column in table.left_out)
    protected, chosen = any(c.protected[0] for c in table.left_out), [c for c in table.features if c.kept]
    codes = [column.name for column in table.features if column.missing]
    lines = [
        f"{name}: {table.rows:,} rows{labelled}; {table.positives:,} have label 1 ({table.base_rate:.1%})",
        *_meanings(table.labels),
        *(f"note       {note}" for note in table.notes),
        f"features   {len(table.features)}: {kinds}",
        *([f"ids        {', '.join(table.ids)}"] if table.ids else []),
        *(f"read as    {column.name}: {column.reading}" for column in table.features if column.reading),
        *([f"missing    codes that stand for it in {_some(codes)}"] if codes else []),
        *(f"left out   {column.name or '(no name)'}: {column.left_out}" for column in table.left_out),
        *(
            f"note       {name} holds dates: validation.time in model.toml tests on later rows by it"
            for name in time_columns(table)
        ),
        *(["           (--keep COLUMN keeps a column that seems to contain the label)"] if suspects else []),
        *(["           (--keep COLUMN=REASON keeps one of a protected characteristic)"] if protected else []),
        *(f"kept       {column.name} ({column.protected[0]}): {column.kept}" for column in chosen),
    ]
    return "\n".join(lines)


def _meanings(labels: Labels) -> list[str]:
    """Word by word what the labels count as; nothing where they are 0, 1 or empty."""
    if not labels.named and not any(labels.words[UNLABELLED]):
        return []
    lines = [f"label {label}    {in_words(labels.words[label])}" for label in (1, 0)]
    if labels.words[UNLABELLED]:
        lines.append(f"no label   {in_words(labels.words[UNLABELLED])}")
    if labels.silent and len(labels.words[0]) > 1:
        lines.append("           (every other word counts as 0; --negative VALUE names those that do)")
    return lines


def _some(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
