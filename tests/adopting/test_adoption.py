"""Adoption: what somebody trained answers as it did there, or is refused in one sentence, and nothing is written."""

from __future__ import annotations

import json
import math
import os
import pickle
import pty
import subprocess
import sys
import tomllib
import warnings
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import pytest
import xgboost as xgb
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from riskscore.adopting.adoption import adopt
from riskscore.artefact.artefact import list_models, open_artefact
from riskscore.errors import InvalidFile
from riskscore.scoring.engine import Engine
from riskscore.scoring.estimators import margins
from riskscore.scoring.model import Model
from riskscore.twin import trees
from tests.scoring_examples import ROOT
from tests.training_examples import COLUMNS, NOW, REASONS_TOML, rows, write_csv

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from riskscore.adopting.adoption import Adopted

CONTRACT = """
ids = ["customer_id"]
threshold = 0.4
[refer]
warnings = ["outside_support"]
[[features]]
name = "inflow"
minimum = 0
description = "money that came in"
[[features]]
name = "late"
type = "integer"
minimum = 0
maximum = 50
[[features]]
name = "share"
minimum = 0
maximum = 1
"""
NULLABLE = CONTRACT.replace('name = "share"', 'name = "share"\nnullable = true')
NAMES = ["inflow", "late", "share"]
LINES = [[cell if cell != "" else 0.5 for cell in line] for line in rows(80)]
X = np.array([line[1:4] for line in LINES], dtype=float)
Y = np.array([line[4] for line in LINES], dtype=int)
HOLED = np.where(np.random.default_rng(1).random(X.shape) < [0, 0, 0.2], np.nan, X)


def boosted(**parameters: Any) -> Any:
    return xgb.XGBClassifier(n_estimators=8, max_depth=3, n_jobs=1, **parameters)


def fitted(estimator: Any, matrix: Any = X, labels: Any = Y, **options: Any) -> Any:
    with warnings.catch_warnings(action="ignore"):
        return estimator.fit(matrix, labels, **options)


def booster(names: list[str] | None = None, **parameters: Any) -> Any:
    return xgb.train(
        {"objective": "binary:logistic", "nthread": 1, **parameters}, xgb.DMatrix(X, Y, feature_names=names), 8
    )


def stopped_early() -> Any:
    estimator = xgb.XGBClassifier(n_estimators=60, n_jobs=1, early_stopping_rounds=3)
    return fitted(estimator, X[:60], Y[:60], eval_set=[(X[60:], Y[60:])], verbose=False)


def with_categories() -> Any:
    estimator = boosted(feature_types=["q", "c", "q"], enable_categorical=True, max_cat_to_onehot=1)
    return fitted(estimator, X, (X[:, 1] % 2).astype(int))


def write(path: Path, estimator: Any) -> Path:
    """As somebody would: by joblib, by pickle, or by XGBoost itself, as the name of the file says."""
    if path.suffix == ".joblib":
        joblib.dump(estimator, path, compress=3)
    elif path.suffix == ".pkl":
        path.write_bytes(pickle.dumps(estimator))
    else:
        estimator.save_model(path)
    return path


def trusting(_file: str, _listing: object) -> bool:
    return True


def adopted(
    root: Path, file: Path, contract: str = CONTRACT, name: str = "theirs", data: Path | None = None
) -> tuple[Adopted, Path]:
    (root / "contract.toml").write_text(contract)
    models = root / "model"
    return adopt(name, file, root / "contract.toml", models, NOW, trusting, data), models / name


def answers(folder: Path, matrix: Any, choice: str = "auto") -> list[Any]:
    model = Model(open_artefact(str(folder)), choice)
    events = [
        {name: None if math.isnan(value) else value for name, value in zip(NAMES, row, strict=True)}
        for row in np.asarray(matrix).tolist()
    ]
    return Engine(lambda _name: model, model.name, lambda _model, _keys: []).score(
        [{**event, "customer_id": "A"} for event in events]
    )


# Whatever it was, it answers as it did

TWIN, JOBLIB = ["twin", "joblib"], ["joblib"]
KINDS: dict[str, tuple[Callable[[], Any], str, str, list[str]]] = {
    "XGBClassifier": (lambda: fitted(boosted()), "m.joblib", "xgboost", TWIN),
    "XGBClassifier pickled": (lambda: fitted(boosted()), "m.pkl", "xgboost", TWIN),
    "XGBClassifier saved": (lambda: fitted(boosted()), "m.json", "xgboost", TWIN),
    "XGBRFClassifier": (lambda: fitted(xgb.XGBRFClassifier(n_estimators=5, n_jobs=1)), "m.joblib", "xgboost", TWIN),
    "stopped early": (stopped_early, "m.joblib", "xgboost", TWIN),
    "Booster .json": (booster, "m.json", "xgboost", TWIN),
    "Booster .ubj": (lambda: booster(NAMES), "m.ubj", "xgboost", TWIN),
    "Booster pickled": (lambda: booster(NAMES), "m.pkl", "xgboost", TWIN),
    "reg:logistic": (lambda: booster(objective="reg:logistic"), "m.json", "xgboost", JOBLIB),
    "DART": (lambda: fitted(boosted(booster="dart", rate_drop=0.5)), "m.joblib", "xgboost", JOBLIB),
    "categories": (with_categories, "m.joblib", "xgboost", JOBLIB),
    "gblinear": (
        lambda: fitted(xgb.XGBClassifier(n_estimators=8, n_jobs=1, booster="gblinear")),
        "m.joblib",
        "sklearn",
        JOBLIB,
    ),
    "LogisticRegression": (lambda: fitted(LogisticRegression()), "m.joblib", "logistic", TWIN),
    "scaled": (lambda: fitted(make_pipeline(StandardScaler(), LogisticRegression())), "m.pkl", "logistic", TWIN),
    "forest": (lambda: fitted(RandomForestClassifier(9, random_state=1)), "m.joblib", "sklearn", JOBLIB),
    "tree": (lambda: fitted(DecisionTreeClassifier()), "m.joblib", "sklearn", JOBLIB),
    "bools": (lambda: fitted(GaussianNB(), X, Y == 1), "m.joblib", "sklearn", JOBLIB),
    "neighbours": (lambda: fitted(KNeighborsClassifier()), "m.joblib", "sklearn", JOBLIB),
    "calibrated": (lambda: fitted(CalibratedClassifierCV(GaussianNB())), "m.joblib", "sklearn", JOBLIB),
    "pipeline": (lambda: fitted(make_pipeline(StandardScaler(), boosted())), "m.joblib", "sklearn", JOBLIB),
    "SGD": (
        lambda: fitted(make_pipeline(StandardScaler(), SGDClassifier(loss="log_loss", random_state=1))),
        "m.joblib",
        "sklearn",
        JOBLIB,
    ),
}


def own_probabilities(estimator: Any, matrix: Any) -> list[float]:
    if isinstance(estimator, xgb.Booster):
        return estimator.inplace_predict(np.asarray(matrix, dtype=np.float32)).tolist()
    found: list[float] = estimator.predict_proba(matrix)[:, 1].tolist()
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_it_answers_what_the_estimator_itself_predicts(tmp_path: Path, kind: str) -> None:
    make, file, family, engines = KINDS[kind]
    estimator = make()
    result, folder = adopted(tmp_path, write(tmp_path / file, estimator))
    assert (result.manifest["estimator"]["family"], result.manifest["engines"]) == (family, engines)
    assert bool(result.twin_lacks) == (engines == JOBLIB)
    for engine in engines:
        found = answers(folder, X, engine)
        assert [row["probability"] for row in found] == pytest.approx(own_probabilities(estimator, X), abs=1e-6)
        assert {row["engine"] for row in found} == {engine}
        assert any(row["reasons"] for row in found) == result.manifest["explains"] == (family != "sklearn")
    if engines == TWIN:
        model = Model(open_artefact(str(folder)))
        assert model.margins(X.tolist(), "twin") == model.margins(X.tolist(), "joblib")


@pytest.mark.parametrize("estimator", [boosted(), HistGradientBoostingClassifier(max_iter=5)])
def test_a_missing_value_is_scored_as_the_estimator_scores_it(tmp_path: Path, estimator: Any) -> None:
    estimator = fitted(estimator, HOLED)
    _, folder = adopted(tmp_path, write(tmp_path / "m.joblib", estimator), NULLABLE)
    found = [row["probability"] for row in answers(folder, HOLED)]
    assert found == pytest.approx(own_probabilities(estimator, HOLED), abs=1e-6)


def test_a_value_of_its_own_for_missing_is_left_to_the_estimator(tmp_path: Path) -> None:
    estimator = fitted(boosted(missing=0.0))
    result, folder = adopted(tmp_path, write(tmp_path / "m.joblib", estimator))
    assert result.twin_lacks == "the estimator takes 0 for a missing value, the twin null alone"
    found = [row["probability"] for row in answers(folder, X)]
    assert found == pytest.approx(own_probabilities(estimator, X), abs=1e-6)


class Cautious(xgb.XGBClassifier):
    """Predicts otherwise than its margins say."""

    def predict_proba(self, matrix: Any, **options: Any) -> Any:
        return super().predict_proba(matrix, **options) * 0.5


def test_margins_are_used_only_where_they_give_its_own_probabilities(tmp_path: Path) -> None:
    estimator = fitted(Cautious(n_estimators=3, n_jobs=1))
    result, folder = adopted(tmp_path, write(tmp_path / "m.joblib", estimator))
    assert result.manifest["estimator"]["family"] == "sklearn"
    assert result.notes[-1] == "its probabilities are not the logistic of its xgboost margins"
    found = [row["probability"] for row in answers(folder, X)]
    assert found == pytest.approx(own_probabilities(estimator, X), abs=1e-6)


@pytest.mark.parametrize(
    ("probability", "margin"),
    [(0.0, -750.0), (1.0, 750.0), (0.5, 0.0), (5e-324, -744.4400719213812), (1 - 2**-53, 36.7368005696771)],
)
def test_log_odds_of_any_probability_are_finite_and_give_it_back(probability: float, margin: float) -> None:
    class Certain:
        classes_ = np.array([0, 1])

        def predict_proba(self, matrix: Any) -> Any:
            return np.array([[1 - probability, probability]] * len(matrix))

    (found,) = margins("sklearn", Certain(), [[1.0]])
    assert found == pytest.approx(margin)
    assert trees.logistic(found) == pytest.approx(probability, rel=1e-12)


def test_the_positive_class_is_the_one_that_is_called_1(tmp_path: Path) -> None:
    estimator = fitted(KNeighborsClassifier())
    expected = own_probabilities(estimator, X)
    estimator.classes_, estimator._y = np.array([1, 0]), 1 - estimator._y
    _, folder = adopted(tmp_path, write(tmp_path / "m.pkl", estimator))
    assert [row["probability"] for row in answers(folder, X)] == pytest.approx(expected, abs=1e-6)


# What is written


def test_it_is_a_model_like_any_other(tmp_path: Path) -> None:
    result, folder = adopted(tmp_path, write(tmp_path / "m.joblib", fitted(boosted())))
    assert list_models(str(folder.parent)) == ["theirs"]
    assert sorted(path.name for path in folder.iterdir()) == [
        *("MODEL_CARD.md", "contributions.bin", "manifest.json", "model.joblib", "model.json"),
        *("model.toml", "reasons.toml", "trees.bin"),
    ]
    manifest = open_artefact(str(folder)).manifest
    assert manifest["version"] == result.manifest["version"]
    assert manifest["version"].startswith("2025.09.01+")
    assert manifest["threshold"] == 0.4
    assert len(manifest["golden"]) == 12
    assert tomllib.loads((folder / "model.toml").read_text())["estimator"] == {"family": "xgboost"}


def test_the_function_serves_it_by_its_name(tmp_path: Path) -> None:
    estimator = fitted(LogisticRegression())
    _, folder = adopted(tmp_path, write(tmp_path / "m.joblib", estimator))
    script = (
        "import json; from lambda_function import lambda_handler\n"
        "event = {'model': 'theirs', 'customer_id': 'A', 'inflow': 100.0, 'late': 2, 'share': 0.5}\n"
        "print(json.dumps(lambda_handler(event, None)))"
    )
    environ = {"PATH": os.environ["PATH"], "RISKSCORE_MODEL_URI": str(folder.parent), "RISKSCORE_MODEL": "theirs"}
    shown = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
    assert shown.returncode == 0, shown.stderr
    answer = json.loads(shown.stdout)
    assert answer["probability"] == pytest.approx(own_probabilities(estimator, [[100.0, 2.0, 0.5]])[0], abs=1e-6)
    assert (answer["model"], answer["engine"], answer["outcome"]) == ("theirs", "twin", "scored")


@pytest.mark.parametrize(
    ("estimator", "packages"),
    [
        (boosted(), {"xgboost"}),
        (LogisticRegression(), {"scikit-learn"}),
        (make_pipeline(StandardScaler(), boosted()), {"scikit-learn", "xgboost"}),
    ],
)
def test_the_versions_that_the_pickle_needs_are_recorded(tmp_path: Path, estimator: Any, packages: set[str]) -> None:
    result, _ = adopted(tmp_path, write(tmp_path / "m.joblib", fitted(estimator)))
    assert set(result.manifest["versions"]) == {"python", "numpy", "joblib"} | packages
    assert set(result.manifest["adopted"]["written_with"]) == packages


def test_reasons_are_written_from_descriptions_where_nobody_wrote_them(tmp_path: Path) -> None:
    _, folder = adopted(tmp_path, write(tmp_path / "m.joblib", fitted(boosted())))
    text = (folder / "reasons.toml").read_text()
    assert "Read every sentence over" in text
    assert tomllib.loads(text)["inflow"] == {
        "code": "R01",
        "direction": "either",
        "high": "Money that came in: high",
        "low": "Money that came in: low",
        "missing": "Money that came in: not known",
    }


def test_clients_who_would_not_know_whom_to_look_at_are_noted(tmp_path: Path) -> None:
    hiding = CONTRACT + '[response.fields]\np = "probability"\n'
    result, folder = adopted(tmp_path, write(tmp_path / "m.joblib", fitted(boosted())), hiding)
    assert result.notes[-1] in (folder / "MODEL_CARD.md").read_text()
    assert "clients can't tell which" in result.notes[-1]


def test_texts_by_people_are_kept(tmp_path: Path) -> None:
    file = write(tmp_path / "m.joblib", fitted(boosted()))
    (tmp_path / "reasons.toml").write_text(REASONS_TOML)
    result, folder = adopted(tmp_path, file)
    assert result.manifest["reasons"]["late"]["high"] == "High"
    (tmp_path / "reasons.toml").unlink()
    adopted(tmp_path, file)
    assert (folder / "reasons.toml").read_text() == REASONS_TOML


def test_no_reasons_are_made_up(tmp_path: Path) -> None:
    _, folder = adopted(tmp_path, write(tmp_path / "m.joblib", fitted(GaussianNB())))
    assert [row["reasons"] for row in answers(folder, X[:3])] == [[], [], []]
    assert "none are made up" in (folder / "MODEL_CARD.md").read_text()


def test_without_data_nothing_is_outside_what_it_saw(tmp_path: Path) -> None:
    _, folder = adopted(tmp_path, write(tmp_path / "m.joblib", fitted(boosted())))
    (answer,) = answers(folder, [[1e9, 50, 0.5]])
    assert (answer["outcome"], answer["warnings"]) == ("scored", [])
    assert "no row is ever marked" in (folder / "MODEL_CARD.md").read_text()


def test_given_data_are_support_and_figures_called_what_they_are(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "given.csv", LINES)
    result, folder = adopted(tmp_path, write(tmp_path / "m.joblib", fitted(boosted())), data=data)
    (answer,) = answers(folder, [[1e9, 50, 0.5]])
    assert [(entry["rule"], entry["feature"]) for entry in answer["warnings"]] == [
        ("outside_support", "inflow"),
        ("outside_support", "late"),
    ]
    assert answer["outcome"] == "refer"
    assert "not cross-validated" in result.manifest["metrics"]["method"]
    assert set(result.manifest["metrics"]["on_given_data"]) == {"auc", "pr_auc", "brier", "log_loss", "ece"}
    assert "not cross-validated" in (folder / "MODEL_CARD.md").read_text()


def test_given_data_give_the_card_of_a_committee_that_says_what_it_is_of(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "given.csv", LINES)
    result, folder = adopted(tmp_path, write(tmp_path / "m.joblib", fitted(boosted())), data=data)
    card = json.loads((folder / "card.json").read_text())
    figures = result.manifest["metrics"]["on_given_data"]
    assert card["performance"]["auc"]["mean"] == pytest.approx(figures["auc"], abs=1e-6)
    assert "in-sample where it was trained on them" in card["basis"]
    assert f"**Warning:** {card['warnings'][0]}." in (folder / "MODEL_CARD.md").read_text()
    for file in ("card.html", "card.pdf"):
        assert (folder / file).stat().st_size < 300_000
    adopted(tmp_path, tmp_path / "m.joblib")  # again, without rows: no card of the former ones stays
    assert not [*folder.glob("card.*")]


def test_given_data_may_lack_the_label(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "given.csv", [line[:4] for line in LINES], COLUMNS[:4])
    result, _ = adopted(tmp_path, write(tmp_path / "m.joblib", fitted(boosted())), data=data)
    assert result.manifest["metrics"] == {}
    assert result.manifest["adopted"]["data"]["rows"] == 80


def test_labels_are_read_in_the_words_of_the_contract(tmp_path: Path) -> None:
    plain = write_csv(tmp_path / "plain.csv", LINES)
    in_words = write_csv(tmp_path / "given.csv", [[*line[:4], "Charged Off" if line[4] else "paid"] for line in LINES])
    file = write(tmp_path / "m.joblib", fitted(boosted()))
    contract = CONTRACT + '\n[source]\ntarget = "label"\npositive = ["charged off"]\nnegative = ["Paid"]\n'
    assert "given.csv, line 2: label must be 0 or 1" in refused(tmp_path, file, data=in_words)
    by_words, _ = adopted(tmp_path, file, contract, "words", in_words)
    by_numbers, _ = adopted(tmp_path, file, data=plain)
    assert by_words.manifest["metrics"]["on_given_data"] == by_numbers.manifest["metrics"]["on_given_data"]


def test_no_golden_row_is_somebodys(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "given.csv", LINES)
    result, _ = adopted(tmp_path, write(tmp_path / "m.joblib", fitted(boosted())), data=data)
    assert not {tuple(row["vector"]) for row in result.manifest["golden"]} & set(map(tuple, X.tolist()))


# What is refused, in one sentence, with nothing written


def refused(tmp_path: Path, file: Path, contract: str = CONTRACT, **options: Any) -> str:
    with pytest.raises(InvalidFile) as found:
        adopted(tmp_path, file, contract, **options)
    assert not (tmp_path / "model").exists()
    assert "\n" not in found.value.message
    return found.value.message


Y3 = np.arange(len(Y)) % 3
NOT_MODELS: dict[str, tuple[Callable[[], Any], str]] = {
    "regressor": (lambda: fitted(LinearRegression()), "m.pkl holds a LinearRegression, which has no predict_proba"),
    "XGBRegressor": (lambda: fitted(xgb.XGBRegressor(n_estimators=1)), "m.pkl holds a XGBRegressor, which has no"),
    "Booster": (lambda: booster(objective="reg:squarederror"), "has the objective reg:squarederror, which gives no"),
    "three classes": (lambda: fitted(LogisticRegression(), X, Y3), "m.pkl has 3 classes"),
    "three in XGBoost": (lambda: fitted(boosted(), X, Y3), "m.pkl has 3 classes"),
    "one class": (lambda: fitted(DecisionTreeClassifier(), X, Y * 0), "m.pkl has 1 classes"),
    "1 and 2": (
        lambda: fitted(LogisticRegression(), X, Y + 1),
        "must be 0 and 1, and are 1 and 2",
    ),
    "texts": (
        lambda: fitted(GaussianNB(), X, np.where(Y, "b", "g")),
        "must be 0 and 1, and are 'b' and 'g'",
    ),
    "many outputs": (
        lambda: fitted(MultiOutputClassifier(LogisticRegression()), X, np.c_[Y, 1 - Y]),
        "classes",
    ),
    "unfitted": (LogisticRegression, "m.pkl holds a LogisticRegression that isn't fitted to two classes"),
    "unfitted in XGBoost": (boosted, "m.pkl holds a XGBClassifier that isn't fitted to two classes"),
    "no probabilities": (lambda: fitted(SVC()), "m.pkl holds a SVC, which has no predict_proba"),
    "a dict": (lambda: {"model": fitted(boosted())}, "m.pkl holds a dict, which has no predict_proba"),
    "an array": (lambda: np.arange(3), "m.pkl holds a ndarray, which has no predict_proba"),
    "two columns": (lambda: fitted(boosted(), X[:, :2]), "m.pkl takes 2 features, but the contract names 3"),
    "two columns in sklearn": (lambda: fitted(GaussianNB(), X[:, :2]), "takes 2 features, but the contract names 3"),
    "other names": (lambda: booster(["inflow", "late", "other"]), "'other', which is not one of the contract's; it"),
    "another order": (
        lambda: booster(["late", "inflow", "share"]),
        "feature 1 is 'late', not 'inflow'; put the contract's",
    ),
}


@pytest.mark.parametrize("kind", NOT_MODELS)
def test_what_is_no_model_of_the_contract_is_refused(tmp_path: Path, kind: str) -> None:
    make, sentence = NOT_MODELS[kind]
    assert sentence in refused(tmp_path, write(tmp_path / "m.pkl", make()))


def test_a_data_frames_names_are_compared_too(tmp_path: Path) -> None:
    estimator = fitted(LogisticRegression())
    estimator.feature_names_in_ = np.array(["share", "late", "inflow"], dtype=object)
    assert "feature 1 is 'share', not 'inflow'" in refused(tmp_path, write(tmp_path / "m.joblib", estimator))


def test_an_adopted_model_has_no_encoding_of_ours(tmp_path: Path) -> None:
    category = CONTRACT.replace('name = "share"', 'name = "share"\ntype = "category"\nvalues = ["a", "b"]')
    sentence = "an adopted model takes each feature as one number"
    assert sentence in refused(tmp_path, write(tmp_path / "m.joblib", fitted(LogisticRegression())), category)


def test_an_estimator_that_takes_no_missing_value_fits_no_nullable_feature(tmp_path: Path) -> None:
    file = write(tmp_path / "m.joblib", fitted(GaussianNB()))
    assert "can't score a missing value, but the contract makes share nullable" in refused(tmp_path, file, NULLABLE)


JSON = bytes(booster().save_raw("json"))
UBJ = bytes(booster().save_raw("ubj"))
PICKLE = pickle.dumps(fitted(GaussianNB()))


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "neither a pickle"),
        (b"id,label\n1,2\n", "neither a pickle"),
        (PICKLE[:200], "broken or truncated pickle"),
        (b"{", "isn't an XGBoost model"),
        (b"{}", "isn't an XGBoost model"),
        (b"[1]", "neither a pickle"),
        (b'{"learner": {}}', "isn't an XGBoost model"),
        (JSON[:500], "isn't an XGBoost model"),
        (UBJ[:500], "isn't an XGBoost model"),
        (JSON.replace(b'"left_children":[1', b'"left_children":[999'), "isn't an XGBoost model"),
        (JSON.replace(b'"split_indices":[', b'"split_indices":[7'), "isn't an XGBoost model"),
        (JSON.replace(b'"parents":[2147483647,0', b'"parents":[2147483647,999'), "isn't an XGBoost model"),
        (JSON.replace(b'"split_type":[0', b'"split_type":[3'), "isn't an XGBoost model"),
        (JSON.replace(b'"base_weights":[', b'"base_weights":[1,'), "isn't an XGBoost model"),
        (JSON.replace(b'"iteration_indptr":[0', b'"iteration_indptr":[-9'), "isn't an XGBoost model"),
        (JSON.replace(b'"version":[3,2,0]', b'"version":[9,1,0]'), "was written with xgboost 9.1.0, but 3.2.0"),
        (UBJ.replace(b"i\3i\2i\0", b"i\4i\0i\1"), "was written with xgboost 4.0.1, but 3.2.0 is installed"),
        (pickle.dumps(booster()).replace(b"i\3i\2i\0", b"i\2i\0i\3"), "was written with xgboost 2.0.3, but 3.2.0"),
        (PICKLE.replace(b"1.9.1", b"1.2.2"), "was written with scikit-learn 1.2.2, but 1.9.1 is installed"),
        (PICKLE.replace(b"GaussianNB", b"GaussianXY"), "can't be loaded (AttributeError)"),
        (PICKLE.replace(b"sklearn.naive_bayes", b"sklearn.naive_bayed"), "needs the package sklearn.naive_bayed"),
    ],
)
def test_a_file_that_is_broken_or_of_another_version_is_refused(tmp_path: Path, data: bytes, sentence: str) -> None:
    (tmp_path / "m.bin").write_bytes(data)
    assert sentence in refused(tmp_path, tmp_path / "m.bin")


def test_an_older_file_of_xgboosts_own_format_is_read_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_bytes(JSON.replace(b'"version":[3,2,0]', b'"version":[2,1,4]'))
    result, _ = adopted(tmp_path, tmp_path / "m.json")
    assert "written with xgboost 2.1.4 and read by 3.2.0, as its file format allows" in result.notes
    assert result.manifest["adopted"]["written_with"] == {"xgboost": "2.1.4"}


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("threshold = 0.4", "", "contract.toml: threshold is missing"),
        ("threshold = 0.4", "threshold = ", "contract.toml is not TOML"),
        ("threshold = 0.4", "thresold = 0.4", "contract.toml: unknown key thresold"),
        ('type = "integer"', 'type = "count"', "contract.toml: feature 'late': type must be"),
        ("[refer]", '[estimator]\nfamily = "logistic"\n[refer]', "estimator.family is 'logistic', but the file holds"),
        ("[refer]", '[calibration]\nmethod = "platt"\n[refer]', "calibration is fitted at training"),
        (
            "[refer]",
            '[source]\ntarget = "y"\nsql = "no.sql"\ntable = "t"\n[refer]',
            "source.sql names no.sql, which isn't there",
        ),
        ("[refer]", '[constraints]\nlate = "down"\n[refer]', "late breaks its direction"),
    ],
)
def test_a_contract_that_doesnt_hold_is_refused(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    file = write(tmp_path / "m.joblib", fitted(boosted()))
    assert sentence in refused(tmp_path, file, CONTRACT.replace(old, new))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("inflow,late,share\n", "given.csv has no rows"),
        ("inflow,late\n1,2\n", "column share is missing"),
        ("inflow,late,share\n1,2,7\n", "given.csv, line 2: share must be between 0 and 1"),
        ("inflow,late,share,label\n1,2,1,2\n", "given.csv, line 2: label must be 0 or 1"),
    ],
)
def test_given_data_that_break_the_contract_are_refused(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "given.csv").write_text(text)
    file = write(tmp_path / "m.joblib", fitted(boosted()))
    assert sentence in refused(tmp_path, file, data=tmp_path / "given.csv")


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "a" * 65, "größe", "a b"])
def test_a_name_that_is_no_name_is_refused(tmp_path: Path, name: str) -> None:
    assert "the name of a model is" in refused(tmp_path, tmp_path / "m.joblib", name=name)


# Trust


class Bomb:
    def __init__(self, target: Path) -> None:
        self.target = str(target)

    def __reduce__(self) -> Any:
        return os.mkdir, (self.target,)


def script(tmp_path: Path, file: Path, *more: str, **options: Any) -> subprocess.CompletedProcess[str]:
    (tmp_path / "contract.toml").write_text(CONTRACT)
    command = [
        *(sys.executable, ROOT / "scripts" / "adopt_model.py", "theirs", "--joblib", file),
        *("--contract", tmp_path / "contract.toml", "--models", tmp_path / "model", *more),
    ]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, **{"stdin": subprocess.DEVNULL, **options}
    )


def test_nothing_of_a_pickle_is_loaded_unless_somebody_trusts_it(tmp_path: Path) -> None:
    (tmp_path / "m.joblib").write_bytes(pickle.dumps([fitted(GaussianNB()), Bomb(tmp_path / "burst")]))
    shown = script(tmp_path, tmp_path / "m.joblib")
    assert (shown.returncode, shown.stdout) == (2, "")
    assert "  ! posix.mkdir\n" in shown.stderr
    assert "    sklearn.naive_bayes.GaussianNB\n" in shown.stderr
    assert shown.stderr.endswith("m.joblib was not loaded: its imports were not confirmed\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["contract.toml", "m.joblib"]


def test_what_is_unusual_is_shown_however_much_is_usual(tmp_path: Path) -> None:
    names = b"".join(b"csklearn.a\nA%d\n0" % k for k in range(150)) + b"".join(b"cb%d\nf\n0" % k for k in range(111))
    (tmp_path / "m.joblib").write_bytes(b"\x80\3" + names + b"cposix\nsystem\n.")
    shown = script(tmp_path, tmp_path / "m.joblib").stderr
    assert shown.count("\n  ! ") == 112
    assert "  ! posix.system\n" in shown
    assert "and 50 more usual ones\n" in shown


def test_a_list_that_nobody_reads_is_refused(tmp_path: Path) -> None:
    names = b"".join(b"cb%d\nf\n0" % k for k in range(1001))
    (tmp_path / "m.joblib").write_bytes(b"\x80\3" + names + b"N.")
    assert "m.joblib has more than 1,000 unusual imports" in refused(tmp_path, tmp_path / "m.joblib")


@pytest.mark.parametrize(("word", "status"), [("y\n", 0), ("\n", 2)])
def test_on_a_terminal_it_asks(tmp_path: Path, word: str, status: int) -> None:
    file = write(tmp_path / "m.joblib", fitted(LogisticRegression()))
    ours, theirs = pty.openpty()
    os.write(ours, word.encode())
    shown = script(tmp_path, file, stdin=theirs)
    os.close(ours)
    os.close(theirs)
    assert shown.returncode == status, shown.stderr
    assert "Load it? [y/N]" in shown.stderr
    assert (tmp_path / "model").exists() == (status == 0)


def test_with_trust_it_says_what_came_of_it(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "given.csv", LINES)
    shown = script(tmp_path, write(tmp_path / "m.joblib", fitted(boosted())), "--trust", "--data", str(data))
    assert shown.returncode == 0, shown.stderr
    artefact = open_artefact(str(tmp_path / "model" / "theirs"))
    for word in (
        artefact.version,
        artefact.manifest_sha256,
        "equal bit for bit",
        "not cross-validated",
        "reasons.toml",
    ):
        assert word in shown.stdout


def test_xgboosts_own_files_need_no_trust(tmp_path: Path) -> None:
    shown = script(tmp_path, write(tmp_path / "m.ubj", booster(NAMES)))
    assert (shown.returncode, shown.stderr) == (0, "")


def test_a_file_that_isnt_there_is_one_sentence(tmp_path: Path) -> None:
    shown = script(tmp_path, tmp_path / "nothing.joblib")
    assert (shown.returncode, shown.stderr.count("\n")) == (2, 1)
    assert shown.stderr.endswith("nothing.joblib: No such file or directory\n")


# All or nothing


def test_adopting_again_replaces_the_artefact_and_all_that_was_its_own(tmp_path: Path) -> None:
    _, folder = adopted(tmp_path, write(tmp_path / "m.joblib", fitted(boosted())))
    (folder / "notes.txt").write_text("by a person")
    (folder / "curves.png").write_bytes(b"of an earlier model")
    adopted(tmp_path, write(tmp_path / "n.joblib", fitted(GaussianNB())))
    assert sorted(path.name for path in folder.iterdir()) == [
        *("MODEL_CARD.md", "manifest.json", "model.joblib", "model.toml", "notes.txt", "reasons.toml")
    ]
    assert open_artefact(str(folder)).manifest["engines"] == ["joblib"]


def test_a_refused_adoption_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    _, folder = adopted(tmp_path, write(tmp_path / "m.joblib", fitted(boosted())))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(InvalidFile):
        adopted(tmp_path, write(tmp_path / "n.joblib", fitted(LinearRegression())))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == ["theirs"]


KILLED_EVERYWHERE = """
import sys
from datetime import datetime, UTC
from pathlib import Path
from riskscore.adopting.adoption import build, write
from riskscore.artefact.artefact import find_model, open_artefact
from tests.killed import at_each_file_event

root = Path(sys.argv[1])
given = "theirs", root / "n.joblib", root / "contract.toml", root / "model", datetime(2026, 1, 1, tzinfo=UTC)

def there():
    return [(path, path.stat().st_ino, path.stat().st_mtime_ns) for path in sorted(root.rglob("*"))]

before = there()
adopted = build(*given, lambda file, listing: True)
assert there() == before

def look():
    artefact = open_artefact(find_model(str(root / "model"), "theirs"))
    print(artefact.version[:4], artefact.manifest["estimator"]["family"])

at_each_file_event(root, lambda: write(root / "model" / "theirs", adopted), look)
"""


def test_adoption_killed_at_any_moment_leaves_an_artefact_that_opens(tmp_path: Path) -> None:
    adopted(tmp_path, write(tmp_path / "m.joblib", fitted(boosted())))
    write(tmp_path / "n.joblib", fitted(LogisticRegression()))
    run = subprocess.run(
        [sys.executable, "-c", KILLED_EVERYWHERE, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    found = run.stdout.splitlines()
    assert len(found) > 20
    assert found == sorted(found)
    assert (found[0], found[-1]) == ("2025 xgboost", "2026 logistic")
