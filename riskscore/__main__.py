# PYTHON_ARGCOMPLETE_OK
"""The command `riskscore`: its subcommands, by what a person wants; each is imported when it is called, and alone."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

from riskscore.cli import DONE, ROOT, run
from riskscore.errors import InvalidFile, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Group -> name -> its module in riskscore/commands/, and what it does.
GROUPS = {
    "score": {
        "score": ("score", "score a file, a folder of files or a database"),
        "explain": ("explain", "explain a score, and what would have changed it"),
        "serve": ("serve_http", "start the HTTP service with its page"),
        "serve-lambda": ("serve_lambda", "start the function under the Lambda emulator"),
        "demo": ("demo", "show a model step by step, from its data to a score"),
    },
    "models": {
        "new": ("new_model", "draft and train a model from a labelled table"),
        "train": ("train", "train a model from a file, a folder of files or a database"),
        "train-sample": ("train_sample", "train a shipped model on its simulated sample"),
        "scorecard": ("scorecard", "print a scorecard's table, or write it as SQL"),
        "card": ("card", "print a model's figures at a cut-off, or write its card with it"),
        "adopt": ("adopt_model", "adopt a model that was trained elsewhere"),
        "versions": ("versions", "list and compare versions of a model, promote one or roll back"),
        "fairness": ("fairness", "audit scores by group: adverse impact, equal opportunity, calibration"),
        "sign": ("sign_model", "sign a model's manifest, or create a key"),
        "publish": ("publish_model", "publish a model to S3"),
    },
    "data": {
        "dump": ("dump_events", "write events from a database, by the model's SQL"),
        "quality": ("data_quality", "write a data-quality report and the training set"),
        "load-offers": ("load_offers", "load leads, offers and clicks from Parquet into SQLite"),
        "seed": ("seed_database", "write simulated customers into a PostgreSQL database"),
        "sample-data": ("sample_data", "write a model's simulated sample files"),
        "sample-database": ("sample_database", "run a command with a PostgreSQL that holds the sample data"),
    },
    "ledger": {
        "ledger": ("ledger", "verify, replay, export or purge the ledger of answered rows"),
        "notice": ("notice", "write a notice of adverse action about a row of the ledger"),
    },
}
COMMANDS = {name: command for group in GROUPS.values() for name, command in group.items()}
USAGE = "usage: riskscore COMMAND [ARGUMENT ...]"
HELP = ("-h", "--help", "help")
NEAREST = 3  # names that a misspelt one is answered with


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Call the subcommand that the first argument names, with the others; without any, show them all."""
    sys.argv[0] = "riskscore"
    if "_ARGCOMPLETE" in environ:
        arguments = _completed(environ)
    name, *rest = arguments or HELP[:1]
    if name in HELP and (not rest or rest[0] in HELP):
        print(_help())
        return DONE
    if name == "--version":
        print(f"riskscore {version()}")
        return DONE
    if name in HELP:
        name, rest = rest[0], ["--help"]
    if name not in COMMANDS:
        raise InvalidFile(_unknown(name))
    sys.argv[0] = f"riskscore {name}"
    return _called(COMMANDS[name][0], rest, environ)


def command() -> NoReturn:
    """Where an installed `riskscore` starts."""
    run(main)


def run_program(module: str) -> NoReturn:
    """Where a program of scripts/ starts: as its subcommand, by its own name."""
    run(lambda arguments, environ: _called(module, arguments, environ))


def version() -> str:
    """The version of the checkout that this is, or else of the package that was installed."""
    project = ROOT / "pyproject.toml"
    if project.is_file():
        import tomllib

        return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])
    from importlib.metadata import version as installed

    return installed("riskscore")


def _called(module: str, arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    from importlib import import_module

    status: int = import_module(f"riskscore.commands.{module}").main(arguments, environ)
    return status


def _help() -> str:
    """Every subcommand, in groups."""
    width = max(map(len, COMMANDS))
    groups = (
        "\n".join([group, *(f"  {name:{width}}  {does}" for name, (_, does) in commands.items())])
        for group, commands in GROUPS.items()
    )
    ending = "riskscore COMMAND --help shows its options; riskscore --version shows the version."
    return "\n\n".join([USAGE, *groups, ending])


def _unknown(name: str) -> str:
    """The sentence for a name that there isn't: the nearest ones, also where a program's file was named."""
    from difflib import get_close_matches

    known = {name: name for name in COMMANDS} | {module: name for name, (module, _) in COMMANDS.items()}
    typed = os.path.basename(name).removesuffix(".py").lower()
    found = [typed] if typed in known else get_close_matches(typed, known, 2 * NEAREST)
    near = dict.fromkeys(known[word] for word in found)
    said = f"; the nearest: {', '.join([*near][:NEAREST])}" if near else ""
    return f"there is no command {shown(name)!r}{said}; riskscore --help shows them all"


def _completed(environ: Mapping[str, str]) -> list[str]:
    """What a shell has of a line that it wants completed: its subcommand, which completes the rest; else ends here."""
    import argparse

    import argcomplete
    from argcomplete.lexers import split_line

    start = int(environ["_ARGCOMPLETE"])
    words = split_line(environ["COMP_LINE"], int(environ["COMP_POINT"]))[3][start:]
    if words and words[0] in COMMANDS:
        os.environ["_ARGCOMPLETE"] = str(start + 1)
        return [words[0]]
    parser = argparse.ArgumentParser(prog="riskscore")
    parser.add_argument("--version", action="store_true", help="show which version this is")
    commands = parser.add_subparsers()
    for name, (_, does) in COMMANDS.items():
        commands.add_parser(name, help=does)
    argcomplete.autocomplete(parser)
    return []


if __name__ == "__main__":
    command()
