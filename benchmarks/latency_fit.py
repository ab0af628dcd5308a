"""Fit a device profile: measured pairs of counts and latency -> cost of an instruction, by group.

Least squares on the relative error, sum over pairs of (predicted / measured - 1)^2, with costs >= 0:
latencies differ by a factor of ten, and an error of 1 ms is nothing in the largest and everything in the
smallest.

How many groups: one for all instructions, unless the pairs can tell groups apart. In graphs of one family the
shares of the groups are nearly the same; costs of groups that are told apart by a few percent of difference
fit those pairs better and anything else worse.

Where sizes differ by a factor of four, the cost may grow with the logarithm of the size: what a larger graph
touches stays in the caches less.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from evit_deploy.benchmarks.latency_profile import Conditions, Counts, LatencyProfile, Pair, Term
from evit_deploy.errors import Exit, UserError

Array = NDArray[np.float64]
Terms = tuple[Term, ...]

ALL = Term("instructions", None)
MULTIPLY = (
    "simd_fma_fp32",
    "simd_fma_fp16",
    "simd_dot_int8",
    "simd_matmul_int8",
    "simd_bf16",
)
MEMORY = ("load", "store", "simd_load", "simd_store")
OTHER = (
    "integer_imm",
    "integer_reg",
    "branch",
    "system",
    "prefetch",
    "atomic",
    "fp_scalar",
    "simd_other",
    "sve",
    "sme",
    "other",
)
KINDS: Terms = (Term("multiply", MULTIPLY), Term("the rest", (*MEMORY, *OTHER)))
THREE_KINDS: Terms = (Term("multiply", MULTIPLY), Term("memory", MEMORY), Term("other", OTHER))
SPARE_PAIRS = 3  # more pairs than terms; fewer leave a spread that may be anything
SMALLEST_RANGE = 1.5  # largest over smallest graph; also the least change of a group's share that counts
# Largest over smallest graph from which a growth of the cost with size can be told from noise.
GROWTH_RANGE = 4.0
# More terms have to earn it: leave-one-out errors this much smaller.
GAIN = 0.8


def fit_profile(name: str, conditions: Conditions, pairs: Sequence[Pair]) -> LatencyProfile:
    """Fit the terms that the pairs can carry.

    Raises:
        UserError: too few pairs, pairs that are alike, or a latency or count that is not positive.
    """
    check_pairs(pairs)
    terms = _choose(pairs)
    scaled = _relative(terms, pairs)
    costs = nonnegative_least_squares(scaled)
    degrees = len(pairs) - len(terms)
    spread = float(np.sqrt(np.sum((scaled @ costs - 1) ** 2) / degrees))
    covariance = spread**2 * np.linalg.inv(scaled.T @ scaled)
    return LatencyProfile(
        name=name,
        conditions=conditions,
        terms=terms,
        ms_per_million=tuple(float(cost) for cost in costs),
        covariance=tuple(tuple(float(value) for value in row) for row in covariance),
        spread=spread,
        degrees=degrees,
        pairs=tuple(pairs),
        leave_one_out=leave_one_out(terms, pairs),
    )


def check_pairs(pairs: Sequence[Pair]) -> None:
    """Refuse what cannot be fitted.

    Raises:
        UserError: see `fit_profile`.
    """
    for pair in pairs:
        if not (pair.latency_ms > 0 and ALL.millions(pair.counts) > 0):
            raise UserError(
                f"{pair.name}: got {pair.latency_ms} ms and {ALL.millions(pair.counts)} M instructions; both "
                "must be positive",
                Exit.PAIRS,
            )
    different = {tuple(sorted(pair.counts.items())) for pair in pairs}
    if len(different) < SPARE_PAIRS + 1:
        raise UserError(
            f"{len(pairs)} pairs, {len(different)} of them different: a fit and its spread need at least "
            f"{SPARE_PAIRS + 1} different graphs; export more models or more resolutions",
            Exit.PAIRS,
        )
    sizes = [ALL.millions(pair.counts) for pair in pairs]
    if max(sizes) < SMALLEST_RANGE * min(sizes):
        raise UserError(
            f"the pairs are too alike: {min(sizes):.1f} to {max(sizes):.1f} M instructions, expected a range "
            f"of at least 1 to {SMALLEST_RANGE}; add a smaller or a larger graph",
            Exit.PAIRS,
        )


def leave_one_out(terms: Terms, pairs: Sequence[Pair]) -> tuple[float, ...]:
    """For each pair: predicted / measured - 1, where all others were fitted on."""
    scaled = _relative(terms, pairs)
    others = [np.delete(scaled, index, axis=0) for index in range(len(pairs))]
    predicted = [row @ nonnegative_least_squares(rest) for row, rest in zip(scaled, others, strict=True)]
    return tuple(float(value) - 1 for value in predicted)


def nonnegative_least_squares(scaled: Array) -> Array:
    """The x >= 0 with the least |scaled @ x - 1|, by trying every set of terms that may be above zero.

    Args:
        scaled: (pairs, terms), every row divided by its pair's latency.
    """
    terms = scaled.shape[1]
    best, least = np.zeros(terms), float(len(scaled))
    for chosen in (c for n in range(1, terms + 1) for c in combinations(range(terms), n)):
        columns = scaled[:, chosen]
        solution = np.linalg.lstsq(columns, np.ones(len(scaled)), rcond=None)[0]
        error = float(np.sum((columns @ solution - 1) ** 2))
        if error < least and (solution >= 0).all():
            best, least = np.zeros(terms), error
            best[list(chosen)] = solution
    return best


def models(pairs: Sequence[Pair]) -> tuple[Terms, ...]:
    """What the pairs can carry, from the simplest on."""
    sizes = [ALL.millions(pair.counts) for pair in pairs]
    found: list[Terms] = [(ALL,)]
    if max(sizes) >= GROWTH_RANGE * min(sizes) and len(pairs) >= 2 + SPARE_PAIRS:
        found.append((ALL, Term("instructions x ln(size)", None, grows_from=min(sizes))))
    return (*found, *(kinds for kinds in (KINDS, THREE_KINDS) if _can_tell(kinds, pairs)))


def _choose(pairs: Sequence[Pair]) -> Terms:
    """The simplest model that no other one beats by `GAIN`."""
    chosen, *others = models(pairs)
    for terms in others:
        if _typical(terms, pairs) < GAIN * _typical(chosen, pairs):
            chosen = terms
    return chosen


def _can_tell(kinds: Terms, pairs: Sequence[Pair]) -> bool:
    if len(pairs) < len(kinds) + SPARE_PAIRS:
        return False
    shares = np.array([shares_of(kinds, pair.counts) for pair in pairs])
    if shares.min() <= 0:
        return False
    # Every group's, not any: a small group varies by itself where the large ones hardly do.
    return bool((np.ptp(np.log(shares), axis=0) > np.log(SMALLEST_RANGE)).all())


def shares_of(terms: Terms, counts: Counts) -> list[float]:
    """Each term's part of all instructions."""
    return [term.millions(counts) / ALL.millions(counts) for term in terms]


def _typical(terms: Terms, pairs: Sequence[Pair]) -> float:
    return float(np.sqrt(np.mean(np.square(leave_one_out(terms, pairs)))))


def _relative(terms: Terms, pairs: Sequence[Pair]) -> Array:
    """(pairs, terms): millions of instructions over the pair's latency."""
    return np.array([[term.millions(p.counts) / p.latency_ms for term in terms] for p in pairs])
