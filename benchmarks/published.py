"""Published latencies of EfficientViT on a phone, and the counts of the graphs that were measured for them.

Latencies: the tables of the published repository (arXiv 2205.14756; Cai et al., EfficientViT), Qualcomm
Snapdragon 8Gen1 CPU, TFLite, float32, batch 1, read as printed. What was measured was the general export of
the published model, so what is counted here is `evit-export plain`, with bilinear upsampling for
segmentation, as in the published TFLite path. Weights are random: no kernel of XNNPACK looks at their values.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evit_deploy.errors import UserError

SOURCE = "published table, Snapdragon 8Gen1 CPU, TFLite fp32, 1 thread (arXiv 2205.14756)"
COUNTS_FILE = Path(__file__).with_name("published_counts.json")

Size = tuple[int, int]  # height, width
Classes = Mapping[str, float]  # instruction class -> instructions of one inference


@dataclass(frozen=True)
class Published:
    """One published latency.

    `rounding_ms` is half a unit of the last digit that was printed: nobody can predict closer than that.
    `counted_at` names smaller sizes of the same model, from which the counts at `size` are scaled; where it
    is empty, the model is counted at its own size.
    """

    model: str
    size: Size
    latency_ms: float
    rounding_ms: float
    fitted: bool
    counted_at: tuple[Size, ...] = ()

    @property
    def name(self) -> str:
        """`b1-224`, `seg-b0-cityscapes-960x1920`."""
        return f"{self.model}-{size_text(self.size)}"

    @property
    def sizes(self) -> tuple[Size, ...]:
        """Where it has to be counted."""
        return self.counted_at or (self.size,)


def size_text(size: Size) -> str:
    """`224` for a square, else `512x1024`."""
    height, width = size
    return str(height) if height == width else f"{height}x{width}"


def _classification(model: str, *latencies_ms: float) -> tuple[Published, ...]:
    sizes = zip((224, 256, 288), latencies_ms, strict=True)
    return tuple(Published(model, (side, side), ms, 0.5, fitted=True) for side, ms in sizes)


# XNNPACK computes pixels in groups of a few and fills the last group up, so that small maps cost more a pixel
# than large ones: from B1 and B2 at 224 and 256, 288 comes out 1.9 % low. The maps of these sizes fill their
# groups at every stride (6 x 8 and 6 x 12 positions at stride 32), as nearly all of a large map does, and are
# large enough for every attention to take the path of the published size (more positions than dim).
_SMALL = ((192, 256), (192, 384))
_SMALLER = ((192, 192), (192, 256))
# Counted although nothing was published for it, to show what scaling is worth.
SCALING_CHECK = ("seg-b0-cityscapes", (384, 768))

PUBLISHED: tuple[Published, ...] = (
    *_classification("b1", 19, 24, 31),
    *_classification("b2", 55, 72, 92),
    *_classification("b3", 140, 180, 228),
    Published("seg-b0-cityscapes", (960, 1920), 200, 5, fitted=False, counted_at=_SMALL),
    Published("seg-b1-cityscapes", (896, 1792), 820, 5, fitted=False, counted_at=_SMALL),
    Published("seg-b2-cityscapes", (1024, 2048), 3100, 50, fitted=False, counted_at=_SMALL),
    Published("seg-b3-cityscapes", (1184, 2368), 10_000, 500, fitted=False, counted_at=_SMALL),
    Published("seg-b1-ade20k", (480, 480), 100, 5, fitted=False),
    Published("seg-b2-ade20k", (416, 416), 210, 5, fitted=False),
    Published("seg-b3-ade20k", (512, 512), 800, 50, fitted=False, counted_at=_SMALLER),
)


def wanted_graphs() -> tuple[tuple[str, Size], ...]:
    """All that has to be counted, each once."""
    graphs = [(p.model, size) for p in PUBLISHED for size in p.sizes]
    return tuple(dict.fromkeys((*graphs, SCALING_CHECK)))


@dataclass(frozen=True)
class PublishedCounts:
    """Counts of the published graphs: `graphs` maps "model-size" to {"classes", "sha256", "runtime"}."""

    core: str
    graphs: Mapping[str, Mapping[str, Any]]

    def classes(self, model: str, size: Size) -> Classes:
        """Instructions by class, as counted.

        Raises:
            UserError: it has not been counted.
        """
        name = f"{model}-{size_text(size)}"
        if name not in self.graphs:
            raise UserError(f"{name} is not counted; run 'python -m evit_deploy.benchmarks.count_published'")
        classes: Classes = self.graphs[name]["classes"]
        return classes

    def of(self, published: Published) -> Classes:
        """Instructions by class at the published size, counted or scaled."""
        if not published.counted_at:
            return self.classes(published.model, published.size)
        counted = [(size, self.classes(published.model, size)) for size in published.counted_at]
        return scaled(counted, published.size)


def read_counts(path: Path = COUNTS_FILE) -> PublishedCounts:
    """The tracked counts."""
    data = json.loads(path.read_text(encoding="utf-8"))
    return PublishedCounts(data["core"], data["graphs"])


def scaled(counted: list[tuple[Size, Classes]], size: Size) -> dict[str, float]:
    """Each class by the line in the number of pixels through two smaller sizes.

    Convolutions, activations, linear attention and upsampling all grow with the pixels; the constant is what
    does not: the classifier, the attention's d x d products. A class that shrinks where pixels grow is a
    constant with noise; it stays what it was at the larger size.
    """
    (small, low), (large, high) = sorted(counted, key=lambda entry: entry[0][0] * entry[0][1])
    pixels, base = size[0] * size[1], large[0] * large[1]
    span = base - small[0] * small[1]
    slopes = {name: max(0.0, (count - low.get(name, 0)) / span) for name, count in high.items()}
    return {name: count + slopes[name] * (pixels - base) for name, count in high.items()}
