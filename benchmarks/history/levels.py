"""A series of figures -> where new levels begin.

Latency is noisy, and from day to day its noise is not independent (what else the machine does, its warmth).
PELT (the `ruptures` library) cuts the logarithms into levels; each cut must lower the sum of squares by more
than PENALTY * variance * ln(points), and the levels' medians must differ by LEAST_STEP. Instruction counts
are exact: there every change beyond EXACT_STEP is one, at once.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from itertools import pairwise

from evit_deploy.errors import Exit, SetupError

# Independent noise needs 2 to 3; the rest is for noise that lasts for days. Tuned on series of 1.5 % launch
# noise and a drift of 0.4 to 0.8 %: see tests/benchmarks/history/test_levels.py for what it gives.
PENALTY = 5.0
# Nobody acts on less; below the margin of 3 % of comparisons, since a history averages many days.
LEAST_STEP = math.log(1.02)
# One bad day is no level, nor are two.
FEWEST_OF_LEVEL = 3
# With fewer, the noise cannot be known.
FEWEST_POINTS = 8
# Days that happen to be alike would make the next one a change.
_LEAST_NOISE = 0.005
# Counts repeat to 0.02 % or better; the gate's tolerance is the same.
EXACT_STEP = 0.001
# The standard deviation of normal noise over its median absolute deviation.
_SIGMA_OF_MAD = 1.4826


def new_levels(values: Sequence[float]) -> list[int]:
    """The indices at which noisy figures reach another level; none for fewer than FEWEST_POINTS.

    Args:
        values: positive, in order of time.

    Raises:
        SetupError: `ruptures` is not installed.
    """
    if len(values) < FEWEST_POINTS:
        return []
    logs = [math.log(value) for value in values]
    return _without_small(logs, _cuts(logs))


def exact_changes(values: Sequence[float]) -> list[int]:
    """The indices at which exact figures leave the level that they had since the last such index."""
    found: list[int] = []
    level = values[0] if values else 0
    for index, value in enumerate(values):
        if abs(value - level) > EXACT_STEP * level:
            found.append(index)
            level = value
    return found


def noise_of(logs: Sequence[float]) -> float:
    """The standard deviation from day to day; robust, so that neither steps nor single bad days count."""
    steps = [abs(after - before) for before, after in pairwise(logs)]
    return max(_SIGMA_OF_MAD * statistics.median(steps) / math.sqrt(2), _LEAST_NOISE)


def _cuts(logs: Sequence[float]) -> list[int]:
    try:
        import numpy as np
        from ruptures import KernelCPD
    except ImportError as error:
        raise SetupError(
            "finding changes needs ruptures; install it with 'pip install evit-deploy[gate]'",
            Exit.MISSING_EXTRA,
        ) from error
    # With a linear kernel, PELT on the sum of squares, in C.
    search = KernelCPD(kernel="linear", min_size=FEWEST_OF_LEVEL).fit(np.array(logs).reshape(-1, 1))
    cuts: list[int] = search.predict(pen=PENALTY * noise_of(logs) ** 2 * math.log(len(logs)))
    return cuts[:-1]  # the last is the end


def _without_small(logs: Sequence[float], cuts: Sequence[int]) -> list[int]:
    """Drop cuts between levels that hardly differ, the smallest first, since each joins two levels."""
    kept = list(cuts)
    while kept:
        ends = [0, *kept, len(logs)]
        medians = [statistics.median(logs[a:b]) for a, b in pairwise(ends)]
        steps = [abs(after - before) for before, after in pairwise(medians)]
        smallest = min(range(len(kept)), key=steps.__getitem__)
        if steps[smallest] >= LEAST_STEP:
            break
        del kept[smallest]
    return kept
