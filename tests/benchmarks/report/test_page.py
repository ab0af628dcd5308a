"""The page as markup: valid, escaped, complete, and legible by its colours. Needs no browser."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element

import html5lib
import pytest
from report_samples import (
    HOSTILE,
    PI,
    compare_report,
    full_sources,
    hostile_sources,
    passing_report,
    sample_history,
    sample_profile,
    sample_result,
)

from evit_deploy.benchmarks.checks import Report
from evit_deploy.benchmarks.report.accuracy import Accuracies
from evit_deploy.benchmarks.report.formats import FORMATS
from evit_deploy.benchmarks.report.page import html_page
from evit_deploy.benchmarks.report.sources import Sources

CSS = (Path(__file__).parents[3] / "benchmarks/report/templates/page.css").read_text(encoding="utf-8")


def boundless_report() -> Report:
    """A baseline of 0, and an interval without an end."""
    first, *others = compare_report().checks
    odd = replace(first, baseline=0.0, ratio=math.inf), replace(first, high=math.inf)
    return replace(compare_report(), checks=(*odd, *others))


PAGES = {
    "full": full_sources(),
    "hostile": hostile_sources(),
    "empty": Sources(),
    "one report": Sources(reports=(passing_report(),)),
    "one result": Sources(results=(sample_result(),)),
    "one profile": Sources(profiles=(sample_profile(),)),
    "one point": Sources(history=sample_history()[:1]),
    "dates that are none": Sources(history=tuple(replace(p, date="?") for p in sample_history())),
    "a ratio that is none": Sources(reports=(boundless_report(),)),
    "no operators": Sources(profiles=(replace(sample_profile(), costs=()),)),
}


def parsed(sources: Sources) -> Element:
    """The document; any error of HTML raises."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    document: Element = parser.parse(html_page(sources))
    return document


def name_of(element: Element) -> str:
    """Without its namespace; comments have none."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def named(document: Element, name: str) -> list[Element]:
    return [element for element in document.iter() if name_of(element) == name]


def text_of(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


@pytest.mark.parametrize("sources", PAGES.values(), ids=PAGES)
def test_the_page_is_valid_html(sources: Sources) -> None:
    document = parsed(sources)
    ids = [element.attrib["id"] for element in document.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids))
    for element in document.iter():
        for attribute in ("aria-labelledby", "aria-describedby"):
            assert set(element.attrib.get(attribute, "").split()) <= set(ids)
        if element.attrib.get("href", "").startswith("#"):
            assert element.attrib["href"][1:] in ids


@pytest.mark.parametrize("sources", PAGES.values(), ids=PAGES)
def test_the_page_loads_nothing(sources: Sources) -> None:
    document = parsed(sources)
    found = [
        (name_of(e), key) for e in document.iter() for key in e.attrib if key in ("src", "srcset", "data")
    ]
    assert found == []
    assert all(link.attrib["href"].startswith("#") for link in named(document, "a"))
    assert not named(document, "link")
    assert "url(" not in CSS and "@import" not in CSS


@pytest.mark.parametrize("sources", PAGES.values(), ids=PAGES)
def test_no_name_becomes_markup(sources: Sources) -> None:
    document = parsed(sources)
    assert len(named(document, "script")) == len(named(document, "style")) == 1
    assert not named(document, "img")
    assert not [key for element in document.iter() for key in element.attrib if key.startswith("on")]


def test_a_name_is_shown_as_it_is() -> None:
    cells = [text_of(cell) for cell in named(parsed(hostile_sources()), "th")]
    # A line's end is a space in HTML, and a control character cannot be shown.
    shown = " ".join(re.sub("[\x00\x1b\r]", "\N{REPLACEMENT CHARACTER}", HOSTILE).split())
    assert f"{shown}.tflite" in cells


def test_every_section_is_there_and_linked() -> None:
    document = parsed(full_sources())
    headings = [text_of(heading) for heading in named(document, "h2")]
    assert headings == [
        *("Verdict 1: compare", "Verdict 2: gate", "Latency", "Instructions", "Instruction time"),
        "Predicted latency",
        "Accuracy against cost",
        *(
            "Stages of efficientvit_b0-r224-fp32-random.tflite, cortex-a76 (emulated)",
            "History",
            "Environment",
        ),
    ]
    assert [text_of(link) for link in named(document, "a")][1:] == headings


def test_every_drawing_has_a_title_a_description_and_a_table() -> None:
    document = parsed(full_sources())
    drawings = [svg for svg in named(document, "svg") if svg.attrib.get("role") == "img"]
    assert len(drawings) == 10
    for svg in drawings:
        parts = {name_of(child): text_of(child) for child in list(svg)[:2]}
        assert parts["title"] and parts["desc"]
    for section in named(document, "section"):
        assert not named(section, "svg") or named(section, "table")


def test_numbers_are_the_results() -> None:
    text = text_of(parsed(full_sources()))
    for words in ("+6.2 %, slower", "onnxruntime 1.30.0, was 1.31.1", "23.4 M instr (42%)", "211.8 M"):
        assert words in text, words


def test_scales_have_units() -> None:
    texts = {text_of(text) for text in named(parsed(full_sources()), "text")}
    for words in (
        "0 ms",
        "20 ms",
        "+5 %",
        "0 %",
        "-5 %",
        "200 M",
        "10 M instr",
        "76 %",
        "12.5 ms",
        "2026-11-18",
    ):
        assert words in texts, words


def test_a_prediction_is_called_one() -> None:
    text = text_of(parsed(full_sources()))
    for words in ("Predicted, not measured: profile snapdragon-8gen1", "29.9 ms (15.1 to 44.7)?"):
        assert words in text, words


def test_published_accuracy_is_called_so() -> None:
    result = sample_result()
    assert "Published accuracies are the authors'" in text_of(parsed(Sources(results=(result,))))
    names = [measurement.subject.name for measurement in result.measurements]
    given = Sources(results=(result,), accuracies=Accuracies(dict.fromkeys(names, 50.0)))
    assert "Published accuracies" not in text_of(parsed(given))


def test_the_pareto_front_leaves_out_what_is_worse() -> None:
    tables = [t for t in named(parsed(full_sources()), "table") if f"against latency on {PI}" in text_of(t)]
    rows = [[text_of(cell) for cell in row] for row in named(tables[-1], "tr")][1:]
    best = {row[0].rpartition("_")[2]: row[-1] for row in rows if len(row) == 7}
    assert best == {
        "b0-r224-fp32-random.tflite": "yes",
        "b1-r224-fp32-random.tflite": "yes",
        "b1-r224-fp32-random.onnx": "no",
    }


def palettes() -> dict[str, dict[str, str]]:
    """The variables of each :root rule: light, dark, print."""
    rules = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    found = [dict(re.findall(r"--([\w]+): (#[0-9a-f]{6});", rule)) for rule in rules]
    return dict(zip(("light", "dark", "print"), (rule for rule in found if rule), strict=True))


def luminance(colour: str) -> float:
    """Relative luminance by WCAG 2.2."""
    shares = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_text_and_drawings_can_be_told_from_the_page(scheme: str) -> None:
    """WCAG 2.2: 4.5 for text (1.4.3), 3 for what a drawing is read by (1.4.11)."""
    palette = palettes()[scheme]
    for back in ("page", "raised"):
        for name in ("text", "muted", "link", "good", "bad", "unsure"):
            assert contrast(palette[name], palette[back]) >= 4.5, (name, back)
    for i in range(8):
        assert contrast(palette[f"c{i}"], palette["page"]) >= 3, i


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("name", FORMATS)
def test_no_format_fails_at_a_ratio_that_is_none(name: str) -> None:
    assert FORMATS[name](Sources(reports=(boundless_report(),)))
