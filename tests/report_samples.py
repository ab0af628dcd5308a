"""Reports, histories and pages made by hand, for tests of what is made of them."""

from __future__ import annotations

import hashlib
import math
import random
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

from evit_deploy.benchmarks.checks import COMPARE, GATE, Check, Report, Status
from evit_deploy.benchmarks.latency_profile import Conditions
from evit_deploy.benchmarks.per_operator.operator import Operator
from evit_deploy.benchmarks.per_operator.result import ALONE, INSTRUCTIONS, Cost, Profile
from evit_deploy.benchmarks.predict import Estimate, Prediction
from evit_deploy.benchmarks.report.history import Point
from evit_deploy.benchmarks.report.sources import Sources
from evit_deploy.benchmarks.results import COUNT, INSTRUCTION_TIME, LATENCY, Measurement, Result, Subject

# Everything that could break out of HTML, Markdown, XML, CSV or an SVG; and what no XML may hold.
HOSTILE = "=1+1,\"'</script></title><img src=x onerror=alert(1)>|`*_[x](y)\x00\x1b\r\n]]>{{7*7}}&amp;@me#1é"
TOOL = {"name": "evit-deploy", "version": "0.1.0", "agent_sha256": "ab" * 32}
B0, B1 = "efficientvit_b0-r224-fp32-random", "efficientvit_b1-r224-fp32-random"
PI, A76 = "ssh://pi@pi5.local", "cortex-a76 (emulated)"
WHOLE_A76 = "cortex-a76 (emulated board)"
FACTS: dict[str, dict[str, Any]] = {
    PI: {
        **{"machine": "aarch64", "kernel": "6.6.31", "python": "3.11.2", "cpu_models": ["Cortex-A76"]},
        **{"board": "Raspberry Pi 5", "features": [f"feature{i}" for i in range(40)]},
        "cores": [{"core": i, "capacity": 1024, "max_khz": 2_400_000} for i in range(4)],
    },
    WHOLE_A76: {"machine": "aarch64", "kernel": "6.1.0"},
    A76: {"machine": "aarch64", "core": "cortex-a76", "emulator": {"qemu": "7.2.11"}},
}


def compare_report(**names: str) -> Report:
    """One check of each status; `artifact` and `cause` can be given."""
    artifact, cause = names.get("artifact", B0), names.get("cause", "stage 3 grew: +0.5 ms of 2.1 ms")
    checks = (
        _speed(f"{artifact}.tflite", Status.WORSE, 1.062, 0.011, causes=(cause, "TRANSPOSE +2")),
        _speed(f"{artifact}.onnx", Status.PASS, 1.004, 0.009),
        _speed(f"{B1}.tflite", Status.BETTER, 0.941, 0.014),
        _speed(f"{B1}.onnx", Status.INCONCLUSIVE, 1.021, 0.035, advice="measure more: --pairs 60"),
    )
    return Report(
        **{"kind": COMPARE, "created": "2026-11-22T03:04:05+00:00", "tool": TOOL},
        **{"baseline": "main (3f2a91c)", "candidate": names.get("candidate", "fold the attention")},
        **{"checks": checks, "devices": FACTS, "plan": {"pairs": 30, "margin": 0.03}},
        notes=("The anchor model took 1.002 times as long as before.",),
    )


def gate_report() -> Report:
    """The deterministic tier: counts, sizes, parity."""
    checks = (
        _exact(f"{B0}.tflite", "instructions", Status.WORSE, 80.1e6, 84.9e6, 0.001, device=A76),
        _exact(f"{B0}.onnx", "instructions", Status.PASS, 126.5e6, 126.51e6, 0.001, device=A76),
        _exact(f"{B0}.tflite", "partitions", Status.CHANGED, 1, 8, None, "XNNPACK: 8 partitions, were 1"),
        _exact(f"{B0}.tflite", "size", Status.PASS, 13_787_344, 13_787_344, 0.0),
        _exact(f"{B0}.tflite", "parity", Status.PASS, 119.9, 119.7, 3.0),
        Check(f"{B1}.onnx", "fingerprint", Status.INCOMPARABLE, "onnxruntime 1.30.0, was 1.31.1", A76),
        Check(f"{B1}.tflite", "presence", Status.CHANGED, "only in the baseline"),
    )
    return Report(
        GATE, "2026-11-22T04:00:00+00:00", "baseline.json", "artifacts", TOOL, checks, {A76: FACTS[A76]}
    )


def passing_report() -> Report:
    """Nothing to complain about."""
    return Report(
        **{"kind": GATE, "created": "2026-11-22T04:00:00+00:00", "baseline": "a", "candidate": "b"},
        **{"tool": TOOL, "checks": (_exact(f"{B0}.tflite", "size", Status.PASS, 10, 10, 0.0),)},
    )


def sample_result(*, artifact: str = B0, model: str = "efficientvit-b0") -> Result:
    """Two graphs with latency on a board and a count each, and one with instruction time."""
    subjects = (
        _subject(f"{artifact}.tflite", model),
        _subject(f"{B1}.tflite", "efficientvit-b1"),
        _subject(f"{B1}.onnx", "efficientvit-b1"),
    )
    medians = (12.1, 38.6, 41.2)
    counts = (80.1e6, 211.8e6, 333.1e6)
    latencies = [_latency(s, median) for s, median in zip(subjects, medians, strict=True)]
    counted = [_count(s, int(total)) for s, total in zip(subjects, counts, strict=True)]
    measurements = (*latencies, *counted, _instruction_time(subjects[0]))
    return Result("2026-11-22T03:00:00+00:00", TOOL, {"launches": 5}, FACTS, measurements)


def predicted_result() -> Result:
    """With a prediction for each count, of which one is doubtful."""
    result = sample_result()
    conditions = Conditions("cortex-a76", "litert", "fp32", 1)
    predictions = [
        Prediction(
            *(count.subject.name, count.subject.sha256, A76, "snapdragon-8gen1", "ef" * 32),
            conditions=conditions,
            predicted=found,
        )
        for count, found in zip(
            result.of_kind(COUNT),
            (
                Estimate(7.1, 6.6, 7.6, 0.9, ()),
                Estimate(19.6, 18.4, 20.8, 0.9, ()),
                Estimate(29.9, 15.1, 44.7, 0.9, ("another runtime: onnxruntime",)),
            ),
            strict=True,
        )
    ]
    return replace(result, predictions=tuple(prediction.as_dict() for prediction in predictions))


def sample_profile(module: str = "backbone") -> Profile:
    """Six operators of three stages, emulated."""
    amounts = (9.1e6, 4.4e6, 20.3e6, 3.1e6, 12.9e6, 6.0e6)
    modules = [f"{module}.stages.{i // 2}.op_list.{i % 2}" for i in range(5)] + ["head.op_list.0"]
    costs = tuple(
        Cost(Operator(f"op{i}", "CONV_2D 3x3", name, "1x8x8x3", 64, int(amount * 3)), amount)
        for i, (name, amount) in enumerate(zip(modules, amounts, strict=True))
    )
    return Profile(f"{B0}.tflite", "ab" * 32, A76, {"name": "litert"}, INSTRUCTIONS, ALONE, 57e6, 1e5, costs)


def sample_history(artifact: str = f"{B0}.tflite") -> tuple[Point, ...]:
    """Thirty nights on a board with a step after twenty, and a count that never changed."""
    noise, begin = random.Random(0), datetime(2026, 10, 20, 2, tzinfo=timezone.utc)
    points = []
    for night in range(30):
        value = (12.0 if night < 20 else 12.8) * math.exp(noise.gauss(0, 0.006))
        date, label = (begin + timedelta(days=night)).isoformat(), f"{0x3F2A91C + night:x}"
        interval = (value * 0.992, value * 1.008)
        points.append(
            Point(
                artifact, PI, "0123456789abcdef", "latency", "ms", date, label, value, *interval, night == 20
            )
        )
        points.append(
            Point(
                artifact,
                A76,
                "fedcba98",
                "instructions",
                "instructions",
                date,
                label,
                80.1e6,
                None,
                None,
                False,
            )
        )
    return tuple(points)


def full_sources() -> Sources:
    """Everything that a page can show."""
    return Sources(
        results=(predicted_result(),),
        reports=(compare_report(), gate_report()),
        profiles=(sample_profile(),),
        history=sample_history(),
        title="EfficientViT, nightly",
    )


def hostile_sources() -> Sources:
    """As `full_sources`, with the worst of names everywhere."""
    return Sources(
        results=(sample_result(artifact=HOSTILE),),
        reports=(compare_report(artifact=HOSTILE, cause=HOSTILE, candidate=HOSTILE),),
        profiles=(sample_profile(HOSTILE),),
        history=sample_history(HOSTILE),
        title=HOSTILE,
    )


def _speed(artifact: str, status: Status, ratio: float, half: float, **more: Any) -> Check:
    change, low, high = (100 * (value - 1) for value in (ratio, ratio - half, ratio + half))
    summary = f"{change:+.1f} % (95 %: {low:+.1f} to {high:+.1f})"
    check = Check(artifact, "latency", status, summary, PI, 12.1, 12.1 * ratio, "ms", 0.03, ratio)
    values = {
        **check.__dict__,
        "low": ratio - half,
        "high": ratio + half,
        "p_value": 0.002,
        "detectable": 0.02,
    }
    return Check(**{**values, "pairs": 30, **more})


def _exact(
    artifact: str,
    metric: str,
    status: Status,
    baseline: float,
    candidate: float,
    tolerance: float | None,
    *causes: str,
    device: str | None = None,
) -> Check:
    unit = {"instructions": "instructions", "size": "bytes", "parity": "dB"}.get(metric, metric)
    ratio = candidate / baseline if metric == "instructions" else None
    summary = f"{candidate:,.10g} {unit}, was {baseline:,.10g}"
    known = {"tolerance": tolerance, "ratio": ratio, "causes": causes}
    return Check(artifact, metric, status, summary, device, baseline, candidate, unit, **known)


def _subject(name: str, model: str) -> Subject:
    manifest = {
        **{"model": model, "task": "classification", "dataset": "imagenet-1k", "options": {}},
        **{"inputs": [{"layout": "NHWC", "shape": [1, 224, 224, 3]}], "weights": {"source": "random"}},
    }
    digest = hashlib.sha256(name.encode()).hexdigest()
    return Subject(f"out/{name}", name, name.rpartition(".")[2], digest, 13_787_344, manifest)


def _latency(subject: Subject, median_ms: float) -> Measurement:
    noise = random.Random(subject.name)
    launches = []
    for _ in range(5):
        centre = median_ms * math.exp(noise.gauss(0, 0.01))
        samples = [int(1e6 * centre * math.exp(noise.gauss(0, 0.01))) for _ in range(30)]
        launches.append(
            {
                **{"samples_ns": samples, "load_ns": 50_000_000, "first_ns": 30_000_000, "steady": True},
                **{"parity": {"sqnr_db": 120.5, "finite": True, "agreement": 1.0}},
                "runtime": {"name": "litert", "version": "2.3.0"},
            }
        )
    return Measurement(subject, PI, LATENCY, 1, tuple(launches), {"peak_bytes": 80_000_000})


def _instruction_time(subject: Subject) -> Measurement:
    parity = {"sqnr_db": 123.2, "finite": True, "agreement": 1.0}
    launch = {"samples_ns": [80_400_000, 80_410_000, 80_390_000], "parity": parity}
    return Measurement(subject, WHOLE_A76, INSTRUCTION_TIME, 1, (launch,))


def _count(subject: Subject, total: int) -> Measurement:
    shares = {
        "simd_fma_fp32": 0.45,
        "simd_load": 0.2,
        "simd_store": 0.05,
        "simd_other": 0.1,
        "integer_imm": 0.1,
    }
    shares |= {"load": 0.05, "branch": 0.05}
    classes = {name: int(total * share) for name, share in shares.items()}
    launch = {"counts": {"0": {"branch": 100}, "1": {**classes, "branch": classes["branch"] + 100}}}
    parity = {"sqnr_db": 122.8, "finite": True, "agreement": 1.0}
    return Measurement(subject, A76, COUNT, 1, ({**launch, "parity": parity},))
