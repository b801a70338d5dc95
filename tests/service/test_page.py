"""The page in a real browser: Debian's Chromium through its driver, on a running service (`make test-browser`)."""

from __future__ import annotations

import csv
import json
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browser import click, fill, gone, open_browser, press, resize
from tests.running_service import running_service
from tests.scoring_examples import EVENT, FEATURES, IDS, ROOT, answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from selenium import webdriver

    from tests.running_service import Service

pytestmark = pytest.mark.browser

EXAMPLE = answer(json.loads((ROOT / "events" / "credit_risk" / "S0001.json").read_text()))
POINTS = str(EXAMPLE["points"])
REMOTE = ("http:", "https:", "ws:", "wss:", "ftp:")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(scope="module", params=[True, False], ids=["with JavaScript", "without JavaScript"])
def browser(request, tmp_path_factory) -> Iterator[webdriver.Chrome]:
    downloads = tmp_path_factory.mktemp("browser")
    with open_browser(downloads, request.param) as driver:
        driver.downloads = downloads
        yield driver


def text_of(browser: webdriver.Chrome, id: str) -> str:
    return browser.find_element(By.ID, id).text


def test_the_example_is_filled_in_and_scores(browser, service):
    browser.get(service.url)
    press(browser, "Score")
    assert text_of(browser, "points") == POINTS


def test_the_form_scores_as_the_engine_does(browser, service):
    features = FEATURES | {"late_fee_count_90d": 3}
    expected = answer(EVENT | {"features": features})
    browser.get(service.url)
    fill(browser, **IDS, **features)
    press(browser, "Score")
    assert text_of(browser, "points") == str(expected["points"])
    assert text_of(browser, "probability") == f"{100 * expected['probability']:.2f} %"
    sentences = [bar.text for bar in browser.find_elements(By.CSS_SELECTOR, ".bars:not(.lowering) .why")]
    assert sentences
    assert sentences == [reason["text"] for reason in expected["reasons"]]
    assert browser.switch_to.active_element.get_attribute("id") == "result"


def test_a_bad_value_shows_its_message_at_its_field_and_keeps_what_was_typed(browser, service):
    browser.get(service.url)
    fill(browser, late_fee_count_90d="two", income_inflow_30d="-5", snapshot_date="2025-02-29")
    press(browser, "Score")
    field = browser.find_element(By.ID, "f-late_fee_count_90d")
    assert field.get_attribute("value") == "two"
    assert field.get_attribute("aria-invalid") == "true"
    assert field.get_attribute("aria-describedby").split()[-1] == "f-late_fee_count_90d-error"
    assert text_of(browser, "f-late_fee_count_90d-error") == "Must be a whole number"
    assert text_of(browser, "f-income_inflow_30d-error").startswith("Must be at least 0")
    faults = [link.text for link in browser.find_elements(By.CSS_SELECTOR, ".problem a")]
    assert faults[-1] == "“Fees charged in 90 days” must be a whole number"
    assert browser.switch_to.active_element.get_attribute("role") == "alert"
    fill(browser, late_fee_count_90d="1", income_inflow_30d="28862.99")
    press(browser, "Score")
    assert text_of(browser, "f-snapshot_date-error") == "Must be a date as in 2025-09-01"


def test_the_keyboard_alone_reaches_every_field_in_order_and_sends_the_form(browser, service):
    browser.get(service.url)
    names = []
    for _ in range(60):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        active = browser.switch_to.active_element
        if active.text == "Score" and active.tag_name == "button":
            break
        names.append(active.get_attribute("name"))
    assert [name for name in names if name] == ["model", *IDS, *FEATURES]
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    assert text_of(browser, "points") == POINTS


def test_every_control_has_a_label_and_a_hint(browser, service):
    browser.get(service.url)
    assert browser.find_element(By.ID, "model").accessible_name == "Model"
    for control in browser.find_elements(By.CSS_SELECTOR, "form[method=post] :is(input, select)"):
        assert control.accessible_name, control.get_attribute("id")
        for described in control.get_attribute("aria-describedby").split():
            assert text_of(browser, described)


def test_an_upload_comes_back_scored(browser, service, tmp_path):
    table = tmp_path / "rows.csv"
    row = ",".join(map(str, [*IDS.values(), *FEATURES.values()]))
    table.write_text(
        ",".join([*IDS, *FEATURES]) + f"\n{row}\n{row.replace('S0001', 'S0002').replace('0.05', 'much')}\n"
    )
    browser.get(service.url)
    browser.find_element(By.ID, "file").send_keys(str(table))
    click(browser, "Score the file")
    with downloaded(browser).open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["customer_id"], row["outcome"]) for row in rows] == [("S0001", "scored"), ("S0002", "invalid")]
    assert float(rows[0]["probability"]) == answer(EVENT)["probability"]
    assert rows[1]["error"].endswith("column pct_gambling_spend_90d: expected a number")


def test_a_change_is_tried_before_it_counts(browser, service):
    browser.get(service.url)
    press(browser, "Score")
    fill(browser, late_fee_count_90d="4")
    press(browser, "Try without recording")
    assert text_of(browser, "before").startswith(f"Before: {POINTS} points, now ")
    assert browser.find_element(By.ID, "f-late_fee_count_90d").get_attribute("value") == "4"
    assert "not recorded" in text_of(browser, "outcome")
    assert browser.find_elements(By.CSS_SELECTOR, ".lowering .why")
    assert text_of(browser, "band").startswith("Of rows with ")


def test_a_file_is_shown_here_and_downloaded_afterwards(browser, service):
    browser.get(service.url)
    browser.find_element(By.ID, "file").send_keys(str(ROOT / "events" / "credit_risk" / "rows.csv"))
    press(browser, "Score and show here")
    with (ROOT / "events" / "credit_risk" / "rows.csv").open() as file:
        count = len(list(csv.DictReader(file)))
    assert text_of(browser, "rows") == f"{count} rows"
    assert browser.find_elements(By.CSS_SELECTOR, ".histogram .bar")
    click(browser, "Download the scores")
    with downloaded(browser).open() as file:
        assert len(list(csv.DictReader(file))) == count


def test_the_card_is_a_link_away(browser, service):
    browser.get(service.url)
    browser.find_element(By.LINK_TEXT, "Model card").click()
    assert browser.find_element(By.TAG_NAME, "h1").text.startswith("Model card: credit_risk ")
    assert all(image.get_property("naturalWidth") for image in browser.find_elements(By.TAG_NAME, "img"))


def test_a_decision_is_recorded_with_its_reason(browser, service):
    browser.get(service.url)
    press(browser, "Score")
    browser.find_element(By.CSS_SELECTOR, "#decide summary").click()
    browser.find_element(By.ID, "d-by").send_keys("A. Officer")
    browser.find_element(By.ID, "d-reason").send_keys("Income could not be verified")
    press(browser, "Record the decision")
    assert text_of(browser, "main").startswith("Decision recorded")


def downloaded(browser) -> Path:
    """The file that the browser has saved; it is taken away, so that the next one is alone."""
    limit = time.monotonic() + 20
    while time.monotonic() < limit:
        for path in browser.downloads.glob("*.csv"):
            return path.rename(path.with_suffix(".taken"))
        time.sleep(0.05)
    raise AssertionError("nothing was downloaded")


def test_a_file_that_is_no_table_shows_its_message(browser, service, tmp_path):
    (tmp_path / "notes.csv").write_text("hello\n")
    browser.get(service.url)
    browser.find_element(By.ID, "file").send_keys(str(tmp_path / "notes.csv"))
    press(browser, "Score the file")
    assert text_of(browser, "file-error").endswith("column income_inflow_30d is missing")


def test_the_recent_scores_are_those_of_the_ledger(browser, service):
    browser.get(service.url)
    fill(browser, customer_id="recent-1")
    press(browser, "Score")
    browser.get(service.url)
    first = browser.find_element(By.CSS_SELECTOR, "table tbody tr").text
    assert first.startswith(f"scored {POINTS} ")
    assert first.endswith("credit_risk recent-1, 2025-09-01")


@pytest.mark.parametrize(("width", "seen"), [(1280, 6), (390, 3)])
def test_long_ids_never_push_a_score_out_of_sight(browser, service, width, seen):
    httpx.post(f"{service.url}/predict", json=EVENT | {"customer_id": "f47ac10b-58cc-4372-a567-0e02b2c3d479" * 3})
    resize(browser, width, 800)
    browser.get(service.url)
    table = browser.find_element(By.CSS_SELECTOR, "[role=region]:has(table)")
    assert (table.accessible_name, table.get_attribute("tabindex")) == ("Recent scores", "0")
    edge = table.rect["x"] + table.rect["width"] + 1  # of a pixel, from rounding
    cells = [cell.rect for cell in browser.find_elements(By.CSS_SELECTOR, "tbody tr:first-child td")]
    assert all(cell["x"] + cell["width"] <= edge for cell in cells[:seen])
    resize(browser)


def test_the_api_page_tries_a_model(browser, service):
    browser.get(f"{service.url}/docs")
    press(browser, "Send")
    shown = json.loads(browser.find_element(By.CSS_SELECTOR, "pre code").text)
    assert (shown["outcome"], shown["points"]) == ("scored", EXAMPLE["points"])


def test_an_operation_of_the_api_page_unfolds_and_answers(browser, service):
    browser.get(f"{service.url}/docs")
    box = browser.find_element(By.ID, "predict_x100-body")
    assert not box.is_displayed()
    browser.find_element(By.CSS_SELECTOR, "#predict_x100 > summary").click()
    assert box.is_displayed()
    old = browser.find_element(By.TAG_NAME, "html")
    browser.find_element(By.LINK_TEXT, "/models/x100/predict").click()
    gone(browser, old)
    assert browser.find_element(By.ID, "predict_x100-body").is_displayed()
    old = browser.find_element(By.TAG_NAME, "html")
    browser.find_element(By.CSS_SELECTOR, "#predict_x100 button").click()
    gone(browser, old)
    assert "class" in browser.find_element(By.CSS_SELECTOR, "#predict_x100[open] pre code").text


@pytest.mark.parametrize("width", [320, 1100])
@pytest.mark.parametrize(("path", "button"), [("/", "Score"), ("/docs", "Send")])
def test_nothing_is_wider_than_the_window(browser, service, width, path, button):
    resize(browser, width, 800)
    browser.get(service.url + path)
    press(browser, button)
    found = browser.execute_cdp_cmd("Page.getLayoutMetrics", {})
    assert found["cssContentSize"]["width"] <= width
    resize(browser)


def test_no_request_leaves_this_machine_and_nothing_is_refused_by_the_policy(browser, service):
    """The last test: the log has what the others did."""
    browser.get(service.url)
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [said["params"]["request"]["url"] for said in messages if said["method"] == "Network.requestWillBeSent"]
    assert [url for url in sent if url.startswith(REMOTE) and not url.startswith(service.url)] == []
    assert any(url.endswith("/style.css") for url in sent)
    assert [
        entry["message"] for entry in browser.get_log("browser") if "Content Security Policy" in entry["message"]
    ] == []
