"""The contract that a model from outside is adopted under: a model.toml in which what only training needs may lack.

What comes of it is the model.toml and reasons.toml of the adopted model's folder, and the settings that they hold.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from riskscore.contract.encoding import has_missing_column
from riskscore.errors import InvalidFile
from riskscore.model_toml.reasons_draft import drafted
from riskscore.model_toml.schema import table_of, text_of
from riskscore.model_toml.settings import Settings, read_settings

if TYPE_CHECKING:
    from collections.abc import Iterable

SEED = "seed = 0  # draws the golden rows\n"
SOURCE = '\n[source]\ntarget = "label"\n'
ESTIMATOR = '\n[estimator]\nfamily = "{}"\n'
REASONS = """\
# Written at adoption from the descriptions in model.toml, since nobody had said what an applicant is to be told.
# Read every sentence over before anybody gets to see it, and adopt the model again: these are only a start.
"""


def read_contract(name: str, contract: Path, folder: Path) -> tuple[Settings, dict[str, bytes], set[str]]:
    """The settings of model `name`, its two files by people, and the features whose `missing` is stated, be it as [].

    The family is "" where the contract leaves it open.

    reasons.toml is the one beside the contract, or else the one that `folder` has, or else written from descriptions.
    """
    text = text_of(contract, contract.name)
    table = table_of(text, contract.name)
    model = ("" if "seed" in table else SEED) + text + ("" if "source" in table else SOURCE)
    texts = next(
        (path for path in (contract.with_name("reasons.toml"), folder / "reasons.toml") if path.is_file()), None
    )
    reasons = text_of(texts, texts.name) if texts else ""
    stated = "estimator" in table
    settings = _settings(name, contract.name, model + ("" if stated else ESTIMATOR.format("open")), reasons)
    documents = {"model.toml": model.encode(), "reasons.toml": (reasons or _written(settings)).encode()}
    for feature in settings.contract.features:
        if has_missing_column(feature) or feature.encoding not in ("as_is", "ordinal"):
            raise InvalidFile(
                f"{contract.name}: {feature.name}: an adopted model takes each feature as one number, a category as its"
                ' place (encoding = "ordinal"): no one_hot, log or indicator',
                feature.name,
            )
    if settings.calibration:
        raise InvalidFile(f"{contract.name}: calibration is fitted at training, and nothing is trained here")
    answered = {entry["name"] for entry in table["features"] if "missing" in entry}
    return settings if stated else replace(settings, family=""), documents, answered


def word_codes(settings: Settings, documents: dict[str, bytes], places: Iterable[int]) -> Settings:
    """Reasons that don't compare the codes of categories that came as whole numbers, where nobody wrote any."""
    if documents["reasons.toml"] != _written(settings).encode():
        return settings
    reasons = dict(settings.reasons)
    for feature in (settings.contract.features[place] for place in places):
        text = f"{feature.description.rstrip('.') or feature.name}: its value"
        reasons[feature.name] = {**reasons[feature.name], "high": text, "low": text}
    settings = replace(settings, reasons=reasons)
    documents["reasons.toml"] = _written(settings).encode()
    return settings


def with_family(settings: Settings, documents: dict[str, bytes], family: str, contract: str) -> Settings:
    """The settings with the family that was found; model.toml gets it too where it states none."""
    if settings.family not in ("", family):
        raise InvalidFile(f"{contract}: estimator.family is {settings.family!r}, but the file holds one of {family!r}")
    if not settings.family:
        documents["model.toml"] += ESTIMATOR.format(family).encode()
    return replace(settings, family=family)


def _settings(name: str, contract: str, model: str, reasons: str) -> Settings:
    """The settings as training would read them from the folder; its sentences name the contract's own file."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / name
        folder.mkdir()
        (folder / "model.toml").write_text(model, encoding="utf-8")
        (folder / "reasons.toml").write_text(reasons, encoding="utf-8")
        try:
            return read_settings(folder)
        except InvalidFile as error:
            raise InvalidFile(error.message.replace(f"{name}/model.toml", contract), error.field) from None


def _written(settings: Settings) -> str:
    """The reasons of every feature as a reasons.toml for people to read over."""
    return drafted(REASONS, settings.reasons, settings.contract)
