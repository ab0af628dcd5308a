from __future__ import annotations

import pytest

from evit_deploy.benchmarks.results import COUNT, LATENCY, Result
from evit_deploy.benchmarks.summary import percentile, summarize_count, summarize_latency


def test_latency(result: Result) -> None:
    latency = summarize_latency(result.of_kind(LATENCY)[0])
    assert latency.median_ms == 21
    assert latency.p90_ms == 25
    assert latency.within == pytest.approx(8 / 21)
    assert latency.between == pytest.approx(2 / 21)
    assert (latency.fastest_launch_ms, latency.slowest_launch_ms) == (20, 22)
    assert (latency.load_ms, latency.first_ms) == (50, 30)
    assert latency.peak_bytes == 80_000_000


def test_count_is_of_the_launch_with_the_fewest_less_what_marking_costs(result: Result) -> None:
    count = summarize_count(result.of_kind(COUNT)[0])
    assert count.total == 3_000_050
    assert count.classes == {"branch": 50, "simd_fma_fp32": 2_000_000, "simd_load": 1_000_000}
    assert (count.loads, count.stores) == (1_000_000, 0)


def test_percentile_interpolates() -> None:
    assert percentile([4, 1, 3, 2], 50) == 2.5
    assert percentile([1, 2, 3], 100) == 3
    assert percentile([7], 90) == 7
