"""How programs start and end: an error of ours or the caller's is one sentence on stderr and a status, no traceback."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from riskscore.errors import CallerFault, InvalidFile, OurFault, RiskscoreError, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent  # the project: model/, sql/, events/ and out/ are here
REQUIREMENTS = "`pip install -r requirements-service.txt` runs the service, requirements-dev.txt all programs"
NARROWING = ("RISKSCORE_MODELS", "RISKSCORE_MANIFEST_SHA256")  # variables that leave some of the models out
DONE, OUR_FAULT, CALLER_FAULT, DATA_FAULTS, NO_BETTER, INTERRUPTED = 0, 1, 2, 3, 4, 130


class PortTaken(OurFault):
    """Another program listens where this one was to, or nobody may."""

    type = "port_taken"


def program() -> str:
    """What a person called this program by, as usage and errors have it: riskscore score, or score.py."""
    return os.path.basename(sys.argv[0])


def parsed(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    """The options; a shell that asks for completions (argcomplete) gets these instead, and the program ends."""
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(parser)
    return parser.parse_args(arguments)


def model_argument(parser: argparse.ArgumentParser, **said: Any) -> None:
    """Take a model's name; a shell completes it (argcomplete) to those in model/. said: as add_argument has it."""
    models = sorted(path.parent.name for path in ROOT.glob("model/*/model.toml"))
    parser.add_argument("model", **said).completer = lambda **_: models  # type: ignore[attr-defined]


def whole_number(text: str) -> int:
    """An argument that counts something: a whole number from 0 up."""
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError("expected a whole number from 0 up")
    return int(text)


def counted(number: int, thing: str) -> str:
    """How many there are, as people write it: 1 row, 2,500 rows."""
    return f"{number:,} {thing if number == 1 else thing + 's'}"


def require_model(
    name: str, trained: Sequence[str], where: str | Path, environ: Mapping[str, str] | None = None
) -> None:
    """Raise InvalidFile for a model that isn't among the trained ones of a place. environ: what may narrow them."""
    if name not in trained:
        narrowed = [variable for variable in NARROWING if (environ or {}).get(variable)]
        within = f" as {' and '.join(narrowed)} narrow{'s' if len(narrowed) == 1 else ''} it" if narrowed else ""
        there = ", ".join(trained) or "none"
        raise InvalidFile(f"there is no trained model {shown(name)!r} in {where}{within}; there is {there}")


def progress(*rows: Iterable[Any], **said: Any) -> tqdm[Any]:
    """tqdm's bar for work of more than a second, on a terminal; in a pipe or a log it would be one long line."""
    from tqdm import tqdm

    return tqdm(*rows, disable=None, delay=1, mininterval=0.5, **said)


def require_free(host: str, port: int, otherwise: str) -> None:
    """Raise PortTaken where nothing can listen on a port; otherwise: what a person types to take another."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortTaken(f"port {port} can't be used ({error.strerror}); another: {otherwise}") from None


def run(main: Callable[[Sequence[str], Mapping[str, str]], int]) -> NoReturn:
    """Run a program's main(arguments, environ) and exit with what it returns."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a stop from outside tidies up as Ctrl-C does
    try:
        sys.exit(main(sys.argv[1:], os.environ))
    except RiskscoreError as error:
        print(f"{program()}: {error.message}", file=sys.stderr)
        sys.exit(CALLER_FAULT if isinstance(error, CallerFault) else OUR_FAULT)
    except ModuleNotFoundError as error:
        print(f"{program()}: the package {error.name} isn't installed; {REQUIREMENTS}", file=sys.stderr)
        sys.exit(OUR_FAULT)
    except OSError as error:
        print(f"{program()}: {error.filename or 'a file'}: {error.strerror}", file=sys.stderr)
        sys.exit(CALLER_FAULT)
    except KeyboardInterrupt:
        print(f"{program()}: interrupted; existing files are intact", file=sys.stderr)
        sys.exit(INTERRUPTED)
