"""Writing so that nobody ever reads half of it: files and whole folders appear at once or not at all."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

AT_FDCWD = -100
RENAME_EXCHANGE = 2


@contextmanager
def replacing_file(path: Path, sync: bool = True) -> Iterator[IO[str]]:
    """A text file (UTF-8) that takes the place of `path` when the block ends well, and leaves no trace if not.

    sync: wait until the disk has it, so that it outlives a power cut too; many small files are too many waits.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:50]}.")
    try:
        with open(handle, "w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            if sync:
                os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """A copy of `folder` to change; it takes the folder's place in one step when the block ends well."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        if folder.exists():
            shutil.copytree(folder, fresh, dirs_exist_ok=True)
        yield fresh
        os.chmod(fresh, 0o777 & ~_umask())
        _sync(fresh)
        _exchange(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


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
