"""The page in a real browser, at both widths and color schemes, and by the keyboard alone."""

import os
import re
import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.serve.pages import PAGES

WIDTHS = (1280, 390)
SCHEMES = ("light", "dark")


@pytest.fixture(scope="module")
def browser(server):
    """Debian's Chromium, by Playwright. Skips where either is missing."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install '.[dev]'")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no browser: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, server):
    """open_page(address, width, scheme): a page of the server. Afterwards the browser must have found no fault."""
    faults, contexts = [], []

    def open_one(address="/", width=1280, scheme="light"):
        context = browser.new_context(viewport={"width": width, "height": 850}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda line: faults.append(line.text) if line.type in ("error", "warning") else None)
        page.on("request", lambda one: faults.append(one.url) if not _is_ours(one.url, server.url) else None)
        page.goto(server.url + address)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert faults == []


def _is_ours(url: str, server: str) -> bool:
    return url.startswith((server, "blob:", "data:"))


def screenshot(page, name: str) -> None:
    """Write a screenshot into the folder that FACES_SCREENSHOTS names, if any."""
    if folder := os.environ.get("FACES_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def fits(page) -> bool:
    """Whether nothing is wider than the window."""
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def chosen(photo, person: int, number: int) -> dict:
    return {"name": f"{person}-{number}.jpg", "mimeType": "image/jpeg", "buffer": photo(person, number)}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_two_photos_are_compared(open_page, photo, width, scheme):
    page = open_page("/", width, scheme)
    page.set_input_files("#first", chosen(photo, 0, 0))
    page.set_input_files("#second", chosen(photo, 0, 1))
    page.wait_for_selector("#result:not([hidden])")
    assert page.inner_text("#verdict").startswith("One person: similarity 0.")
    assert "at least the threshold 0.336" in page.get_attribute("#scale", "aria-label")
    assert page.locator(".photo rect").count() == 2
    assert "expected false-match rate" in page.inner_text("#statement")
    page.set_input_files("#second", chosen(photo, 1, 1))
    page.wait_for_selector("#verdict.bad")
    assert page.inner_text("#verdict").startswith("Two people")
    assert fits(page)
    screenshot(page, f"compare-{width}-{scheme}")


def test_a_dropped_file_that_is_no_photo_is_explained_and_runs_nothing(open_page):
    page = open_page("/")
    drop = """([kind, name]) => {
        const data = new DataTransfer();
        data.items.add(new File(["<svg onload='window.owned=1'>"], name, {type: kind}));
        document.querySelector('[data-drop="first"]').dispatchEvent(
            new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true}));
    }"""
    page.evaluate(drop, ["text/html", "a.html"])
    assert "That is not a photo" in page.inner_text("#message")
    assert page.url.endswith("/")
    assert page.evaluate("window.owned") is None


def test_the_keyboard_reaches_everything(open_page):
    page = open_page("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    seen = []
    for _ in range(12):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.id || document.activeElement.textContent"))
    assert {"first", "second", "far", "Compare", "People"} <= set(seen)


@pytest.mark.parametrize("name", PAGES)
def test_every_page_fits_a_phone_and_names_its_parts(open_page, name):
    page = open_page(PAGES[name][0], 390, "dark")
    assert fits(page)
    assert page.locator("h1").count() == 1
    assert page.get_attribute("html", "lang") == "en"
    unnamed = page.evaluate(
        """[...document.querySelectorAll("input, select, button, img, a")].filter((one) =>
            !(one.labels?.length || one.getAttribute("aria-label") || one.textContent.trim() || one.hasAttribute("alt"))
        ).map((one) => one.outerHTML)"""
    )
    assert unnamed == []
    screenshot(page, f"{name}-390-dark")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_holds_no_script_or_style_in_itself_and_nothing_of_others(server, name):
    """So that the content security policy can forbid them."""
    answer = server.ask("GET", PAGES[name][0])
    text = answer.content.decode()
    assert answer.status == 200
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=|https?://(?!127\.0\.0\.1)", text)
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', text):
        assert server.ask("GET", address).status == 200, address


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_people_are_enrolled_identified_and_deleted(open_page, photo, server, width, scheme):
    playwright = pytest.importorskip("playwright.sync_api")
    store = server.app.service.people.store
    assert store.count() == 0
    page = open_page("/people", width, scheme)
    for person, name in ((0, "Anna <b>Smith</b>"), (2, "Chloé")):
        page.fill("#name", name)
        page.set_input_files("#photos", [chosen(photo, person, 0), chosen(photo, person, 1)])
        page.wait_for_selector("#checks li:nth-child(2)")
        assert page.locator("#checks .ok").count() == 2
        screenshot(page, f"enroll-{width}-{scheme}")
        page.click("#enroll")
        page.locator("#people strong", has_text=name).wait_for()
    page.fill("#search", "chl")
    playwright.expect(page.locator("#people li")).to_have_count(1)
    page.fill("#search", "")
    playwright.expect(page.locator("#people li")).to_have_count(2)
    playwright.expect(page.locator("#people img[src^=blob]")).to_have_count(2)
    assert fits(page)
    screenshot(page, f"people-{width}-{scheme}")
    page.goto(f"{server.url}/identify")
    group = {"name": "group.png", "mimeType": "image/png", "buffer": side_by_side(photo)}
    page.set_input_files("#photo", group)
    page.wait_for_selector("#result:not([hidden])")
    assert page.inner_text("#verdict") == "2 faces, 2 known"
    assert sorted(page.locator(".tag").all_inner_texts()) == ["Anna <b>Smith</b>", "Chloé"]
    assert fits(page)
    screenshot(page, f"identify-{width}-{scheme}")
    page.goto(f"{server.url}/people")
    for left in (1, 0):
        page.locator("#people button").first.click()
        page.click("#delete-dialog .danger")
        playwright.expect(page.locator("#people li")).to_have_count(left)
    assert store.count() == 0


def side_by_side(photo) -> bytes:
    """Other photos of the two people that are enrolled."""
    images = [np.asarray(Image.open(BytesIO(photo(person, number)))) for person, number in ((0, 2), (2, 2))]
    file = BytesIO()
    Image.fromarray(np.concatenate(images, 1)).save(file, "PNG")
    return file.getvalue()
