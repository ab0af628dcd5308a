"""A result with both kinds of measurements, made by hand so that every summary is known."""

from __future__ import annotations

from typing import Any

import pytest

from evit_deploy.benchmarks.results import COUNT, LATENCY, Measurement, Result, Subject

PARITY = {"sqnr_db": 120.5, "finite": True, "agreement": 1.0}


def latency_launch(median_ms: int) -> dict[str, Any]:
    """Eleven samples, 1 ms apart, around a median."""
    samples = [(median_ms + offset) * 1_000_000 for offset in range(-5, 6)]
    return {
        **{"samples_ns": samples, "load_ns": 50_000_000, "first_ns": 30_000_000, "steady": True},
        **{"parity": PARITY, "runtime": {"name": "litert", "version": "2.3.0"}},
    }


def count_launch(extra: int) -> dict[str, Any]:
    """2 M fused multiply-adds, 1 M vector loads and `extra` branches, besides 100 that marking costs."""
    regions = {
        "0": {"branch": 100},
        "1": {"branch": 100 + extra, "simd_fma_fp32": 2_000_000, "simd_load": 1_000_000},
    }
    return {"counts": regions, "parity": {**PARITY, "finite": False, "sqnr_db": None}}


@pytest.fixture
def result() -> Result:
    subject = Subject("out/b1.tflite", "b1.tflite", "tflite", "ab" * 32, 1234, None)
    launches = tuple(latency_launch(ms) for ms in (20, 22, 21))
    counts = tuple(count_launch(extra) for extra in (70, 50, 60))
    return Result(
        created="2026-01-02T03:04:05+00:00",
        tool={"name": "evit-deploy", "version": "0", "agent_sha256": "cd" * 32},
        plan={"launches": 3},
        devices={"local": {}, "cortex-a76 (emulated)": {}},
        measurements=(
            Measurement(subject, "local", LATENCY, 1, launches, {"peak_bytes": 80_000_000}),
            Measurement(subject, "cortex-a76 (emulated)", COUNT, 1, counts),
        ),
    )
