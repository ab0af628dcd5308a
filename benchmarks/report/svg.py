"""Drawing as inline SVG that is as wide as its place: across in percent, down in pixels.

So nothing is scaled: letters keep their size and lines their width on a phone, on a desk and in print.
Colours are CSS classes of the page, which knows light and dark. Text is escaped by the XML library.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

# Room at both sides, in percent, so that nothing is cut at the edges.
_MARGIN = 1.5
_TICKS = 5  # about so many


class Drawing:
    """An image with a title and a description for who cannot see it."""

    def __init__(self, name: str, title: str, description: str, height: float) -> None:
        attributes = {"class": "chart", "role": "img", "width": "100%", "height": _pixels(height)}
        labels = {"aria-labelledby": f"{name}-title", "aria-describedby": f"{name}-desc"}
        self._root = Element("svg", {**attributes, **labels})
        SubElement(self._root, "title", id=f"{name}-title").text = title
        SubElement(self._root, "desc", id=f"{name}-desc").text = description
        self._parent = self._root

    def group(self, tip: str) -> None:
        """What follows belongs together; `tip` is shown when a pointer rests on it."""
        self._parent = SubElement(self._root, "g")
        SubElement(self._parent, "title").text = tip

    def line(self, begin: tuple[float, float], end: tuple[float, float], tone: str) -> None:
        """From (share across, pixels down) to another such point."""
        (x1, y1), (x2, y2) = begin, end
        across = {"x1": _percent(x1), "x2": _percent(x2)}
        self._add("line", {**across, "y1": _pixels(y1), "y2": _pixels(y2), "class": tone})

    def bar(self, begin: float, end: float, top: float, height: float, tone: str) -> None:
        """A rectangle between two shares across."""
        width = (end - begin) * (100 - 2 * _MARGIN)
        across = {"x": _percent(begin), "width": f"{max(width, 0):.3f}%"}
        self._add("rect", {**across, "y": _pixels(top), "height": _pixels(height), "class": tone})

    def dot(self, x: float, y: float, tone: str, radius: float = 5) -> None:
        """A circle."""
        centre = {"cx": _percent(x), "cy": _pixels(y)}
        self._add("circle", {**centre, "r": _pixels(radius), "class": tone})

    def diamond(self, x: float, y: float, tone: str, radius: float = 7) -> None:
        """A square on its corner."""
        # A nested image has an origin in percent, which a path itself cannot have.
        place = {"x": _percent(x), "y": _pixels(y), "width": "1", "height": "1", "overflow": "visible"}
        nested = SubElement(self._parent, "svg", place)
        r = _pixels(radius)
        SubElement(nested, "path", {"d": f"M0-{r}L{r} 0L0 {r}L-{r} 0Z", "class": tone})

    def text(self, x: float, y: float, content: str, tone: str = "", anchor: str = "start") -> None:
        """A line of text; `y` is its baseline."""
        place = {"x": _percent(x), "y": _pixels(y), "text-anchor": anchor, "class": tone}
        self._add("text", place).text = content

    def __str__(self) -> str:
        return tostring(self._root, encoding="unicode")

    def _add(self, name: str, attributes: dict[str, str]) -> Element:
        return SubElement(self._parent, name, {key: value for key, value in attributes.items() if value})


@dataclass(frozen=True)
class Scale:
    """Values to shares of the width (or height), and the values worth a line."""

    low: float
    high: float

    def __call__(self, value: float) -> float:
        """0 at `low`, 1 at `high`."""
        return (value - self.low) / (self.high - self.low)

    @property
    def ticks(self) -> list[float]:
        """Round values inside."""
        step = _round_step((self.high - self.low) / _TICKS)
        first = math.ceil(self.low / step - 1e-9)
        count = math.floor(self.high / step + 1e-9) - first + 1
        return [round(step * (first + i), 12) for i in range(count)]


def scale_over(values: Sequence[float], *, zero: bool) -> Scale:
    """A scale that has room for all values; it begins at 0 if `zero`."""
    low, high = min(values), max(values)
    spread = high - low or abs(high) or 1.0
    if zero:
        return Scale(0.0, high + 0.02 * spread if high > 0 else 1.0)
    return Scale(low - 0.1 * spread, high + 0.1 * spread)


def _round_step(least: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * digit for digit in (1, 2, 5, 10) if power * digit >= least * 0.999)


def _percent(share: float) -> str:
    return f"{_MARGIN + share * (100 - 2 * _MARGIN):.3f}%"


def _pixels(value: float) -> str:
    return f"{value:g}"
