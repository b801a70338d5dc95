"""A loaded model: two engines that give one number, golden rows that guard the start, contributions that add up."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskscore.artefact.artefact import Artefact
from riskscore.contract.fast_path import FLOAT32_MAX
from riskscore.errors import ArtefactRefused, NotConfigured
from riskscore.scoring.estimators import contributions
from riskscore.scoring.model import ADDITIVITY, Model
from riskscore.twin.trees import logistic
from tests.scoring_examples import EVENT, FEATURES, ROOT, SMALL, artefact, engine, model

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Vectors = list[list[float]]
COMMITTED = sorted((ROOT / "events" / "credit_risk").glob("*.json"))


def golden() -> Vectors:
    return [row["vector"] for row in artefact().manifest["golden"]]


def random_rows(rows: int) -> Vectors:
    """Rows over and beyond the training support, with whole numbers where the contract wants them."""
    rng = np.random.default_rng(3)
    features = artefact().contract.features
    low = np.array([feature.support["minimum"] if feature.support else 0 for feature in features])
    high = np.array([feature.support["maximum"] if feature.support else 1 for feature in features])
    matrix = rng.uniform(low - 0.2 * (high - low), high + 0.2 * (high - low), (rows, len(features)))
    whole = [k for k, feature in enumerate(features) if feature.type == "integer"]
    matrix[:, whole] = matrix[:, whole].round()
    matrix = np.maximum(matrix, [feature.minimum for feature in features])
    return np.minimum(matrix, [feature.maximum for feature in features]).tolist()


def extreme_rows() -> Vectors:
    """The sound row with each feature at its limits, at zero, and on, under and over each of its thresholds."""
    trees = json.loads(artefact().contents["model.json"])["learner"]["gradient_booster"]["model"]["trees"]
    thresholds: list[set[float]] = [set() for _ in FEATURES]
    for tree in trees:
        for feature, value, left in zip(
            tree["split_indices"], tree["split_conditions"], tree["left_children"], strict=True
        ):
            if left != -1:
                thresholds[feature].add(value)
    rows = []
    for k, found in enumerate(thresholds):
        near = [np.nextafter(np.float32(value), np.float32(way)) for value in found for way in (-np.inf, value, np.inf)]
        for value in (0.0, -0.0, 5e-324, 1e-45, -FLOAT32_MAX, FLOAT32_MAX, 999.0, *near):
            row = list(map(float, FEATURES.values()))
            row[k] = float(value)
            rows.append(row)
    return rows


@pytest.mark.parametrize("rows", [golden, lambda: random_rows(2000), extreme_rows], ids=["golden", "random", "extreme"])
def test_both_engines_give_the_same_margin_to_the_last_bit(rows: Callable[[], Vectors]) -> None:
    vectors = rows()
    by_twin = model().margins(vectors, "twin")
    assert by_twin == model().margins(vectors, "joblib")
    assert {type(margin) for margin in by_twin} == {float}
    assert all(map(math.isfinite, by_twin))


@pytest.mark.parametrize("rows", [golden, lambda: random_rows(500), extreme_rows], ids=["golden", "random", "extreme"])
def test_a_prepared_model_gives_the_same_numbers_to_the_last_bit(rows: Callable[[], Vectors]) -> None:
    vectors, fresh, prepared = rows(), Model(artefact(), "twin"), Model(artefact(), "twin")
    prepared.prepare()
    margins = fresh.margins(vectors, "twin")
    assert prepared.margins(vectors, "twin") == margins
    assert prepared.contributions(vectors, margins) == fresh.contributions(vectors, margins)


def test_every_committed_event_gets_the_same_answer_from_either_engine() -> None:
    events = [json.loads(path.read_text(encoding="utf-8")) for path in COMMITTED] + [EVENT]
    for one in events:
        by_twin, by_joblib, by_either = (engine(choice).answer(one) for choice in ("twin", "joblib", "auto"))
        assert by_twin["outcome"] in ("scored", "refer")
        assert by_twin | {"engine": "joblib"} == by_joblib
        assert by_twin == by_either


@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_every_row_the_contract_takes_gets_one_probability(data: st.DataObject) -> None:
    row = {
        feature.name: data.draw(
            st.integers(int(max(feature.minimum, -(2**40))), int(min(feature.maximum, 2**40)))
            if feature.type == "integer"
            else st.floats(feature.minimum, feature.maximum)
        )
        for feature in artefact().contract.features
    }
    by_twin, by_joblib = (engine(choice).answer({"features": row}) for choice in ("twin", "joblib"))
    assert by_twin | {"engine": "joblib"} == by_joblib
    assert 0 <= by_twin["probability"] <= 1


def test_the_answer_names_the_engine_that_computed_it() -> None:
    few, many = (engine(choice).answer([EVENT] * 3) for choice in ("twin", "joblib"))
    assert {row["engine"] for row in few} == {"twin"}
    assert {row["engine"] for row in many} == {"joblib"}
    assert few[0] | {"engine": "joblib"} == many[0]


def test_the_probability_is_the_estimators_own() -> None:
    vectors = random_rows(200)
    own = model().estimator().predict_proba(np.array(vectors, dtype=np.float32))[:, 1]
    ours = [logistic(margin) for margin in model().margins(vectors, "twin")]
    assert ours == pytest.approx(own.tolist(), rel=1e-6)


@pytest.mark.parametrize("rows", [golden, lambda: random_rows(300)], ids=["golden", "random"])
def test_contributions_add_up_to_the_margin_and_are_xgboosts_own(rows: Callable[[], Vectors]) -> None:
    vectors = rows()
    margins = model().margins(vectors, "twin")
    found = model().contributions(vectors, margins)
    base, expected = contributions("xgboost", model().estimator(), vectors)
    assert [base + math.fsum(parts) for parts in found] == pytest.approx(margins, abs=ADDITIVITY)
    assert np.array(found) == pytest.approx(np.array(expected), abs=ADDITIVITY)


def test_contributions_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(ArtefactRefused, match=r"^credit_risk: the contributions don't add up to the margin$"):
        model().contributions(golden(), [margin + 0.001 for margin in model().margins(golden(), "twin")])


def with_manifest(**changes: Any) -> Artefact:
    """The trained model, its bytes as they are and its manifest changed after the checks."""
    sound = artefact()
    return Artefact(sound.folder, sound.manifest | changes, sound.manifest_sha256, sound.contents)


def moved(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The golden rows, the last one's margin moved by one bit."""
    *others, last = rows
    return [*others, last | {"margin": math.nextafter(last["margin"], 9)}]


@pytest.mark.parametrize("choice", ["twin", "auto", "joblib"])
def test_a_model_whose_golden_margins_moved_does_not_start(choice: str) -> None:
    rows = artefact().manifest["golden"]
    with pytest.raises(ArtefactRefused) as raised:
        Model(with_manifest(golden=moved(rows)), choice)
    margin = rows[-1]["margin"]
    assert raised.value.message == (
        f"credit_risk: golden row {len(rows) - 1} has margin {margin!r} by the twin engine,"
        f" but {math.nextafter(margin, 9)!r} in its manifest"
    )


def test_a_model_without_a_twin_starts_with_its_estimator_or_not_at_all() -> None:
    alone = Model(with_manifest(engines=["joblib"]))
    assert alone.engine_for(1) == "joblib"
    with pytest.raises(ArtefactRefused, match=r"golden row \d+ has margin .* by the joblib engine"):
        Model(with_manifest(engines=["joblib"], golden=moved(artefact().manifest["golden"])))


def test_an_estimator_refused_once_is_refused_for_good() -> None:
    served = Model(artefact())
    served.artefact = with_manifest(golden=moved(artefact().manifest["golden"]))  # as if only the estimator had moved
    for _ in range(2):
        with pytest.raises(ArtefactRefused, match="by the joblib engine"):
            served.margins(golden(), "joblib")


def test_a_model_without_a_twin_explains_itself_by_its_estimator() -> None:
    alone = Model(with_manifest(engines=["joblib"]))
    margins = alone.margins(golden(), "joblib")
    assert margins == model().margins(golden(), "twin")
    assert np.array(alone.contributions(golden(), margins)) == pytest.approx(
        np.array(model().contributions(golden(), margins)), abs=ADDITIVITY
    )


@pytest.mark.parametrize(
    ("engines", "choice", "sentence"),
    [
        (["twin", "joblib"], "fast", "the engine must be one of auto, joblib, twin"),
        (["joblib"], "twin", "credit_risk has no twin, only joblib serves it"),
    ],
)
def test_an_engine_that_cannot_be_is_refused(engines: list[str], choice: str, sentence: str) -> None:
    with pytest.raises(NotConfigured) as raised:
        Model(with_manifest(engines=engines), choice)
    assert (raised.value.message, raised.value.field) == (sentence, "RISKSCORE_ENGINE")


def with_file(name: str, content: bytes) -> Artefact:
    """The trained model with another file in the place of one, and without the packed twin, which is read first."""
    sound = artefact()
    contents = {file: data for file, data in sound.contents.items() if file != "trees.bin"}
    return Artefact(sound.folder, sound.manifest, sound.manifest_sha256, contents | {name: content})


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("model.json", b"", "credit_risk/model.json is refused: "),
        ("model.json", b"\xff", "credit_risk/model.json is refused: "),
        ("model.json", b"[" * 100_000, "credit_risk/model.json is refused: "),
        ("model.json", b"[]", "credit_risk/model.json is refused: the model file is broken"),
        ("model.json", b'{"format": "other"}', "credit_risk/model.json is refused: the twin reads"),
        (
            "model.json",
            b'{"format": "riskscore-linear-1", "intercept": 0, "coefficients": [1]}',
            "credit_risk: the twin takes 1 columns, its manifest makes 13",
        ),
        ("trees.bin", b"", "credit_risk/trees.bin is refused: the packed twin is broken"),
        ("trees.bin", b"{}", "credit_risk/trees.bin is refused: the packed twin is broken"),
        ("contributions.bin", b"", "credit_risk/contributions.bin is refused: the contributions file is broken"),
        ("contributions.bin", b"{}", "credit_risk/contributions.bin is refused: the contributions file is broken"),
    ],
)
def test_a_file_of_the_twin_that_is_whole_and_yet_broken_is_refused(name: str, content: bytes, sentence: str) -> None:
    with pytest.raises(ArtefactRefused) as raised:
        Model(with_file(name, content))
    assert raised.value.message.startswith(sentence)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"estimator": {"family": "lightgbm", "class": "xgboost.sklearn.XGBClassifier"}},
            "credit_risk/manifest.json: estimator.family is 'lightgbm', none of ",
        ),
        (
            {"golden": [{"vector": [1.0], "margin": 0.0}]},
            "credit_risk: the joblib engine can't score the golden rows: ",
        ),
    ],
)
def test_an_estimator_that_cannot_score_its_golden_rows_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ArtefactRefused) as raised:
        Model(with_manifest(engines=["joblib"], **changes))
    assert raised.value.message.startswith(sentence)


def test_a_linear_model_is_served_by_the_same_engine(small_loans: Model) -> None:
    row = {"amount": 2000, "term": 24, "secured": False}
    scored = engine(small_loans=small_loans).answer({"model": "small_loans", "loan_id": "L1", "features": row})
    margin = -1.0 + 0.001 * 2000 + 0.02 * 24
    assert scored["probability"] == pytest.approx(logistic(margin))
    assert [reason["feature"] for reason in scored["reasons"]] == ["amount", "term"]
    assert math.fsum(reason["contribution"] for reason in scored["reasons"]) == pytest.approx(margin + 1.0)
    assert scored["model_version"] == SMALL["version"]


def test_a_large_value_is_explained_as_exactly_as_doubles_can(small_loans: Model) -> None:
    vectors = [[factor * 10.0**power, 7.3, 1.0] for power in range(12, 38) for factor in (1.1, 2.7, 3.3)]
    margins = small_loans.margins(vectors, "twin")
    assert [math.fsum(parts) for parts in small_loans.contributions(vectors, margins)] == pytest.approx(margins)


def test_a_missing_value_in_a_golden_row_is_null_in_the_manifest(small_loans: Model) -> None:
    with pytest.raises(ArtefactRefused, match=r"^small_loans: the twin engine can't score the golden rows: a linear"):
        Model(
            Artefact(
                small_loans.artefact.folder,
                small_loans.artefact.manifest | {"golden": [{"vector": [None, 1.0, 1.0], "margin": 0.0}]},
                small_loans.artefact.manifest_sha256,
                small_loans.artefact.contents,
            )
        )
