"""All deterministic checks of one suite: the facts of every artifact on both sides, metric by metric."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from evit_deploy.benchmarks.checks import Check, Status
from evit_deploy.benchmarks.gate.facts import Facts
from evit_deploy.benchmarks.gate.graph_checks import (
    check_macs,
    check_operators,
    check_parameters,
    check_partitions,
    check_precision,
    check_signature,
    check_size,
    check_transposes,
)
from evit_deploy.benchmarks.gate.run_checks import check_instructions, check_parity
from evit_deploy.benchmarks.suite import Tolerances

_UPDATE = "'evit-bench gate ... --update' records it"


def _has_operators(facts: Facts) -> bool:
    return facts.operators is not None


# Metric -> its check, and whether a side knows enough for it.
_CHECKS: Mapping[
    str, tuple[Callable[[str, Facts, Facts, Tolerances], Check | None], Callable[[Facts], bool]]
] = {
    "operators": (check_operators, _has_operators),
    "macs": (check_macs, lambda facts: facts.macs is not None),
    "parameters": (check_parameters, lambda facts: facts.weights is not None),
    "transposes": (check_transposes, _has_operators),
    "partitions": (check_partitions, lambda facts: facts.delegate is not None),
    "size": (check_size, lambda _: True),
    "precision": (check_precision, lambda facts: facts.precision is not None),
    "signature": (check_signature, lambda facts: facts.inputs is not None),
    "parity": (check_parity, lambda facts: facts.parity is not None),
}


def compare_facts(
    old: Mapping[str, Facts],
    new: Mapping[str, Facts],
    metrics: Sequence[str],
    tolerances: Tolerances,
    cores: Mapping[str, str],
) -> list[Check]:
    """Compare artifacts of the same name; those on one side only are a change by themselves.

    Args:
        old: the baseline's.
        new: the candidate's.
        metrics: some of `suite.DETERMINISTIC`.
        tolerances: see there.
        cores: name -> label of the emulated devices whose instructions are compared.
    """
    checks: list[Check | None] = [
        _presence(name, name in new) for name in (*old, *new) if (name in old) != (name in new)
    ]
    for name in (name for name in old if name in new):
        checks += [_check(m, name, old[name], new[name], tolerances) for m in metrics if m in _CHECKS]
        if "instructions" in metrics:
            checks += [
                _instructions(name, core, label, old[name], new[name], tolerances)
                for core, label in cores.items()
            ]
    return [check for check in checks if check is not None]


def notes_on(old: Mapping[str, Facts], new: Mapping[str, Facts]) -> list[str]:
    """What is no check: files that are the very same; versions of the export's tools that differ."""
    same = sum(1 for n in new if n in old and old[n].sha256 is not None and old[n].sha256 == new[n].sha256)
    return [
        *([f"{same} of {len(new)} graph files are the baseline's, byte for byte"] if same else []),
        *_tools(old, new),
    ]


def _tools(old: Mapping[str, Facts], new: Mapping[str, Facts]) -> list[str]:
    changes = {
        f"{tool} {old[name].tools[tool]} -> {version}"
        for name in old
        if name in new
        for tool, version in new[name].tools.items()
        if old[name].tools.get(tool, version) != version
    }
    return [f"the export's tools differ: {', '.join(sorted(changes))}"] if changes else []


def _presence(name: str, is_new: bool) -> Check:
    if is_new:
        summary, advice = "not in the baseline", f"if it is meant to be there, {_UPDATE}"
    else:
        summary, advice = "in the baseline only", "if it is meant to be gone, --update takes it out"
    return Check(name, "presence", Status.CHANGED, summary, advice=advice)


def _check(metric: str, name: str, old: Facts, new: Facts, tolerances: Tolerances) -> Check | None:
    check, knows = _CHECKS[metric]
    if knows(old) and knows(new):
        return check(name, old, new, tolerances)
    return _one_sided(metric, name, None, known=knows(old), measured=knows(new))


def _instructions(
    name: str, core: str, label: str, old: Facts, new: Facts, tolerances: Tolerances
) -> Check | None:
    before, after = old.instructions.get(core), new.instructions.get(core)
    if before is not None and after is not None:
        return check_instructions(name, label, before, after, tolerances)
    return _one_sided("instructions", name, label, known=before is not None, measured=after is not None)


def _one_sided(metric: str, name: str, label: str | None, *, known: bool, measured: bool) -> Check | None:
    """Nothing where neither side can have it; never a silent pass where one has."""
    if measured:
        summary, advice = "the baseline does not say", _UPDATE
    elif known:
        summary, advice = "the baseline says, but the candidate's cannot be told", None
    else:
        return None
    missing = {"parity": "no check file beside the graph", "partitions": "no delegate"}.get(metric)
    causes = (missing,) if missing and not measured else ()
    return Check(name, metric, Status.INCONCLUSIVE, summary, device=label, causes=causes, advice=advice)
