"""The contract: which values a feature takes, in which sentence it refuses others, in which order they stand."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from riskscore.contract.contract import HINT, HINTS, SINGLY, Contract
from riskscore.contract.fast_path import FLOAT32_MAX
from riskscore.contract.feature import Feature
from riskscore.errors import (
    ArtefactRefused,
    CallerFault,
    MissingFeature,
    NotFinite,
    NullFeature,
    OutOfRange,
    UnknownField,
    UnknownValue,
    WrongType,
)

INFLOW = Feature("inflow", minimum=0)
NET = Feature("net")
SHARE = Feature("share", minimum=0, maximum=1)
LOSS = Feature("loss", maximum=0)
FEES = Feature("fees", "integer", minimum=0)
SALARY = Feature("salary", "integer", nullable=True)
OWNER = Feature("owner", "boolean")
EVERY = (INFLOW, NET, SHARE, LOSS, FEES, SALARY, OWNER)
CONTRACT = Contract([INFLOW, FEES, SALARY])
ROW: dict[str, Any] = {"inflow": 1.5, "fees": 2, "salary": None}


@pytest.mark.parametrize(
    ("feature", "value", "number"),
    [
        (INFLOW, 0, 0.0),
        (INFLOW, 41714.02, 41714.02),
        (INFLOW, FLOAT32_MAX, FLOAT32_MAX),
        (NET, -13851, -13851.0),
        (NET, -FLOAT32_MAX, -FLOAT32_MAX),
        (NET, 5e-324, 5e-324),
        (SHARE, 1, 1.0),
        (FEES, 3, 3.0),
        (FEES, 3.0, 3.0),
        (FEES, 2**63, float(2**63)),
        (OWNER, True, 1.0),
        (OWNER, False, 0.0),
    ],
)
def test_a_value_of_its_kind_is_taken_as_it_is(feature: Feature, value: Any, number: float) -> None:
    assert feature.number(value) == number
    assert type(feature.number(value)) is float


def test_an_allowed_null_is_a_missing_value() -> None:
    assert math.isnan(SALARY.number(None))


@pytest.mark.parametrize(
    ("feature", "value", "error", "sentence"),
    [
        (INFLOW, None, NullFeature, "inflow is null, but this model needs a number there"),
        (FEES, None, NullFeature, "fees is null, but this model needs a whole number there"),
        (INFLOW, True, WrongType, "inflow must be a number, not true or false"),
        (INFLOW, "41714.02", WrongType, "inflow must be a number, not a string"),
        (INFLOW, "", WrongType, "inflow must be a number, not a string"),
        (INFLOW, [1.0], WrongType, "inflow must be a number, not a list"),
        (INFLOW, {"value": 1.0}, WrongType, "inflow must be a number, not an object"),
        (INFLOW, math.nan, NotFinite, "inflow must be a finite number"),
        (INFLOW, math.inf, NotFinite, "inflow must be a finite number"),
        (INFLOW, -0.01, OutOfRange, "inflow must be at least 0 and within the range of a 32-bit float"),
        (INFLOW, 3.5e38, OutOfRange, "inflow must be at least 0 and within the range of a 32-bit float"),
        (INFLOW, 10**400, OutOfRange, "inflow must be within the range of a 32-bit float"),
        (NET, -(10**400), OutOfRange, "net must be within the range of a 32-bit float"),
        (NET, -1e39, OutOfRange, "net must be within the range of a 32-bit float"),
        (SHARE, 1.01, OutOfRange, "share must be between 0 and 1"),
        (LOSS, 1, OutOfRange, "loss must be at most 0"),
        (FEES, 2.5, WrongType, "fees must be a whole number"),
        (FEES, -1, OutOfRange, "fees must be at least 0 and within the range of a 32-bit float"),
        (FEES, False, WrongType, "fees must be a number, not true or false"),
        (OWNER, 1, WrongType, "owner must be true or false, not a number"),
        (OWNER, "true", WrongType, "owner must be true or false, not a string"),
        (OWNER, None, NullFeature, "owner is null, but this model needs true or false there"),
    ],
)
def test_any_other_value_gets_its_own_sentence(
    feature: Feature, value: Any, error: type[CallerFault], sentence: str
) -> None:
    with pytest.raises(CallerFault) as raised:
        feature.number(value)
    assert (type(raised.value), raised.value.message, raised.value.field) == (error, sentence, feature.name)


def test_a_limit_beyond_float32_lets_nothing_through_that_would_become_infinite() -> None:
    with pytest.raises(OutOfRange):
        Feature("wide", minimum=-1e300, maximum=1e300).number(1e39)


def test_a_row_becomes_a_vector_in_the_contracts_order() -> None:
    assert Contract([FEES, INFLOW]).vector({"inflow": 1.5, "fees": 2}) == [2.0, 1.5]
    assert Contract([INFLOW]).vector({"inflow": 1}) == [1.0]
    assert CONTRACT.vector(ROW) == pytest.approx([1.5, 2.0, math.nan], nan_ok=True)


@pytest.mark.parametrize(
    ("row", "error", "sentence", "field"),
    [
        (
            {},
            MissingFeature,
            "missing: inflow, fees, salary; this model needs all of its 3 features",
            "inflow",
        ),
        (
            {"inflow": 1.0, "fees": 1},
            MissingFeature,
            "missing: salary; this model needs all of its 3 features",
            "salary",
        ),
        (ROW | {"age": 40}, UnknownField, "unknown field 'age'", "age"),
        (
            {"inflw": 1.0, "fees": 1, "salary": None},
            UnknownField,
            "unknown field 'inflw'; did you mean 'inflow'?",
            "inflw",
        ),
        (ROW | {"Fees": 1}, UnknownField, "unknown field 'Fees'; did you mean 'fees'?", "Fees"),
        (ROW | {"": 1}, UnknownField, "unknown field ''", ""),
        (ROW | {"a\x00b": 1}, UnknownField, "unknown field 'a\\x00b'", "a\x00b"),
        (ROW | {"\udc80": 1}, UnknownField, "unknown field '\\\\udc80'", "\\udc80"),
        (ROW | {"x" * 1000: 1}, UnknownField, f"unknown field '{'x' * 61}...'", "x" * 61 + "..."),
    ],
)
def test_other_names_than_the_contracts_are_refused_by_name(
    row: dict[str, Any], error: type[CallerFault], sentence: str, field: str
) -> None:
    with pytest.raises(CallerFault) as raised:
        CONTRACT.vector(row)
    assert (type(raised.value), raised.value.message, raised.value.field) == (error, sentence, field)


def test_of_many_missing_features_five_are_named() -> None:
    with pytest.raises(MissingFeature, match=r"^missing: f0, f1, f2, f3, f4 and 3 more; this model needs all of its 8"):
        Contract(Feature(f"f{k}") for k in range(8)).vector({})


MANY = Contract(
    Feature(f"f{k}", "boolean" if k % 7 == 4 else "number", nullable=k % 2 == 0, parse="text")
    for k in range(SINGLY * 8)
)


@pytest.mark.parametrize("first", [0, 1, SINGLY, SINGLY * 4, SINGLY * 8 - 1])
def test_of_many_features_the_first_unsound_one_is_named_and_a_spelling_that_needs_a_closer_look_is_read(
    first: int,
) -> None:
    sound = {feature.name: k % 2 if feature.type == "boolean" else str(k) for k, feature in enumerate(MANY.features)}
    assert MANY.vector(sound | {f"f{first}": f" {first} "}) == [*map(float, sound.values())]
    with pytest.raises(WrongType, match=rf"^f{first} must be a number, and this text isn't one$"):
        MANY.vector(sound | {f"f{first}": "?", MANY.names[-1]: "!"})


@given(st.lists(st.dictionaries(st.sampled_from(MANY.names), st.sampled_from(["?", " 1 ", None, 1e300, True, "2"]))))
def test_a_row_among_others_is_read_and_refused_as_it_is_alone(mistakes: list[dict[str, Any]]) -> None:
    memo: dict[Any, Any] = {}
    rows = [dict.fromkeys(MANY.names, "1") | mistake for mistake in mistakes]
    assert [_read(row, memo) for row in rows] == [_read(row, {}) for row in rows]


def _read(row: dict[str, Any], memo: dict[Any, Any]) -> str:
    try:
        return str(MANY.vector(row, memo))  # NaN is not NaN
    except CallerFault as error:
        return error.message


def test_only_the_first_rows_of_a_request_are_told_the_nearest_name() -> None:
    memo: dict[Any, Any] = {}
    hinted = [HINT in _refusal(ROW | {f"inflow{k}": 1}, memo) for k in range(HINTS + 2)]
    assert hinted == [True] * HINTS + [False] * 2
    assert HINT in _refusal(ROW | {"inflow0": 2}, memo)  # the same names get the same sentence


def _refusal(row: dict[str, Any], memo: dict[Any, Any]) -> str:
    with pytest.raises(UnknownField) as raised:
        CONTRACT.vector(row, memo)
    return raised.value.message


JSON_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(0, 5),
    st.floats(),
    st.sampled_from([10**400, -(10**400), FLOAT32_MAX, 3.41e38, 2.5, "1", [], {}]),
)


@given(values=st.lists(JSON_VALUES, min_size=len(EVERY), max_size=len(EVERY)), numeric=st.booleans())
@example(values=[1.5, -2.0, 0.5, -1, 2, 3, True], numeric=True)
@example(values=[1.5, -2.0, 0.5, -1, 2.5, 3, True], numeric=True)
@example(values=[1.5, -2.0, 0.5, -1, 2, True, True], numeric=True)
@example(values=[1.5, -2.0, 1.5, -1, 2, 3, True], numeric=True)
@example(values=[1.5, 10**400, 0.5, -1, 2, 3, True], numeric=True)
def test_a_row_is_judged_as_its_values_are_one_by_one(values: list[Any], numeric: bool) -> None:
    features = [feature for feature in EVERY if not numeric or feature.type != "boolean"]
    row = {feature.name: value for feature, value in zip(features, values, strict=False)}
    assert repr(_outcome(lambda: Contract(features).vector(row))) == repr(
        _outcome(lambda: [feature.number(row[feature.name]) for feature in features])
    )


def _outcome(judge: Any) -> Any:
    try:
        return judge()
    except CallerFault as fault:
        return type(fault), fault.message, fault.field


@given(marker=st.integers(10**11, 10**15), place=st.sampled_from(EVERY), shape=st.sampled_from([str, int, list, dict]))
def test_no_value_is_in_any_sentence(marker: int, place: Feature, shape: type) -> None:
    planted = {str: f"{marker}", int: -marker, list: [marker], dict: {f"{marker}": marker}}[shape]
    refused = _outcome(lambda: place.number(planted))
    assert str(marker) not in str(refused[1] if isinstance(refused, tuple) else "")


@pytest.mark.parametrize(
    "features",
    [
        EVERY,
        [
            Feature(
                "a", "integer", True, 0, 999, "days", "whole days", {"minimum": 1.0, "maximum": 2.0, "quantiles": {}}
            )
        ],
    ],
)
def test_a_contract_outlives_its_manifest(features: list[Feature]) -> None:
    contract = Contract(features)
    again = Contract.from_dicts(contract.to_dicts())
    assert [[getattr(f, slot) for slot in Feature.__slots__] for f in again.features] == [
        [getattr(f, slot) for slot in Feature.__slots__] for f in contract.features
    ]


def test_the_manifest_keeps_a_limit_of_zero_and_no_default() -> None:
    assert INFLOW.to_dict() == {"name": "inflow", "type": "number", "minimum": 0}
    assert LOSS.to_dict() == {"name": "loss", "type": "number", "maximum": 0}


@pytest.mark.parametrize(
    ("features", "sentence"),
    [
        ([], "a contract needs at least one feature, each with its own name"),
        ([{"name": "a"}, {"name": "a"}], "a contract needs at least one feature, each with its own name"),
        (
            [{"name": "a", "type": "text"}],
            "feature 'a': type must be one of number, integer, boolean, category, not 'text'",
        ),
    ],
)
def test_a_contract_that_cannot_be_kept_is_refused(features: list[dict[str, Any]], sentence: str) -> None:
    with pytest.raises(ArtefactRefused, match=sentence):
        Contract.from_dicts(features)


def test_a_contract_knows_its_features_by_name() -> None:
    assert "fees" in CONTRACT
    assert "fee" not in CONTRACT
    assert CONTRACT.feature("fees") is FEES
    assert CONTRACT.names == ("inflow", "fees", "salary")


# Categories, codes for what is missing, and values that arrive as text

GROUP = Feature(
    "group", "category", nullable=True, values=["Food", "Home"], aliases={"Foods": "Food", "12": "Home"}, missing=["NA"]
)
DAY = Feature("day", "category", values=["monday", "tuesday"], aliases={"mon": "monday"}, parse="text")
OPEN = Feature("open", "category", values=["a", "b"], unknown="missing")
CODED = Feature("coded", "integer", nullable=True, missing=["none", -999])
SPELT = Feature("spelt", nullable=True, missing=["none", -999], parse="text")
DOTS = Feature(
    "dots",
    "category",
    nullable=True,
    values=["na", "\N{LATIN SMALL LETTER DOTLESS I}", "i", " "],
    missing=["NA"],
    parse="text",
)
TEXT = {"parse": "text", "nullable": True}
PLAIN, MONEY, PERCENT = (Feature("x", unit=unit, **TEXT) for unit in ("", "money", "percent"))
WHOLE, TRUTH = Feature("x", "integer", **TEXT), Feature("x", "boolean", **TEXT)


@pytest.mark.parametrize(
    ("feature", "value", "number"),
    [
        (GROUP, "Food", 0.0),
        (GROUP, "Home", 1.0),
        (GROUP, "Foods", 0.0),
        (GROUP, 12, 1.0),
        (GROUP, "NA", math.nan),
        (GROUP, None, math.nan),
        (DAY, "Monday", 0.0),
        (DAY, " MON ", 0.0),
        (OPEN, "c", -1.0),
        (CODED, -999, math.nan),
        (CODED, -999.0, math.nan),
        (CODED, "none", math.nan),
        (CODED, 3, 3.0),
        (SPELT, "-999", math.nan),
        (SPELT, "-999.0", math.nan),
        (SPELT, " 999", 999.0),
        (DOTS, "NA", math.nan),  # a code means what it says, and "na" is another text
        (DOTS, "Na", 0.0),
        (DOTS, "\N{LATIN SMALL LETTER DOTLESS I}", 1.0),
        (DOTS, "I", 2.0),
        (DOTS, " ", math.nan),
        (PLAIN, "9.521496806", 9.521496806),
        (PLAIN, " -1e3 ", -1000.0),
        (PLAIN, 9.5, 9.5),
        (PLAIN, "", math.nan),
        (PLAIN, "  ", math.nan),
        (MONEY, "$-5,483.24", -5483.24),
        (MONEY, "-$5,483.24", -5483.24),
        (MONEY, "($5,483.24)", -5483.24),
        (MONEY, "$5483", 5483.0),
        (MONEY, "1,234,567.5", 1234567.5),
        (MONEY, "12.5", 12.5),
        (MONEY, -12.5, -12.5),
        (PERCENT, "36.29%", 36.29),
        (PERCENT, "36.29 %", 36.29),
        (PERCENT, "-0.5", -0.5),
        (WHOLE, "7", 7.0),
        (WHOLE, "7.0", 7.0),
        (TRUTH, "True", 1.0),
        (TRUTH, "no", 0.0),
        (TRUTH, 1, 1.0),
        (TRUTH, False, 0.0),
    ],
)
def test_each_spelling_of_a_value_has_one_number(feature: Feature, value: Any, number: float) -> None:
    for found in (feature.number(value), Contract([feature]).vector({feature.name: value})[0]):
        assert found == number or (math.isnan(found) and math.isnan(number))


@pytest.mark.parametrize(
    ("feature", "value", "error", "sentence"),
    [
        (GROUP, "food", UnknownValue, "group must be one of Food, Home"),
        (GROUP, " Food", UnknownValue, "group must be one of Food, Home"),
        (GROUP, 1.5, WrongType, "group must be a string, one of its values, not a number"),
        (GROUP, True, WrongType, "group must be a string, one of its values, not true or false"),
        (DAY, "", NullFeature, "day is null, but this model needs one of its values there"),
        (DAY, "someday", UnknownValue, "day must be one of monday, tuesday"),
        (OPEN, None, NullFeature, "open is null, but this model needs one of its values there"),
        (CODED, "some", WrongType, "coded must be a number, not a string"),
        (CODED, True, WrongType, "coded must be a number, not true or false"),
        (PLAIN, "nine", WrongType, "x must be a number, and this text isn't one"),
        (PLAIN, "1_000", WrongType, "x must be a number, and this text isn't one"),
        (PLAIN, "nan", WrongType, "x must be a number, and this text isn't one"),
        (PLAIN, "inf", WrongType, "x must be a number, and this text isn't one"),
        (PLAIN, "\u0663", WrongType, "x must be a number, and this text isn't one"),
        (PLAIN, "1,234", WrongType, "x must be a number, and this text isn't one"),
        (PLAIN, "36.29%", WrongType, "x must be a number, and this text isn't one"),
        (PLAIN, "1|2", WrongType, "x must be a number, and this text isn't one"),
        (PLAIN, "1e999", NotFinite, "x must be a finite number"),
        (MONEY, "1.234,56", WrongType, "x must be a number, and this text isn't one"),
        (MONEY, "-$-5", WrongType, "x must be a number, and this text isn't one"),
        (MONEY, "12,34", WrongType, "x must be a number, and this text isn't one"),
        (MONEY, "$", WrongType, "x must be a number, and this text isn't one"),
        (PERCENT, "%", WrongType, "x must be a number, and this text isn't one"),
        (WHOLE, "7.5", WrongType, "x must be a whole number"),
        (TRUTH, "maybe", WrongType, "x must be true or false, not a string"),
        (TRUTH, 2, WrongType, "x must be true or false, not a number"),
    ],
)
def test_a_spelling_that_could_mean_anything_is_refused(
    feature: Feature, value: Any, error: type[CallerFault], sentence: str
) -> None:
    for check in (lambda: feature.number(value), lambda: Contract([feature]).vector({feature.name: value})):
        with pytest.raises(error) as raised:
            check()
        assert raised.value.message == sentence


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"type": "category"}, "a category needs values, each once"),
        ({"type": "category", "values": ["a", "a"]}, "a category needs values, each once"),
        ({"values": ["a"]}, "only a category has values and aliases"),
        ({"type": "category", "values": ["a"], "aliases": {"b": "c"}}, "aliases must lead to its values"),
        (
            {"type": "category", "values": ["a", "b"], "aliases": {"a": "b"}},
            "an alias is one of its other values",
        ),
        ({"type": "category", "values": ["a"], "unknown": "b"}, "unknown must be refuse, missing or one of its values"),
        ({"type": "category", "values": ["a"], "encoding": "log"}, "encoding must be one of one_hot, ordinal"),
        ({"encoding": "one_hot"}, "encoding must be one of as_is, log"),
        ({"parse": "loose"}, "parse must be one of strict, text"),
        ({"type": "category", "values": ["a", "A"], "parse": "text"}, "two of its values differ only in case"),
    ],
)
def test_a_feature_that_contradicts_itself_is_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ArtefactRefused, match=sentence):
        Feature("x", **settings)


ANY_TEXT = (
    st.sampled_from(["", " ", "1", "-2.5", "1e3", "1e999", "x", "nan", "1|2", "$5", "12%", "1_0", "7 "]) | st.text()
)
ANY_VALUE = ANY_TEXT | st.none() | st.booleans() | st.integers() | st.floats()
LOOSE = [Feature(f"n{k}", kind, nullable=k % 2 == 0, minimum=-3, parse="text") for k, kind in enumerate(["number"] * 3)]
LOOSE += [Feature("w", "integer", nullable=True, parse="text"), Feature("m", unit="money", parse="text"), DAY, TRUTH]


@given(st.tuples(*([ANY_VALUE] * len(LOOSE))))
def test_the_quick_way_through_a_row_of_texts_ends_as_the_one_by_one(values: tuple[Any, ...]) -> None:
    row = dict(zip((feature.name for feature in LOOSE), values, strict=True))
    assert repr(_outcome(lambda: Contract(LOOSE).vector(row))) == repr(
        _outcome(lambda: [feature.number(row[feature.name]) for feature in LOOSE])
    )


@pytest.mark.parametrize("feature", [GROUP, DAY, OPEN, CODED, PERCENT], ids=lambda feature: feature.name)
def test_a_feature_comes_back_from_the_manifest_as_it_was(feature: Feature) -> None:
    again = Feature(**feature.to_dict(), parse=feature.parse)
    assert again.to_dict() == feature.to_dict()
    assert again.codes == feature.codes


@pytest.mark.parametrize("feature", [GROUP, DAY, CODED, WHOLE, TRUTH], ids=lambda feature: feature.name)
def test_the_value_of_a_number_has_that_number(feature: Feature) -> None:
    numbers = [0.0, 1.0] + [math.nan] * feature.nullable
    assert repr([feature.number(feature.value(number)) for number in numbers]) == repr(numbers)


OPTIONAL = Contract([INFLOW, FEES, Feature("salary", "integer", nullable=True, optional=True)])


@pytest.mark.parametrize("row", [{"inflow": 1.5, "fees": 2}, {"fees": 2, "inflow": 1.5, "salary": None}])
def test_an_optional_feature_may_be_null_or_not_there(row: dict[str, Any]) -> None:
    first, second, third = OPTIONAL.vector(row)
    assert (first, second) == (1.5, 2.0)
    assert math.isnan(third)


def test_beside_an_optional_feature_the_others_are_needed_and_names_are_checked() -> None:
    with pytest.raises(MissingFeature, match=r"^missing: fees; this model needs 2 of its 3 features$"):
        OPTIONAL.vector({"inflow": 1.5})
    with pytest.raises(UnknownField, match=r"^unknown field 'salery'; did you mean 'salary'\?$"):
        OPTIONAL.vector({"inflow": 1.5, "fees": 2, "salery": 1})


def test_what_is_optional_is_nullable_and_not_everything() -> None:
    with pytest.raises(ArtefactRefused, match="what is optional has to be nullable too"):
        Feature("net", optional=True)
    with pytest.raises(ArtefactRefused, match="needs at least one feature that isn't optional"):
        Contract([Feature("net", nullable=True, optional=True)])


def test_an_optional_feature_is_kept_in_the_manifest() -> None:
    assert [feature.optional for feature in Contract.from_dicts(OPTIONAL.to_dicts()).features] == [False, False, True]
