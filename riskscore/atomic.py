"""Writing so that nobody ever reads half of it: files and whole folders appear at once or not at all.

What is under way has a name of its own beside its place, and is locked by who writes it. The kernel lets go of the lock
of a process that was killed, so that the next one to write into the same folder knows what it left, and removes it.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
import stat
import sys
import tempfile
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import IO, Any

AT_FDCWD = -100
RENAME_EXCHANGE = 2
PARTIAL = ".riskscore-partial"  # how the name of what is under way ends


@contextmanager
def replacing_file(path: Path, sync: bool = True) -> Iterator[IO[str]]:
    """A text file (UTF-8) that takes the place of `path` when the block ends well, and leaves no trace if not.

    sync: wait until the disk has it, so that it outlives a power cut too; many small files are too many waits.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path.parent)
    handle, name = _locked(_empty_file, path, os.O_RDWR)
    try:
        with open(handle, "w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            if sync:
                os.fsync(file.fileno())
            os.chmod(name, 0o666 & ~_umask())
            os.replace(name, path)  # while it is locked: nobody may take it for a dead writer's
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """A copy of `folder` to change; it takes the folder's place in one step when the block ends well."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    _sweep(folder.parent)
    handle, name = _locked(tempfile.mkdtemp, folder, os.O_RDONLY)
    fresh = Path(name)
    try:
        if folder.exists():
            shutil.copytree(folder, fresh, dirs_exist_ok=True)
        yield fresh
        os.chmod(fresh, 0o777 & ~_umask())
        _sync(fresh)
        _exchange(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        os.close(handle)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One at a time does what it does in a folder, among those who ask; the others wait.

    What writers that were killed have left there goes first.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        _sweep(folder)
        yield
    finally:
        os.close(handle)


def _empty_file(**named: Any) -> str:
    handle, name = tempfile.mkstemp(**named)
    os.close(handle)
    return str(name)


def _locked(make: Callable[..., str], place: Path, flags: int) -> tuple[int, str]:
    """A handle of a new file or folder beside its place, locked until it is closed, and its name."""
    while True:
        name = make(dir=place.parent, prefix=f".{place.name[:50]}.", suffix=PARTIAL)
        try:
            handle = os.open(name, flags)
        except FileNotFoundError:  # taken for a dead writer's before it was locked
            continue
        with suppress(OSError):  # a file system without locks: there nothing is ever swept
            fcntl.flock(handle, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), os.stat(name)):
                return handle, name
        os.close(handle)


@lru_cache(maxsize=64)  # once is enough for a folder that many files are written into
def _sweep(folder: Path) -> None:
    """Remove what writers that were killed have left in a folder; what others are writing now is locked by them."""
    with suppress(OSError):  # a folder that may be written into, and not listed
        for name in os.listdir(folder):
            if name.startswith(".") and name.endswith(PARTIAL):
                with suppress(OSError):
                    _remove_stale(folder / name)


def _remove_stale(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            shutil.rmtree(path)
        else:
            path.unlink()
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync(folder: Path) -> None:
    """Bring every file of the folder, then the folder itself, to the disk before the names change."""
    for path in [*folder.rglob("*"), folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _exchange(fresh: Path, folder: Path) -> None:
    """Give the two folders each other's name in one step of the kernel; `fresh` holds the old one afterwards."""
    if not folder.exists():
        os.rename(fresh, folder)
    elif not _renameat2(fresh, folder):
        _rename_in_turn(fresh, folder)


def _rename_in_turn(fresh: Path, folder: Path) -> None:
    """For file systems without the exchange: a reader in between finds no folder, but never half of one."""
    retired = fresh.with_name(fresh.name + ".old")
    os.rename(folder, retired)
    os.rename(fresh, folder)
    os.rename(retired, fresh)


def _renameat2(fresh: Path, folder: Path) -> bool:
    """Whether Linux exchanged the two names (renameat2(2), since 3.15 and glibc 2.28)."""
    if not sys.platform.startswith("linux"):
        return False
    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is None:
        return False
    if function(AT_FDCWD, os.fsencode(fresh), AT_FDCWD, os.fsencode(folder), RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS):
        return False
    raise OSError(code, os.strerror(code), str(folder))
