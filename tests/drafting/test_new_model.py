"""scripts/new_model.py as a person runs it: a stranger's table becomes a model that serves, or one sentence."""

from __future__ import annotations

import csv
import json
import random
import re
import subprocess
import tomllib
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from sklearn.datasets import load_breast_cancer

import riskscore.commands.new_model
import riskscore.commands.train
from riskscore.drafting.model_folder import aside, check_name
from riskscore.errors import InvalidFile
from riskscore.local.emulator import running_emulator
from riskscore.model_toml.settings import read_settings
from riskscore.samples.commands import process_of
from tests import programs
from tests.conftest import without_database
from tests.scoring_examples import ROOT
from tests.training_examples import rows, write_csv, write_model

if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import CompletedProcess


def run(program: str, *arguments: object) -> CompletedProcess[str]:
    return programs.run(program, *arguments, environ=without_database())


def new_model(
    root: Path, file: Path, *options: object, name: str = "theirs", target: str = "y"
) -> CompletedProcess[str]:
    """A model of the simplest candidate alone, unless the options give the choice more time."""
    quick = ("--minutes", "1e-6")
    return run("new_model.py", name, "--data", file, "--target", target, "--models", root / "model", *quick, *options)


def files(root: Path) -> list[str]:
    """What a person finds there; the state that a choice goes on from lies in .cache."""
    found = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    return sorted(str(path) for path in found if ".cache" not in path.parts)


def bank(path: Path, rows: int = 240) -> Path:
    """As a German bank's system writes it: semicolons, a BOM, decimal commas, codes, twins, blanks, and one leak."""
    rng = random.Random(4)
    header = [
        "Kunden-Nr",
        "Betrag (€)",
        "Zins %",
        "Beruf",
        "Alter",
        "Alter in Jahren",
        "Eröffnet",
        "Notiz",
        "Konto aktiv",
    ]
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        write = csv.writer(file, delimiter=";").writerow
        write([*header, "Rückstand", "Ausfall"])
        for k in range(rows):
            age, default = rng.choice([*range(18, 70), 999, 999, 999, 999]), rng.random() < 0.3
            amount = f"{rng.randrange(1, 90)}.{rng.randrange(100, 1000)},{rng.randrange(10, 100)}"
            write(
                [
                    *(f"K-{k:05}", amount, f"{rng.gauss(5 + 2 * default, 1.5):.2f} %".replace(".", ",")),
                    *(rng.choice(["Angestellte", "selbständig", "Beamte", "", "k.A."]), age, age),
                    *(f"{rng.randrange(1, 29)}.{rng.randrange(1, 13)}.2024", f"Gespräch {k}: sagt, er zahle; bald"),
                    *(rng.choice(["true", "false"]), f"{rng.randrange(1, 99)},00" if default else "", int(default)),
                ]
            )
    return path


@pytest.fixture(scope="module")
def german(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The bank's model, and what was said on the way."""
    root = tmp_path_factory.mktemp("german")
    done = new_model(root, bank(root / "bank.csv"), "--keep", "Alter=as the law allows", target="Ausfall")
    assert done.returncode == 0, done.stderr
    return root, done.stdout


def test_a_foreign_table_becomes_a_model_at_once(german):
    root, said = german
    written = ["MODEL_CARD.md", "manifest.json", "model.joblib", "model.json", "model.toml", "contributions.bin"]
    assert {f"model/theirs/{name}" for name in written} <= set(files(root))
    assert [name for name in files(root) if name.startswith("events/")] == [
        f"events/theirs/example-{k}.json" for k in (1, 2, 3)
    ]
    for line in (
        "theirs: 240 rows; ",
        "features   5: 2 numbers, 1 category, 1 whole number, 1 boolean",
        "ids        Kunden-Nr",
        "left out   Alter in Jahren: it tells of a protected characteristic by its name: age",
        "kept       Alter (age): as the law allows",
        "left out   Eröffnet: it holds dates",
        "left out   Notiz: it is free text: 240 different values",
        "left out   Rückstand: it may contain the label: alone it separates the labels with an AUC of 1.000",
        "figures    AUC 0.",
        f"next       RISKSCORE_MODEL_URI={root}/model make serve MODEL=theirs, and in another terminal",
        f"curl -d @{root}/events/theirs/example-1.json",
    ):
        assert line in said


def test_its_contract_is_what_the_table_holds(german):
    root, _ = german
    table = tomllib.loads((root / "model" / "theirs" / "model.toml").read_text(encoding="utf-8"))
    features = {feature.pop("name"): feature for feature in table["features"]}
    assert sorted(features["Beruf"].pop("values")) == ["Angestellte", "Beamte", "k.A.", "selbständig"]
    assert (table["parse"], table["ids"]) == ("text", ["Kunden-Nr"])
    assert features == {
        "Betrag (€)": {"unit": "decimal_comma"},
        "Zins %": {"unit": "decimal_comma"},
        "Beruf": {"type": "category", "nullable": True, "unknown": "missing"},
        "Alter": {"type": "integer", "nullable": True, "missing": [999, "999"]},
        "Konto aktiv": {"type": "boolean"},
    }


def test_its_card_says_why_a_protected_column_is_used(german):
    root, _ = german
    assert "- `Alter`: as the law allows" in (root / "model" / "theirs" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "as the law allows" in (root / "model" / "theirs" / "card.html").read_text(encoding="utf-8")


def test_the_file_itself_is_scored_its_label_unread(german, tmp_path):
    root, _ = german
    environ = {**without_database(), "RISKSCORE_MODEL_URI": str(root / "model")}
    output = tmp_path / "o.csv"
    done = programs.run("score.py", "theirs", "--input", root / "bank.csv", "--output", output, environ=environ)
    assert done.returncode == 0, done.stderr
    header, *rows = csv.reader((tmp_path / "o.csv").read_text().splitlines())
    assert (header[:2], len(rows), rows[7][0]) == (["Kunden-Nr", "probability"], 240, "K-00007")
    assert all(0 < float(row[1]) < 1 for row in rows)


def test_a_real_foreign_csv_goes_to_a_served_score(tmp_path):
    """Tumours measured in Wisconsin, as scikit-learn's wheel brings them: 569 rows, 30 columns, malignant or not."""
    data = load_breast_cancer()
    with (tmp_path / "tumours.csv").open("w", newline="") as file:
        csv.writer(file).writerow([*data.feature_names, "diagnosis"])
        names = data.target_names[data.target]
        csv.writer(file).writerows([*row, name] for row, name in zip(data.data.tolist(), names, strict=True))
    options = ("--positive", "malignant")
    done = new_model(tmp_path, tmp_path / "tumours.csv", *options, name="tumours", target="diagnosis")
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.partition("AUC ")[2][:5]) > 0.98

    environ = {**without_database(), "RISKSCORE_MODEL_URI": str(tmp_path / "model"), "RISKSCORE_MODEL": "tumours"}
    example = json.loads((tmp_path / "events" / "tumours" / "example-1.json").read_bytes())
    rows = [dict(zip(data.feature_names, row, strict=True)) for row in data.data.tolist()]
    with running_emulator(environ=environ) as emulator:
        answer = emulator.invoke(example)
        answers = emulator.invoke({"instances": rows, "reasons": 0})
    assert (answer["model"], answer["outcome"]) == ("tumours", "scored")
    assert f"probability {answer['probability']:.4f} by the {answer['engine']}" in done.stdout
    right = [answer["prediction"] == (name == "malignant") for answer, name in zip(answers, names, strict=True)]
    assert sum(right) > 0.97 * len(rows)  # of the rows that it was trained on


def test_a_parquet_becomes_the_model_that_its_csv_becomes(german, tmp_path):
    root, _ = german
    names = (root / "bank.csv").read_text(encoding="utf-8-sig").splitlines()[0].split(";")
    as_text = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))
    by_semicolon = pyarrow.csv.ParseOptions(delimiter=";")
    table = pyarrow.csv.read_csv(root / "bank.csv", parse_options=by_semicolon, convert_options=as_text)
    pq.write_table(table, tmp_path / "bank.parquet")
    given = ("--keep", "Alter", "--reason", "as the law allows", "--draft-only")
    done = new_model(tmp_path, tmp_path / "bank.parquet", *given, target="Ausfall")
    assert done.returncode == 0, done.stderr
    drafts = [(folder / "model" / "theirs" / "model.toml").read_text(encoding="utf-8") for folder in (root, tmp_path)]
    drafts[1] = drafts[1].replace(str(tmp_path), str(root)).replace("bank.parquet", "bank.csv")
    assert tomllib.loads(drafts[1]) == tomllib.loads(drafts[0])


# Whole or not at all, and nothing of a person's overwritten


def table(path: Path, text: str = "") -> Path:
    rng = random.Random(5)
    rows = "".join(f"{rng.randrange(1000) / 10 + 50 * (k % 2):.1f},{k % 2}\n" for k in range(60))
    path.write_text(text or f"x,y\n{rows}")
    return path


def test_a_draft_alone_is_trained_afterwards(tmp_path):
    done = new_model(tmp_path, table(tmp_path / "t.csv"), "--draft-only")
    assert (done.returncode, files(tmp_path)) == (0, ["model/theirs/model.toml", "model/theirs/reasons.toml", "t.csv"])
    assert f"  riskscore train theirs --data {tmp_path}/t.csv" in done.stdout
    text = (tmp_path / "model" / "theirs" / "model.toml").read_text()
    (command,) = tomllib.loads(text)["card"]["reproduce"]
    assert f"#   {command}\n" in text
    assert f"\n  {command}\n" in done.stdout
    assert subprocess.run(process_of(command), cwd=ROOT, check=False).returncode == 0


def test_a_typed_table_is_drafted_and_trained_from_alike(tmp_path):
    """Parquet: a truth for a label that is named, whole numbers with gaps for a category, beside amounts as text."""
    rng = random.Random(1)
    labels = [rng.random() < 0.4 for _ in range(120)]
    columns = {
        "code": [rng.choice([1.0, 2.0, 3.0, None]) for _ in labels],
        "money": [f"${rng.randrange(1000, 9999):,}" for _ in labels],
        "y": labels,
    }
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    done = new_model(tmp_path, tmp_path / "t.parquet", "--positive", "true", "--even-so")
    assert done.returncode == 0, done.stderr
    values = tomllib.loads((tmp_path / "model" / "theirs" / "model.toml").read_text())["features"][0]["values"]
    assert sorted(values) == ["1", "2", "3"]


def chancy(path: Path) -> Path:
    rng = random.Random(5)
    path.write_text("x,y\n" + "".join(f"{rng.random():.3f},{k % 2}\n" for k in range(60)))
    return path


def test_a_model_that_is_no_better_than_chance_is_drafted_and_no_more(tmp_path):
    done = new_model(tmp_path, chancy(tmp_path / "t.csv"))
    assert (done.returncode, files(tmp_path)) == (4, ["model/theirs/model.toml", "model/theirs/reasons.toml", "t.csv"])
    assert "the model isn't shown to be any better than chance, 0.5; only the draft is written" in done.stderr
    assert "drafted    " in done.stdout
    training = ("train.py", "theirs", "--data", tmp_path / "t.csv", "--models", tmp_path / "model")
    draft = ["model/theirs/model.toml", "model/theirs/reasons.toml", "t.csv"]
    assert (run(*training).returncode, files(tmp_path)) == (4, draft)
    trained = run(*training, "--even-so")
    assert (trained.returncode, "train.py: warning: AUC 0." in trained.stderr) == (0, True)
    card = (tmp_path / "model" / "theirs" / "MODEL_CARD.md").read_text()
    assert "any better than chance, 0.5. Don't use it for decisions.**" in card


def test_a_model_that_is_no_better_than_chance_is_written_where_that_is_asked_for(tmp_path):
    done = new_model(tmp_path, chancy(tmp_path / "t.csv"), "--even-so")
    assert (done.returncode, "any better than chance, 0.5; written nevertheless" in done.stderr) == (0, True)
    before = files(tmp_path)
    again = new_model(tmp_path, tmp_path / "t.csv", "--force")
    assert (again.returncode, "the theirs that is there stays; --even-so replaces it" in again.stderr) == (2, True)
    assert files(tmp_path) == before


def test_the_summary_says_word_by_word_what_a_label_means_and_training_keeps_to_it(tmp_path):
    rng = random.Random(3)
    words = ["Charged Off", "default", "Fully Paid", "FULLY PAID", "Current", ""]
    rows = [(words[k % 6], rng.random() + 0.5 * (k % 6 < 2)) for k in range(240)]
    lines = "".join(f"{x:.3f},{word}\n" for word, x in rows)
    path = table(tmp_path / "t.csv", f"x,y\n{lines}")
    given = ["--positive", "charged off", "--positive", "Default", "--negative", "Fully paid"]
    done = new_model(tmp_path, path, *given)
    assert done.returncode == 0, done.stderr
    for line in (
        "theirs: 240 rows, 160 labelled; 80 have label 1 (50.0%)",
        "label 1    'Charged Off' (40 rows), 'default' (40 rows)",
        "label 0    'FULLY PAID' (40 rows), 'Fully Paid' (40 rows)",
        "no label   nothing (40 rows), 'Current' (40 rows)",
    ):
        assert f"{line}\n" in done.stdout
    source = tomllib.loads((tmp_path / "model" / "theirs" / "model.toml").read_text())["source"]
    assert source["unlabelled"] == ["Current"]
    path.write_text(path.read_text().replace("FULLY", "fully").replace("Current", "CURRENT"))
    trained = run(
        "train.py", "theirs", "--data", path, "--models", tmp_path / "model", "--predictions", tmp_path / "p.csv"
    )
    assert "note       80 rows without y left out" in trained.stdout, trained.stderr
    path.write_text(path.read_text().replace("CURRENT", "Settled"))
    trained = run("train.py", "theirs", "--data", path, "--models", tmp_path / "model")
    assert "y must be one of source.positive and negative, or empty" in trained.stderr


def test_where_a_straight_line_suffices_it_is_chosen_and_all_candidates_are_said(tmp_path, capsys):
    rng = random.Random(6)
    draws = [[rng.gauss(0, 1) for _ in range(8)] for _ in range(240)]
    rows = "".join(f"{','.join(f'{x:.3f}' for x in row)},{int(sum(row) + rng.gauss(0, 1) > 0)}\n" for row in draws)
    given = ["theirs", "--data", str(table(tmp_path / "t.csv", f"a,b,c,d,e,f,g,h,y\n{rows}"))]
    given += ["--models", str(tmp_path / "model")]
    assert riskscore.commands.new_model.main([*given, "--target", "y"], without_database()) == 0
    said = capsys.readouterr().out
    assert re.search(r"chosen     logistic regression[^:]*: the simplest within one standard error of the lowest", said)
    for name in ("logistic regression on signed logarithms, C 1", "trees of depth 2", "trees of depth 8"):
        assert re.search(rf"  log loss 0\.\d{{4}}, AUC 0\.\d{{3}}  {name}\n", said)
    model = json.loads((tmp_path / "model" / "theirs" / "manifest.json").read_text())
    assert (model["estimator"]["family"], model["engines"]) == ("logistic", ["twin", "joblib"])
    assert 'family = "auto"' in (tmp_path / "model" / "theirs" / "model.toml").read_text()


def test_the_draft_s_reasons_have_codes_and_directions_and_say_what_to_look_at(tmp_path):
    assert new_model(tmp_path, table(tmp_path / "t.csv"), "--draft-only").returncode == 0
    text = (tmp_path / "model" / "theirs" / "reasons.toml").read_text()
    settings = read_settings(tmp_path / "model" / "theirs")
    assert [reason["code"] for reason in settings.reasons.values()] == [
        f"R{place:02}" for place in range(1, len(settings.contract.names) + 1)
    ]
    assert tomllib.loads(text).keys() == {*settings.contract.names}
    assert {reason["direction"] for reason in tomllib.loads(text).values()} == {"either"}
    looked_at = text.partition("\n[")[0]
    measured = [feature.name for feature in settings.contract.features if feature.type != "category"]
    assert "Nobody has read these sentences yet" in looked_at
    assert all(f'"{name}"' in looked_at for name in measured)


def test_a_model_that_is_there_stays_as_it_is(tmp_path):
    folder = tmp_path / "model" / "theirs"
    folder.mkdir(parents=True)
    (folder / "model.toml").write_text("a person's")
    done = new_model(tmp_path, table(tmp_path / "t.csv"))
    assert (done.returncode, done.stderr.startswith("new_model.py: there is already a model theirs")) == (2, True)
    assert files(folder) == ["model.toml"]


def test_by_force_it_is_replaced_and_what_a_person_wrote_is_kept(tmp_path):
    folder = tmp_path / "model" / "theirs"
    folder.mkdir(parents=True)
    for name in ("model.toml", "reasons.toml", "manifest.json", "trees.bin", "notes.txt"):
        (folder / name).write_text("before")
    done = new_model(tmp_path, table(tmp_path / "t.csv"), "--force", "--draft-only")
    assert done.returncode == 0, done.stderr
    assert files(folder) == ["model.toml", "model.toml.old", "notes.txt", "reasons.toml", "reasons.toml.old"]
    assert (folder / "model.toml.old").read_text() == "before"
    (folder / "model.toml").write_text("second")
    for _ in range(2):  # the second draft equals the first, which is no person's work to keep
        assert new_model(tmp_path, table(tmp_path / "t.csv"), "--force", "--draft-only").returncode == 0
    assert {name: (folder / name).read_text() for name in files(folder) if ".toml.old" in name} == {
        "model.toml.old": "before",
        "model.toml.old2": "second",
        "reasons.toml.old": "before",
    }


def test_by_force_events_of_the_replaced_model_go_and_a_persons_own_are_kept(tmp_path):
    events = tmp_path / "events" / "theirs"
    assert new_model(tmp_path, table(tmp_path / "t.csv")).returncode == 0
    (events / "mine.json").write_text('{"x": 3}')
    (events / "mine.json.old").write_text("older")
    (events / "example-2.json").write_text('{"x": "by hand"}')
    done = new_model(tmp_path, table(tmp_path / "t.csv"), "--force", "--draft-only")
    assert done.returncode == 0, done.stderr
    assert files(events) == ["example-2.json.old", "mine.json.old", "mine.json.old2"]
    assert [path.read_text() for path in sorted(events.iterdir())] == ['{"x": "by hand"}', "older", '{"x": 3}']
    assert f"kept       {events}/mine.json.old2: an event of the model that was replaced" in done.stdout


def test_a_training_that_fails_by_force_leaves_the_events(tmp_path):
    event = tmp_path / "events" / "theirs" / "mine.json"
    for path in (event, tmp_path / "model" / "theirs" / "model.toml"):
        path.parent.mkdir(parents=True)
        path.write_text("before")
    assert new_model(tmp_path, table(tmp_path / "t.csv", "x,y\n1,0\n"), "--force").returncode == 2
    assert files(event.parent) == ["mine.json"]


REFUSED: list[tuple[str, list[str], str]] = [
    (
        "x,y\n1,good\n2,bad\n3,good\n4,bad\n",
        [],
        "t.csv, line 2: y must be 0 or 1, but it is 'bad' or 'good' here; --positive 'bad' or --positive 'good'",
    ),
    ("x,y\n1,0\n2,1\n2,1\n3,0\n", ["--id", "x"], "t.csv, line 4: the same x as in line 3; 1 row in all"),
]


@pytest.mark.parametrize(("text", "options", "sentence"), REFUSED)
def test_a_table_that_no_model_comes_of_leaves_nothing_behind(tmp_path, text, options, sentence):
    done = new_model(tmp_path, table(tmp_path / "t.csv", text), *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"new_model.py: {sentence}")
    assert len(done.stderr.splitlines()) == 1
    assert files(tmp_path) == ["t.csv"]


@pytest.mark.parametrize("name", ["", ".hidden", "../up", "a b", "a" * 65])
def test_a_name_that_no_model_can_have(tmp_path, name):
    with pytest.raises(InvalidFile, match="the name of a model is letters, digits, _ and -"):
        check_name(tmp_path, name, force=True)


def test_a_training_that_fails_leaves_nothing_behind(tmp_path):
    def train() -> None:
        with aside("theirs") as folder:
            (folder / "model.toml").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        train()
    assert files(tmp_path) == []


def test_a_promoted_model_keeps_its_place(tmp_path):
    """new, train and adopt write a version beside it; a draft alone is none."""
    data, models = write_csv(tmp_path / "rows.csv", rows(120)), tmp_path / "model"
    write_model(tmp_path, "mine")
    trained = ("mine", "--data", data, "--models", models, "--even-so")
    assert run("train", *trained).returncode == 0
    served = (models / "mine" / "manifest.json").read_bytes()
    said = ("--by", "Ann Lee", "--why", "good", "--models", models)
    assert run("versions", "mine", "promote", json.loads(served)["version"], *said).returncode == 0

    toml = (models / "mine" / "model.toml").read_text()
    (models / "mine" / "model.toml").write_text(toml + "\n[points]\nbase = 500\n")
    given = (*trained, "--target", "label", "--force")
    for program in (("new", *given), ("train", *trained)):
        done = run(*program)
        assert done.returncode == 0, done.stderr
        assert "the promoted version stays the served one, until\n  riskscore versions mine promote " in done.stdout
    done = run("new", *given, "--draft-only")
    assert (done.returncode, "which a draft can't replace" in done.stderr) == (2, True)
    assert (models / "mine" / "manifest.json").read_bytes() == served
    assert not (tmp_path / "events").exists()
    listed = run("versions", "mine", "list", "--models", models).stdout
    assert [line.split()[0] for line in listed.splitlines()] == ["served", "candidate", "candidate"]
