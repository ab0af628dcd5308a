from __future__ import annotations

import pytest

from evit_deploy.benchmarks.parts import core_name


@pytest.mark.parametrize(
    ("processor", "name"),
    [
        ({"CPU implementer": "0x41", "CPU part": "0xd0b"}, "Cortex-A76"),
        ({"CPU part": "0xD05"}, "Cortex-A55"),
        ({"CPU implementer": "0x51", "CPU part": "0x001"}, "Oryon"),
        ({"CPU implementer": "0x46", "CPU part": "0x001"}, "A64FX"),
        ({"CPU implementer": "0x41", "CPU part": "0xfff"}, "Arm part 0xfff"),
        ({"CPU implementer": "0x99", "CPU part": "0x1"}, "maker 0x99 part 0x001"),
        ({"model name": "Something 9000"}, "Something 9000"),
        ({"CPU part": "what"}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_cores_have_names(processor: dict[str, str], name: str) -> None:
    assert core_name(processor) == name
