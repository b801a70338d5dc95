"""Debian's Chromium through its driver, without a window: for the tests of the page and for its pictures."""

from __future__ import annotations

import base64
from contextlib import contextmanager
from typing import TYPE_CHECKING

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.support import expected_conditions
from selenium.webdriver.support.ui import WebDriverWait

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from selenium.webdriver.remote.webelement import WebElement

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--window-size=1100,1000",
)


@contextmanager
def open_browser(folder: Path, javascript: bool = True) -> Iterator[webdriver.Chrome]:
    """A browser that logs every request it makes; its profile and its downloads lie in the folder."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    preferences: dict[str, object] = {"download.default_directory": str(folder)}
    if not javascript:
        preferences["profile.managed_default_content_settings.javascript"] = 2
    options.add_experimental_option("prefs", preferences)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.implicitly_wait(5)  # seconds until an element has to be there
    try:
        yield driver
    finally:
        driver.quit()


def resize(browser: webdriver.Chrome, width: int = 0, height: int = 0) -> None:
    """Give the page this size; 0 for the window's own."""
    size = {"width": width, "height": height, "deviceScaleFactor": 0, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def picture(browser: webdriver.Chrome, colours: str) -> bytes:
    """A PNG of what is seen, in `light` or `dark` colours."""
    wanted = [{"name": "prefers-color-scheme", "value": colours}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": wanted})
    return base64.b64decode(browser.get_screenshot_as_base64())


def fill(browser: webdriver.Chrome, **values: object) -> None:
    for name, value in values.items():
        control = browser.find_element(By.ID, f"f-{name}")
        control.clear()
        control.send_keys(str(value))


def press(browser: webdriver.Chrome, text: str) -> None:
    """Press a button and wait for the page that answers: the old one stays in place until then."""
    old = browser.find_element(By.TAG_NAME, "html")
    click(browser, text)
    gone(browser, old)


def gone(browser: webdriver.Chrome, old: WebElement) -> None:
    """Wait until a page has gone."""
    WebDriverWait(browser, 20, ignored_exceptions=[WebDriverException]).until(expected_conditions.staleness_of(old))


def click(browser: webdriver.Chrome, text: str) -> None:
    browser.find_element(By.XPATH, f"//button[text()='{text}']").click()
