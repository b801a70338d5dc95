"""What a pickle would import: all of it is listed, and nothing of it runs."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import os
import pickle
import struct
import subprocess
import warnings
import zlib
from _compat_pickle import IMPORT_MAPPING
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joblib.numpy_pickle import NumpyArrayWrapper, NumpyUnpickler
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from xgboost import XGBClassifier

from riskscore.adopting.pickle_imports import is_expected, list_imports, unpacked
from riskscore.errors import InvalidFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RNG = np.random.default_rng(1)
X = RNG.normal(size=(40, 3))
Y = (X[:, 0] > 0).astype(int)

ESTIMATORS = {
    "logistic": LogisticRegression(),
    "pipeline": make_pipeline(StandardScaler(), LogisticRegression()),
    "objects": make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()),
    "forest": RandomForestClassifier(3, random_state=1),
    "boosting": HistGradientBoostingClassifier(max_iter=2),
    "network": MLPClassifier((2,), max_iter=2, random_state=1),
    "xgboost": XGBClassifier(n_estimators=2, n_jobs=1),
}


def dumped(value: object, **options: Any) -> bytes:
    stream = io.BytesIO()
    joblib.dump(value, stream, **options)
    return stream.getvalue()


@pytest.fixture(scope="module", params=ESTIMATORS)
def estimator(request: pytest.FixtureRequest) -> Any:
    rows = RNG.integers(0, 3, size=(40, 2)).astype(object) if request.param == "objects" else X
    with warnings.catch_warnings(action="ignore"):
        return ESTIMATORS[request.param].fit(rows, Y)


def imported_by_loading(plain: bytes) -> list[str]:
    """What joblib's own unpickler asks for, in order."""
    found: dict[str, None] = {}

    class Recording(NumpyUnpickler):
        def find_class(self, module: str, name: str) -> Any:
            found[f"{IMPORT_MAPPING.get(module, module)}.{name}"] = None  # protocol 2 names them as Python 2 did
            return super().find_class(module, name)

    Recording("", io.BytesIO(plain), ensure_native_byte_order=True).load()
    return list(found)


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("dump", [dumped, pickle.dumps])
def test_the_list_is_what_loading_imports(estimator: Any, dump: Callable[..., bytes], protocol: int) -> None:
    plain = dump(estimator, protocol=protocol)
    listing = list_imports("file", plain)
    assert list(map(str, listing.imports)) == imported_by_loading(plain)
    assert all(map(is_expected, listing.imports))


def test_the_versions_that_wrote_it_are_told(estimator: Any) -> None:
    import sklearn
    import xgboost

    package = ("xgboost", xgboost) if isinstance(estimator, XGBClassifier) else ("scikit-learn", sklearn)
    assert list_imports("file", dumped(estimator)).versions == {package[0]: package[1].__version__}


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("lzma", 1), ("xz", 1)])
def test_compressed_files_are_unpacked(compress: Any) -> None:
    value = {"a": np.arange(1000)}
    assert unpacked("file", dumped(value, compress=compress)) == dumped(value)


@pytest.mark.parametrize("pack", [zlib.compress, gzip.compress, bz2.compress, lzma.compress])
def test_unpacking_stops_at_the_limit(pack: Callable[[bytes], bytes]) -> None:
    with pytest.raises(InvalidFile, match="file unpacks to more than 2 MB"):
        unpacked("file", pack(b"\x80\x04" + bytes(2**23)), limit=2**21)


@pytest.mark.parametrize("pack", [zlib.compress, gzip.compress, bz2.compress, lzma.compress])
def test_half_a_compressed_file_is_refused(pack: Callable[[bytes], bytes]) -> None:
    data = pack(dumped(np.arange(1000.0)))
    with pytest.raises(InvalidFile, match="compressed and broken"):
        unpacked("file", data[: len(data) // 2])


@pytest.mark.parametrize("data", [b"", b"nonsense", b"\x89PNG\r\n", b"ZF0x12", b"cos\nsystem\n.", b"\x80\x07N."])
def test_what_is_no_pickle_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidFile, match="neither a pickle"):
        unpacked("file", data)


# Pickles that would run something


class Calls:
    """Pickles as a call of a function."""

    def __init__(self, function: Callable[..., Any], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def unexpected(plain: bytes) -> list[str]:
    return [str(entry) for entry in list_imports("file", plain).imports if not is_expected(entry)]


@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (os.system, ("touch {}",), "posix.system"),
        (eval, ("open('{}', 'w')",), "builtins.eval"),
        (exec, ("open('{}', 'w')",), "builtins.exec"),
        (getattr, (os, "system"), "builtins.getattr"),
        (subprocess.check_call, (["touch", "{}"],), "subprocess.check_call"),
        (np.memmap, ("{}", "u1", "w+", 0, 1), "numpy.memmap"),
        (np.load, ("{}",), "numpy.load"),
        (joblib.load, ("{}",), "joblib.numpy_pickle.load"),
    ],
)
@pytest.mark.parametrize("place", ["alone", "behind an array", "in an array of objects", "in a list"])
def test_what_runs_code_is_marked_and_doesnt_run(
    tmp_path: Path, function: Callable[..., Any], arguments: tuple[Any, ...], name: str, place: str
) -> None:
    target = tmp_path / "written"
    filled = [part.format(target) if isinstance(part, str) else part for part in arguments]
    bomb = Calls(function, *[part for part in filled if part is not os])
    places = {
        "alone": bomb,
        "behind an array": [np.arange(10.0), bomb, np.arange(3)],
        "in an array of objects": np.array([bomb, None], dtype=object),
        "in a list": [StandardScaler(), bomb],
    }
    for plain in (dumped(places[place]), pickle.dumps(places[place])):
        assert unexpected(plain) == [name]
    assert not target.exists()


def opcodes(*parts: bytes, protocol: int = 4) -> bytes:
    return b"".join([b"\x80", bytes([protocol]), *parts, b"."])


def text(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


def test_a_name_that_reaches_through_a_module_is_marked() -> None:
    assert unexpected(opcodes(text("sklearn.utils.parallel"), text("os.system"), b"\x93")) == [
        "sklearn.utils.parallel.os.system"
    ]
    assert unexpected(opcodes(text("joblib.numpy_pickle"), text("subprocess.Popen"), b"\x93")) == [
        "joblib.numpy_pickle.subprocess.Popen"
    ]


def test_names_of_python_2_are_shown_as_they_are_found() -> None:
    assert unexpected(opcodes(b"c__builtin__\neval\n", protocol=2)) == ["builtins.eval"]
    assert unexpected(opcodes(b"(S'id'\nios\nsystem\n", protocol=2)) == ["os.system"]


def test_names_cant_write_to_the_terminal() -> None:
    assert unexpected(opcodes(text("os\x1b[2J"), text("system"), b"\x93")) == ["os\\x1b[2J.system"]


def array_in_one_frame(hidden: bytes) -> bytes:
    """A wrapper whose frame goes on behind it: pickle reads opcodes there, and joblib the array behind the frame."""
    plain = dumped(np.arange(2.0))
    build = plain.index(b"\x10ub") + 3  # behind BUILD
    inside = plain[11:build] + hidden
    return plain[:2] + b"\x95" + struct.pack("<Q", len(inside)) + inside + plain[build:]


def test_bytes_that_joblib_wouldnt_pass_over_are_not_passed_over() -> None:
    hidden = array_in_one_frame(text("os") + text("system") + b"\x93")
    assert "os.system" in imported_by_loading(hidden)
    with pytest.raises(InvalidFile, match="an array begins inside a frame"):
        list_imports("file", hidden)
    assert list_imports("file", array_in_one_frame(b"")).imports


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ([text("os"), b"]", b"\x93"], "put together while it is loaded"),
        ([text("joblib.numpy_pickle"), text("NumpyArrayWrapper"), b"\x93", b"N", b"}", b"\x86", b"b"], "didn't make"),
        ([text("joblib.numpy_pickle_compat"), text("ZNDArrayWrapper"), b"\x93"], "as joblib has written them since"),
        ([b"]", b"}", b"b"], "didn't make"),
    ],
)
def test_what_the_walk_cant_follow_is_refused(parts: list[bytes], reason: str) -> None:
    with pytest.raises(InvalidFile, match=reason):
        list_imports("file", opcodes(*parts))


@pytest.mark.parametrize(
    ("attribute", "value"),
    [("dtype", "f8"), ("dtype", np.dtype([("a", "f8", (2,))])["a"]), ("shape", (-1,)), ("shape", [2])],
)
def test_an_array_of_no_known_size_is_refused(attribute: str, value: object) -> None:
    wrapper = NumpyArrayWrapper(np.ndarray, (2,), "C", np.dtype("f8"))
    setattr(wrapper, attribute, value)
    with pytest.raises(InvalidFile, match="can't be listed"):
        list_imports("file", pickle.dumps(wrapper) + bytes(100))


BYTES = dumped(make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y))


@pytest.mark.parametrize("length", range(2, len(BYTES), 61))
def test_a_truncated_pickle_is_refused(length: int) -> None:
    with pytest.raises(InvalidFile, match="broken or truncated"):
        list_imports("file", BYTES[:length])


@settings(max_examples=300, deadline=None)
@given(place=st.integers(2, len(BYTES) - 1), put=st.binary(min_size=1, max_size=8))
def test_a_broken_pickle_is_listed_or_refused(place: int, put: bytes) -> None:
    with contextlib.suppress(InvalidFile):
        list_imports("file", BYTES[:place] + put + BYTES[place + len(put) :])
