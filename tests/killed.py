"""Programs that kill themselves, by SIGKILL, at every single moment: a test runs them in a process of its own."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILE_EVENTS = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "os.scandir", "ctypes.dlsym")


def countdown(left: int) -> Callable[..., None]:
    """Kills this process at the call of that number."""

    def moment(*_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return moment


def at_each_moment(die_at: Callable[[int], object], look: Callable[[], object]) -> None:
    """Run `die_at` in a child for 1, 2, 3, ... until it ends alive; look at what is there after each."""
    number, status = 0, -1
    while status:
        number += 1
        child = os.fork()
        if not child:
            die_at(number)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        assert status in (0, signal.SIGKILL), status
        look()


def at_each_file_event(root: Path, write: Callable[[], object], look: Callable[[], object]) -> None:
    """As `at_each_moment`, each operation on a file below root being one."""

    def die_at(number: int) -> None:
        moment = countdown(number)

        def count(event: str, arguments: tuple[object, ...]) -> None:
            if event in FILE_EVENTS and (event == "ctypes.dlsym" or str(root) in os.fsdecode(str(arguments[0]))):
                moment()

        sys.addaudithook(count)
        write()

    at_each_moment(die_at, look)
