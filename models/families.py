"""Which family a model belongs to, by the beginning of its name, and where its figures come from."""

from __future__ import annotations

from collections.abc import Mapping

from evit_deploy.models.spec import ModelSpec

# The longest beginning counts.
SOURCES: Mapping[str, str] = {
    "efficientvit": "arXiv 2205.14756",
    "efficientvit-sam": "arXiv 2402.05008",
    "efficientvit-sr": "counted here",  # described in arXiv 2205.14756, without figures
    "edgenext": "arXiv 2206.10589",
    "segformer": "arXiv 2105.15203",
    "segnext": "arXiv 2209.08575",
    "efficientnet": "arXiv 1905.11946",
    "mobilenet": "arXiv 1801.04381",
    "mobilevit": "arXiv 2110.02178",
    "pvt": "arXiv 2102.12122",
    "pvt-v2": "arXiv 2106.13797",
    "swin": "arXiv 2103.14030",
    "efficientdet": "arXiv 1911.09070",
    "sam": "arXiv 2304.02643",
    "restormer": "arXiv 2111.09881",
}


def family_of(spec: ModelSpec) -> str:
    """`efficientvit-seg-b0-cityscapes` -> `efficientvit`; the first word of a name that nobody listed."""
    matching = [family for family in SOURCES if f"{spec.name}-".startswith(f"{family}-")]
    return max(matching, key=len, default=spec.name.partition("-")[0])


def source_of(spec: ModelSpec) -> str | None:
    """Where a model's figures were published; `None` where nobody noted it."""
    return SOURCES.get(family_of(spec))
