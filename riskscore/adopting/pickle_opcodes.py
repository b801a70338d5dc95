"""The walk through a pickle: pickle's own unpickler, in which nothing is imported, called or changed.

It reads opcode by opcode with the code that joblib's unpickler is made of, so that the two can't read a file
differently; only what an import or a call would give is a stand-in. joblib puts the raw bytes of arrays between the
opcodes. Where they end follows from the array's description, so that is taken as joblib itself writes it and in no
other form: bytes passed over as an array could hide opcodes that run.
"""

from __future__ import annotations

import _compat_pickle
import io
import math
import pickle
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from joblib.numpy_pickle_utils import Unpickler

from riskscore.adopting.array_types import DTYPE, Import, Made, Unlisted, is_wrapped_array, rebuilt

if TYPE_CHECKING:
    from collections.abc import Callable

WRAPPER = Import("joblib.numpy_pickle", "NumpyArrayWrapper")
HANDS_BACK = re.compile(r"numpy\._?core\.(multiarray|_multiarray_umath)\.scalar|numpy\.dtypes\..*")
VERSION = re.compile(r"[0-9][\w.+-]{0,30}", re.ASCII)
PADDING = 16  # at most so many bytes, so that an array's begin at a multiple of them

XGBOOST_VERSION = re.compile(
    rb'version\[#L\0{7}\x03i(?P<a>.)i(?P<b>.)i(?P<c>.)|"version" *: *\[ *(?P<x>\d+) *, *(?P<y>\d+) *, *(?P<z>\d+) *\]',
    re.DOTALL,
)

PUTS = frozenset(pickle.PUT + pickle.BINPUT + pickle.LONG_BINPUT + pickle.MEMOIZE)
GETS = frozenset(pickle.GET + pickle.BINGET + pickle.LONG_BINGET)
CLASS_BEFORE = PUTS | {*pickle.EMPTY_TUPLE}  # what may follow joblib's class, as an instance of it is made ...
INSTANCE_BEFORE = PUTS | {*pickle.EMPTY_DICT}  # ... the bare instance ...
STATE_BEFORE = PUTS | {*pickle.MARK}  # ... and its state, before it is filled


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


def as_found(module: str, name: str, protocol: int) -> Import:
    """What pickle looks for under these names: before protocol 3 it translates those of Python 2."""
    if protocol < 3:
        if (module, name) in _compat_pickle.NAME_MAPPING:
            module, name = _compat_pickle.NAME_MAPPING[module, name]
        else:
            module = _compat_pickle.IMPORT_MAPPING.get(module, module)
    return Import(module, name)


OTHER = object()  # stands for what nothing is known of


class Walk(Unpickler):  # type: ignore[misc]
    """One pickle. Imports and what calls give are stand-ins on the stack; all else is what it will be."""

    def __init__(self, stream: io.BytesIO, listing: Listing, arrays: bool = True) -> None:
        super().__init__(stream)
        self.stream, self.listing, self.arrays = stream, listing, arrays
        self.outer = self
        self.pending: dict[str, Any] | None = None  # the state of an array that is being described

    def find_class(self, module: str, name: str) -> Import:
        found = as_found(module, name, self.outer.proto)
        if "ArrayWrapper" in f"{module}.{name}" and (found != WRAPPER or not self.arrays):
            raise Unlisted("its arrays are not as joblib has written them since 0.10")
        self.listing.imports[found] = None
        return found

    def load_stack_global(self) -> None:
        if any(type(name) is not str for name in self.stack[-2:]):
            raise Unlisted("the name of an import is put together while it is loaded")
        super().load_stack_global()

    def get_extension(self, _code: int) -> None:
        raise Unlisted("it names an import by a number alone")

    def persistent_load(self, _pid: object) -> None:
        raise Unlisted("it asks for something outside the file")

    def load_bytearray8(self) -> None:
        self.append(bytearray(self.read(int.from_bytes(self.read(8), "little"))))  # pickle trusts the length

    def load_reduce(self) -> None:
        made, arguments = self.stack[-2:]
        self.stack[-2:] = [_called(made, arguments)]

    def load_newobj(self) -> None:
        made, arguments = self.stack[-2:]
        plain = made == WRAPPER and arguments == ()
        self.stack[-2:] = [Made(made, arguments) if plain else _called(made, arguments)]

    def load_newobj_ex(self) -> None:
        made, arguments, _ = self.stack[-3:]
        self.stack[-3:] = [_called(made, arguments)]

    def _instantiate(self, made: Any, arguments: list[Any]) -> None:
        self.append(_called(made, tuple(arguments)))

    def load_append(self) -> None:
        self._change(self.stack[-2], super().load_append, self.stack.pop)

    def load_appends(self) -> None:
        self._change(self.metastack[-1][-1], super().load_appends, self.pop_mark)

    def load_additems(self) -> None:
        self._change(self.metastack[-1][-1], super().load_additems, self.pop_mark)

    def load_setitem(self) -> None:
        self._note_version(self.stack[-2:])
        self._change(self.stack[-3], super().load_setitem, lambda: [self.stack.pop(), self.stack.pop()])

    def load_setitems(self) -> None:
        self._note_version(self.stack)
        self._change(self.metastack[-1][-1], super().load_setitems, self.pop_mark)

    def load_dict(self) -> None:
        self._note_version(self.stack)
        super().load_dict()

    def _change(self, target: object, change: Callable[[], object], leave_out: Callable[[], object]) -> None:
        """Change what is a list, dict or set here too; of anything else only the stack changes."""
        if isinstance(target, Made):
            _check_own(target)
            leave_out()
        else:
            change()

    def _note_version(self, items: list[Any]) -> None:
        """scikit-learn writes its version into the state of each estimator."""
        for key, value in zip(items[::2], items[1::2], strict=False):
            if key == "_sklearn_version" and isinstance(value, str) and VERSION.fullmatch(value):
                self.listing.versions.setdefault("scikit-learn", value)

    def load_build(self) -> None:
        """Give an object its state; joblib's array wrapper is then followed by the array itself."""
        instance, state = self.stack[-2:]
        if not isinstance(instance, Made) or instance.built:
            raise Unlisted("it changes something that it didn't make, or makes twice")
        _check_own(instance)
        instance.built, instance.state = True, state
        self.stack.pop()
        if instance.made == WRAPPER:
            self.pending = None
            self.stack[-1] = OTHER
            self._pass_array(state)

    def _pass_array(self, state: dict[str, Any]) -> None:
        """Move behind an array's bytes, or through the pickle that stands for an array of objects."""
        if not is_wrapped_array(state):
            raise Unlisted("an array isn't described as joblib would")
        dtype = rebuilt(state["dtype"])
        frame = self._unframer.current_frame
        if frame is not None and frame.read(1):
            raise Unlisted("an array begins inside a frame")
        if dtype.hasobject:
            inner = Walk(self.stream, self.listing, arrays=False)
            inner.outer = self  # as joblib does: the outer protocol translates the names
            inner.load()
            return
        if state.get("numpy_array_alignment_bytes"):
            padding = self.stream.read(1)[0]
            if not 0 < padding <= PADDING or self.stream.read(padding) != b"\xff" * padding:
                raise Unlisted("an array isn't padded as joblib would")
        self.stream.seek(math.prod(state["shape"]) * dtype.itemsize, io.SEEK_CUR)

    def check_array(self, code: int) -> None:
        """Refuse an opcode by which joblib's array wrapper would become, or get to, anything but an array."""
        below, top = [None, None, *self.stack[-2:]][-2:]
        allowed: frozenset[int] | set[int] | None = None
        if top == WRAPPER:
            allowed = CLASS_BEFORE
        elif below == WRAPPER:
            allowed = {*pickle.NEWOBJ}
        elif _is_array(top):
            allowed = INSTANCE_BEFORE
        elif _is_array(below):
            allowed = {*pickle.BUILD} if top else STATE_BEFORE
        if allowed is not None and code not in allowed and code != pickle.FRAME[0]:
            raise Unlisted("it makes an array in another way than joblib does")


def _is_array(value: object) -> bool:
    return isinstance(value, Made) and value.made == WRAPPER


def _called(made: object, arguments: object) -> object:
    """What stands for the result of a call."""
    if not isinstance(made, Import):
        return OTHER
    if made == WRAPPER:
        raise Unlisted("it makes an array in another way than joblib does")
    if made.name == "dtype" and (made != DTYPE or not isinstance(arguments, tuple) or len(arguments) != 3):
        raise Unlisted("the type of an array is none that numpy would write")  # numpy.dtype(other) is the other
    return Made(made, arguments)


def _check_own(instance: Made) -> None:
    """Refuse a change of what may be something else, handed back by the call that was to make it."""
    if HANDS_BACK.fullmatch(str(instance.made)):
        raise Unlisted("it changes something that it didn't make")


def _step(code: int, load: Callable[[Walk], None]) -> Callable[[Walk], None]:
    """One opcode: looked over, read as pickle reads it, and its text searched for XGBoost's version."""

    def step(walk: Walk) -> None:
        walk.check_array(code)
        load(walk)
        top = walk.stack[-1] if walk.stack else None
        if code in pickle.EMPTY_DICT and len(walk.stack) > 1 and _is_array(walk.stack[-2]):
            walk.pending = top
        if code in GETS and (_is_array(top) or (top is not None and top is walk.pending)):
            raise Unlisted("it makes an array in another way than joblib does")
        if code not in PUTS and code not in GETS and isinstance(top, bytes | bytearray | str):
            # protocol 2 has no bytes: they are text there
            blob = top.encode("latin-1", "ignore") if isinstance(top, str) else top
            if version := xgboost_version(blob):
                walk.listing.versions.setdefault("xgboost", version)

    return step


Walk.dispatch = {  # by the names of pickle's methods, those above among them
    code: _step(code, getattr(Walk, load.__name__)) for code, load in Unpickler.dispatch.items()
}
