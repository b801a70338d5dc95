"""A manifest that isn't one: whatever is wrong with it, one sentence that names the file, and no other exception."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskscore.artefact.artefact import open_artefact
from riskscore.artefact.manifest import DECLARED, parse_manifest
from riskscore.errors import ArtefactRefused, NotConfigured
from riskscore.scoring.engine import Engine
from riskscore.scoring.model import Model
from tests.scoring_examples import EVENT, FOLDER, SMALL, nobody, write_small

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SOUND = {"format": 1, **SMALL, "files": {name: {"sha256": "0"} for name in ("model.joblib", "model.json")}}
SOUND["files"]["contributions.bin"] = {"sha256": "0"}
DROP = object()
NO_HASH = "source.sha256 must be the 64 hexadecimal digits of the query in source.sql; train again"
KNOWN = ", ".join(map(repr, DECLARED))


def put(manifest: dict[str, Any], way: Sequence[Any], value: Any) -> dict[str, Any]:
    """A copy with another value at the place where the keys of `way` lead, or without it (DROP)."""
    manifest = place = deepcopy(manifest)
    for key in way[:-1]:
        place = place[key]
    if value is DROP:
        del place[way[-1]]
    else:
        place[way[-1]] = value
    return manifest


def test_a_sound_manifest_is_taken_as_it_is() -> None:
    assert parse_manifest("small_loans", json.dumps(SOUND).encode()) == SOUND


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"\xff\xfe\xfa", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "must be an object, not a list"),
        (b'"manifest"', "must be an object, not a string"),
        (b"{}", "has format null, but this version reads format 1"),
        (b'{"format": 2}', "has format 2, but this version reads format 1"),
        (b'{"format": "1"}', "has format a string, but this version reads format 1"),
        (b'{"format": true}', "has format true or false, but this version reads format 1"),
        (b'{"format": 1}', "model is missing"),
    ],
)
def test_what_is_no_manifest_of_this_version_is_refused(document: bytes, sentence: str) -> None:
    with pytest.raises(ArtefactRefused) as raised:
        parse_manifest("credit_risk", document)
    assert raised.value.message.startswith("credit_risk/manifest.json")
    assert raised.value.message.endswith(sentence)


@pytest.mark.parametrize(
    ("path", "value", "sentence"),  # path: keys between slashes
    [
        ("model", "credit_risk", "belongs to model 'credit_risk', not to 'small_loans'"),
        ("version", 2, "version must be a non-empty string, not a number"),
        ("files", [], "files must be an object, not a list"),
        ("files/model.json/sha256", None, "files['model.json'].sha256 must be a non-empty string, not null"),
        ("files/model.json", DROP, "files lacks model.json"),
        ("files/..", {"sha256": "0"}, "files names '..', which isn't a file name"),
        ("ids", [], "ids is empty"),
        ("ids", "loan_id", "ids must be a list, not a string"),
        ("features", [], "features is empty"),
        ("features/1/name", DROP, "features[1].name is missing"),
        ("features/1/minimum", "1", "features[1].minimum must be a finite number, not a string"),
        ("features/1/support", {"minimum": 0, "maximum": 1}, "features[1].support.quantiles is missing"),
        (
            "features/0/colour",
            "red",
            f"feature 'amount' names 'colour', which is not one of {KNOWN}",
        ),
        ("features/0/codes", {}, f"feature 'amount' names 'codes', which is not one of {KNOWN}"),
        (
            "features/0/parse",
            "text",
            f"feature 'amount' names 'parse', which is not one of {KNOWN}",
        ),
        ("threshold", True, "threshold must be a finite number, not true or false"),
        ("threshold", float("nan"), "threshold must be a finite number, not a number"),
        ("threshold", 10**400, "threshold must be a finite number, not a number"),
        ("engines", ["gpu"], "engines names 'gpu', which is not one of 'joblib', 'twin'"),
        (
            "versions/torch",
            "2",
            "versions names 'torch', which is not one of 'python', 'numpy', 'joblib', 'xgboost', 'scikit-learn'",
        ),
        ("points/odds", 0, "points.odds must be a finite number above 0, not a number"),
        ("points/pdo", DROP, "points.pdo is missing"),
        ("reasons/term", DROP, "reasons has no texts for 'term'"),
        ("reasons/term/low", "", "reasons['term'].low must be a non-empty string, not a string"),
        (
            "identities",
            [{"name": "i", "text": "t", "terms": [[1]]}],
            "identities[0].terms[0] must be a list of a factor and features, not a list",
        ),
        (
            "identities",
            [{"name": "i", "text": "t", "terms": [[1, "age"]]}],
            "identities names 'age', which is not one of 'amount', 'term', 'secured'",
        ),
        (
            "limits",
            [{"name": "l", "text": "t", "feature": "age", "maximum": 1}],
            "limits names 'age', which is not one of 'amount', 'term', 'secured'",
        ),
        ("observations", {"late": 1}, "observations['late'] must be a non-empty string, not a number"),
        ("refer", "outside_support", "refer must be a list, not a string"),
        ("source", {"sql": "sql/s/features.sql", "table": "t"}, NO_HASH),
        ("source", {"sql": "sql/s/features.sql", "table": "t", "sha256": "none"}, NO_HASH),
        ("source", {"sql": "sql/s/features.sql", "dialect": "sqlite"}, NO_HASH),
        (
            "source",
            {"sql": "sql/s/features.sql", "sha256": "0" * 64},
            "source.table is missing, which the query in source.sql reads; train again",
        ),
        ("page", {"assumed": {"age": 1}}, "page.assumed names 'age', which is not one of 'amount', 'term', 'secured'"),
        (
            "page",
            {"assumed": {"term": "amount / age"}},
            "page.assumed['term'] must be a number, or one feature over another as in 'a / b'",
        ),
        ("golden", [], "golden is empty"),
        ("golden/0/vector", [1.0], "golden[0].vector has 1 values for 3 features"),
        ("golden/0/margin", None, "golden[0].margin must be a finite number, not null"),
    ],
)
def test_a_broken_manifest_is_refused_with_the_place_that_is_broken(path: str, value: Any, sentence: str) -> None:
    way = [int(key) if key.isdecimal() else key for key in path.split("/")]
    with pytest.raises(ArtefactRefused) as raised:
        parse_manifest("small_loans", json.dumps(put(SOUND, way, value)).encode())
    assert raised.value.message in (f"small_loans/manifest.json: {sentence}", f"small_loans/manifest.json {sentence}")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"features": [{"name": "amount", "type": "text"}, *SMALL["features"][1:]]},
            "manifest.json: feature 'amount': type must be one of number, integer, boolean, category, not 'text'",
        ),
        (
            {"features": [*SMALL["features"], SMALL["features"][0]], "golden": [{"vector": [1] * 4, "margin": 1}]},
            "manifest.json: a contract needs at least one feature, each with its own name",
        ),
    ],
)
def test_features_that_make_no_contract_are_refused(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ArtefactRefused) as raised:
        open_artefact(str(write_small(tmp_path / "small_loans", **changes)))
    assert raised.value.message == f"small_loans/{sentence}"


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of a JSON value, as the keys that lead there."""
    if way:
        yield way
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in inner:
        yield from places(entry, (*way, key))


TRAINED = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))
HOSTILE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(10**400) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@settings(deadline=None, max_examples=150)
@given(way=st.sampled_from([way for way in places(TRAINED) if way[0] not in ("training", "metrics")]), value=HOSTILE)
def test_no_manifest_does_anything_but_serve_or_be_refused(way: tuple[Any, ...], value: Any) -> None:
    message = _refusal(json.dumps(put(TRAINED, way, value)).encode())
    assert message.startswith("credit_risk/manifest.json") or not message
    assert message.isprintable()


def _refusal(document: bytes) -> str:
    try:
        parse_manifest("credit_risk", document)
    except ArtefactRefused as refused:
        return refused.message
    return ""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small model's folder, whose manifest a test may write anew."""
    return write_small(tmp_path_factory.mktemp("hostile") / "small_loans")


@settings(deadline=None, max_examples=100)
@given(
    way=st.sampled_from(list(places(SMALL))),
    value=HOSTILE | st.sampled_from([0, 0.5, -1e99, 1e99, "term", "late", [], {}]),
)
def test_no_model_that_starts_breaks_on_a_row(small: Path, way: tuple[Any, ...], value: Any) -> None:
    path = small / "manifest.json"
    files = json.loads(path.read_text(encoding="utf-8"))["files"]
    path.write_text(json.dumps(put({"format": 1, **SMALL, "files": files}, way, value)))
    try:
        model = Model(open_artefact(str(small)), "twin")
    except (ArtefactRefused, NotConfigured):  # the latter where the manifest names no twin
        return
    engine = Engine(lambda _: model, model.name, nobody)
    row = dict.fromkeys(model.contract.names, 24) | {"secured": True}
    answers = engine.answer([{"features": row}, row | {"late": 1}, EVENT, {"loan_id": "1"}])
    assert {answer["outcome"] for answer in answers} <= {"scored", "refer", "invalid"}
