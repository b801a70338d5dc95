"""The rows that a model is trained on, from any source, every value checked and every id once.

Rows without a label are left out and counted. A person's values never reach a message: it names the file, the line
and the column.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from riskscore.cli import counted
from riskscore.database.catalogue import find_table
from riskscore.database.connection import Database
from riskscore.errors import CallerFault, DataFault, InvalidFile
from riskscore.model_toml.labels import label_meaning
from riskscore.sources.source_readers import conninfo_of
from riskscore.sources.sources import KINDS, file_of, files_of, kind_of, origin_of, rows_at, spec_of_settings
from riskscore.sources.sqlite_output import about_of
from riskscore.training.maturity import immature, immature_note, row_day
from riskscore.training.referral import observed_referrals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from riskscore.model_toml.settings import Settings
    from riskscore.sources.source_readers import SourceSpec
    from riskscore.sources.sources import SourceRow

    Rows = Iterable[SourceRow | CallerFault]

ABOUT = "about.txt"  # says where files beside it come from, for the model card
NAMED = re.compile(r"(?P<sha256>[0-9a-f]{64}) [ *](?P<name>.+)")  # a file, as sha256sum writes it
ID_BYTES = 16  # of a hash: no two ids of any table share one by chance


@dataclass(frozen=True)
class TrainingData:
    """Rows in an order that depends on their content alone.

    matrix: float64 (n, features), NaN where missing. labels: int8 (n,). customers: whose row it is, or None.
    about: what the source says of its rows. notes: what was left out, in sentences. group: the id whose rows belong
    together. unlabelled: how many rows there were without a label. others: columns beside the features, as texts.
    days: datetime64[D] (n,) of validation.time, or None. referred: by warnings of [refer], whether a row's observations
    give it.
    """

    names: tuple[str, ...]
    matrix: NDArray[np.float64]
    labels: NDArray[np.int8]
    customers: list[str] | None
    origin: str
    about: str = ""
    notes: list[str] = field(default_factory=list)
    group: str = "customer"
    unlabelled: int = 0
    others: dict[str, list[str]] = field(default_factory=dict)
    days: NDArray[np.datetime64] | None = None
    referred: dict[str, list[bool]] = field(default_factory=dict)

    def take(self, rows: Any) -> TrainingData:
        """These rows, in this order. rows: places, or a boolean for each."""
        places = np.arange(len(self.labels))[rows].tolist()
        return replace(
            self,
            matrix=self.matrix[places],
            labels=self.labels[places],
            customers=self.customers and [self.customers[k] for k in places],
            others={name: [column[k] for k in places] for name, column in self.others.items()},
            days=None if self.days is None else self.days[places],
            referred={name: [flags[k] for k in places] for name, flags in self.referred.items()},
        )

    def sorted(self) -> TrainingData:
        """The rows by their values, labels and dates, so that equal data give an equal model in whatever order."""
        last = [] if self.days is None else [self.days]
        return self.take(np.lexsort([*last, self.labels, *self.matrix.T[::-1]]))

    @property
    def sha256(self) -> str:
        """Of the names, the matrix, the labels and the dates; the same whatever order or file the rows came in."""
        digest = hashlib.sha256("\n".join(self.names).encode())
        digest.update(self.matrix.astype("<f8").tobytes())
        digest.update(self.labels.astype("<i1").tobytes())
        if self.days is not None:
            digest.update(self.days.astype("<i8").tobytes())
        return digest.hexdigest()


def from_source(
    settings: Settings,
    url: str | Path,
    root: Path = Path(),
    environ: Mapping[str, str] | None = None,
    watch: Callable[[Rows], Rows] = lambda rows: rows,
) -> TrainingData:
    """The rows at a URL (see riskscore.sources). root: where the paths of model.toml start; watch: sees them pass."""
    spec, notes = spec_of_settings(settings, root, environ), list[str]()
    rows = watch(rows_at(url, spec, notes.append))
    return from_rows(settings, rows, origin_of(url, spec), _about(url, spec), notes)


def _about(url: str | Path, spec: SourceSpec) -> str:
    """What a database says of its rows, or about.txt of files; "" where there is nothing."""
    kind = KINDS[kind_of(url)]
    if kind is KINDS["sqlite"] and (said := about_of(file_of(url))):
        return said
    if kind is not KINDS["postgresql"]:
        return about_files(files_of(url, spec))
    if not spec.source.get("training_table"):
        return ""
    with closing(Database(conninfo_of(str(url)), spec.environ)) as database:
        return find_table(database, spec.source["training_table"], spec.aliases).comment


def about_files(files: Sequence[Path]) -> str:
    """What about.txt beside files says of all of them, as they are now; "" where it speaks of others."""
    for words, named in statements(files[0].parent) if files else ():
        if all(path.name in named for path in files) and all(named[path.name] == sha256(path) for path in files):
            return words
    return ""


def statements(folder: Path) -> list[tuple[str, dict[str, str]]]:
    """The paragraphs of a folder's about.txt: the words of each, and the files that it speaks of with their hashes."""
    found = []
    for paragraph in re.split(r"\n\s*\n", _text_of(folder / ABOUT)):
        lines = paragraph.splitlines()
        named = {file["name"]: file["sha256"] for file in map(NAMED.fullmatch, lines) if file}
        found.append(("\n".join(line for line in lines if not NAMED.fullmatch(line)), named))
    return found


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig").strip() if path.is_file() else ""
    except UnicodeDecodeError:
        raise InvalidFile(f"{path.name} is not UTF-8 text") from None


def from_rows(
    settings: Settings,
    rows: Rows,
    origin: str,
    about: str = "",
    notes: Iterable[str] = (),
) -> TrainingData:
    """The rows that have a label; the notes count the others, those whose data are faulty, and what was observed.

    origin: the source in words; about: what it says of its rows. notes: what reading them notes, known at their end.
    Raises InvalidFile where a row can't be read or breaks the contract, a label is neither 0 nor 1, or ids repeat.
    """
    target, whose = settings.source["target"], settings.group
    meaning, expected = label_meaning(settings.source)
    values, labels, customers, days = array("d"), array("b"), [], []
    others: dict[str, list[str]] = {name: [] for name in settings.others}
    warned, seen = observed_referrals(settings), list[list[str]]()
    remarks: Counter[str] = Counter()
    for row in _labelled(settings, rows, remarks):
        try:
            values.extend(settings.contract.vector(row.features))
        except CallerFault as error:
            raise InvalidFile(f"{row.where}: {error.message}", error.field) from None
        labels.append(_label(row.where, target, row.label, meaning, expected))
        customers.append(row.ids.get(whose, ""))
        if settings.over_time:
            days.append(row_day(row, settings.over_time.column))
        for name, column in others.items():
            column.append(row.others.get(name, ""))
        seen.append(warned(row.observations))
    all_notes = [*notes, *(f"{counted(count, 'row')} {what}" for what, count in sorted(remarks.items()))]
    data = TrainingData(
        names=settings.contract.names,
        matrix=np.array(values, dtype=np.float64).reshape(-1, len(settings.contract.names)) + 0.0,  # -0.0 becomes 0.0
        labels=np.array(labels, dtype=np.int8),
        customers=customers if any(customers) else None,
        origin=origin,
        about=about,
        notes=all_notes,
        group=whose,
        unlabelled=remarks[_without_label(settings)],
        others=others,
        days=np.array(days, dtype="datetime64[D]") if settings.over_time else None,
        referred={
            name: [name in names for names in seen] for name in sorted({name for names in seen for name in names})
        },
    )
    data = _mature(settings, data).sorted()
    _check_classes(settings, data)
    return data


def _mature(settings: Settings, data: TrainingData) -> TrainingData:
    """The rows whose outcome could be known; a note counts the others."""
    if settings.over_time is None or data.days is None or not len(data.days):
        return data
    unknown = immature(data.days, settings.over_time)
    if not unknown.any():
        return data
    note = immature_note(int(unknown.sum()), data.days, settings.over_time)
    return replace(data.take(~unknown), notes=[*data.notes, note])


def _labelled(settings: Settings, rows: Rows, remarks: Counter[str]) -> Iterator[SourceRow]:
    """The rows to train on, once no ids stand on two rows. remarks: what the others lack, what is odd in these."""
    hashes, numbers, at = bytearray(), array("q"), ("", "")
    most = dict.fromkeys(settings.observations, 0) | {rule["feature"]: rule["maximum"] for rule in settings.limits}
    for row in rows:
        if isinstance(row, DataFault):
            remarks[f"rejected, because their transactions can't be read: {row.message.rpartition(': ')[2]}"] += 1
            continue
        if isinstance(row, CallerFault):
            raise row
        if len(row.ids) == len(settings.ids):
            hashes += hashlib.blake2b("\0".join(row.ids.values()).encode(), digest_size=ID_BYTES).digest()
            numbers.append(row.number)
            at = row.name, row.unit
        if row.label is None:
            remarks[_without_label(settings)] += 1
        else:
            remarks.update(f"have {key} above {most[key]}" for key, n in row.observations.items() if n > most[key])
            yield row
    _check_ids(settings.ids, hashes, numbers, at)


def _without_label(settings: Settings) -> str:
    return f"without {settings.source['target']} left out"


def _check_ids(ids: Sequence[str], hashes: bytearray, numbers: array[int], at: tuple[str, str]) -> None:
    """Refuse ids that stand on two rows. hashes: of the ids of the rows of these numbers."""
    pairs = np.frombuffer(hashes, dtype="<u8").reshape(-1, 2)
    order = np.lexsort(pairs.T)  # stable, so that of equal ones the first comes first
    again = (pairs[order[1:]] == pairs[order[:-1]]).all(axis=1)
    if again.any():
        second, first = min(zip(order[1:][again].tolist(), order[:-1][again].tolist(), strict=True))
        name, unit = at
        raise InvalidFile(
            f"{name}, {unit}s {numbers[first]} and {numbers[second]}: the same {' and '.join(ids)};"
            f" {counted(int(again.sum()), unit)} in all with ids of an earlier one",
            ids[0],
        )


def _label(where: str, target: str, value: Any, meaning: Callable[[Any], int | None], expected: str) -> int:
    found = meaning(value)
    if found is None:
        raise InvalidFile(f"{where}: {target} must be {expected}, or empty", target)
    return found


def _check_classes(settings: Settings, data: TrainingData) -> None:
    rows, positives = len(data.labels), int(data.labels.sum())
    if not rows:
        why = f": {'; '.join(data.notes)}" if data.notes else ""
        raise InvalidFile(f"{data.origin} has no rows to train on{why}")
    rarer = min(positives, rows - positives)
    if not rarer:
        raise InvalidFile(f"{data.origin}: every row has label {data.labels[0]}; training needs both, 0 and 1")
    if rarer < settings.folds:
        raise InvalidFile(
            f"{data.origin}: {positives} of {rows} rows have label 1; {settings.folds} folds of the cross-validation"
            f" need at least {settings.folds} rows of each label"
        )
