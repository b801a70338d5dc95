"""What the service reads and writes quickly it reads and writes exactly: the same values, the same bytes, refusals."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskscore.errors import BodyTooLarge, BrokenJson
from riskscore.service.json_codec import encode_answer, parse_body
from riskscore.serving.http_routes import encode, parse

if TYPE_CHECKING:
    from collections.abc import Callable

WHOLE = st.integers() | st.integers(-(2**70), 2**70) | st.sampled_from([2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**400])
DIGITS = st.text("0123456789", min_size=1, max_size=40)
NUMERALS = st.from_regex(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
VALUES = st.recursive(
    st.none() | st.booleans() | WHOLE | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def halfway(bits: int, power: int) -> str:
    """The numeral in the middle between two floats, where a careless reader rounds to the wrong one."""
    return str((2 * (2**52 + bits) + 1) << power)


HALFWAY = st.builds(halfway, st.integers(0, 2**52 - 1), st.integers(0, 200))
HARD = st.builds("{}.{}".format, HALFWAY, DIGITS) | HALFWAY.map("{}.0".format) | HALFWAY.map("{}e-30".format)


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def read(reader: Callable[[bytes], object], body: bytes) -> str:
    """What a reader makes of a body, written so that types, signs of zero and NaN show; or its refusal."""
    try:
        return repr(reader(body))
    except BrokenJson as error:
        return f"refused: {error}"


@pytest.mark.slow
@settings(max_examples=500)
@given(st.builds(json.dumps, VALUES, ensure_ascii=st.booleans(), indent=st.none() | st.just(1)).map(encoded))
def test_any_json_is_read_as_the_function_reads_it(body: bytes) -> None:
    assert read(parse_body, body) == read(parse, body)


@pytest.mark.slow
@settings(max_examples=2_000)
@given(NUMERALS | HARD)
def test_any_number_is_the_same_float_or_the_same_integer(numeral: str) -> None:
    assert read(parse_body, numeral.encode()) == read(parse, numeral.encode())


@settings(max_examples=500)
@given(st.binary() | st.text('{}[]",:0123456789.-+eE \\u', max_size=30).map(str.encode))
def test_any_bytes_are_refused_in_the_same_words(body: bytes) -> None:
    assert read(parse_body, body) == read(parse, body)


@pytest.mark.parametrize(
    "body",
    [
        b"NaN",
        b"-Infinity",
        b"1e400",
        b'"\\ud800"',
        b'{"a": 1, "a": 2}',
        b"\xef\xbb\xbf1",
        b'"\xed\xa0\x80"',
        b"9" * 4_000,
        b"9" * 5_000,
        b"[" * 200_000,
        b"[" * 2_000 + b"]" * 2_000,
        b'{"a":' * 200_000,
        b"1 2",
        b"[1,]",
        b"",
    ],
)
def test_what_only_one_of_the_readers_takes_ends_the_same(body: bytes) -> None:
    assert read(parse_body, body) == read(parse, body)


def test_a_sound_body_is_read_by_the_quick_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("riskscore.service.json_codec.parse", None)
    assert parse_body(b'{"a": [1, 2.5, null]}') == {"a": [1, 2.5, None]}


FLOATS = st.floats(allow_nan=False, allow_infinity=False) | st.floats(0, 1) | st.sampled_from([1e-4, 1e16, 0.0, -0.0])
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
CELLS = FLOATS | st.integers() | st.booleans() | st.none() | TEXTS
ANSWERS = st.recursive(
    CELLS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=10
)
ROWS = st.lists(st.fixed_dictionaries({"id": TEXTS, "p": FLOATS, "why": st.just([]) | ANSWERS}), max_size=8)
MIXED = st.lists(st.dictionaries(TEXTS, ANSWERS, max_size=4), max_size=8)


@pytest.mark.slow
@pytest.mark.parametrize("rows", [ROWS, MIXED, st.lists(ANSWERS), ANSWERS], ids=["alike", "mixed", "list", "any"])
def test_any_answer_has_the_bytes_of_the_functions(rows: st.SearchStrategy[object]) -> None:
    @settings(max_examples=300)
    @given(rows, st.sampled_from([1, 40]))
    def check(answer: object, times: int) -> None:
        given_often = answer * times if isinstance(answer, list) else answer
        assert encode_answer(given_often) == encode(given_often)

    check()


@pytest.mark.parametrize("value", [9.99e-5, 1e-4, 9999999999999998.0, 1e16, 0.0, -0.5])
def test_a_float_has_an_exponent_where_the_function_gives_it_one(value: float) -> None:
    rows = [{"probability": value}, *({"probability": 0.5} for _ in range(200))]
    assert encode_answer(rows) == encode(rows)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("where", [lambda value: value, lambda value: [value], lambda value: {"deep": value}])
def test_what_is_no_number_is_never_written(value: float, where: Callable[[float], object]) -> None:
    rows: list[object] = [{"probability": 0.5} for _ in range(200)]
    rows[100] = {"probability": where(value)}
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode_answer(rows)


def test_sound_rows_are_written_by_the_quick_encoder_and_the_others_by_the_functions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written: list[object] = []
    monkeypatch.setattr("riskscore.service.json_codec.encode", lambda row: written.append(row) or encode(row))
    rows = [{"probability": 1 / n} for n in range(1, 200)]
    rows[7] = {"probability": 0.00001}
    assert json.loads(encode_answer(rows)) == rows
    assert written == [rows[7]]


@pytest.mark.parametrize("body", [b"[" + b"[]," * 3_000_000 + b"1]", b'[{"a":[' + b"{}," * 3_000_000 + b"{}]}]"])
def test_more_values_than_memory_is_meant_for_are_refused_before_they_are_read(body: bytes) -> None:
    with pytest.raises(BodyTooLarge, match="more than 4,000,000 values"):
        parse_body(body)
