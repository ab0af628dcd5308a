"""An ONNX graph that computes in float16, to see what ONNX Runtime's own kernels make of it on an Arm core.

    python -m evit_deploy.exporters.float16_onnx_trial b0 --size 224 --output trial
    evit-bench trial/*.onnx --device qemu:cortex-a76

The network is that of `--precision fp16` in TFLite: rounded weights, the attention scaled, its denominators
clamped. Ends are float32. What came of it, and why there is no such export: docs/precision.md.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
import onnx
import torch

from evit_deploy.artifact import check_path
from evit_deploy.exporters.check_file import check_file
from evit_deploy.exporters.deployable import Deployable
from evit_deploy.exporters.options import ExportOptions
from evit_deploy.exporters.precision.attention_ranges import attention_ranges, scaling_for
from evit_deploy.exporters.precision.calibration import shipped_calibration
from evit_deploy.exporters.precision.float16_weights import round_weights
from evit_deploy.exporters.precision.quantization import range_inputs
from evit_deploy.exporters.rewrites import FLOAT16_PIPELINE, apply_rewrites
from evit_deploy.exporters.samples import check_inputs
from evit_deploy.exporters.to_onnx import onnx_from_torch
from evit_deploy.models import create_model
from evit_deploy.models.zoo import find_model


@click.command()
@click.argument("model", default="b0")
@click.option("--size", type=int, default=224, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), default=Path("trial"), show_default=True)
def main(model: str, size: int, output: Path) -> None:
    """Write MODEL, a classifier with random weights, and its check file."""
    torch.set_num_threads(1)
    spec = find_model(model)
    options = ExportOptions("tflite", (size, size), precision="fp16").settled(spec)
    options = replace(options, format="onnx", layout="nchw")
    reference = Deployable(create_model(spec.name), options).eval()
    round_weights(reference)
    output.mkdir(parents=True, exist_ok=True)
    path = output / f"{spec.name.replace('-', '_')}-r{size}-fp16-trial.onnx"
    onnx.save(float16_graph(reference, options), str(path))
    noise = check_inputs(options)["noise"]
    with torch.no_grad():
        expected = reference.double()(noise.double()).numpy()
    check_path(path).write_bytes(check_file(options, expected))
    click.echo(str(path))


def float16_graph(reference: Deployable, options: ExportOptions) -> onnx.ModelProto:
    """Of a reference with rounded weights; its input `image` and output `logits` are float32."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    noise = check_inputs(options)["noise"]
    scaling = scaling_for(attention_ranges(reference, range_inputs(shipped_calibration(), options)))
    rewritten, _ = apply_rewrites(reference, noise, (scaling, *FLOAT16_PIPELINE))
    model = onnx_from_torch(rewritten, noise, output_name="logits")
    converted: onnx.ModelProto = convert_float_to_float16(model, keep_io_types=True)
    return converted


if __name__ == "__main__":
    main()
