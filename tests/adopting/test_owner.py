"""What an adopted model's file doesn't say is asked of its owner, and his own probabilities settle it."""

from __future__ import annotations

import json
import math
import pickle
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import pytest
import xgboost as xgb
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from riskscore.adopting.adoption import adopt
from riskscore.artefact.artefact import open_artefact
from riskscore.errors import InvalidFile
from riskscore.scoring.engine import Engine
from riskscore.scoring.model import Model
from tests.training_examples import NOW

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from riskscore.adopting.adoption import Adopted

RNG = np.random.default_rng(1)
X = RNG.normal(size=(600, 2)).round(3)
Y = (RNG.uniform(size=600) < 1 / (1 + np.exp(-2 * X[:, 0]))).astype(int)
PLAIN = '{ name = "a" }, { name = "b" }'


def adopted(root: Path, file: Path, features: str = PLAIN, rows: Any = None, **options: Any) -> Adopted:
    """rows: of the features and, where `expected` names it, the owner's probability."""
    contract = root / "contract.toml"
    contract.write_text(f'ids = ["id"]\nthreshold = 0.3\nfeatures = [{features}]\n')
    if rows is not None:
        header = ["a", "b", "p"][: np.shape(rows)[1]]
        np.savetxt(root / "rows.csv", rows, "%.17g", ",", header=",".join(header), comments="")
        options["data"] = root / "rows.csv"
    return adopt("theirs", file, contract, root / "model", NOW, lambda _file, _listing: True, **options)


def refused(root: Path, *arguments: Any, **options: Any) -> str:
    with pytest.raises(InvalidFile) as found:
        adopted(root, *arguments, **options)
    assert not (root / "model").exists()
    assert "\n" not in found.value.message
    return found.value.message


def answers(root: Path, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    model = Model(open_artefact(str(root / "model" / "theirs")), "auto")
    engine = Engine(lambda _name: model, model.name, lambda _model, _keys: [])
    return engine.score([{**event, "id": "A"} for event in events])


def probabilities(root: Path, matrix: Any) -> list[float]:
    rows = [[None if math.isnan(value) else value for value in row] for row in np.asarray(matrix).tolist()]
    return [answer["probability"] for answer in answers(root, [dict(zip("ab", row, strict=True)) for row in rows])]


def saved(path: Path, model: Any) -> Path:
    joblib.dump(model, path) if path.suffix == ".joblib" else model.save_model(path)
    return path


def classifier(**parameters: Any) -> Any:
    return xgb.XGBClassifier(n_estimators=20, max_depth=3, n_jobs=1, **parameters)


# Rounds


def stopped_early(**parameters: Any) -> Any:
    known, seen = (xgb.DMatrix(X[part], Y[part], feature_names=["a", "b"]) for part in (slice(400), slice(400, 600)))
    options = {"objective": "binary:logistic", "nthread": 1, "max_depth": 5, **parameters}
    return xgb.train(options, known, 60, evals=[(seen, "seen")], early_stopping_rounds=8, verbose_eval=False)


@pytest.mark.parametrize("parameters", [{}, {"booster": "dart", "rate_drop": 0.2, "seed": 3}, {"num_parallel_tree": 2}])
@pytest.mark.parametrize("file", ["m.json", "m.ubj", "m.joblib"])
def test_of_a_booster_that_stopped_early_the_rounds_are_asked(tmp_path: Path, file: str, parameters: Any) -> None:
    booster = stopped_early(**parameters)
    best, made = booster.best_iteration + 1, booster.num_boosted_rounds()
    assert best < made
    path = saved(tmp_path / file, booster)
    assert f"its best round was number {best} of {made}, and Booster.predict counts them all" in refused(tmp_path, path)
    for rounds, end in (("all", 0), ("best", best)):
        result = adopted(tmp_path, path, rounds=rounds)
        assert result.notes[0].endswith(f"rounds count, as --rounds {rounds} says")
        own = booster.predict(xgb.DMatrix(X, feature_names=["a", "b"]), iteration_range=(0, end))
        assert probabilities(tmp_path, X) == pytest.approx(own.tolist(), abs=1e-6)


@pytest.mark.parametrize("file", ["m.json", "m.joblib"])
def test_scikit_learns_wrapper_counts_up_to_the_best_round(tmp_path: Path, file: str) -> None:
    model = classifier(early_stopping_rounds=3, learning_rate=1.0)
    model.fit(X[:400], Y[:400], eval_set=[(X[400:], Y[400:])], verbose=False)
    path = saved(tmp_path / file, model)
    assert "as in XGBClassifier's predict_proba; Booster.predict counts all" in adopted(tmp_path, path).notes[0]
    assert probabilities(tmp_path, X) == pytest.approx(model.predict_proba(X)[:, 1].tolist(), abs=1e-6)
    adopted(tmp_path, path, rounds="all")
    own = model.get_booster().predict(xgb.DMatrix(X), iteration_range=(0, 0))
    assert probabilities(tmp_path, X) == pytest.approx(own.tolist(), abs=1e-6)


def test_rounds_that_say_nothing_are_refused(tmp_path: Path) -> None:
    assert "--rounds doesn't apply" in refused(
        tmp_path, saved(tmp_path / "m.json", classifier().fit(X, Y)), rounds="best"
    )
    forest = saved(tmp_path / "m.joblib", GaussianNB().fit(X, Y))
    assert "--rounds is for models of XGBoost" in refused(tmp_path, forest, rounds="all")


def test_a_best_round_that_is_no_number_is_refused(tmp_path: Path) -> None:
    booster = stopped_early()
    booster.set_attr(best_iteration="five")
    assert "has a best_iteration that isn't a number" in refused(tmp_path, saved(tmp_path / "m.joblib", booster))


# The code for missing

ASKED = '{{ name = "a", nullable = true, missing = [{0}] }}, {{ name = "b", nullable = true, missing = [{0}] }}'


def coded(code: float) -> tuple[Any, Any]:
    """Rows with a code for missing, and an estimator that was told of it."""
    rows = np.where(np.random.default_rng(2).uniform(size=X.shape) < 0.2, code, np.abs(X))
    return rows, classifier(missing=code).fit(rows, Y)


@pytest.mark.parametrize("code", [-999.0, 999.0, -1.0, 0.0, 99999.0])
@pytest.mark.parametrize("file", ["m.json", "m.ubj"])
def test_a_code_that_the_file_lost_is_asked_and_then_taken(tmp_path: Path, code: float, file: str) -> None:
    rows, model = coded(code)
    path = saved(tmp_path / file, model)
    assert f"{file} had missing values of a in training" in refused(tmp_path, path)
    sentence = refused(tmp_path, path, rows=rows)
    seen = int((rows[:, 0] == code).sum())
    assert (f"{code:g} on {seen:,} rows in file rows.csv" in sentence) == (code != 0)
    adopted(tmp_path, path, ASKED.format(code), rows=rows)
    assert probabilities(tmp_path, rows) == pytest.approx(model.predict_proba(rows)[:, 1].tolist(), abs=1e-6)


def test_a_pickled_booster_lost_it_too_and_a_pickled_classifier_did_not(tmp_path: Path) -> None:
    rows, model = coded(-999.0)
    assert "-999 on" in refused(tmp_path, saved(tmp_path / "b.joblib", model.get_booster()), rows=rows)
    result = adopted(tmp_path, saved(tmp_path / "m.joblib", model), rows=rows)
    assert "the estimator takes -999 for a missing value" in result.twin_lacks
    assert probabilities(tmp_path, rows) == pytest.approx(model.predict_proba(rows)[:, 1].tolist(), abs=1e-6)


def test_an_empty_list_says_that_it_is_no_code(tmp_path: Path) -> None:
    rows = np.where(RNG.uniform(size=X.shape) < 0.2, -999.0, X)
    model = classifier().fit(rows, Y)
    path = saved(tmp_path / "m.json", model)
    assert "or missing = [] where it is a value" in refused(tmp_path, path, rows=rows)
    adopted(tmp_path, path, '{ name = "a", missing = [] }, { name = "b", missing = [] }', rows=rows)
    assert probabilities(tmp_path, rows) == pytest.approx(model.predict_proba(rows)[:, 1].tolist(), abs=1e-6)


def test_where_nothing_ever_lacked_nothing_is_asked(tmp_path: Path) -> None:
    for method in ("hist", "exact", "approx"):
        adopted(tmp_path, saved(tmp_path / "m.json", classifier(tree_method=method).fit(X, Y)), rows=X)


# Categories


def housing(**parameters: Any) -> tuple[Any, Any]:
    rows = np.column_stack([RNG.uniform(size=2000), RNG.integers(0, 3, 2000)]).astype(float)
    labels = RNG.uniform(size=2000) < 1 / (1 + np.exp(-np.array([0.9, -0.9, 0])[rows[:, 1].astype(int)]))
    options = {"enable_categorical": True, "feature_types": ["q", "c"], "tree_method": "hist"}
    return rows, classifier(**options, **parameters).fit(rows, labels.astype(int))


CATEGORY = '{{ name = "a" }}, {{ name = "b", type = "category", encoding = "ordinal", values = {} }}'


@pytest.mark.parametrize("split", [{"max_cat_to_onehot": 1}, {"max_cat_to_onehot": 9}, {"booster": "dart"}])
@pytest.mark.parametrize("file", ["m.json", "m.ubj", "m.joblib"])
def test_a_category_is_asked_for_and_bound_to_its_codes(tmp_path: Path, split: Any, file: str) -> None:
    rows, model = housing(**split)
    path = saved(tmp_path / file, model)
    assert f"b is a category in {file}, with the codes 0 to" in refused(tmp_path, path)
    adopted(tmp_path, path, CATEGORY.format(["OWN", "RENT", "FREE"]))
    events = [{"a": a, "b": ["OWN", "RENT", "FREE"][int(b)]} for a, b in rows[:200].tolist()]
    own = model.predict_proba(rows[:200])[:, 1].tolist()
    assert [answer["probability"] for answer in answers(tmp_path, events)] == pytest.approx(own, abs=1e-6)
    outcomes = [answer["outcome"] for answer in answers(tmp_path, [{"a": 0.5, "b": b} for b in (1, 1.5, -1, "SOLD")])]
    assert outcomes == ["invalid"] * 4
    assert any(reason["text"].startswith("B: ") for answer in answers(tmp_path, events) for reason in answer["reasons"])


def test_codes_may_stay_whole_numbers_within_limits(tmp_path: Path) -> None:
    _, model = housing()
    path = saved(tmp_path / "m.json", model)
    adopted(tmp_path, path, '{ name = "a" }, { name = "b", type = "integer", minimum = 0, maximum = 2 }')
    events = [{"a": 0.5, "b": b} for b in (0, 1, 2, 1.5, -1, 3)]
    found = answers(tmp_path, events)
    assert [answer["outcome"] for answer in found] == ["scored"] * 3 + ["invalid"] * 3
    own = model.predict_proba(np.array([[0.5, 0], [0.5, 1], [0.5, 2]]))[:, 1].tolist()
    assert [answer["probability"] for answer in found[:3]] == pytest.approx(own, abs=1e-6)
    texts = (tmp_path / "model" / "theirs" / "reasons.toml").read_text().split('["b"]')[-1].split("[b]")[-1]
    assert 'high = "b: its value"' in texts


@pytest.mark.parametrize(
    ("feature", "sentence"),
    [
        ('{ name = "b", type = "integer", minimum = 0 }', "is a category in m.json"),
        ('{ name = "b", type = "integer", maximum = 2 }', "is a category in m.json"),
        ('{ name = "b", minimum = 0, maximum = 2 }', "is a category in m.json"),
        ('{ name = "b", type = "category", encoding = "ordinal", values = ["x"] }', "and has 1 in the contract"),
        (
            '{ name = "b", type = "category", values = ["x", "y", "z"] }',
            'a category as its place (encoding = "ordinal")',
        ),
    ],
)
def test_a_contract_of_other_codes_is_refused(tmp_path: Path, feature: str, sentence: str) -> None:
    _, model = housing()
    assert sentence in refused(tmp_path, saved(tmp_path / "m.json", model), f'{{ name = "a" }}, {feature}')


def named(path: Path, names: list[str]) -> Path:
    """A file with its categories' names, as XGBoost writes them for a data frame."""
    document = json.loads(saved(path, housing()[1]).read_bytes())
    texts = [name.encode() for name in names]
    offsets = [sum(map(len, texts[:k])) for k in range(len(texts) + 1)]
    model = document["learner"]["gradient_booster"]["model"]
    model["cats"] = {
        "enc": [{"offsets": [], "values": []}, {"offsets": offsets, "values": [*b"".join(texts)]}],
        "feature_segments": [0, 0, len(names)],
        "sorted_idx": sorted(range(len(names)), key=texts.__getitem__),
    }
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize("names", [["OWN", "RENT", "FREE"], ["Ü", "b c", "ñ"]])
def test_names_in_the_file_are_those_of_the_contract(tmp_path: Path, names: list[str]) -> None:
    path = named(tmp_path / "m.json", names)
    assert ", ".join(names) in refused(tmp_path, path)
    assert "its values must be these, in this order" in refused(tmp_path, path, CATEGORY.format(names[::-1]))
    whole = '{ name = "a" }, { name = "b", type = "integer", minimum = 0, maximum = 2 }'
    assert "its values must be these, in this order" in refused(tmp_path, path, whole)
    assert adopted(tmp_path, path, CATEGORY.format(json.dumps(names, ensure_ascii=False))).manifest["explains"]


def test_names_without_their_features_are_refused(tmp_path: Path) -> None:
    path = named(tmp_path / "m.json", ["OWN", "RENT", "FREE"])
    document = json.loads(path.read_bytes())
    document["learner"]["gradient_booster"]["model"]["cats"]["enc"] = []
    path.write_text(json.dumps(document))
    assert "m.json isn't an XGBoost model, or is broken" in refused(tmp_path, path)


def test_a_category_of_label_codes_is_its_place_to_any_estimator(tmp_path: Path) -> None:
    rows, _ = housing()
    model = RandomForestClassifier(5, random_state=1).fit(rows, rows[:, 1] > 0)
    adopted(tmp_path, saved(tmp_path / "m.joblib", model), CATEGORY.format(["OWN", "RENT", "FREE"]))
    (answer,) = answers(tmp_path, [{"a": 0.5, "b": "RENT"}])
    assert answer["probability"] == pytest.approx(model.predict_proba([[0.5, 1]])[0, 1], abs=1e-6)


# Names that XGBoost takes no brackets in

BRACKETS = '{ name = "income [EUR]" }, { name = "use < 1" }'


@pytest.mark.parametrize("names", [None, ["income (EUR)", "use less than  1"]])
@pytest.mark.parametrize("file", ["m.json", "m.joblib"])
def test_names_with_brackets_are_adopted(tmp_path: Path, names: list[str] | None, file: str) -> None:
    model = classifier().fit(X, Y)
    model.get_booster().feature_names = names
    adopted(tmp_path, saved(tmp_path / file, model), BRACKETS)
    (answer,) = answers(tmp_path, [{"income [EUR]": 0.5, "use < 1": 0.1}])
    assert answer["probability"] == pytest.approx(
        model.get_booster().inplace_predict(np.array([[0.5, 0.1]]))[0], abs=1e-6
    )
    assert {reason["feature"] for reason in answer["reasons"]} <= {"income [EUR]", "use < 1"}


def test_names_that_brackets_alone_tell_apart_are_adopted(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.json", classifier().fit(X, Y))
    adopted(tmp_path, path, '{ name = "a[1" }, { name = "a(1" }')
    assert answers(tmp_path, [{"a[1": 0.5, "a(1": 0.1}])[0]["outcome"] == "scored"


# The owner's own probabilities


def with_own(model: Any, rows: Any = X) -> Any:
    return np.column_stack([rows, model.predict_proba(rows)[:, 1].astype(float)])


@pytest.mark.parametrize("make", [classifier, LogisticRegression, GaussianNB])
def test_the_owners_probabilities_are_held_to(tmp_path: Path, make: Callable[[], Any]) -> None:
    model = make().fit(X, Y)
    result = adopted(tmp_path, saved(tmp_path / "m.joblib", model), rows=with_own(model), expected="p")
    held = result.manifest["adopted"]["expected"]
    assert {key: held[key] for key in ("column", "rows", "tolerance")} == {
        "column": "p",
        "rows": 600,
        "tolerance": 1e-5,
    }
    assert held["largest_difference"] < 1e-6
    assert 2 <= held["line"] <= 601
    assert "gives the owner's own probabilities, column p, on 600 rows" in result.documents["MODEL_CARD.md"].decode()


def test_probabilities_of_another_model_are_refused(tmp_path: Path) -> None:
    model = classifier().fit(X, Y)
    rows = with_own(model)
    rows[[6, 9], 2] += [0.2, -0.1] if rows[6, 2] < 0.5 else [-0.2, -0.1]
    sentence = refused(tmp_path, saved(tmp_path / "m.json", model), rows=rows, expected="p")
    assert "2 of 600 rows differ by more than 1e-05, by 0.2 at most (line 8)" in sentence
    assert all(cause in sentence for cause in ("--rounds", "missing = [...]", "order of the columns", "base_margin"))


def test_agreement_with_the_owner_answers_what_would_be_asked(tmp_path: Path) -> None:
    rows = np.where(RNG.uniform(size=X.shape) < 0.2, -999.0, X)
    model = classifier().fit(rows, Y)  # to which -999 was a value
    path = saved(tmp_path / "m.json", model)
    assert "-999 on" in refused(tmp_path, path, rows=rows)
    assert adopted(tmp_path, path, rows=with_own(model, rows), expected="p").manifest["adopted"]["expected"]


def test_a_code_that_nobody_names_shows_in_the_owners_probabilities(tmp_path: Path) -> None:
    rows, model = coded(-999.0)
    sentence = refused(tmp_path, saved(tmp_path / "m.json", model), rows=with_own(model, rows), expected="p")
    assert "rows differ by more than 1e-05" in sentence


def test_without_them_it_says_what_was_not_shown(tmp_path: Path) -> None:
    result = adopted(tmp_path, saved(tmp_path / "m.json", classifier().fit(X, Y)), rows=X)
    assert result.manifest["adopted"]["expected"] is None
    assert "**Not shown:**" in result.documents["MODEL_CARD.md"].decode()


@pytest.mark.parametrize(
    ("value", "expected", "sentence"),
    [
        ("1.5", "p", "own.csv, line 3: p must be a probability, a number between 0 and 1"),
        ("", "p", "own.csv, line 3: p must be a probability"),
        ("nan", "p", "own.csv, line 3: p must be a probability"),
        ("0.5", "q", "column q is missing"),
        ("0.5", "a", "a is a feature, an id or the label"),
    ],
)
def test_a_column_of_no_probabilities_is_refused(tmp_path: Path, value: str, expected: str, sentence: str) -> None:
    (tmp_path / "own.csv").write_text(f"a,b,p\n1,2,0.5\n1,2,{value}\n")
    path = saved(tmp_path / "m.json", classifier().fit(X, Y))
    assert sentence in refused(tmp_path, path, data=tmp_path / "own.csv", expected=expected)


def test_expected_wants_data(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.json", classifier().fit(X, Y))
    assert "--expected names a column of --data, which is missing" in refused(tmp_path, path, expected="p")


# Linear models of another scikit-learn


def of_version(path: Path, model: Any, version: bytes = b"1.2.2") -> Path:
    path.write_bytes(pickle.dumps(model).replace(b"1.9.1", version))
    return path


SCALERS = [
    (),
    (StandardScaler(),),
    (StandardScaler(with_mean=False),),
    (StandardScaler(with_std=False),),
    (StandardScaler(with_mean=False, with_std=False),),
]


@pytest.mark.parametrize("steps", SCALERS)
def test_a_linear_model_of_another_version_is_made_anew_of_its_numbers(tmp_path: Path, steps: Any) -> None:
    model = make_pipeline(*steps, LogisticRegression()) if steps else LogisticRegression()
    model.fit(X * [1, 50] + [3, 7], Y)
    rows = with_own(model, X * [1, 50] + [3, 7])
    result = adopted(tmp_path, of_version(tmp_path / "m.pkl", model), rows=rows, expected="p")
    assert "written with scikit-learn 1.2.2, and rebuilt from its coefficients for 1.9.1" in result.notes
    assert result.manifest["adopted"]["written_with"] == {"scikit-learn": "1.2.2"}
    assert result.manifest["engines"] == ["twin", "joblib"]
    assert result.manifest["adopted"]["expected"]["largest_difference"] < 1e-9


def multinomial() -> Any:
    model = LogisticRegression().fit(X, Y)
    model.multi_class = "multinomial"
    return model


def without_numbers() -> Any:
    model = LogisticRegression().fit(X, Y)
    del model.intercept_
    return model


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (GaussianNB().fit(X, Y), "was written with scikit-learn 1.2.2, but 1.9.1 is installed"),
        (make_pipeline(MinMaxScaler(), LogisticRegression()).fit(X, Y), "was written with scikit-learn 1.2.2"),
        (multinomial(), "has multi_class = 'multinomial'"),
        (without_numbers(), "holds a logistic regression without all of its coefficients"),
    ],
)
def test_any_other_model_of_another_version_is_refused(tmp_path: Path, model: Any, sentence: str) -> None:
    assert sentence in refused(tmp_path, of_version(tmp_path / "m.pkl", model))


# MLflow's folders


def mlflow(root: Path, text: str, files: dict[str, Any]) -> Path:
    folder = root / "theirs_mlflow"
    folder.mkdir()
    (folder / "MLmodel").write_text(text)
    for name, model in files.items():
        saved(folder / name, model) if name.endswith((".json", ".ubj")) else (folder / name).write_bytes(
            pickle.dumps(model)
        )
    return folder


PYFUNC = "  python_function:\n    loader_module: mlflow.sklearn\n    model_path: model.pkl\n"


@pytest.mark.parametrize(
    ("flavour", "name"),
    [
        ("  sklearn:\n    pickled_model: model.pkl\n    serialization_format: cloudpickle\n", "model.pkl"),
        ("  xgboost:\n    data: model.ubj\n    model_class: xgboost.sklearn.XGBClassifier\n", "model.ubj"),
    ],
)
def test_an_mlflow_folder_is_opened(tmp_path: Path, flavour: str, name: str) -> None:
    model = classifier().fit(X, Y)
    folder = mlflow(tmp_path, "artifact_path: model\nflavors:\n" + PYFUNC + flavour, {name: model})
    result = adopted(tmp_path, folder, rows=with_own(model), expected="p")
    assert result.manifest["adopted"]["file"] == name


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "flavors:\n  lightgbm:\n    data: model.lgb\n" + PYFUNC,
            "MLflow's flavours lightgbm, python_function, but",
        ),
        ("flavors:\n  xgboost:\n    data: ../model.ubj\n", "flavors.xgboost.data must name a file in the folder"),
        ("flavors:\n  xgboost:\n    data: /etc/passwd\n", "flavors.xgboost.data must name a file in the folder"),
        ("flavors:\n  xgboost:\n    model_class: Booster\n", "flavors.xgboost.data must name a file in the folder"),
        ("flavors:\n  sklearn:\n    pickled_model: other.pkl\n", "MLmodel names other.pkl, which isn't there"),
        ("flavors: {", "MLmodel isn't what MLflow writes"),
        ("[1, 2]", "MLmodel isn't what MLflow writes"),
        ("a: !!python/object/apply:os.system [true]", "MLmodel isn't what MLflow writes"),
    ],
)
def test_an_mlflow_folder_that_cant_be_adopted_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    assert sentence in refused(tmp_path, mlflow(tmp_path, text, {}))


def test_any_other_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    assert "folder is a folder without the MLmodel file of MLflow" in refused(tmp_path, tmp_path / "folder")


# Objectives


@pytest.mark.parametrize(
    ("objective", "sentence"),
    [
        ({"objective": "multi:softprob", "num_class": 3}, "has 3 classes"),
        ({"objective": "multi:softprob", "num_class": 2}, "has the objective multi:softprob"),
        ({"objective": "binary:logitraw"}, "which gives no probability"),
    ],
)
def test_an_objective_that_gives_no_probability_of_1_is_refused(tmp_path: Path, objective: Any, sentence: str) -> None:
    booster = xgb.train({"nthread": 1, **objective}, xgb.DMatrix(X, Y), 3)
    assert sentence in refused(tmp_path, saved(tmp_path / "m.json", booster))


def test_a_base_margin_beside_the_rows_shows_in_the_owners_probabilities(tmp_path: Path) -> None:
    data = xgb.DMatrix(X, Y, base_margin=X[:, 1])
    booster = xgb.train({"objective": "binary:logistic", "nthread": 1}, data, 5)
    rows = np.column_stack([X, booster.predict(data).astype(float)])
    assert "base_margin" in refused(tmp_path, saved(tmp_path / "m.ubj", booster), rows=rows, expected="p")
