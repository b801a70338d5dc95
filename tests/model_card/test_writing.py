"""The card as files: one that stands alone, the same bytes every time, and again at another cut-off."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from riskscore.commands.card import read_card
from riskscore.errors import InvalidFile
from riskscore.model_card import drawing, html, pdf
from riskscore.model_card.cutoffs import figures_at
from riskscore.model_card.document import Picture, Section, Table
from riskscore.model_card.drawing import Drawing, Line, Mark, Text
from riskscore.model_card.plot import ticks
from riskscore.model_toml.settings import read_settings
from riskscore.training.training import train
from riskscore.training.training_data import from_source
from tests.programs import run
from tests.training_examples import MODEL_TOML, NOW, rows, write_csv, write_model

if TYPE_CHECKING:
    from pathlib import Path

GOVERNED = """
[governance]
owner = "Retail credit risk"
review_date = 2026-03-31
[card]
segments = ["late", "share"]
cost_ratio = 4
limits = ["Made up <for> a test & nothing else."]
"""


def shape() -> Drawing:
    return Drawing(
        20, 20, [Line([(0, 0), (9, 9)], dash=(2, 1)), Mark(5, 5, "dot"), Text(3, 3, "a < b", "end", turn=25)]
    )


SECTIONS = [
    Section(
        "Größe & Зона", ["**Beware:** `x<y>`", Table(("n", ""), [("<b>", "1")], 1, frozenset([0])), Picture("p", shape)]
    )
]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models with the small one, trained."""
    root = tmp_path_factory.mktemp("card")
    folder = write_model(root, toml=MODEL_TOML.replace("[[features]]", f"{GOVERNED}[[features]]", 1))
    settings = read_settings(folder)
    train(settings, from_source(settings, write_csv(root / "rows.csv", rows(200))), folder, root, NOW)
    return folder.parent


class Page(HTMLParser):
    """What a page loads, and its elements that were opened and not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [f"{tag}: {value}"[:40] for name, value in attrs if name in ("src", "href", "data", "action")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_loads_nothing_from_elsewhere(models: Path) -> None:
    text = (models / "small" / "card.html").read_text()
    page = Page(text)
    assert page.open == []
    assert page.loads
    assert [load for load in page.loads if not load.startswith(("img: data:image/svg+xml;base64,", "a: #s"))] == []
    assert "<script" not in text
    assert "Made up &lt;for&gt; a test &amp; nothing else." in text


def test_the_card_names_who_answers_for_the_model_and_what_nobody_said(models: Path) -> None:
    text = (models / "small" / "card.html").read_text()
    said = dict(
        re.findall(r'<td class="w">(owner|reviewer|next review|materiality)</td><td class="w">(.*?)</td>', text)
    )
    unnamed = "<strong>not named</strong>"
    assert said == {
        "owner": "Retail credit risk",
        "reviewer": unnamed,
        "next review": "2026-03-31",
        "materiality": unnamed,
    }


def test_the_sections_are_there_in_their_order(models: Path) -> None:
    titles = re.findall(r"<h2>(.*?)</h2>", (models / "small" / "card.html").read_text())
    assert titles == [
        *("Summary", "Performance", "Cut-offs", "Score bands and calibration", "Lift and gains", "Segments"),
        *("Manual review", "Known limits and data", "Stability over folds and seeds", "Features and sensitivity"),
        *("Partial dependence", "Correlation of features", "Range of the rows"),
    ]


@pytest.mark.parametrize("form", [html.page, pdf.page])
def test_words_of_any_script_are_written_the_same_every_time(form) -> None:
    assert form("Größe", SECTIONS) == form("Größe", SECTIONS)


def test_a_picture_is_text_that_needs_nothing_else() -> None:
    text = drawing.svg(shape()).decode()
    assert "a &lt; b" in text
    assert 'stroke-dasharray="2 1"' in text
    assert "href" not in text


@pytest.mark.parametrize(
    ("low", "high", "found"), [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (3, 47, [10, 20, 30, 40]), (0, 0, [0])]
)
def test_numbers_beside_an_axis_are_round(low: float, high: float, found: list[float]) -> None:
    assert ticks(low, high) == found


def test_the_program_prints_the_figures_at_the_cut_off(models: Path) -> None:
    card = json.loads((models / "small" / "card.json").read_text())
    cutoff = card["distribution"]["cutoffs"][5]
    done = run("card", "small", "--models", models, "--cutoff", cutoff)
    row = figures_at(card["distribution"], cutoff, 4)
    assert done.returncode == 0, done.stderr
    assert f"asked for  {cutoff:<9g} {row['approval_rate']:>7.1%} approved  {row['bad_rate']:.2%} bad" in done.stdout
    assert done.stdout.splitlines()[1].endswith(f"profit {row['profit']:.2f}")
    near = run("card", "small", "--models", models, "--cutoff", cutoff + 1e-9)
    assert f"{cutoff:g} is the cut-off nearest to" in near.stdout


@pytest.mark.parametrize("form", ["html", "pdf"])
def test_the_program_writes_the_card_that_training_wrote(models: Path, tmp_path: Path, form: str) -> None:
    done = run("card", "small", "--models", models, "--out", tmp_path / f"again.{form}")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / f"again.{form}").read_bytes() == (models / "small" / f"card.{form}").read_bytes()
    asked = run("card", "small", "--models", models, "--cutoff", "0.4", "--out", tmp_path / "asked.html")
    assert asked.returncode == 0, asked.stderr
    assert "asked for" in (tmp_path / "asked.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--cutoff", "0.9999"], "--cutoff must be a probability within the range of the card's cut-offs, 0."),
        (["--cutoff", "nan"], "--cutoff must be a probability within"),
        (["--out", "card.doc"], "--out must end in .html or .pdf"),
    ],
)
def test_what_a_card_can_not_say_is_refused(models: Path, tmp_path: Path, arguments: list[str], sentence: str) -> None:
    done = run("card", "small", "--models", models, "--out", tmp_path / "x.html", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert [*tmp_path.iterdir()] == []


def test_a_model_adopted_without_rows_has_no_card(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile) as caught:
        read_card(tmp_path / "card.json", {"model": "theirs", "version": "1", "adopted": {}})
    said = "theirs was adopted without labelled rows, so it has no card.json; adopt it again with --data"
    assert caught.value.message == said


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "small was trained before there were cards, so it has no card.json; train it again"),
        ("{", "small/card.json is not what training writes; train again"),
        ('{"version": "2020.01.01+000000"}', "small/card.json is of version 2020.01.01+000000, but the model is 2025."),
    ],
)
def test_a_card_that_is_none_is_refused(models: Path, content: str | None, sentence: str) -> None:
    path = models / "small" / "card.json"
    before = path.read_text()
    try:
        path.unlink() if content is None else path.write_text(content)
        done = run("card", "small", "--models", models)
    finally:
        path.write_text(before)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr
