"""model.toml and reasons.toml: what they may say, and the sentence that refuses the rest."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from riskscore.errors import InvalidFile
from riskscore.model_toml.settings import read_settings
from tests.scoring_examples import ROOT

if TYPE_CHECKING:
    from pathlib import Path

MODELS = ROOT / "model"
EVERY_MODEL = sorted(path.parent.name for path in MODELS.glob("*/model.toml"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of credit_risk's two files, to be misspelt."""
    copy = tmp_path / "credit_risk"
    copy.mkdir()
    for name in ("model.toml", "reasons.toml"):
        shutil.copy(MODELS / "credit_risk" / name, copy)
    return copy


def change(folder: Path, name: str, old: str, new: str) -> None:
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1))


@pytest.mark.parametrize("name", EVERY_MODEL)
def test_every_model_has_sound_settings_and_reasons_for_every_feature(name: str) -> None:
    settings = read_settings(MODELS / name)
    assert list(settings.reasons) == list(settings.contract.names)
    assert all(reason["code"] and reason["group"] and reason["direction"] for reason in settings.reasons.values())


def test_features_of_an_identity_share_a_group() -> None:
    reasons = read_settings(MODELS / "credit_risk").reasons
    assert {reasons[name]["group"] for name in ("income_inflow_30d", "spend_outflow_30d", "net_cash_flow_30d")} == {
        "cash_flow"
    }


def test_days_without_any_salary_have_their_own_text() -> None:
    special = read_settings(MODELS / "credit_risk").reasons["days_since_last_salary"]["special"]
    assert special == [{"value": 999, "text": "No salary was found in the history of your account"}]


def test_directions_become_signs() -> None:
    settings = read_settings(MODELS / "credit_risk")
    up = ("late_fee_count_90d", "pct_gambling_spend_90d", "cash_withdrawal_90d", "debit_credit_ratio_90d")
    assert settings.directions == dict.fromkeys(up, 1)


def test_what_may_be_left_out_has_a_default(folder: Path) -> None:
    text = (folder / "model.toml").read_text()
    start, end = text.index("[validation]"), text.index("[[identities]]")
    (folder / "model.toml").write_text(text[:start] + text[end:])
    settings = read_settings(folder)
    assert (settings.folds, settings.repeats, settings.refer) == (5, 5, [])
    assert settings.points == {"base": 600, "odds": 30, "pdo": 20, "minimum": 300, "maximum": 850}


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("threshold = ", "treshold = ", "unknown key treshold; known here: description, ids, threshold"),
        ("threshold = 0.1667", "threshold = 1", "threshold must lie between 0 and 1"),
        ("threshold = 0.1667", "threshold = true", "threshold must be a number"),
        ("threshold = 0.1667", 'threshold = "0.5"', "threshold must be a number"),
        ("threshold = 0.1667\n", "", "threshold is missing"),
        ("seed = 7", "seed = 7.5", "seed must be a whole number"),
        ('ids = ["customer_id", "snapshot_date"]', "ids = []", "ids must be a list of column names"),
        ('ids = ["customer_id", "snapshot_date"]', "ids = [1]", "ids must be a list of column names"),
        ("folds = 5", "folds = 1", "validation.folds must be at least 2"),
        ("repeats = 5", "repeats = 0", "validation.repeats must be at least 1"),
        ("repeats = 5", 'repeats = "5"', "validation.repeats must be a whole number"),
        ('target = "label"\n', "", "source.target is missing"),
        ('family = "xgboost"', 'famly = "xgboost"', "unknown key estimator.famly"),
        ('late_fee_count_90d = "up"', 'late_fee_count_90d = "sideways"', 'must be "up" or "down"'),
        ('late_fee_count_90d = "up"', 'late_fee_count = "up"', "did you mean 'late_fee_count_90d'?"),
        ("odds = 30", "odds = 0", "points.odds and points.pdo must be above 0"),
        ("minimum = 300", "minimum = 900", "points.minimum must be below points.maximum"),
        ('"net_cash_flow", "debit_total"', '"net_cash", "debit_total"', "refer.warnings: 'net_cash' is not one of"),
        ('[1, "income_inflow_30d"]', '["income_inflow_30d"]', "a term is [coefficient, feature, ...]"),
        ('[1, "income_inflow_30d"]', '[1, "income_30d"]', "unknown field 'income_30d'"),
        ('name = "debit_total"', 'name = "net_cash_flow"', "need unique names"),
        ('feature = "debit_credit_ratio_90d"', 'feature = "ratio"', "unknown field 'ratio'"),
        ('feature = "unknown_statuses_per_thousand"', 'feature = "unknown_statuses"', "unknown field"),
        ('name = "debit_total"', 'name = "debit_total"\nrounding = -1', "identity debit_total: rounding must be 0 or"),
        (
            'terms = [[1, "avg_debit_amt_30d", "debit_txn_count_30d"], [-1, "spend_outflow_30d"]]',
            "terms = []",
            "terms are",
        ),
        ('name = "debit_total"', 'name = "debit_total"\nrounding = "cent"', "identities.rounding must be a number"),
        ('type = "integer"', 'type = "whole"', "type must be one of number, integer, boolean, category, not 'whole'"),
        ('unit = "money"', "unit = 1", "features[1].unit must be text"),
        ('name = "spend_outflow_30d"', 'name = "income_inflow_30d"', "each with its own name"),
        ("[source]", "[source", "credit_risk/model.toml is not TOML"),
        ("seed = 7", "seed = -1", "seed must lie between 0 and 4294967295"),
        ("repeats = 5", 'repeats = 5\ngroup = "lead"', "validation.group must be one of the ids"),
        ("[source]", '[source]\ndialect = "oracle"', "source.dialect must be one of postgresql, sqlite, duckdb"),
        ("[source]", "[source]\ntolerance = 1", "source.tolerance must be a share, from 0 to below 1"),
        ("[source]", '[source]\nviews = ["v.sql"]', "source.views are for the dialect duckdb"),
        ("[source]", "[source]\nviews = [1]", "source.views must be a list of files"),
        ("[source]", "[source]\naliases = {a = 1}", "source.aliases must map their column names to ours"),
        (
            'name = "spend_outflow_30d"',
            'name = "spend_outflow_30d"\nmissing = [true]',
            "features[2].missing: texts and",
        ),
        (
            'type = "integer"',
            'type = "category"',
            "feature 'merchant_diversity_90d': a category needs values, each once",
        ),
        ("seed = 7", 'seed = 7\nparse = "loose"', "parse must be one of strict, text"),
        ('target = "label"', 'target = "income_inflow_30d"', "source.target income_inflow_30d is also a feature"),
        ('target = "label"', 'target = "customer_id"', "customer_id is an id, and so neither target nor feature"),
        ('name = "spend_outflow_30d"', 'name = "snapshot_date"', "snapshot_date is an id, and so neither"),
    ],
)
def test_a_misspelt_model_toml_is_refused_in_one_sentence(folder: Path, old: str, new: str, sentence: str) -> None:
    change(folder, "model.toml", old, new)
    with pytest.raises(InvalidFile) as refused:
        read_settings(folder)
    assert refused.value.message.startswith("credit_risk/model.toml")
    assert sentence in refused.value.message
    assert "\n" not in refused.value.message


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("[cash_withdrawal_90d]", "[cash_withdrawals_90d]", "did you mean 'cash_withdrawal_90d'?"),
        ('high = "You withdrew a large amount of cash in the last 90 days"', "", "cash_withdrawal_90d.high is missing"),
        ('"You withdrew a large amount of cash in the last 90 days"', '""', "cash_withdrawal_90d has an empty text"),
        ('code = "R13"', 'code = "R12"', "the code R12 stands for both net_cash_flow_30d and cash_withdrawal_90d"),
        ('code = "R13"', 'code = "R 13"', "cash_withdrawal_90d.code must be 1 to 20 letters, digits, '.', '_' or '-'"),
        ('code = "R13"', 'value = "{value}"', "cash_withdrawal_90d.value is for a category; say high and low"),
        ('direction = "higher raises"', 'direction = "up"', ".direction must be one of 'higher raises'"),
        (
            'code = "R03"\ngroup = "gambling"\ndirection = "higher raises"',
            'direction = "lower raises"\nlow = "You gambled little"',
            "pct_gambling_spend_90d.direction is 'lower raises', and model.toml constrains it the other way",
        ),
        ("{ value = 999,", '{ value = "999",', "days_since_last_salary.special.value must be a number"),
        ("{ value = 999,", "{ worth = 999,", "unknown key days_since_last_salary.special.worth"),
        ("{ value = 999,", "{ raises = 1, value = 999,", "days_since_last_salary.special.raises must be true or false"),
    ],
)
def test_a_misspelt_reasons_toml_is_refused_in_one_sentence(folder: Path, old: str, new: str, sentence: str) -> None:
    change(folder, "reasons.toml", old, new)
    with pytest.raises(InvalidFile) as refused:
        read_settings(folder)
    assert refused.value.message.startswith("credit_risk/reasons.toml")
    assert sentence in refused.value.message


def test_a_feature_without_a_sentence_of_its_own_gets_a_plain_one(folder: Path) -> None:
    text = (folder / "reasons.toml").read_text()
    (folder / "reasons.toml").write_text(text[: text.index("[cash_withdrawal_90d]")])
    found = read_settings(folder).reasons
    assert found["cash_withdrawal_90d"]["high"] == "Sum of cash withdrawals in 90 days: high"
    (folder / "reasons.toml").unlink()
    assert list(read_settings(folder).reasons) == list(found)


def test_constraints_are_the_directions_of_reasons_where_nobody_wrote_one(folder: Path) -> None:
    (folder / "reasons.toml").unlink()
    found = read_settings(folder).reasons
    assert found["late_fee_count_90d"] == {
        "code": "R09",
        "group": "late_fee_count_90d",
        "direction": "higher raises",
        "high": "Fees charged in 90 days: high",
        "low": "Fees charged in 90 days: low",
        "missing": "Fees charged in 90 days: not known",
    }
    assert found["net_cash_flow_30d"]["direction"] == "either"


@pytest.mark.parametrize(("line", "share"), [("", 0.05), ("[reasons]\nleast_share = 0\n", 0), ("[reasons]\n", 0.05)])
def test_the_least_share_of_a_reason_is_a_setting(folder: Path, line: str, share: float) -> None:
    change(folder, "model.toml", "[points]", f"{line}\n[points]")
    assert read_settings(folder).least_share == share


@pytest.mark.parametrize("share", ["1", "-0.1", "nan", "true", '"5 %"'])
def test_a_least_share_that_is_none_is_refused(folder: Path, share: str) -> None:
    change(folder, "model.toml", "[points]", f"[reasons]\nleast_share = {share}\n[points]")
    with pytest.raises(InvalidFile, match=r"^credit_risk/model.toml: reasons.least_share must be a "):
        read_settings(folder)


def test_a_model_without_settings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match=r"nothing/model.toml can't be read: No such file or directory"):
        read_settings(tmp_path / "nothing")


def test_settings_that_are_not_text_are_refused(folder: Path) -> None:
    (folder / "model.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidFile, match=r"credit_risk/model.toml is not UTF-8 text"):
        read_settings(folder)


def test_features_that_an_identity_ties_give_one_reason() -> None:
    settings = read_settings(ROOT / "model" / "credit_risk")
    for identity in settings.identities:
        names = {name for _, *names in identity["terms"] for name in names}
        assert len({settings.reasons[name]["group"] for name in names}) == 1, identity["name"]


def test_another_files_tables_stand_in_the_place_of_model_tomls(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "task.toml").write_text("seed = 1\n[estimator]\nfamily = 'xgboost'\nparameters = {max_depth = 9}\n")
    theirs, ours = read_settings(folder, tmp_path / "task.toml"), read_settings(folder)
    assert (theirs.seed, theirs.parameters) == (1, {"max_depth": 9})
    assert (theirs.directions, theirs.card) == (ours.directions, ours.card)


def test_the_tasks_parameters_of_credit_risk_can_be_trained_still(folder: Path) -> None:
    settings = read_settings(folder, MODELS / "credit_risk" / "task.toml")
    assert settings.parameters["max_depth"] == 4
    assert set(settings.directions) == {"late_fee_count_90d", "pct_gambling_spend_90d"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("sed = 1", "credit_risk/model.toml with task.toml: unknown key sed"),
        ("seed = 'x'", "credit_risk/model.toml with task.toml: seed must be a whole number"),
        ("seed =", "task.toml is not TOML"),
        (None, "task.toml can't be read"),
    ],
)
def test_another_file_is_refused_in_one_sentence(folder: Path, tmp_path: Path, text: str | None, sentence: str) -> None:
    if text is not None:
        (tmp_path / "task.toml").write_text(text)
    with pytest.raises(InvalidFile) as refused:
        read_settings(folder, tmp_path / "task.toml")
    assert refused.value.message.startswith(sentence)
