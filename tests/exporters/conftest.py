"""Exports that the tests of this folder share: each is made once a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from evit_deploy.artifact import manifest_path
from evit_deploy.exporters.export import Exported, export
from evit_deploy.exporters.job import ExportJob
from evit_deploy.exporters.options import ExportOptions
from evit_deploy.exporters.reference import reference_of
from evit_deploy.exporters.rewritten import rewritten_model
from evit_deploy.exporters.samples import check_inputs
from evit_deploy.exporters.tflite_metadata import read_model, write_model
from evit_deploy.exporters.to_onnx import onnx_from_torch
from evit_deploy.exporters.to_tflite import tflite_from_torch
from evit_deploy.models.weights import resolve_weights
from evit_deploy.models.zoo import find_model
from evit_deploy.runtimes import Delegation, delegation_of

# Layers of the reference's attention -> one of those that take their place in TFLite.
TFLITE_ATTENTION = {
    "main.qkv.conv": "main.heads_of.query",
    "main.aggreg.0.0": "main.heads_of.scales.0.around_key",
    "main.aggreg.0.1": "main.heads_of.scales.0.mix_query",
    "main.proj.conv": "main.proj",
}


class TakesImage(nn.Module):
    """A module whose argument has the name that converters are told."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, image: Tensor) -> Tensor:
        return self.module(image)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Small models on cores that are shared: waiting for a second thread costs more than it brings."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def job_for(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., ExportJob]:
    """A job with random weights, seed 0, and a folder of its own."""

    def make(model: str, format: str, resolution: tuple[int, int], **options: object) -> ExportJob:
        spec = find_model(model)
        settled = ExportOptions(format, resolution, **options).settled(spec)
        return ExportJob(spec, settled, resolve_weights(spec, "random"), tmp_path_factory.mktemp("artifacts"))

    return make


@pytest.fixture(scope="session")
def exported(job_for: Callable[..., ExportJob]) -> Callable[..., tuple[ExportJob, Exported]]:
    """The job and the verified artifact of a model, format, resolution and options, made at the first call.

    Nobody may change the files.
    """
    made: dict[object, tuple[ExportJob, Exported]] = {}

    def get(
        model: str, format: str, resolution: tuple[int, int] = (64, 64), **options: object
    ) -> tuple[ExportJob, Exported]:
        key = model, format, resolution, tuple(sorted(options.items()))
        if key not in made:
            job = job_for(model, format, resolution, **options)
            made[key] = job, export(job)
        return made[key]

    return get


@pytest.fixture
def onnx_ops() -> Callable[[nn.Module, Tensor], Counter[str]]:
    """The operators of a module's ONNX graph."""

    def count(module: nn.Module, example: Tensor) -> Counter[str]:
        model = onnx_from_torch(module.eval(), example, output_name="logits")
        return Counter(node.op_type for node in model.graph.node)

    return count


@pytest.fixture
def run_onnx() -> Callable[[nn.Module, Tensor], Tensor]:
    """Export a module and run it on the very input, in ONNX Runtime."""

    def run(module: nn.Module, image: Tensor) -> Tensor:
        import onnxruntime

        model = onnx_from_torch(module.eval(), image, output_name="logits")
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        return torch.from_numpy(np.asarray(session.run(None, {"image": image.numpy()})[0]))

    return run


@pytest.fixture
def tflite_delegation(tmp_path: Path) -> Callable[[nn.Module, Tensor], Delegation]:
    """The operators of a module's TFLite graph, and what XNNPACK takes of them."""

    def count(module: nn.Module, example: Tensor) -> Delegation:
        path = tmp_path / "module.tflite"
        model = tflite_from_torch(TakesImage(module).eval(), example, output_name="logits")
        path.write_bytes(write_model(model))
        return delegation_of(path)

    return count


@pytest.fixture
def perturbed(tmp_path: Path) -> Callable[[ExportJob, str], Path]:
    """A copy of an artifact, manifest and all, in which the weight of one layer is wrong by about 1 %.

    The layer is named by its path in the reference, such as `head.op_list.0.conv`.
    """

    def copy(job: ExportJob, layer: str) -> Path:
        edit = {"onnx": _perturbed_onnx, "tflite": _perturbed_tflite}[job.options.format]
        path = tmp_path / job.path.name
        path.write_bytes(edit(job, layer))
        manifest_path(path).write_bytes(manifest_path(job.path).read_bytes())
        return path

    return copy


def _wrong(weight: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    # A common factor would vanish in the attention's quotient or in a LayerNorm.
    factor = 1 + 0.01 * np.cos(np.arange(weight.size, dtype=np.float64))
    return (weight * factor.reshape(weight.shape)).astype(np.float32)


def _perturbed_onnx(job: ExportJob, layer: str) -> bytes:
    import onnx
    from onnx import numpy_helper

    model = onnx.load(str(job.path))
    (node,) = (node for node in model.graph.node if node.name.rpartition("/")[0] == layer)
    (weight,) = (i for i in model.graph.initializer if i.name in node.input and len(i.dims) > 1)
    weight.CopyFrom(numpy_helper.from_array(_wrong(numpy_helper.to_array(weight)), weight.name))
    return model.SerializeToString()


def _perturbed_tflite(job: ExportJob, layer: str) -> bytes:
    """TFLite keeps no module paths: the weight is known by its values, whatever their order."""
    rewritten = rewritten_model(job, reference_of(job), check_inputs(job.options)["noise"]).module
    for reference_name, name in TFLITE_ATTENTION.items():
        layer = layer.replace(reference_name, name)
    wanted = np.sort(rewritten.get_parameter(f"model.{layer}.weight").numpy().ravel())
    model = read_model(job.path.read_bytes())
    candidates = [b for b in model.buffers if b.data is not None and len(b.data) == wanted.nbytes]
    (buffer,) = (b for b in candidates if np.allclose(np.sort(_floats(b)), wanted, rtol=1e-5, atol=1e-7))
    buffer.data = _wrong(_floats(buffer)).view(np.uint8)
    return write_model(model)


def _floats(buffer: Any) -> np.ndarray[Any, Any]:
    return np.asarray(buffer.data, np.uint8).view(np.float32)
