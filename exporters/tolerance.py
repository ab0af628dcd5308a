"""How far an export may lie from its reference, per precision, and why.

Reference: the published mathematics in float64. Noise floor: the same module in float32 against it, measured
on the very input of the check (`make noise-floor` prints it for every model). Over all B models,
noise, zeros, 1e4-scaled, negative and real inputs it lies between 123 and 131 dB SQNR.

fp32: an export may lie 20 dB below its own floor, and never has to beat 100 dB.
    - Other summation orders, fused multiply-adds and the runtimes' own Hardswish cost up to 10 dB below the
      floor, measured (TFLite B1: 119.6 dB at a floor of 130); 20 dB leaves as much again.
    - A real difference is far outside: see tests/exporters/test_tolerance.py for what wrong graphs give.
    - Worst element: 1e-4 of the output's rms; at 100 dB, even noise reaches 5e-5 in a million values. Or,
      where that is more, as many times the worst of the reference's own run in float32 as the noise may be of
      the noise floor, which is ten times for 20 dB: a detector's boxes are exponentials, and its largest are
      off by most (B1 at 512, black: 4.6e-5 or 1.3e-4 in PyTorch, by the processor, 2.1e-4 exported).
    - Class maps: 99.9 % of the pixels; only pixels whose two best logits lie within the noise may differ.

fp16-weights: two checks. The graph against the reference *with the same rounded weights*: as fp32, since it
stores those very numbers and computes in float32. And that reference against the published one, both in
float64, so that a network that float16 does not suit is refused:
    - A float16 has 11 bits: for a weight m 2^e, 1 <= m < 2, rounding leaves an error of 2^-10 / sqrt(12) 2^e
      rms. With E[m^2] = 2.2 (m spread evenly by logarithm) that is 74.4 dB below the weight. Independent
      errors average as the products do, so a layer's output has it 74.4 dB below, too; some 60 layers in a
      row add up to 74.4 - 10 log10(60) = 57 dB. Measured over all B models and every input: 56.0 (seg-B2, a
      photograph) to 66 dB (`python -m evit_deploy.exporters.noise_floor --precision fp16-weights`).
    - Demanded is 40 dB, 15 dB below the lowest. Weights that float16 does not suit give less: those below
      2^-14 lose a bit for every halving; those beyond 65504 are refused before.

fp16: the file is held to fp16-weights' bounds in float32 first, then run with float16 forced.
    - Every tensor is rounded to 11 bits, 74.4 dB below it, and some 150 in a row, were all of them on the way
      to the output, add up to 53 dB. Measured on x86-64, whose kernels add up in float32: 61 to 62 dB (B1).
      On a Cortex-A76, where sums are float16, too: 42.9 to 45.5 dB (B1 at 224).
    - Random weights are kinder than trained ones: B0 at 64, trained on digits, has 43.8 dB on "negative",
      whose values no pixel has, and 39.5 dB on noise on a Cortex-A76.
    - Demanded are 30 dB: an attention that vanishes or overflows gives NaN or a few dB. Worst element: 0.35
      of the output's rms, at 30 dB some eleven times the noise's.
    - "large" is not judged and may overflow: its inputs are up to 4e4 and float16 ends at 65504, so the first
      convolution does.

int8: two checks. The float32 file that is quantised is held to fp32's bounds first, so that a wrong graph is
refused as ever. What quantisation then does to it is bounded on photographs (some of the calibration images,
where the user gave any), the only inputs here of the kind that the ranges are for; elsewhere ("large" leaves
them by far) the output has to be finite.
    - A tensor of range r in 255 steps has an error of r / (255 sqrt(12)) rms: 58.9 - 20 log10(r / rms) dB.
      Weights, by channel, have r / rms of about 8 (41 dB); activations behind Hardswish and ReLU 10 to 30 (39
      to 29 dB); these errors add up along the network, and a tensor with one far peak sets the level.
    - Measured, random weights, the default photographs: 24.8 dB (seg-B0 at 256x512) to 33 dB (B0 at 64);
      docs/precision.md has them. Trained weights give less: B0 at 64, trained on digits and right in as many
      of its answers as in float32, has 19.6 dB on one of its own images. Demanded are 15 dB, 5 dB below the
      lowest. Whether the answers bear it is not this check's to say, but `evit-eval`'s.
    - That finds ranges of other images than these and whole layers that are wrong, not a few per cent in one
      layer: hence the check before. Worst element: 1.8 of the output's rms, some ten times the noise's.
    - Class maps: 80 % of the pixels. Noise of 20 dB decides pixels whose best logits lie that close, and with
      random weights many do.

int8-full: as int8. It is the general quantizers' own work, for comparison, and is far from that.

int8-weights, int8-dynamic: as int8, but on every input, since no range was taken from images.
    - Weights alone have the 41 dB of above in each layer, a range that is taken of one image is seldom wide.
      Measured, B1 at 224, random weights, every input: 32.3 to 35.4 dB (weights), 32.1 to 34.3 dB (dynamic).
"""

from __future__ import annotations

from dataclasses import dataclass

from evit_deploy.exporters.samples import PHOTOGRAPHS
from evit_deploy.parity import Comparison


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Bounds on a `Comparison`. `below_floor_db` is counted from the measured noise floor.

    `rounding_db` bounds the reference with rounded weights against the published one. `judged`: what the
    names of the samples that are compared begin with; of the others the output has to be finite, where
    `finite_elsewhere`.
    """

    sqnr_db: float
    below_floor_db: float
    max_rel_rms: float
    agreement: float
    rounding_db: float = 0.0
    judged: tuple[str, ...] = ("",)
    finite_elsewhere: bool = True


TOLERANCES: dict[str, Tolerance] = {
    "fp32": Tolerance(sqnr_db=100.0, below_floor_db=20.0, max_rel_rms=1e-4, agreement=0.999),
    "fp16-weights": Tolerance(
        sqnr_db=100.0, below_floor_db=20.0, max_rel_rms=1e-4, agreement=0.999, rounding_db=40.0
    ),
    "fp16": Tolerance(
        sqnr_db=30.0,
        below_floor_db=20.0,
        max_rel_rms=0.35,
        agreement=0.95,
        rounding_db=40.0,
        judged=("noise", "zeros", "negative", "black", "white", PHOTOGRAPHS),
        finite_elsewhere=False,
    ),
    "int8": Tolerance(
        sqnr_db=15.0, below_floor_db=20.0, max_rel_rms=1.8, agreement=0.8, judged=(PHOTOGRAPHS,)
    ),
    "int8-full": Tolerance(
        sqnr_db=15.0, below_floor_db=20.0, max_rel_rms=1.8, agreement=0.8, judged=(PHOTOGRAPHS,)
    ),
    "int8-dynamic": Tolerance(sqnr_db=20.0, below_floor_db=20.0, max_rel_rms=1.0, agreement=0.8),
    "int8-weights": Tolerance(sqnr_db=20.0, below_floor_db=20.0, max_rel_rms=1.0, agreement=0.8),
}


def required_sqnr_db(tolerance: Tolerance, floor_db: float) -> float:
    """The SQNR that an export must reach where the reference's own float32 noise floor is `floor_db`."""
    return min(tolerance.sqnr_db, floor_db - tolerance.below_floor_db)


def failure(
    comparison: Comparison, tolerance: Tolerance, floor: Comparison, *, classes: bool, sample: str = ""
) -> str | None:
    """What is out of tolerance, in words; `None` where nothing is.

    Args:
        floor: of the reference's own run in float32.
        sample: the name of the input.
        classes: the output holds class indices, for which only agreement means something.
    """
    judged = sample.startswith(tolerance.judged)
    if not comparison.finite and (judged or tolerance.finite_elsewhere):
        return "the output has NaN or infinity in it"
    if not judged:
        return None
    if classes:
        if comparison.agreement < tolerance.agreement:
            return f"{comparison.agreement:.4%} of the classes agree, at least {tolerance.agreement:.1%} must"
        return None
    required = required_sqnr_db(tolerance, floor.sqnr_db)
    if comparison.sqnr_db < required:
        return f"SQNR is {comparison.sqnr_db:.1f} dB, at least {required:.1f} dB is required"
    # A worse floor loosens the worst element as much as the mean.
    allowed = tolerance.max_rel_rms * 10 ** ((tolerance.sqnr_db - required) / 20)
    allowed = max(allowed, floor.max_rel_rms * 10 ** (tolerance.below_floor_db / 20))
    if comparison.max_rel_rms > allowed:
        return (
            f"one value is off by {comparison.max_rel_rms:.2g} of the output's rms, {allowed:.2g} is allowed"
        )
    return None


def rounding_failure(rounding: Comparison, tolerance: Tolerance, *, classes: bool) -> str | None:
    """What is wrong with a reference with rounded weights, in words; `None` where nothing is.

    Args:
        rounding: of it against the published one.
        classes: as of `failure`; class maps have no SQNR, and their agreement is only reported.
    """
    if not rounding.finite:
        return "with rounded weights the output has NaN or infinity in it"
    if not classes and rounding.sqnr_db < tolerance.rounding_db:
        return (
            f"rounding the weights leaves {rounding.sqnr_db:.1f} dB of SQNR against the published network, "
            f"at least {tolerance.rounding_db:.1f} dB is required"
        )
    return None
