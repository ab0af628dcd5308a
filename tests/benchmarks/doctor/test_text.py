from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from evit_deploy.benchmarks.doctor.determinism import Determinism
from evit_deploy.benchmarks.doctor.emulation import advise_emulated
from evit_deploy.benchmarks.doctor.examine import Examination
from evit_deploy.benchmarks.doctor.finding import MEND, Finding
from evit_deploy.benchmarks.doctor.noise import Noise
from evit_deploy.benchmarks.doctor.text import examination_text

FACTS: dict[str, Any] = {
    "board": "Raspberry Pi 5",
    "cpu_models": ["Cortex-A76"],
    "cores": [{}] * 4,
    "kernel": "6.6.31",
    "libc": "glibc 2.36",
}
COMMAND = f"echo performance | sudo tee /sys/{'long/' * 20}scaling_governor"
GOVERNOR = Finding("governor", MEND, "ondemand on cores 0-3", "slow at first", COMMAND, root=True)
NOISE = Noise(10, 12.3e6, 0.01, 0.005, 0.004, 0.001, -0.002, 0.004, 0.0028, 0.0046)
SEEN = Examination("pi5", FACTS, (GOVERNOR,), "x.onnx", NOISE, None)


def test_a_real_device() -> None:
    assert examination_text(SEEN).splitlines()[2:] == [
        "mend     governor    ondemand on cores 0-3",
        "                     slow at first",
        f"                       (root) {COMMAND}",
        "",
        "x.onnx against itself, 10 pairs of launches:",
        "  median             12.3 ms",
        "  within a launch    1.00%  (p90 - p10) / median",
        "  between launches   0.50%  standard deviation of their medians",
        "  within a pair      0.40%  standard deviation of B / A",
        "  B against A        +0.10%  (-0.20% to +0.40%)",
        "smallest change that 30 pairs can detect: 0.28% (at most 0.46% with 95 % confidence)",
        "  one-sided alpha 0.01 over 3 looks, power 0.8, t-interval over log-ratios of pairs",
        "  good enough for regressions of 3%",
    ]


def test_the_machine_is_named_first() -> None:
    first = examination_text(SEEN).splitlines()[0]
    assert first.startswith(
        "pi5: Raspberry Pi 5, Cortex-A76, 4 cores, Linux 6.6.31, glibc 2.36; fingerprint "
    )


@pytest.mark.parametrize(
    ("detectable", "at_most", "verdict"),
    [
        (0.01, 0.029, "  good enough for regressions of 3%"),
        (0.02, 0.04, "  probably good enough"),
        (0.04, 0.07, "  NOT good enough"),
    ],
)
def test_verdicts(detectable: float, at_most: float, verdict: str) -> None:
    noise = replace(NOISE, detectable=detectable, detectable_at_most=at_most)
    assert examination_text(replace(SEEN, noise=noise)).splitlines()[-1].startswith(verdict)


def test_few_pairs_are_called_a_first_look() -> None:
    text = examination_text(replace(SEEN, noise=replace(NOISE, pairs=4)))
    assert "4 pairs of launches; a first look, run it without --quick:" in text


def test_an_emulated_device() -> None:
    stamp = {
        "wheels": ["numpy-2.4.6-cp311.whl", "ai_edge_litert-2.3.0-cp311.whl", "tqdm-4.0-py3.whl"],
        "host": ["libffi8_3.4.4-1_amd64", "qemu-user_1%3a7.2_amd64"],
    }
    facts = {"cpu_models": ["Cortex-A53"], "core": "cortex-a53", "emulator": stamp}
    counts = Determinism((1_000_000, 1_000_100), 0.0001, True, {"branch": 100})
    findings = tuple(advise_emulated(facts))
    text = examination_text(Examination("cortex-a53 (emulated)", facts, findings, "x.onnx", None, counts))
    assert "numpy 2.4.6, ai_edge_litert 2.3.0, qemu-user 1:7.2\n" in text
    assert text.splitlines()[-4:] == [
        "x.onnx, 2 launches: exact",
        "  instructions       1,000,000, 1,000,100  (0.0100% apart)",
        "  arithmetic         identical",
        "  what moved         branch by 100",
    ]
    bad = replace(counts, arithmetic=False)
    assert "NOT as exact as it should be" in examination_text(
        Examination("x", facts, findings, "x.onnx", None, bad)
    )
