"""Nobody ever reads half a file or half a folder, whatever happens to the process that writes it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from riskscore.atomic import PARTIAL, _rename_in_turn, replacing_file, replacing_folder
from tests.scoring_examples import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

OLD, NEW = "old\n" * 1000, "new\n" * 1000

# Kills itself at the n-th moment, each line of atomic.py and each operation on a file being one, for every n.
KILLED_EVERYWHERE = """
import sys
from pathlib import Path

from riskscore import atomic
from tests.killed import at_each_moment, countdown

write, check = globals()[sys.argv[1] + "_write"], globals()[sys.argv[1] + "_check"]
root = Path(sys.argv[2])

def write_and_die_at(number):
    moment = countdown(number)
    def trace(frame, event, _):
        if frame.f_code.co_filename != atomic.__file__:
            return None
        moment()
        return trace
    sys.addaudithook(lambda event, _: moment() if event.split(".")[0] in ("open", "os", "shutil", "ctypes") else None)
    sys.settrace(trace)
    write(root)

at_each_moment(write_and_die_at, lambda: print(check(root)))
"""

FILE = """
def file_write(root):
    with atomic.replacing_file(root / "events" / "S0001.json") as file:
        file.write("new\\n" * 500)
        file.flush()
        file.write("new\\n" * 500)

def file_check(root):
    lines = (root / "events" / "S0001.json").read_text().splitlines()
    assert len(lines) == 1000 and len(set(lines)) == 1
    return lines[0]
"""

FOLDER = """
def folder_write(root):
    with atomic.replacing_folder(root / "events") as fresh:
        for name in ("a", "b"):
            (fresh / name).write_text("new\\n" * 1000)
        (fresh / "gone").unlink(missing_ok=True)
        (fresh / "added").write_text("new\\n" * 1000)

def folder_check(root):
    found = {path.name: path.read_text() for path in (root / "events").iterdir()}
    assert len(set(found.values())) == 1
    version = found["a"][:3]
    assert set(found) == {"a", "b", "gone"} if version == "old" else {"a", "b", "added"}
    return version
"""


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """A folder with three old files."""
    folder = tmp_path / "events"
    folder.mkdir()
    for name in ("a", "b", "gone", "S0001.json"):
        (folder / name).write_text(OLD)
    return folder


@pytest.mark.parametrize(("what", "code", "moments"), [("file", FILE, 20), ("folder", FOLDER, 60)])
def test_a_kill_at_any_moment_leaves_the_old_or_the_new(events: Path, what: str, code: str, moments: int) -> None:
    if what == "folder":
        (events / "S0001.json").unlink()
    run = subprocess.run(
        [sys.executable, "-c", code + KILLED_EVERYWHERE, what, str(events.parent)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    found = run.stdout.split()
    assert len(found) > moments
    assert found == sorted(found, reverse=True)
    assert (found[0], found[-1]) == ("old", "new")
    assert [path.name for path in events.rglob(".*")] == []  # what the killed have left is gone with the last one


WRITER = """
import sys
from pathlib import Path
from riskscore.atomic import replacing_file, replacing_folder

with {replacing}(Path(sys.argv[1])) as fresh:
    print("writing", flush=True)
    sys.stdin.read()
"""


@contextmanager
def writing(replacing: str, place: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process amid its writing, which ends with the block unless it was killed."""
    command = [sys.executable, "-c", WRITER.format(replacing=replacing), str(place)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as writer:  # type: ignore[call-overload]
        assert writer.stdout.readline() == b"writing\n"
        yield writer


@pytest.mark.parametrize("replacing", ["replacing_file", "replacing_folder"])
def test_what_a_killed_writer_left_goes_with_the_next_and_what_a_live_one_writes_stays(
    events: Path, replacing: str
) -> None:
    place = events / "S0001.json" if replacing == "replacing_file" else events

    def partial() -> list[Path]:
        return [path for path in place.parent.iterdir() if path.name.endswith(PARTIAL)]

    with writing(replacing, place) as first:
        first.kill()
    [left] = partial()
    with writing(replacing, place):
        [live] = partial()
        assert live != left
        with writing(replacing, place):
            assert live in partial()
        assert partial() == [live]
    assert partial() == []


def test_a_look_alike_that_cannot_be_removed_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / f".link{PARTIAL}").symlink_to(tmp_path)
    os.mkfifo(tmp_path / f".pipe{PARTIAL}")
    with replacing_file(tmp_path / "a") as file:
        file.write(NEW)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f".link{PARTIAL}", "a"]


READER = """
import sys
from pathlib import Path

path, text = Path(sys.argv[1]), ""
while not text.startswith("last"):
    text = path.read_text()
    assert len(text.splitlines()) == 1000 and len(set(text.splitlines())) == 1, len(text)
"""


def test_a_reader_never_meets_half_a_file(events: Path) -> None:
    path = events / "S0001.json"
    reader = subprocess.Popen([sys.executable, "-c", READER, str(path)], stderr=subprocess.PIPE, text=True)
    for _ in range(200):
        for text in (NEW, OLD):
            with replacing_file(path, sync=False) as file:
                file.write(text[:2000])
                file.flush()
                file.write(text[2000:])
    with replacing_file(path) as file:
        file.write("last\n" * 1000)
    _, errors = reader.communicate(timeout=60)
    assert reader.returncode == 0, errors


def test_a_new_file_appears_with_its_folders_and_the_usual_rights(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "größe.json"
    with replacing_file(path) as file:
        file.write("größe\r\n")
        assert not path.exists()
    assert path.read_bytes() == "größe\r\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~_umask()
    assert [found.name for found in path.parent.iterdir()] == ["größe.json"]


@pytest.mark.parametrize("name", ["x" * 255, "🏦" * 63, "ß" * 127], ids=["ASCII", "four bytes each", "two bytes each"])
def test_a_name_may_be_as_long_as_the_file_system_takes(tmp_path: Path, name: str) -> None:
    with replacing_file(tmp_path / name) as file:
        file.write(NEW)
    assert (tmp_path / name).read_text() == NEW


def write_and_fail(write: Callable[[str], object], fault: type[BaseException]) -> None:
    write(NEW)
    raise fault


@pytest.mark.parametrize("fault", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_block_that_fails_leaves_no_trace(events: Path, fault: type[BaseException]) -> None:
    before = {path.name: path.read_text() for path in events.iterdir()}
    with pytest.raises(fault), replacing_file(events / "a") as file:
        write_and_fail(file.write, fault)
    with pytest.raises(fault), replacing_folder(events) as fresh:
        write_and_fail((fresh / "a").write_text, fault)
    assert {path.name: path.read_text() for path in events.iterdir()} == before
    assert [path.name for path in events.parent.iterdir()] == ["events"]


def test_a_file_does_not_take_the_place_of_a_folder(events: Path) -> None:
    with pytest.raises(OSError, match="directory"), replacing_file(events) as file:
        file.write(NEW)
    assert [path.name for path in events.parent.iterdir()] == ["events"]


def test_a_folder_is_changed_as_a_whole(events: Path) -> None:
    with replacing_folder(events) as fresh:
        (fresh / "a").write_text(NEW)
        (fresh / "gone").unlink()
        (fresh / "pictures").mkdir()
        (fresh / "pictures" / "one").write_text(NEW)
        assert (events / "a").read_text() == OLD
    assert sorted(path.name for path in events.iterdir()) == ["S0001.json", "a", "b", "pictures"]
    assert ((events / "a").read_text(), (events / "b").read_text()) == (NEW, OLD)
    assert [path.name for path in events.parent.iterdir()] == ["events"]


def test_a_new_folder_appears_with_the_usual_rights(tmp_path: Path) -> None:
    folder = tmp_path / "model" / "small"
    with replacing_folder(folder) as fresh:
        (fresh / "a").write_text(NEW)
        assert not folder.exists()
    assert (folder / "a").read_text() == NEW
    assert stat.S_IMODE(folder.stat().st_mode) == 0o777 & ~_umask()
    assert [path.name for path in folder.parent.iterdir()] == ["small"]


def test_without_the_kernels_exchange_the_names_change_in_turn(events: Path) -> None:
    fresh = events.with_name(".events.fresh")
    fresh.mkdir()
    (fresh / "a").write_text(NEW)
    _rename_in_turn(fresh, events)
    assert [path.name for path in events.iterdir()] == ["a"]
    assert (fresh / "gone").read_text() == OLD
    assert sorted(path.name for path in events.parent.iterdir()) == [".events.fresh", "events"]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
