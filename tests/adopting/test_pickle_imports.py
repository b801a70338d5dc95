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
import sys
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

from riskscore.adopting.array_types import Unlisted
from riskscore.adopting.pickle_imports import ListedAlone, is_expected, list_imports, unpacked
from riskscore.errors import InvalidFile
from tests.scoring_examples import ROOT

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


WRAPPER = text("joblib.numpy_pickle") + text("NumpyArrayWrapper") + b"\x93"
DTYPE = text("numpy") + text("dtype") + b"\x93"
SCALAR = text("numpy._core.multiarray") + text("scalar") + b"\x93"
NOT_JOBLIBS = "it makes an array in another way than joblib does"


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
        ([b"]", b"}", b"b"], "didn't make"),
        ([text("posix"), b"P1\n"], "asks for something outside the file"),
        ([b"\x82\1"], "names an import by a number alone"),
        ([text("joblib"), text("numpy_pickle.NumpyArrayWrapper"), b"\x93"], "as joblib has written them since"),
        ([WRAPPER, b"N", b"}", b"\x86", b"b"], NOT_JOBLIBS),
        ([WRAPPER, b"2"], NOT_JOBLIBS),
        ([WRAPPER, b")", b"R"], NOT_JOBLIBS),
        ([WRAPPER, b")", b"}", b"\x92"], NOT_JOBLIBS),
        ([WRAPPER, b"\x85"], NOT_JOBLIBS),
        ([b"(", WRAPPER, b"o"], NOT_JOBLIBS),
        ([b"(", b"ijoblib.numpy_pickle\nNumpyArrayWrapper\n"], NOT_JOBLIBS),
        ([WRAPPER, b"\x94", b"0"], NOT_JOBLIBS),
        ([WRAPPER, b")\x81\x94", b"}", b"(", b"h\0"], NOT_JOBLIBS),
        ([WRAPPER, b")\x81", b"}\x94", b"(", b"h\0"], NOT_JOBLIBS),
        ([WRAPPER, b")\x81", b"}(", text("shape"), b")ub"], "isn't described as joblib would"),
        ([WRAPPER, b")\x81", b"}(", text("shape"), b")", text("shape"), b")ub"], "isn't described as joblib would"),
        ([DTYPE, DTYPE, b"\x85R"], "none that numpy would write"),
        ([SCALAR, b"N", b"}", b"\x86R", text("a"), b"Ns"], "didn't make"),
        ([DTYPE, text("f8"), b"\x89\x88\x87R", b")b", b")b"], "makes twice"),
        ([text("joblib.numpy_pickle_compat"), text("ZNDArrayWrapper"), b"\x93"], "as joblib has written them since"),
    ],
)
def test_what_the_walk_cant_follow_is_refused(parts: list[bytes], reason: str) -> None:
    with pytest.raises(InvalidFile, match=reason):
        list_imports("file", opcodes(*parts))


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("dtype", "f8"),
        ("dtype", np.dtype([("a", "f8", (2,))])["a"]),
        ("dtype", np.dtype([("a", "f8", (2,))])),
        ("dtype", np.dtype("M8[ns]")),
        ("shape", (-1,)),
        ("shape", [2]),
        ("shape", (True,)),
        ("shape", (2.0,)),
        ("order", "K"),
        ("allow_mmap", 1),
        ("subclass", dict),
        ("numpy_array_alignment_bytes", 8),
        ("numpy_array_alignment_bytes", True),
        ("read", None),
    ],
)
def test_an_array_that_joblib_wouldnt_describe_so_is_refused(attribute: str, value: object) -> None:
    wrapper = NumpyArrayWrapper(np.ndarray, (2,), "C", np.dtype("f8"))
    setattr(wrapper, attribute, value)
    with pytest.raises(InvalidFile, match=r"joblib would|numpy would"):
        list_imports("file", unframed(wrapper) + b"\1\xff" + bytes(16) + b".")


@pytest.mark.parametrize("padding", [b"\0", b"\x11" + b"\xff" * 17, b"\x02\xff\0"])
def test_padding_that_isnt_joblibs_is_refused(padding: bytes) -> None:
    wrapper = unframed(NumpyArrayWrapper(np.ndarray, (2,), "C", np.dtype("f8")))
    assert list_imports("file", wrapper + b"\1\xff" + bytes(16) + b".").imports
    with pytest.raises(InvalidFile, match="an array isn't padded as joblib would"):
        list_imports("file", wrapper + padding + bytes(16) + b".")


def unframed(value: object) -> bytes:
    """A pickle up to its end, where an array's bytes may follow."""
    return pickle.dumps(value, protocol=3).removesuffix(b".")


@pytest.mark.parametrize(
    "value", [np.zeros(2, "i4,f8"), np.zeros(2, np.dtype("i1,f8", align=True)), np.eye(2, dtype=">f4")]
)
def test_any_array_that_numpy_and_joblib_write_is_followed(value: Any) -> None:
    plain = dumped([value, Calls(os.getcwd)])
    assert unexpected(plain) == ["posix.getcwd"]


def test_an_object_array_is_followed_with_the_names_of_the_outer_protocol() -> None:
    plain = dumped(np.array([b"x", Calls(os.getcwd)], dtype=object), protocol=2)
    assert list(map(str, list_imports("file", plain).imports)) == imported_by_loading(plain)


def test_what_stands_behind_the_end_is_refused() -> None:
    with pytest.raises(InvalidFile, match="there are bytes after its end"):
        list_imports("file", pickle.dumps(1) + pickle.dumps(2))


def test_lz4_is_named() -> None:
    with pytest.raises(InvalidFile, match="compressed with lz4, which isn't read here"):
        unpacked("file", b"\x04\x22\x4d\x18" + bytes(9))


def test_a_length_beyond_the_file_takes_no_memory() -> None:
    with pytest.raises(InvalidFile, match="broken or truncated"):
        list_imports("file", opcodes(b"\x96" + struct.pack("<Q", 2**40), protocol=5))


def test_nothing_is_imported_but_what_was_listed() -> None:
    plain = pickle.dumps(np.float64)
    listing = list_imports("file", plain)
    assert ListedAlone(plain, listing).load() is np.float64
    with pytest.raises(Unlisted, match=r"numpy\.float32, which was not listed"):
        ListedAlone(pickle.dumps(np.float32), listing).load()
    with pytest.raises(Unlisted, match=r"posix\.getcwd, which was not listed"):
        ListedAlone(
            dumped(np.array([Calls(os.getcwd)], object)), list_imports("", dumped(np.array([0], object)))
        ).load()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_every_import_of_mutated_pickles_was_listed(seed: int) -> None:
    command = [sys.executable, "-m", "tests.pickle_mutations", "200", "--seed", str(seed)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.endswith(f"     200  files, seed {seed}; imports that were not listed: 0\n")


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
