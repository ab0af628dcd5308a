"""What can be asked of a runtime besides the number of threads. Obeyed or refused, never passed over."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evit_deploy.artifact import format_of
from evit_deploy.errors import Exit, SetupError, UserError

ORT_OPTIMIZATIONS = ("disabled", "basic", "extended", "all")
# Format -> the fields that are for it.
FIELDS: Mapping[str, tuple[str, ...]] = {
    "onnx": ("ort_spinning", "ort_optimization", "kleidiai"),
    "tflite": ("xnnpack", "fp16"),
}
# What XNNPACK needs for float16 arithmetic, as /proc/cpuinfo calls it; without, it quietly stays at float32.
_FP16_FEATURES: Mapping[str, tuple[str, ...]] = {"aarch64": ("asimdhp",), "x86_64": ("avx2", "f16c")}


@dataclass(frozen=True)
class RuntimeOptions:
    """None leaves a choice to the runtime.

    For ONNX Runtime: `ort_spinning` (threads that wait for work spin), `ort_optimization` (one of
    `ORT_OPTIMIZATIONS`), `kleidiai` (Arm's kernels). For TFLite: `xnnpack` (the delegate), `fp16` (XNNPACK
    computes in float16 what the file has in float32).

    Raises:
        UserError: an unknown optimisation level, or float16 without XNNPACK.
    """

    ort_spinning: bool | None = None
    ort_optimization: str | None = None
    kleidiai: bool | None = None
    xnnpack: bool | None = None
    fp16: bool | None = None

    def __post_init__(self) -> None:
        if self.ort_optimization not in (None, *ORT_OPTIMIZATIONS):
            raise UserError(
                f"optimisation level '{self.ort_optimization}', expected {', '.join(ORT_OPTIMIZATIONS)}"
            )
        if self.fp16 and self.xnnpack is False:
            raise UserError("float16 arithmetic is XNNPACK's: it cannot be had with XNNPACK off")

    def given(self) -> dict[str, Any]:
        """Those that are not left to the runtime."""
        return {name: value for name, value in asdict(self).items() if value is not None}


DEFAULTS = RuntimeOptions()


def options_for(path: Path, options: RuntimeOptions) -> dict[str, Any]:
    """The given ones that concern a file of this format.

    Raises:
        UserError: the file is of no known format.
    """
    fields = FIELDS[format_of(path)]
    return {name: value for name, value in options.given().items() if name in fields}


def refuse_unused(options: RuntimeOptions, paths: Sequence[Path]) -> None:
    """Refuse options that concern none of the files.

    Raises:
        UserError: there are some.
    """
    used = {name for path in paths for name in options_for(path, options)}
    for name in options.given():
        if name not in used:
            wanted = next(form for form, fields in FIELDS.items() if name in fields)
            option = name.replace("_", "-")
            raise UserError(f"--{option} is for .{wanted} files, and there is none to measure")


def require_fp16() -> None:
    """Refuse float16 arithmetic on a processor that has none.

    Raises:
        SetupError: it has none.
    """
    needed = _FP16_FEATURES.get(platform.machine(), ())
    words = set(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split())
    if not needed or not words.issuperset(needed):
        raise SetupError(
            f"float16 arithmetic: this processor ({platform.machine()}) lacks {', '.join(needed) or 'it'}; "
            "measure without it, or on another core",
            Exit.DEVICE,
        )


def require_kleidiai(folder: Path, version: str, key: str) -> None:
    """Refuse the KleidiAI switch where there is nothing to switch.

    ONNX Runtime passes over session settings that it does not know, so the key is looked for in its library.

    Args:
        folder: of ONNX Runtime's native libraries.
        version: of ONNX Runtime, for the message.
        key: of the session setting.

    Raises:
        SetupError: another processor than Arm's, or a build that does not know the key.
    """
    if platform.machine() != "aarch64":
        raise SetupError(
            f"KleidiAI has kernels for aarch64 only, and this is {platform.machine()}; leave the switch out",
            Exit.DEVICE,
        )
    if not any(key.encode() in library.read_bytes() for library in folder.glob("*.so*")):
        raise SetupError(
            f"ONNX Runtime {version} has no KleidiAI switch; leave it out, or install a newer one",
            Exit.RUNTIME,
        )
