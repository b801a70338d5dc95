"""Where a drafted model is put: its folder at once, what people wrote kept; and examples to send."""

from __future__ import annotations

import json
import shutil
import tempfile
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riskscore.artefact.approvals import is_promoted
from riskscore.artefact.artefact import SIGNATURE, open_artefact
from riskscore.artefact.manifest import MANIFEST
from riskscore.artefact.versions import BY_PEOPLE, PAPERS, WRITTEN, write_version
from riskscore.atomic import replacing_file
from riskscore.errors import InvalidFile, RiskscoreError
from riskscore.scoring.engine import Engine
from riskscore.scoring.model import Model
from riskscore.serving.model_info import golden_event
from riskscore.training.manifest_sections import check_model_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

EXAMPLES = 3


def check_name(models: Path, name: str, force: bool, draft_only: bool = False) -> None:
    """Refuse a name that no model can have, and one that is taken, unless that was asked for.

    A promoted model keeps its place whatever is asked for, so that a draft alone, which is no version, has none there.
    """
    check_model_name(name)
    if (models / name).exists() and not force:
        raise InvalidFile(
            f"there is already a model {name}; train it with riskscore train {name} --data FILE, or"
            " draft it again with --force, which keeps its model.toml as model.toml.old"
        )
    if draft_only and is_promoted(models / name):
        raise InvalidFile(
            f"a version of {name} was promoted, which a draft can't replace; draft it under another name,"
            " or without --draft-only, which writes a new version beside it"
        )


@contextmanager
def aside(name: str) -> Iterator[Path]:
    """An empty folder of this name to fill, away from the models; it goes when the block ends."""
    with tempfile.TemporaryDirectory() as away:
        folder = Path(away) / name
        folder.mkdir()
        yield folder


def put_folder(folder: Path, models: Path) -> Path:
    """Put a filled folder among the models in one step; returns its place, beside the served version of a promoted one.

    What people wrote in a folder that stood there is kept with .old behind its name, older ones beside it, unless the
    same is written anew; what a training wrote goes.
    """
    place = models / folder.name
    stays = is_promoted(place)

    def fill(fresh: Path) -> None:
        for file in BY_PEOPLE:
            if not stays and (fresh / file).exists() and not _are_same(fresh / file, folder / file):
                _set_aside(fresh / file)
        for file in (*BY_PEOPLE, *WRITTEN, *PAPERS, MANIFEST, SIGNATURE):
            (fresh / file).unlink(missing_ok=True)
        shutil.copytree(folder, fresh, dirs_exist_ok=True)

    return write_version(place, models.resolve().parent, fill)


def write_examples(folder: Path, events: Path) -> tuple[Path, dict[str, Any]]:
    """Some events with the model's golden rows, which are synthetic, into events/<name>/; the first one and its answer.

    folder: of the trained model.
    """
    model = Model(open_artefact(str(folder)))
    found = _examples(model)
    (answer,) = Engine(lambda _: model, model.name, lambda _model, _keys: []).score([*found.values()][:1])
    for name, event in found.items():
        with replacing_file(events / model.name / name) as file:
            file.write(_text(event))
    return events / model.name / next(iter(found)), answer


def examples_of(folder: Path) -> dict[str, str]:
    """The texts that `write_examples` writes for a model, by file name; none where it can't be opened."""
    try:
        found = _examples(Model(open_artefact(str(folder))))
    except (RiskscoreError, OSError):
        return {}
    return {name: _text(event) for name, event in found.items()}


def set_events_aside(events: Path, written: Mapping[str, str]) -> list[Path]:
    """Empty a folder of a replaced model's events: `written`, as it was written, goes; others get .old as their ending.

    Returns what was kept so. No file that is called .old already is written over.
    """
    kept = []
    for path in sorted(events.glob("*.json")):
        if path.read_bytes() == written.get(path.name, "").encode():
            path.unlink()
        else:
            kept.append(_set_aside(path))
    return kept


def _are_same(path: Path, other: Path) -> bool:
    return other.exists() and path.read_bytes() == other.read_bytes()


def _set_aside(path: Path) -> Path:
    """Give a file .old as its ending, or .old2 and so on where that is taken; returns its new path."""
    for number in count(1):
        free = path.with_name(f"{path.name}.old{number if number > 1 else ''}")
        if not free.exists():
            break
    return path.rename(free)


def _examples(model: Model) -> dict[str, dict[str, Any]]:
    places = range(min(EXAMPLES, len(model.artefact.manifest["golden"])))
    return {f"example-{place + 1}.json": golden_event(model, place) for place in places}


def _text(event: dict[str, Any]) -> str:
    return json.dumps(event, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
