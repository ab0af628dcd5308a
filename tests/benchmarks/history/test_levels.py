"""How often a series without a change shows one, and how soon a change is found: seeded synthetic series."""

from __future__ import annotations

import numpy as np
import pytest

from evit_deploy.benchmarks.history.levels import (
    FEWEST_OF_LEVEL,
    FEWEST_POINTS,
    exact_changes,
    new_levels,
    noise_of,
)

SERIES = 200
LAUNCH_NOISE, LAUNCHES = 0.015, 5


def latencies(seed: int, count: int, drift: float = 0.004, *, step: float = 0.0, at: int = 0) -> list[float]:
    """20 ms: the median of five launches with 1.5 % noise each, upon a drift over days (AR(1), 0.7).

    From `at` on all is larger by `step`, a share.
    """
    random = np.random.default_rng([seed, count])
    noise = np.median(random.standard_normal((count, LAUNCHES)) * LAUNCH_NOISE, axis=1)
    innovations = random.standard_normal(count) * drift
    state = innovations[0]
    values = []
    for index in range(count):
        state = state if index == 0 else 0.7 * state + np.sqrt(1 - 0.7**2) * innovations[index]
        level = 1 + step if step and index >= at else 1.0
        values.append(float(20 * level * np.exp(state + noise[index])))
    return values


@pytest.mark.parametrize("count", [10, 30, 100])
def test_noise_is_no_change(count: int) -> None:
    """At most 5 % of the series; the seeds are fixed, so this does not flake."""
    alarms = sum(bool(new_levels(latencies(seed, count))) for seed in range(SERIES))
    assert alarms <= 0.05 * SERIES


def test_more_drift_is_no_change() -> None:
    alarms = sum(bool(new_levels(latencies(seed, 60, drift=0.008))) for seed in range(SERIES))
    assert alarms <= 0.05 * SERIES


@pytest.mark.parametrize("step", [0.05, -0.05])
def test_a_step_of_5_percent_is_found_after_three_points(step: float) -> None:
    """With 30 points before it; at the right place, give or take 3 points."""
    found = 0
    for seed in range(SERIES):
        changes = new_levels(latencies(seed, 33, step=step, at=30))
        found += any(abs(change - 30) <= 3 for change in changes)
    assert found >= 0.9 * SERIES


def test_a_step_within_a_long_series() -> None:
    found = [new_levels(latencies(seed, 60, step=0.05, at=30)) for seed in range(SERIES)]
    assert sum(len(changes) == 1 and abs(changes[0] - 30) <= 3 for changes in found) >= 0.9 * SERIES


def test_one_bad_day_is_no_change() -> None:
    alarms = 0
    for seed in range(SERIES):
        values = latencies(seed, 40)
        values[-1 - seed % 5] *= 1.3
        alarms += bool(new_levels(values))
    assert alarms <= 0.05 * SERIES


def test_too_few_points_say_nothing() -> None:
    assert new_levels([]) == []
    assert new_levels([1.0] * (FEWEST_POINTS - 4) + [2.0] * FEWEST_OF_LEVEL) == []
    assert new_levels([1.0] * (FEWEST_POINTS - 3) + [2.0] * FEWEST_OF_LEVEL) == [FEWEST_POINTS - 3]


def test_a_small_step_is_none_however_quiet() -> None:
    assert new_levels([1.0] * 50 + [1.015] * 50) == []
    assert new_levels([1.0] * 50 + [1.025] * 50) == [50]


def test_the_noise_is_that_of_the_points() -> None:
    logs = np.random.default_rng(0).standard_normal(2000) * 0.03
    assert noise_of(logs.tolist()) == pytest.approx(0.03, rel=0.1)
    logs[1000:] += 1.0
    assert noise_of(logs.tolist()) == pytest.approx(0.03, rel=0.1)


def test_counts_change_at_once() -> None:
    assert exact_changes([]) == []
    assert exact_changes([211_800_000, 211_840_000, 211_790_000]) == []  # 0.02 %
    assert exact_changes([1000.0, 1000.5, 1002.0, 1002.5, 1000.0]) == [2, 4]


def test_counts_that_creep_are_a_change() -> None:
    """Each step is below 0.1 %."""
    assert exact_changes([100_000, 100_060, 100_120, 100_180]) == [2]
