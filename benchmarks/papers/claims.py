"""The comparisons of the papers, as data: who against whom, at which size, and what was published.

Sources: Cai et al., EfficientViT (arXiv 2205.14756): the abstract's factors, the published repository's
latencies (Snapdragon 8Gen1 CPU, TFLite, float32), and its plot of latency over mIoU, read off to 5 %.
Zhang et al., EfficientViT-SAM (arXiv 2402.05008), and Maaz et al., EdgeNeXt (arXiv 2206.10589): abstracts.
"""

from __future__ import annotations

from dataclasses import dataclass

from evit_deploy.benchmarks.scaling.points import OURS, PLAIN, Graph

Size = tuple[int, int]  # height, width

FULL: Size = (1024, 2048)  # of Cityscapes
SMALL: tuple[Size, ...] = ((256, 512), (512, 1024))  # what an emulated core bears
PHONE = "Snapdragon 8Gen1 CPU"


@dataclass(frozen=True, slots=True)
class Side:
    """A model of a comparison. `size` is the published one, `counted_at` where it is counted instead."""

    model: str
    kind: str
    size: Size
    counted_at: tuple[Size, ...] = ()

    def graphs(self, format: str) -> list[Graph]:
        """What has to be counted, the smallest first."""
        sizes = self.counted_at or (self.size,)
        return [Graph(self.model, self.kind, format, *size) for size in sizes]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One claim. `factor` is theirs over ours as published, `None` where only the pair is."""

    ours: Side
    theirs: Side
    factor: float | None
    published: str


def _ours(model: str, side: int) -> Side:
    return Side(model, OURS, (side, side))


def _theirs(model: str, side: int) -> Side:
    return Side(model, PLAIN, (side, side))


def _segmentation(ours: str, theirs: str, factor: float, published: str) -> Comparison:
    return Comparison(
        Side(f"seg-{ours}-cityscapes", OURS, FULL, SMALL), Side(theirs, PLAIN, FULL, SMALL), factor, published
    )


COMPARISONS: tuple[Comparison, ...] = (
    _segmentation("b0", "segformer-b0", 34.0, f"6.9 s (plot) against 0.20 s at 960x1920, {PHONE}"),
    _segmentation("b1", "segformer-b0", 6.3, f"6.9 s against 1.1 s, both from the plot, {PHONE}"),
    _segmentation("b1", "segformer-b1", 15.0, "up to 15 times the mobile latency (abstract)"),
    _segmentation("b1", "segnext-t", 9.3, "up to 9.3 times the mobile latency (abstract)"),
    Comparison(
        _ours("b1", 224), _theirs("efficientnet-b1", 240), 3.0, "3 times faster on a Snapdragon 855 CPU"
    ),
    Comparison(
        _ours("b0", 224), _theirs("efficientnet-b0", 224), None, "accuracy 71.4 against 77.1, no latency"
    ),
    Comparison(
        _ours("b0", 224), _theirs("mobilenet-v2", 224), None, "accuracy 71.4 against 72.0, no latency"
    ),
    Comparison(_ours("b1", 224), _theirs("mobilevit-s", 256), None, "accuracy 79.4 against 78.4, no latency"),
    Comparison(_ours("b0", 224), _theirs("pvt-v2-b0", 224), None, "accuracy 71.4 against 70.5, no latency"),
    Comparison(_ours("b1", 224), _theirs("pvt-tiny", 224), None, "accuracy 79.4 against 75.1, no latency"),
    Comparison(_ours("b2", 224), _theirs("swin-t", 224), None, "accuracy 82.1 against 81.3, no latency"),
    Comparison(
        _ours("edgenext-xx-small", 256),
        _theirs("mobilevit-xxs", 256),
        1.39,
        "28 % fewer MACs, accuracy 71.2 against 69.0",
    ),
    Comparison(
        _ours("edgenext-small", 256),
        _theirs("mobilevit-s", 256),
        None,
        "accuracy 79.4 against 78.4, 1.26 against 2.0 G MACs",
    ),
    Comparison(
        _ours("det-b1", 512),
        _theirs("efficientdet-d1", 640),
        None,
        "COCO AP 42.6 against 40.2, 4.4 against 6.1 G MACs",
    ),
    Comparison(
        _ours("sr-w075-x2", 128), _theirs("restormer", 128), 6.4, "up to 6.4 times faster on an A100 GPU"
    ),
    Comparison(
        _ours("sam-l0", 512),
        Side("sam-vit-b", PLAIN, (1024, 1024), ((256, 256),)),
        None,
        "XL1 has 48.9 times the throughput of ViT-H on an A100 GPU",
    ),
)


def graphs_of(comparisons: tuple[Comparison, ...], formats: tuple[str, ...]) -> list[Graph]:
    """Everything to count, each once, in the order of the comparisons, small sizes before large ones."""
    sides = [side for comparison in comparisons for side in (comparison.ours, comparison.theirs)]
    found = [graph for side in sides for format in formats for graph in side.graphs(format)]
    unique = list(dict.fromkeys(found))
    return sorted(unique, key=lambda graph: graph.height * graph.width)
