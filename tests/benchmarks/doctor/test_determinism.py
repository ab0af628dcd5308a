from __future__ import annotations

from evit_deploy.benchmarks.doctor.determinism import determinism_of
from evit_deploy.benchmarks.results import COUNT, Measurement, Subject

SUBJECT = Subject("x.onnx", "x.onnx", "onnx", "ab" * 32, 1, None)


def measurement(*launches: dict[str, int]) -> Measurement:
    counts = tuple({"counts": {"0": {"branch": 100}, "1": classes}} for classes in launches)
    return Measurement(SUBJECT, "cortex-a76 (emulated)", COUNT, 1, counts)


def test_equal_launches_are_exact() -> None:
    seen = determinism_of(measurement(*[{"branch": 200, "simd_fma_fp32": 1000}] * 2))
    assert (seen.totals, seen.spread, seen.moved, seen.exact) == ((1100, 1100), 0.0, {}, True)


def test_bookkeeping_may_move_a_little() -> None:
    first = {"branch": 1_000_100, "simd_fma_fp32": 9_000_000}
    seen = determinism_of(measurement(first, {**first, "branch": 1_001_100}))
    assert seen.moved == {"branch": 1000}
    assert seen.arithmetic
    assert seen.exact
    assert not determinism_of(measurement(first, {**first, "branch": 1_009_100})).exact


def test_arithmetic_may_not() -> None:
    first = {"branch": 100, "simd_fma_fp32": 9_000_000}
    seen = determinism_of(measurement(first, {**first, "simd_fma_fp32": 9_000_001}))
    assert not seen.arithmetic
    assert not seen.exact
    assert seen.moved == {"simd_fma_fp32": 1}
