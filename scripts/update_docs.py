"""Update the generated parts of the docs: figures, hashes, answers.

With --pictures, also take the pictures of the page again, in Chromium (`make browser`).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import struct
import sys
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from riskscore.atomic import replacing_file
from riskscore.cli import DONE, OUR_FAULT, run
from riskscore.serving.deployment import engine_from

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("README.md", "SUBMISSION_TEMPLATE.md", "docs/BENCHMARKS.md")
MODEL = ROOT / "model" / "credit_risk"
EVENT = ROOT / "events" / "credit_risk" / "S0001.json"
# Of the page: colours, and what is typed over the example before it is sent.
PICTURES: dict[str, tuple[str, dict[str, str]]] = {
    "docs/page_light.png": ("light", {}),
    "docs/page_dark.png": ("dark", {"pct_gambling_spend_90d": "7", "late_fee_count_90d": "two"}),
}
PICTURE_SIZE = 1000, 840
HEADER_BYTES = 33  # of a PNG, before the first chunk that one may add
PROMISED_CELLS = 8  # of a line of the measurements that carries a promise
METRICS = {"auc": "AUC", "pr_auc": "PR AUC", "brier": "Brier score", "log_loss": "log loss"}
QUERIES = (".sql", ".csv")
ARTEFACTS = (
    "model.joblib",
    "model.json",
    "trees.bin",
    "contributions.bin",
    "manifest.json",
    "model.toml",
    "reasons.toml",
)


def main(arguments: Sequence[str], _: Mapping[str, str]) -> int:
    """0 where the docs are true by now, 1 where one isn't."""
    parser = argparse.ArgumentParser(prog="update_docs.py", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing, exit with 1 where something is out of date"
    )
    parser.add_argument("--pictures", action="store_true", help="take the pictures of the page anew too")
    asked = parser.parse_args(arguments)
    check = asked.check
    if asked.pictures and not check:
        take_pictures()
    stale = [name for name in PAGES if renewed(text := (ROOT / name).read_text(encoding="utf-8")) != text]
    for name in stale:
        print(f"{name}: {'out of date; run .venv/bin/python scripts/update_docs.py' if check else 'renewed'}")
        if not check:
            text = renewed((ROOT / name).read_text(encoding="utf-8"))
            with replacing_file(ROOT / name) as file:
                file.write(text)
    for name in (old := old_pictures()):
        print(f"{name}: shows another version of the model; run .venv/bin/python scripts/update_docs.py --pictures")
    return OUR_FAULT if old or (check and stale) else DONE


def renewed(text: str) -> str:
    """The text with each block between `<!-- name -->` and `<!-- /name -->` written anew."""
    for name, block in BLOCKS.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if pattern.search(text):
            content = block()
            text = pattern.sub(lambda match, content=content: f"{match[1]}{content}\n{match[2]}", text)
    return text


def take_pictures() -> None:
    """Take the pictures of the page as it is now, each with the model's version in it."""
    from tests.browser import fill, open_browser, picture, press, resize
    from tests.running_service import running_service

    with (
        tempfile.TemporaryDirectory() as folder,
        running_service(Path(folder)) as service,
        open_browser(Path(folder)) as browser,
    ):
        resize(browser, *PICTURE_SIZE)
        for name, (colours, values) in PICTURES.items():
            browser.get(service.url)
            fill(browser, **values)
            press(browser, "Score")
            (ROOT / name).write_bytes(labelled(picture(browser, colours)))
            print(f"{name}: taken")


def old_pictures() -> list[str]:
    """The pictures that show another version of the model than the one that is shipped."""
    return [name for name in PICTURES if _label() not in (ROOT / name).read_bytes()]


def labelled(png: bytes) -> bytes:
    """The PNG with a comment that names the model and its version."""
    chunk = _label()
    framed = struct.pack(">I", len(chunk) - len(b"tEXt")) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return png[:HEADER_BYTES] + framed + png[HEADER_BYTES:]


def _label() -> bytes:
    """The comment of a PNG, as it stands in the file."""
    return f"tEXtComment\0credit_risk {_manifest()['version']}".encode("ascii")


def _manifest() -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((MODEL / "manifest.json").read_bytes())
    return manifest


def _answer() -> str:
    """What the function answers to the event of the README's curl line."""
    answer = engine_from({}, str(ROOT)).answer(json.loads(EVENT.read_bytes()))
    return f"```json\n{json.dumps(answer, indent=1, ensure_ascii=False)}\n```"


def _model() -> str:
    manifest = _manifest()
    metrics, training = manifest["metrics"], manifest["training"]
    parameters = ", ".join(f"{name} {value}" for name, value in manifest["estimator"]["parameters"].items())
    rows = [
        f"| {words} | {found['mean']:.3f} ({found['low']:.3f} to {found['high']:.3f}) "
        f"| {metrics['in_sample'][name]:.3f} | {metrics['logistic_regression'][name]['mean']:.3f} |"
        for name, words in METRICS.items()
        for found in [metrics["cross_validated"][name]]
    ]
    summary = (
        f"`credit_risk {manifest['version']}`: {manifest['estimator']['class']} with {parameters}, seed"
        f" {manifest['estimator']['seed']}; trained on {training['rows']:,} simulated customers, base rate"
        f" {training['base_rate']:.1%}; threshold {manifest['threshold']}."
    )
    return "\n".join(
        [
            summary,
            "",
            "| metric | cross-validated (95 % interval) | in-sample | logistic regression, same folds |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
            f"{metrics['method'].capitalize()}.",
        ]
    )


def _bench() -> str:
    """The ratios that the project promises, as the last committed run of `make bench` has them."""
    rows, section, name = [], "", ""
    for line in (ROOT / "docs" / "BENCHMARKS.md").read_text(encoding="utf-8").splitlines():
        cells = re.split(r" {2,}", line.strip())
        if re.match(r"[A-Z0-9].*rounds", line):
            section = line.split(":")[0].split(" (")[0]
        elif cells[-1] in {"met", "NOT MET"}:
            name = cells[0] if len(cells) == PROMISED_CELLS else name
            here, other, there, ratio, _, asked, met = cells[-PROMISED_CELLS + 1 :]
            rows.append(f"| {section}: {name} | {here} | {other}: {there} | {ratio} | {asked}, {met} |")
    return "\n".join(
        ["| measured | riskscore | compared with | ratio | target |", "| --- | --- | --- | --- | --- |", *rows]
    )


def _artefacts() -> str:
    rows = [f"| `{_shown(path)}` | `{hashlib.sha256(path.read_bytes()).hexdigest()}` |" for path in _artefact_paths()]
    return "\n".join(["| file | SHA-256 |", "| --- | --- |", *rows])


def _artefact_paths() -> list[Path]:
    """Of credit_risk: its SQL with the tables beside it, its files and its events."""
    queries, events = (ROOT / "sql" / MODEL.name).glob("*"), EVENT.parent.glob("*.json")
    files = [MODEL / name for name in ARTEFACTS]
    return [
        *sorted(path for path in queries if path.suffix in QUERIES),
        *(path for path in files if path.exists()),
        *sorted(events),
    ]


def _shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


BLOCKS: dict[str, Callable[[], str]] = {"answer": _answer, "bench": _bench, "model": _model, "artefacts": _artefacts}


if __name__ == "__main__":
    run(main)
