"""Mutated pickles, each listed and then loaded by joblib itself in a child process: was every import listed?

`python -m tests.pickle_mutations 10000` prints what it counted, and ends with status 1 where an import was not listed.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import random
import resource
import signal
import struct
import sys
import warnings
from collections import Counter
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
from joblib.numpy_pickle import NumpyPickler

from riskscore.adopting.array_types import Import
from riskscore.adopting.pickle_imports import is_expected, list_imports
from riskscore.adopting.pickle_opcodes import Listing, Walk, as_found
from riskscore.errors import InvalidFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SECONDS = 10  # that a file may take to load
MEMORY = 2**33
RUNS = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.connect", "ctypes.dlopen")
STOPPED, UNLISTED, RAN, RAISED = 3, 4, 5, 6  # how a child ends
NAMES = {STOPPED: "stopped at an unusual import", UNLISTED: "unlisted", RAN: "ran something", RAISED: "raised"}


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def taken(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


SYSTEM = taken("posix", "system") + text("true") + b"\x85R"
WRAPPER = taken("joblib.numpy_pickle", "NumpyArrayWrapper")
DTYPE, NDARRAY = taken("numpy", "dtype"), taken("numpy", "ndarray")
BYTE_STATE = b"(K\3" + text("|") + b"NNN" + b"J\xff\xff\xff\xff" * 2 + b"K\0t"
BYTE = DTYPE + text("u1") + b"\x89\x88\x87R" + BYTE_STATE + b"b"
EMPTY = text("shape") + b"K\0\x85" + text("dtype") + BYTE
WHOLE = text("subclass") + NDARRAY + EMPTY + text("order") + text("C") + text("allow_mmap") + b"\x88"
ALIGNED = text("numpy_array_alignment_bytes") + b"K\x10"
STATES = [b"}(" + items + b"ub" for items in (EMPTY, WHOLE, WHOLE + ALIGNED)]
# To joblib, 66 bytes of padding and then opcodes; to whoever sees no array there, bytes on the stack.
HIDDEN = b"\x42" + struct.pack("<I", 62 + len(SYSTEM)) + bytes(62) + SYSTEM
OBJECT = taken("numpy._core.multiarray", "scalar") + DTYPE + text("O8") + b"\x89\x88\x87R"
WAYS = [  # to a wrapper, most of them not joblib's
    WRAPPER + b"(" + NDARRAY + b"K\0\x85" + text("C") + BYTE + b"tR",
    taken("sklearn.neighbors._kd_tree", "newObj") + WRAPPER + b"\x85R",
    taken("copyreg", "_reconstructor") + WRAPPER + taken("builtins", "object") + b"N\x87R",
    OBJECT + WRAPPER + b")\x81\x86R",
    WRAPPER + b")\x81",
    WRAPPER + b")}\x92",
]
OPCODES = [bytes([code]) for code in b"(012bRusa}])tN.\x81\x93\x94\x97\x98"] + [b"h%c" % place for place in range(8)]
OPCODES += [b"q\0", b"q\1", b"K\x10", b"\x82\1", b"\x84\1\0\0\0", b"Q", b"Pa\n", b"\x80\0", b"\x80\2", b"\x80\4"]
FRAMES = [b"\x95" + struct.pack("<Q", size) for size in (0, 1, 9, 64)]
ARRAYS = [way + state + HIDDEN for way in WAYS for state in STATES]
PARTS = [*ARRAYS, *OPCODES, *FRAMES, SYSTEM, WRAPPER, *STATES, ALIGNED, BYTE, BYTE_STATE + b"b"]
DICT = taken("collections", "OrderedDict") + b")R" + text("a") + b"K\1s"
WHOLES = [
    part + b"0" for part in (b"I1\n", text("a"), b"(K\1K\2t", b"]K\1a", DICT, BYTE, SYSTEM, b"h\0", b"h\1", b"h\2")
]
WHOLES += [part + b"00" for part in ARRAYS]  # the stack is then as it was


class Seed:
    """A pickle, and where its opcodes begin."""

    def __init__(self, value: object, protocol: int, framed: bool) -> None:
        stream = io.BytesIO()
        pickler = NumpyPickler(stream, protocol=protocol)
        if not framed:
            pickler.framer.start_framing = lambda: None
        pickler.dump(value)
        self.data, self.places = stream.getvalue(), [2]
        if not framed:  # a frame is read all at once
            walk = Recording(io.BytesIO(self.data), Listing())
            walk.load()
            self.places = walk.places


class Recording(Walk):
    """The walk, which notes where it stood before each opcode."""

    def check_array(self, code: int) -> None:
        self.places = [*getattr(self, "places", ()), self.stream.tell() - 1]
        super().check_array(code)


def seeds() -> list[Seed]:
    """Estimators and arrays as joblib writes them, with frames and without."""
    from tests.adopting.test_pickle_imports import ESTIMATORS, X, Y

    rows = np.array(X > 0, dtype=object)
    with warnings.catch_warnings(action="ignore"):
        fitted = [ESTIMATORS[name].fit(rows if name == "objects" else X, Y) for name in ESTIMATORS]
    arrays = [
        np.arange(3.0),
        np.array(["a", None], dtype=object),
        np.zeros(2, "i4,f8"),
        {"b": b"x" * 40, "m": np.eye(2)},
    ]
    return [
        Seed(value, protocol, framed)
        for value in (*arrays, *fitted)
        for protocol, framed in ((2, False), (4, False), (4, True))
    ]


def mutated(seed: Seed, others: Sequence[Seed], chance: random.Random) -> bytes:
    """A pickle with one or two changes, most of them between its opcodes."""
    data = seed.data
    for place in sorted((_place(seed, chance) for _ in range(chance.choice((1, 1, 1, 2)))), reverse=True):
        length, other = chance.randrange(1, 24), chance.choice(others)
        start = _place(other, chance)
        end = next((later for later in seed.places if later > place), place + 1)
        put, taken_out = chance.choice(
            [
                (bytes([chance.randrange(256)]), 1),
                (chance.choice(PARTS), 0),
                (chance.choice(PARTS), end - place),
                (chance.choice(WHOLES), 0),
                (chance.choice(WHOLES), 0),
                (b"", end - place),
                (data[place:end], 0),
                (other.data[start : start + 4 * length], chance.choice((0, length))),
            ]
        )
        data = data[:place] + put + data[place + taken_out :]
    return data


def _place(seed: Seed, chance: random.Random) -> int:
    return chance.choice(seed.places) if chance.random() < 0.9 else chance.randrange(2, len(seed.data))


def files(count: int, seed: int) -> Iterator[bytes]:
    """The seeds as they are, and then their mutations."""
    chance, known = random.Random(seed), seeds()
    short = [entry for entry in known if len(entry.data) < 3000]
    for k in range(count):
        yield known[k].data if k < len(known) else mutated(chance.choice(short if k % 4 else known), known, chance)


def outcome(data: bytes) -> str:
    """What came of one file: refused, or how loading it ended."""
    try:
        listing = list_imports("file", data)
    except InvalidFile:
        return "refused"
    child = os.fork()
    if not child:
        _load(data, listing)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return "killed by its limits or a broken model of XGBoost's"
    return NAMES.get(os.WEXITSTATUS(status), "loaded")


def _load(data: bytes, listing: Listing) -> None:
    """In the child: load with joblib, and end with a status that says how; never returns."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.alarm(SECONDS)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)

    def watch(event: str, arguments: Any) -> None:
        if event in RUNS:
            os._exit(RAN)
        if event == "pickle.find_class":
            asked = {Import(*arguments), as_found(*arguments, 2)}
            if not asked & {*listing.imports}:
                os._exit(UNLISTED)
            if not all(map(is_expected, asked & {*listing.imports})):
                os._exit(STOPPED)

    sys.addaudithook(watch)
    with contextlib.suppress(BaseException), warnings.catch_warnings(action="ignore"):
        joblib.load(io.BytesIO(data))
        os._exit(0)
    os._exit(RAISED)


def count(files: Iterator[bytes]) -> Counter[str]:
    return Counter(map(outcome, files))


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    found = count(files(options.count, options.seed))
    for name, number in sorted(found.items(), key=lambda entry: -entry[1]):
        print(f"{number:8,}  {name}")
    print(f"{found.total():8,}  files, seed {options.seed}; imports that were not listed: {found[NAMES[UNLISTED]]}")
    return 1 if found[NAMES[UNLISTED]] or found[NAMES[RAN]] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
