"""The page in a real browser: at two widths, by mouse and by keyboard, in light, dark and print."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browser import DESK, PHONE, chromium, requests_of, show
from report_samples import full_sources, hostile_sources

from evit_deploy.benchmarks.report.page import html_page
from evit_deploy.benchmarks.report.sources import Sources

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

AXE = Path(__file__).parents[3] / ".ci/node_modules/axe-core/axe.min.js"
SOURCES = {"full": full_sources(), "hostile": hostile_sources(), "empty": Sources()}
# The first table of the page: all checks of the first report.
TABLE = "document.querySelector('table')"


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    found = {}
    for name, sources in SOURCES.items():
        found[name] = folder / f"{name}.html"
        found[name].write_text(html_page(sources), encoding="utf-8")
    return found


def column(chrome: Chrome, number: int) -> list[str]:
    script = f"return Array.from({TABLE}.tBodies[0].rows, row => row.cells[{number}].textContent.trim())"
    cells: list[str] = chrome.execute_script(script)
    return cells


def sort_state(chrome: Chrome, number: int) -> Any:
    return chrome.execute_script(f"return {TABLE}.tHead.rows[0].cells[{number}].getAttribute('aria-sort')")


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("width", [DESK, PHONE])
def test_it_fits_and_is_silent(chrome: Chrome, pages: dict[str, Path], name: str, width: int) -> None:
    chrome.get_log("browser")
    show(chrome, pages[name], width)
    # The page itself never scrolls sideways; a wide table does within its own frame.
    assert chrome.execute_script("return document.documentElement.scrollWidth") <= width
    assert chrome.execute_script("return innerWidth") == width
    assert [entry["message"] for entry in chrome.get_log("browser")] == []
    assert set(requests_of(chrome, pages[name])) == {pages[name].as_uri()}


@pytest.mark.parametrize("width", [DESK, PHONE])
def test_nothing_of_a_drawing_is_cut(chrome: Chrome, pages: dict[str, Path], width: int) -> None:
    show(chrome, pages["full"], width)
    cut = chrome.execute_script("""
        return Array.from(document.querySelectorAll("svg.chart text"))
            .filter(text => getComputedStyle(text).display !== "none")
            .filter(text => {
                const frame = text.closest("svg.chart").getBoundingClientRect();
                const box = text.getBoundingClientRect();
                return box.left < frame.left - 1 || box.right > frame.right + 1 ||
                    box.top < frame.top - 1 || box.bottom > frame.bottom + 1;
            })
            .map(text => text.textContent);
    """)
    assert cut == []


def test_texts_of_a_scale_do_not_touch_on_a_phone(chrome: Chrome, pages: dict[str, Path]) -> None:
    show(chrome, pages["full"], PHONE)
    touching = chrome.execute_script("""
        return Array.from(document.querySelectorAll("svg.chart")).flatMap(svg => {
            const boxes = Array.from(svg.querySelectorAll(".tick"), t => t.getBoundingClientRect())
                .filter(box => box.width > 0);
            return boxes.flatMap((a, i) => boxes.slice(i + 1).filter(b =>
                a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom));
        }).length;
    """)
    assert touching == 0


def test_every_drawing_is_named(chrome: Chrome, pages: dict[str, Path]) -> None:
    show(chrome, pages["full"], DESK)
    from selenium.webdriver.common.by import By

    drawings = chrome.find_elements(By.CSS_SELECTOR, "svg.chart")
    assert len(drawings) == 10
    # As a screen reader hears it: the browser's own computation.
    assert all(drawing.aria_role in ("img", "image") and drawing.accessible_name for drawing in drawings)


def test_sorting_by_click(chrome: Chrome, pages: dict[str, Path]) -> None:
    show(chrome, pages["full"], DESK)
    from selenium.webdriver.common.by import By

    changes = chrome.find_elements(By.CSS_SELECTOR, "table thead button")[6]
    assert changes.text.startswith("change")
    changes.click()
    assert column(chrome, 6) == ["-5.9 %", "+0.4 %", "+2.1 %", "+6.2 %"]
    assert sort_state(chrome, 6) == "ascending"
    changes.click()
    assert column(chrome, 6) == ["+6.2 %", "+2.1 %", "+0.4 %", "-5.9 %"]
    assert sort_state(chrome, 6) == "descending"
    said = chrome.find_element(By.ID, "announcement").get_attribute("textContent")
    assert said == "All checks, the gravest first: sorted by change, descending"


def test_what_is_not_known_comes_last_either_way(chrome: Chrome, pages: dict[str, Path]) -> None:
    show(chrome, pages["full"], DESK)
    from selenium.webdriver.common.by import By

    table = chrome.find_elements(By.CSS_SELECTOR, "table")[1]
    button = table.find_elements(By.CSS_SELECTOR, "thead button")[6]
    for _ in range(2):
        button.click()
        rows = table.find_elements(By.CSS_SELECTOR, "tbody tr")
        cells = [row.find_elements(By.CSS_SELECTOR, "th, td")[6].text for row in rows]
        assert cells[2:] == ["-"] * 5
        assert "-" not in cells[:2]


def test_sorting_by_keyboard(chrome: Chrome, pages: dict[str, Path]) -> None:
    """From the top of the page with the Tab key alone to a column's head, then Enter and Space."""
    show(chrome, pages["full"], DESK)
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    for _ in range(30):
        ActionChains(chrome).send_keys(Keys.TAB).perform()
        focused = chrome.switch_to.active_element
        if focused.tag_name == "button":
            break
    assert focused.text.startswith("artifact")
    ActionChains(chrome).send_keys(Keys.ENTER).perform()
    names = column(chrome, 0)
    assert names == sorted(names)
    assert sort_state(chrome, 0) == "ascending"
    ActionChains(chrome).send_keys(Keys.SPACE).perform()
    assert column(chrome, 0) == sorted(names, reverse=True)
    # Where the focus is can be seen.
    assert chrome.execute_script("return getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_the_first_tab_leads_past_the_links(chrome: Chrome, pages: dict[str, Path]) -> None:
    show(chrome, pages["full"], DESK)
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    ActionChains(chrome).send_keys(Keys.TAB).perform()
    assert chrome.switch_to.active_element.text == "Skip to the content"


def test_on_paper_nothing_is_cut_or_scrolled(chrome: Chrome, pages: dict[str, Path]) -> None:
    """A4 less its margins, 96 dots to the inch."""
    show(chrome, pages["full"], 718, medium="print")
    assert chrome.execute_script("return document.documentElement.scrollWidth") <= 718
    assert chrome.execute_script("return getComputedStyle(document.querySelector('nav')).display") == "none"
    printed = chrome.execute_cdp_cmd("Page.printToPDF", {"paperWidth": 8.27, "paperHeight": 11.69})
    assert len(printed["data"]) > 10_000


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [DESK, PHONE])
def test_axe_finds_nothing(chrome: Chrome, pages: dict[str, Path], scheme: str, width: int) -> None:
    if not AXE.is_file():
        pytest.skip("needs axe-core (npm install --prefix .ci axe-core)")
    show(chrome, pages["full"], width, scheme)
    chrome.execute_script(AXE.read_text(encoding="utf-8"))
    found = chrome.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
    assert [(v["id"], v["nodes"][0]["html"]) for v in found["violations"]] == []
    assert len(found["passes"]) > 20
