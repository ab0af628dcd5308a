"""The part of a page that a command writes."""

from __future__ import annotations

import pytest

from evit_deploy.benchmarks.marked_page import BEGIN, END, into_page, sections_into_page

PAGE = f"before\n{BEGIN}\n\nold\n{END}\nafter\n"


def test_only_what_is_between_the_markers_changes() -> None:
    assert into_page(PAGE, "new\n") == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    with pytest.raises(ValueError, match="the page has no"):
        into_page("no markers", "new")


def test_sections_that_are_not_measured_anew_stay() -> None:
    first = sections_into_page(PAGE, {"a-1": "**a-1**: one\n\n| 1 |\n", "b": "**b**: two\n\n| **2** |\n"})
    second = sections_into_page(first, {"b": "**b**: three\n"})
    assert second == f"before\n{BEGIN}\n\n**a-1**: one\n\n| 1 |\n\n**b**: three\n\n{END}\nafter\n"
    assert sections_into_page(second, {"c": "**c**: four"}).count("**:") == 3
