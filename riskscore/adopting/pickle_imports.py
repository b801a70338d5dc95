"""What a pickle would import, listed before anything of it is loaded, and then loaded with these imports alone.

A pickle is a program. Its imports are all that it can reach, so they are what a person has to see before trusting it.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import re
import struct
import warnings
import zlib
from typing import TYPE_CHECKING, Any

from joblib.numpy_pickle import NumpyUnpickler

from riskscore.adopting.array_types import Unlisted
from riskscore.adopting.pickle_opcodes import Listing, Walk, as_found
from riskscore.errors import InvalidFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from riskscore.adopting.array_types import Import

MAX_BYTES = 2**29  # of a file, and of what it unpacks to
STEP = 2**20
MOST_UNUSUAL = 1000  # imports: nobody reads a longer list to its end
LZ4 = b"\x04\x22\x4d\x18"
NAME = r"_?[A-Z]\w*"

# What pickles of estimators are made of, "module attribute". Anything else is unusual, and is marked.
EXPECTED = re.compile(
    r"numpy(\._?core\.(multiarray|numeric|_multiarray_umath))? (ndarray|dtype|_reconstruct|scalar|_frombuffer)"
    r"|numpy (u?int\d+|float\d+|bool_?|str_|abs|absolute|exp|expm1|log|log10|log1p|sqrt|square)|numpy\.dtypes \w+DType"
    rf"|numpy\.ma(\.core)? (_mareconstruct|MaskedArray)|numpy\.random(\.\w+)? ({NAME}|__pyx_unpickle_\w+|__\w+_ctor)"
    r"|scipy\.sparse(\.\w+)* \w+_(array|matrix)"
    r"|sklearn(?!\.(externals|datasets|conftest|utils\._testing))(?!.*\.tests\b)(\.\w+)*"
    rf" ({NAME}|__pyx_unpickle_\w+|newObj)"
    rf"|xgboost\.(core|sklearn) {NAME}|joblib\.numpy_pickle NumpyArrayWrapper"
    r"|builtins (bool|bytearray|bytes|complex|dict|float|frozenset|int|list|object|range|set|slice|str|tuple)"
    r"|collections (OrderedDict|defaultdict)|copyreg _reconstructor|_codecs encode"
)


def is_expected(entry: Import) -> bool:
    """Whether pickles of estimators usually hold it. A dotted name, reaching through a module, is never usual."""
    return EXPECTED.fullmatch(f"{entry.module} {entry.name}") is not None


def unpacked(file: str, data: bytes, limit: int = MAX_BYTES) -> bytes:
    """The pickle in a file as joblib or pickle wrote it, decompressed; InvalidFile where there is none."""
    try:
        opened = next((unpack(data) for magic, unpack in COMPRESSORS.items() if data.startswith(magic)), None)
        plain = data if opened is None else _bounded(file, opened, limit)
    except (zlib.error, lzma.LZMAError, OSError, EOFError):
        raise InvalidFile(f"{file} is compressed and broken: it can't be unpacked") from None
    if plain.startswith(LZ4):
        raise InvalidFile(f"{file} is compressed with lz4, which isn't read here: save it with joblib.dump(compress=3)")
    if plain[:1] != b"\x80" or plain[1:2] not in (b"\2", b"\3", b"\4", b"\5"):
        raise InvalidFile(f"{file} is neither a pickle (of protocol 2 to 5) nor an XGBoost model")
    return plain


def _bounded(file: str, read: Callable[[int], bytes], limit: int) -> bytes:
    parts, size = [], 0
    while part := read(STEP):
        parts.append(part)
        size += len(part)
        if size > limit:
            raise InvalidFile(f"{file} unpacks to more than {limit // 2**20} MB")
    return b"".join(parts)


def _unlzma(data: bytes) -> Callable[[int], bytes]:
    return lzma.open(io.BytesIO(data)).read


def _unzlib(data: bytes) -> Callable[[int], bytes]:
    stream, rest = zlib.decompressobj(), data

    def read(size: int) -> bytes:
        nonlocal rest
        part = stream.decompress(rest, size)
        rest = stream.unconsumed_tail
        if not part and not stream.eof:
            raise EOFError
        return part

    return read


# By the first bytes, as joblib tells them apart.
COMPRESSORS: dict[bytes, Callable[[bytes], Callable[[int], bytes]]] = {
    b"\x78": _unzlib,
    b"\x1f\x8b": lambda data: gzip.GzipFile(fileobj=io.BytesIO(data)).read,
    b"BZ": lambda data: bz2.BZ2File(io.BytesIO(data)).read,
    b"\xfd\x37\x7a\x58\x5a": _unlzma,
    b"\x5d\x00": _unlzma,
}


# Whatever pickle raises for bytes that it wouldn't write itself.
BROKEN = (pickle.UnpicklingError, EOFError, struct.error, ValueError, LookupError, TypeError, AttributeError)
BEYOND = (OverflowError, MemoryError, RecursionError, AssertionError)


def list_imports(file: str, plain: bytes) -> Listing:
    """Walk the opcodes of a pickle; nothing of it is imported or run."""
    listing, stream = Listing(), io.BytesIO(plain)
    try:
        with warnings.catch_warnings(action="ignore"):  # of texts with a backslash
            Walk(stream, listing).load()
    except Unlisted as reason:
        raise InvalidFile(f"{file} can't be listed, and so isn't loaded: {reason}") from None
    except (*BROKEN, *BEYOND):
        raise InvalidFile(f"{file} is a broken or truncated pickle") from None
    if stream.read(1):
        raise InvalidFile(f"{file} can't be listed, and so isn't loaded: there are bytes after its end")
    if sum(not is_expected(entry) for entry in listing.imports) > MOST_UNUSUAL:
        raise InvalidFile(f"{file} has more than {MOST_UNUSUAL:,} unusual imports, too many to review")
    return listing


class ListedAlone(NumpyUnpickler):  # type: ignore[misc]
    """joblib's unpickler of the same bytes, which imports what was listed and nothing else."""

    def __init__(self, plain: bytes, listing: Listing) -> None:
        super().__init__("", io.BytesIO(plain), ensure_native_byte_order=True)
        self.listing = listing

    def find_class(self, module: str, name: str) -> Any:
        if as_found(module, name, self.proto) not in self.listing.imports:
            raise Unlisted(f"it asks for {as_found(module, name, self.proto)}, which was not listed")
        return super().find_class(module, name)
