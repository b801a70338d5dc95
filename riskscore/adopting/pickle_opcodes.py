"""The walk through a pickle's opcodes: nothing of it is imported or run.

joblib puts the raw bytes of arrays between the opcodes; to find the next opcode, the walk has to know the type and
shape of each array, and follows the values on the stack for that. Where it can't be sure of what joblib would do,
the file is refused: bytes passed over as an array could hide opcodes that run.
"""

from __future__ import annotations

import _compat_pickle
import io
import math
import pickletools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

WRAPPER = "joblib.numpy_pickle.NumpyArrayWrapper"
HANDS_BACK = re.compile(r"numpy\._?core\.multiarray\.scalar")  # may return its argument, whatever that is
DTYPE_CODE = re.compile(r"([biufcmMSUVO])(\d{1,9})")
VERSION = re.compile(r"[0-9][\w.+-]{0,30}", re.ASCII)
HAS_OBJECTS = 1  # of a dtype's flags

XGBOOST_VERSION = re.compile(
    rb'version\[#L\0{7}\x03i(?P<a>.)i(?P<b>.)i(?P<c>.)|"version" *: *\[ *(?P<x>\d+) *, *(?P<y>\d+) *, *(?P<z>\d+) *\]',
    re.DOTALL,
)


@dataclass(frozen=True)
class Import:
    """One thing that a pickle asks for by its module and its name there."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}".encode("unicode_escape").decode()[:200]


@dataclass
class Listing:
    """What a pickle would import, in order, and the versions of the packages that wrote it, where it says."""

    imports: dict[Import, None] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)


def xgboost_version(data: bytes | bytearray) -> str | None:
    """The version of XGBoost that wrote a model, from its JSON or UBJSON."""
    found = XGBOOST_VERSION.search(data)
    if found is None:
        return None
    binary, text = found.group("a", "b", "c"), found.group("x", "y", "z")
    return ".".join(str(ord(part)) for part in binary) if text[0] is None else ".".join(map(bytes.decode, text))


class Unlisted(Exception):
    """The walk can't tell what loading would do."""


@dataclass(eq=False)
class _Object:
    """What a call of something imported gives; made: what is called."""

    made: Import
    arguments: object
    state: dict[str, object] = field(default_factory=dict)
    details: object = None


MARK, OTHER = object(), object()


class Walk:
    """One pickle. The stack holds strings, numbers, tuples, imports and objects as such, dicts as lists of pairs."""

    def __init__(self, stream: io.BytesIO, listing: Listing, arrays: bool) -> None:
        self.stream, self.listing, self.arrays = stream, listing, arrays
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.protocol = self.frame_end = 0

    def run(self) -> None:
        """To the pickle's end; the stream then stands behind it."""
        for opcode, found, _ in pickletools.genops(self.stream):
            argument: Any = found
            taken = self._take(opcode)
            if opcode.name in ACTIONS:
                self.stack += ACTIONS[opcode.name](self, argument, taken)
            elif opcode.name == "FRAME":
                self.frame_end = self.stream.tell() + argument
            else:
                self.stack += [OTHER] * len(opcode.stack_after)
            # protocol 2 has no bytes: they are text there
            blob = argument.encode("latin-1", "ignore") if isinstance(argument, str) else argument
            if isinstance(blob, bytes | bytearray) and (version := xgboost_version(blob)):
                self.listing.versions.setdefault("xgboost", version)

    def _take(self, opcode: Any) -> list[Any]:
        """What an opcode takes from the stack: so many, and before them all down to the last mark if it wants one."""
        kinds, taken = opcode.stack_before, []
        if pickletools.markobject in kinds:
            while (value := self.stack.pop()) is not MARK:
                taken.append(value)
            kinds = kinds[: kinds.index(pickletools.markobject)]
        taken += [self.stack.pop() for _ in kinds]
        return taken[::-1]

    def imported(self, module: object, name: object) -> list[Any]:
        if not isinstance(module, str) or not isinstance(name, str):
            raise Unlisted("the name of an import is put together while it is loaded")
        if self.protocol < 3:  # as pickle translates the names of Python 2
            module, name = _compat_pickle.NAME_MAPPING.get((module, name), (module, name))
            module = _compat_pickle.IMPORT_MAPPING.get(module, module)
        found = Import(module, name)
        if name.endswith("ArrayWrapper") and str(found) != WRAPPER:
            raise Unlisted("its arrays are not as joblib has written them since 0.10")
        self.listing.imports[found] = None
        return [found]

    def memoize(self, place: int, value: Any) -> list[Any]:
        self.memo[place] = value
        return [value]

    def build(self, instance: Any, state: Any) -> list[Any]:
        """Give an object its state; joblib's array wrapper is then followed by the array itself."""
        if not isinstance(instance, _Object) or HANDS_BACK.fullmatch(str(instance.made)):
            raise Unlisted("it changes something that it didn't make")
        instance.details = state
        if not self.arrays or str(instance.made) != WRAPPER:
            return [instance]
        if not isinstance(state, list) or not all(type(key) is str for key, _ in state):
            raise Unlisted("an array isn't described as joblib would")
        instance.state.update(state)
        if self.stream.tell() < self.frame_end:
            raise Unlisted("an array begins inside a frame")
        self._pass_array(**instance.state)
        return [OTHER]

    def _pass_array(self, shape: Any, dtype: Any, numpy_array_alignment_bytes: Any = None, **_: Any) -> None:
        """Move behind an array's bytes, or through the pickle that stands for an array of objects."""
        size, objects = _item(dtype)
        if objects:
            Walk(self.stream, self.listing, arrays=False).run()
            return
        if not isinstance(shape, tuple) or not all(type(length) is int and length >= 0 for length in shape):
            raise Unlisted("the shape of an array is no list of lengths")
        padding = ord(self.stream.read(1)) if numpy_array_alignment_bytes is not None else 0
        self.stream.seek(padding + math.prod(shape) * size, io.SEEK_CUR)


def _item(dtype: Any) -> tuple[int, bool]:
    """(bytes of an item, whether it holds objects) of a numpy dtype as it is pickled."""
    unknown = Unlisted("the type of an array is none that numpy would write")
    if not isinstance(dtype, _Object) or str(dtype.made) != "numpy.dtype":
        raise unknown
    code = DTYPE_CODE.fullmatch(dtype.arguments[0]) if isinstance(dtype.arguments, tuple) else None
    if code is None or not isinstance(dtype.details, tuple):
        raise unknown
    kind, size = code[1], int(code[2]) * (4 if code[1] == "U" else 1)
    *_, subarray, _names, _fields, stated, _alignment, flags = dtype.details[:8]
    if subarray is not None or stated not in ((size,) if kind in "SUV" else (-1, size)):
        raise unknown
    objects = bool(flags & HAS_OBJECTS)
    if objects != (kind == "O") and kind != "V":
        raise unknown
    return size, objects


def _called(made: Any, arguments: Any) -> list[Any]:
    if not isinstance(made, Import):
        return [OTHER]
    if made == Import("copyreg", "_reconstructor") and isinstance(arguments, tuple):
        return _called(arguments[0], ())
    return [_Object(made, arguments)]


def _set_items(walk: Walk, _: Any, taken: list[Any]) -> list[Any]:
    """Pairs behind a dict's; the version that scikit-learn writes into the state of each estimator is noted."""
    target, *items = taken
    for key, value in zip(items[::2], items[1::2], strict=True):
        if key == "_sklearn_version" and isinstance(value, str) and VERSION.fullmatch(value):
            walk.listing.versions.setdefault("scikit-learn", value)
        if isinstance(target, list):
            target.append((key, value))
    return [target]


def _literal(_walk: Walk, argument: Any, _taken: list[Any]) -> list[Any]:
    return [argument]


def _tuple(_walk: Walk, _: Any, taken: list[Any]) -> list[Any]:
    return [tuple(taken)]


def _get(walk: Walk, place: Any, _: list[Any]) -> list[Any]:
    return [walk.memo[int(place)]]


def _put(walk: Walk, place: Any, _: list[Any]) -> list[Any]:
    walk.memo[int(place)] = walk.stack[-1]
    return []


def _protocol(walk: Walk, number: Any, _: list[Any]) -> list[Any]:
    walk.protocol = number
    return []


def _extension(walk: Walk, number: Any, _: list[Any]) -> list[Any]:
    return walk.imported("copyreg", f"extension {number}")


ACTIONS: dict[str, Callable[[Walk, Any, list[Any]], list[Any]]] = {
    "PROTO": _protocol,
    "MARK": lambda _walk, _, _taken: [MARK],
    "POP": lambda _walk, _, _taken: [],
    "DUP": lambda _walk, _, taken: taken * 2,
    "MEMOIZE": lambda walk, _, taken: walk.memoize(len(walk.memo), taken[0]),
    "GLOBAL": lambda walk, argument, _: walk.imported(*argument.split(" ", 1)),
    "STACK_GLOBAL": lambda walk, _, taken: walk.imported(*taken),
    "INST": lambda walk, argument, taken: _called(walk.imported(*argument.split(" ", 1))[0], tuple(taken)),
    "OBJ": lambda _walk, _, taken: _called(taken[0], tuple(taken[1:])),
    "REDUCE": lambda _walk, _, taken: _called(*taken),
    "NEWOBJ": lambda _walk, _, taken: _called(*taken),
    "NEWOBJ_EX": lambda _walk, _, taken: _called(*taken[:2]),
    "BUILD": lambda walk, _, taken: walk.build(*taken),
    "EMPTY_DICT": lambda _walk, _, _taken: [[]],
    "DICT": lambda walk, _, taken: _set_items(walk, _, [[], *taken]),
    "SETITEM": _set_items,
    "SETITEMS": _set_items,
    "NONE": lambda _walk, _, _taken: [None],
    "NEWTRUE": lambda _walk, _, _taken: [True],
    "NEWFALSE": lambda _walk, _, _taken: [False],
    **dict.fromkeys(("EMPTY_TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "TUPLE"), _tuple),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _get),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _put),
    **dict.fromkeys(("EXT1", "EXT2", "EXT4"), _extension),
    **dict.fromkeys(("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"), _literal),
    **dict.fromkeys(("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE"), _literal),
    **dict.fromkeys(("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"), _literal),
}
