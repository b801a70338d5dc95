"""Columns that tell of protected characteristics: by name, by value, and kept for a reason."""

from __future__ import annotations

import random
import tomllib

import pytest

from riskscore.drafting.drafting import draft
from riskscore.drafting.profiling import profile_table
from riskscore.drafting.protected import by_name, kept
from riskscore.drafting.protected_words import AGE, DISABILITY, MARITAL, NAME, ORIGIN, POSTCODE, RELIGION, SEX
from riskscore.drafting.raw_table import read_table
from riskscore.drafting.time_columns import time_columns
from riskscore.errors import InvalidFile
from riskscore.model_toml.settings import read_settings
from tests.drafting.test_drafting import ROWS, profiled
from tests.programs import run

SAID = {
    AGE: "age Age AGE customer_age customerAge CUSTOMER-AGE CustomerAGE age_group ageGroup x_age_1 Age(years)"
    " DAYS_BIRTH dob date_of_birth birthDate age_at_application applicant_age_at_loan_start"
    " account_holder_age cust_age average_age alter Alter_in_Jahren Kundenalter geburtsdatum âge"
    " date_naissance edad edad_cliente fecha_nacimiento età eta data_nascita idade data_nascimento leeftijd"
    " geboortedatum wiek wiek_klienta data_urodzenia SeniorCitizen",
    SEX: "sex SEX gender CODE_GENDER is_female isMale geschlecht Anrede sexe genre sexo sesso género gênero"
    " geslacht płeć",
    MARITAL: "personal_status_sex maritalStatus marital_status MARRIAGE married NAME_FAMILY_STATUS"
    " familienstand zivilstand situation_familiale état-civil estado_civil stato_civile"
    " burgerlijke_staat stan_cywilny",
    ORIGIN: "nationality Nationalität nationalitaet staatsangehörigkeit nationalité nacionalidad nacionalidade"
    " nazionalità nationaliteit narodowość obywatelstwo race ethnicity Ethnic-Group etnia raza"
    " citizenship countryOfOrigin foreign_worker Herkunft afkomst",
    RELIGION: "religion Konfession religión religione religião godsdienst religia wyznanie",
    DISABILITY: "disability hasDisability disabled Schwerbehinderung handicap discapacidad disabilità"
    " deficiência niepełnosprawność",
    POSTCODE: "zip ZIP_CODE zipCode postcode postal_code PLZ postleitzahl code_postal código_postal kod_pocztowy cep",
    NAME: "first_name firstName last_name surname Vorname Nachname prénom nombre_cliente apellidos cognome"
    " voornaam imię customer_name name",
}
NOTHING = """
package average_age_of_accounts averageAgeOfAccounts storage account_age_months AccountAge mileage message_count
loan_age age_of_oldest_account avg_age_accounts ageOfCar bank_account_age customer_account_age edad_cuenta
edad_de_la_cuenta alter_des_kontos kontoalter fahrzeugalter firmenalter altersvorsorge alternative vehicle_age
age_of_credit_history stage usage percentage coverage mortgage_balance language image wages voltage agency eta_hours
package_groups storage_range mileage_band average_years_employed nombre_de_prets product_name company_name
merchant_full_name account_name file_zip zipped account_disabled wallet_age subscription_age domain_age sextant essex
embrace grace_period region income term saldo laufzeit number_of_children capital
"""


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in SAID.items() for name in names.split()])
def test_a_name_says_it_in_any_usual_spelling(kind, name):
    assert by_name(name) == kind


@pytest.mark.parametrize("name", NOTHING.split())
def test_a_name_that_only_looks_like_one_is_a_feature_s(name):
    assert by_name(name) == ""


BIRTHS = [f"{year}-0{month}-11" for year in range(1948, 2003, 3) for month in (1, 5, 9)]
LOANS = [f"{year}-0{month}-11" for year in range(2019, 2026) for month in (1, 3, 5, 7, 9)]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["M", "F"], SEX),
        (["m", "f", ""], SEX),
        (["m", "w", "d"], SEX),
        (["Male", "FEMALE", "Unknown"], SEX),
        (["male : single", "female : divorced", "male : married"], SEX),
        (["Mr", "Mrs", "Ms"], SEX),
        (["hombre", "mujer"], SEX),
        (["Kobieta", "Mężczyzna"], SEX),
        (["Married", "Single", "Divorced"], MARITAL),
        (["ledig", "verheiratet"], MARITAL),
        (["Husband", "Wife", "Not-in-family", "Own-child"], MARITAL),
        (["White", "Black", "Asian", "Other"], ORIGIN),
        (["Catholic", "Muslim", "none"], RELIGION),
        (["f", "t"], ""),
        (["m", "l", "s"], ""),
        (["single", "multiple"], ""),
        (["white", "black"], ""),
        (["other", "none"], ""),
        (["red", "green"], ""),
    ],
)
def test_values_give_a_column_away(tmp_path, values, kind):
    column = profiled(tmp_path, {"column7": values, "z": [0.5, 0.25, 1]}).columns[0]
    assert column.protected[0] == kind
    assert ("protected characteristic by its values" in column.left_out) == bool(kind)


@pytest.mark.parametrize(("dates", "kind"), [(BIRTHS, AGE), (LOANS, "")])
def test_dates_of_birth_lie_further_apart_than_those_of_loans(tmp_path, dates, kind):
    rows = [dates[k % len(dates)] for k in range(ROWS)]
    assert profiled(tmp_path, {"column7": rows, "z": [0.5, 0.25, 1]}).columns[0].protected[0] == kind


def table(path, **columns):
    rng = random.Random(3)
    given = {"age": [rng.randrange(18, 80) for _ in range(ROWS)], "x": [rng.random() for _ in range(ROWS)], **columns}
    return profiled(path, given), profile_table, given


def test_it_is_left_out_with_the_reason_in_the_draft(tmp_path):
    found, *_ = table(tmp_path)
    assert [column.name for column in found.features] == ["x"]
    text = draft("theirs", found)
    assert '# Left out: "age", since it tells of a protected characteristic by its name: age.' in text
    assert "[protected]" not in text


def test_a_proxy_is_called_one(tmp_path):
    found = profiled(tmp_path, {"zip": [10115, 20095, 80331, 50667] * 15, "x": [0.5, 2.5, 1]})
    assert found.columns[0].left_out == "it is a proxy for protected characteristics by its name: postcode"


def test_a_column_that_says_the_same_under_another_name_is_left_out_too(tmp_path):
    words = random.Random(4).sample(["m", "f"], ROWS, counts=[ROWS // 2] * 2)
    codes = [{"m": "A1", "f": "A2"}[word] for word in words]
    found = profiled(tmp_path, {"code": codes, "sex": words, "x": [0.5, 2.5, 1]})
    assert found.columns[0].left_out == "it tells of a protected characteristic by its values, those of sex: sex"
    with pytest.raises(InvalidFile, match=r"keeping code needs a reason, --keep code=REASON, since it tells of"):
        profiled(tmp_path, {"code": codes, "sex": words, "x": [0.5, 2.5, 1]}, keep=["code"])


def test_a_reason_keeps_it_and_stands_in_the_settings(tmp_path):
    found = profiled(tmp_path, {"age": [*range(18, 78)], "x": [0.5, 2.5, 1]}, keep={"age": "ECOA, 12 CFR 1002.6"})
    text = draft("theirs", found)
    assert tomllib.loads(text)["protected"] == {"age": "ECOA, 12 CFR 1002.6"}
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "model.toml").write_text(text)
    assert read_settings(tmp_path / "theirs").protected == {"age": "ECOA, 12 CFR 1002.6"}


def test_the_reason_for_any_other_column_is_a_comment(tmp_path):
    found = profiled(tmp_path, {"rank": [1, 2, 3, 4], "x": [0.5, 2.5, 1]}, keep={"rank": "known beforehand"})
    assert "# Kept: known beforehand\n" in draft("theirs", found)


@pytest.mark.parametrize("why", ["", " ", "\n"])
def test_without_a_reason_it_is_refused_in_one_sentence(tmp_path, why):
    with pytest.raises(InvalidFile) as refused:
        profiled(tmp_path, {"age": [*range(18, 78)], "x": [0.5, 2.5, 1]}, keep={"age": why})
    assert refused.value.message == (
        "t.csv: keeping age needs a reason, --keep age=REASON, since it tells of a protected characteristic by its"
        " name: age"
    )


@pytest.mark.parametrize(
    ("asked", "why", "found"),
    [
        (["age=because"], "", {"age": "because"}),
        (["age"], "because", {"age": "because"}),
        (["age=this", "sex"], "that", {"age": "this", "sex": "that"}),
        (["a=b"], "", {"a=b": ""}),
        (["a=b=c=d"], "", {"a=b": "c=d"}),
        (["age="], "", {"age": ""}),
        (["nothing=x"], "", {"nothing": ""}),
    ],
)
def test_the_reason_follows_the_column_s_name(asked, why, found):
    assert kept(asked, why, ["age", "sex", "a=b"]).keys() == found.keys()
    if "nothing" not in found:
        assert kept(asked, why, ["age", "sex", "a=b"]) == found


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--keep", "age"), "keeping age needs a reason, --keep age=REASON, since it tells of"),
        (("--keep", "age="), "keeping age needs a reason"),
        (("--keep", "nothing=x"), "t.csv: column nothing is missing"),
        (("--reason", "x"), "--reason says why a column is kept: name it with --keep COLUMN"),
    ],
)
def test_the_command_refuses_and_writes_nothing(tmp_path, options, said):
    table(tmp_path)
    places = ("--data", tmp_path / "t.csv", "--target", "y", "--models", tmp_path / "model", "--draft-only")
    done = run("new", "theirs", *places, *options)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert said in done.stderr
    assert not (tmp_path / "model").exists()


def test_the_command_says_what_it_left_out_and_what_was_kept(tmp_path):
    table(tmp_path, sex=["m", "f", "f"] * (ROWS // 3))
    places = ("--data", tmp_path / "t.csv", "--target", "y", "--models", tmp_path / "model", "--draft-only")
    done = run("new", "theirs", *places, "--keep", "age", "--reason", "the law allows it")
    assert done.returncode == 0, done.stderr
    assert "left out   sex: it tells of a protected characteristic by its name: sex" in done.stdout
    assert "(--keep COLUMN=REASON keeps one of a protected characteristic)" in done.stdout
    assert "kept       age (age): the law allows it" in done.stdout


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('nothing = "x"', "theirs/model.toml: protected names nothing, which is no feature"),
        ('age = ""', "theirs/model.toml: protected.age must be the reason, as text"),
        ("age = 1", "theirs/model.toml: protected.age must be the reason, as text"),
    ],
)
def test_a_reason_in_the_settings_is_a_text_of_a_feature(tmp_path, line, said):
    found = profiled(tmp_path, {"age": [*range(18, 78)], "x": [0.5, 2.5, 1]}, keep={"age": "allowed"})
    (tmp_path / "theirs").mkdir()
    text = draft("theirs", found).replace('age = "allowed"', line)
    text = text.replace('"age" = "allowed"', line)
    (tmp_path / "theirs" / "model.toml").write_text(text)
    with pytest.raises(InvalidFile) as refused:
        read_settings(tmp_path / "theirs")
    assert refused.value.message == said


def test_a_protected_column_is_never_the_id(tmp_path):
    names = [f"Name{k}" for k in range(ROWS)]
    found = profiled(tmp_path, {"surname": names, "x": [0.5, 2.5, 1]})
    assert (found.ids, found.columns[0].protected[0]) == ((), NAME)
    assert read_table(tmp_path / "t.csv", "y").rows == ROWS


def test_dates_of_birth_are_no_order_for_a_validation_over_time(tmp_path):
    rows = [BIRTHS[k % len(BIRTHS)] for k in range(ROWS)]
    days = [LOANS[k % len(LOANS)] for k in range(ROWS)]
    found = profiled(tmp_path, {"dob": rows, "opened": days, "x": [0.5, 2.5, 1]})
    assert time_columns(found) == ["opened"]
