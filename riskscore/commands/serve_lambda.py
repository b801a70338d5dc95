"""Serves the function on this machine under the real Lambda Runtime Interface Emulator, until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from riskscore.cli import DONE, parsed
from riskscore.local.emulator import HANDLER, ROOT, running_emulator
from riskscore.serving.deployment import DEFAULT_MODEL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Serve; 0 when it was told to stop, 1 where it could not start."""
    options = parsed(_parser(), arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):  # a stop from outside is as orderly as Ctrl-C
        signal.signal(number, signal.default_int_handler)
    try:
        _serve(options, environ)
    except KeyboardInterrupt:
        print("\nStopped.", flush=True)
    return DONE


def _serve(options: argparse.Namespace, environ: Mapping[str, str]) -> None:
    place = {"directory": options.directory, "handler": options.handler, "port": options.port}
    with running_emulator(**place, environ=_keeping(environ), log=sys.stderr.buffer) as emulator:
        print(f"{options.handler} answers on port {emulator.port}. Try, in another terminal:\n")
        print(f"  curl -d @{_example(environ)} {emulator.url}\n\nCtrl-C ends it.", flush=True)
        emulator.wait()


def _keeping(environ: Mapping[str, str]) -> Mapping[str, str]:
    """The function's environment, in which the answers to messages are kept somewhere."""
    kept = environ.get("RISKSCORE_OUTPUT") or environ.get("RISKSCORE_LEDGER")
    return environ if kept else {**environ, "RISKSCORE_OUTPUT": str(ROOT / "out" / "answers")}


def _example(environ: Mapping[str, str]) -> str:
    """An event of the model that answers those which name none."""
    folder = ROOT / "events" / (environ.get("RISKSCORE_MODEL") or DEFAULT_MODEL)
    files = sorted(folder.glob("ordinary.json")) or sorted(folder.glob("*.json"))
    return str(files[0].relative_to(ROOT)) if files else "event.json"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=9000, help="port to listen on (%(default)s)")
    parser.add_argument("--handler", default=HANDLER, help="module.function (%(default)s)")
    parser.add_argument("--directory", type=Path, default=ROOT, help="folder of the handler's module (the project)")
    return parser
