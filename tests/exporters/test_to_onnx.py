from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path

import onnx
import onnxsim
import pytest
import torch
from torch import Tensor, nn

from evit_deploy.errors import EvitError, Exit
from evit_deploy.exporters.export import Exported
from evit_deploy.exporters.job import ExportJob
from evit_deploy.exporters.quiet import captured_output
from evit_deploy.exporters.reference import reference_of
from evit_deploy.exporters.rewritten import rewritten_model
from evit_deploy.exporters.to_onnx import GELU_OPSET, OPSET, fold_constants, onnx_from_torch
from evit_deploy.models import create_model
from evit_deploy.models.blocks import GELU_TANH, ConvLayer
from evit_deploy.parity import compare_outputs
from evit_deploy.runtimes import open_runner

Exports = Callable[..., tuple[ExportJob, Exported]]
IMAGE = torch.zeros(1, 3, 8, 8)


def small() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(ConvLayer(3, 4, kernel=3, norm=False, act=nn.Hardswish), nn.Conv2d(4, 2, 1)).eval()


class Unsupported(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        raise RuntimeError("as\nasked")


def test_names_and_opset() -> None:
    model = onnx_from_torch(small(), IMAGE, output_name="classes")
    assert [value.name for value in model.graph.input] == ["image"]
    assert [value.name for value in model.graph.output] == ["classes"]
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", OPSET)]
    assert OPSET >= 17
    assert [node.name for node in model.graph.node] == ["0.conv/Conv", "0.act/HardSwish", "1/Conv"]


def test_gelu_is_one_operator_and_exact(tmp_path: Path) -> None:
    torch.manual_seed(0)
    layer = ConvLayer(3, 4, kernel=3, norm=False, act=GELU_TANH).eval()
    model = onnx_from_torch(nn.Sequential(layer), IMAGE, output_name="out")
    assert [node.op_type for node in model.graph.node] == ["Conv", "Gelu"]
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", GELU_OPSET)]
    onnx.save(model, str(tmp_path / "gelu.onnx"))
    image = 3 * torch.randn_like(IMAGE)
    expected = layer.double()(image.double()).detach().numpy()
    with open_runner(tmp_path / "gelu.onnx") as runner:
        (output,) = runner.run({"image": image.numpy()}).values()
    assert compare_outputs(expected, output).sqnr_db > 120
    layer.act = nn.GELU()  # the control: another function
    other = layer(image.double()).detach().numpy()
    assert compare_outputs(other, output).sqnr_db < 90


@pytest.mark.parametrize("name", ["b0", "seg-b0-cityscapes"])
def test_every_node_is_named_after_its_module(name: str, exported: Exports) -> None:
    _, made = exported(name, "onnx", target="x86-64")
    nodes = onnx.load(str(made.path)).graph.node
    reference = create_model(name)
    modules = {path for path, _ in reference.named_modules()}
    assert {node.name.rpartition("/")[0] for node in nodes} <= modules
    assert len({node.name for node in nodes}) == len(nodes)
    convolutions = [path for path, module in reference.named_modules() if isinstance(module, nn.Conv2d)]
    found = [node.name.removesuffix("/Conv") for node in nodes if node.op_type == "Conv"]
    assert sorted(found) == sorted(convolutions)


def test_notes_of_the_exporters_are_gone() -> None:
    buffer = io.BytesIO()
    with captured_output(), warnings.catch_warnings():
        program = torch.onnx.export(small(), (IMAGE,), dynamo=True, verbose=False)
        assert program is not None
        program.save(buffer)
    assert b"stack_trace" in buffer.getvalue()  # the control
    content = onnx_from_torch(small(), IMAGE, output_name="logits").SerializeToString()
    for note in (b"stack_trace", b"pkg.torch", b"onnxsim", b".py"):
        assert note not in content


def test_the_same_bytes_twice() -> None:
    first, second = (onnx_from_torch(small(), IMAGE, output_name="logits") for _ in range(2))
    assert first.SerializeToString(deterministic=True) == second.SerializeToString(deterministic=True)


@pytest.mark.parametrize("dynamic", [False, True])
def test_batch(dynamic: bool) -> None:
    model = onnx_from_torch(small(), IMAGE, output_name="logits", dynamic_batch=dynamic)
    for value in (*model.graph.input, *model.graph.output):
        batch = value.type.tensor_type.shape.dim[0]
        assert (batch.dim_param, batch.dim_value) == (("batch", 0) if dynamic else ("", 1))


def test_a_failure_says_why() -> None:
    with pytest.raises(EvitError, match="conversion to ONNX failed: RuntimeError: as asked;") as caught:
        onnx_from_torch(Unsupported(), IMAGE, output_name="logits")
    assert caught.value.code == Exit.CONVERSION


def test_constants_folded_are_what_the_exporters_own_optimiser_leaves(
    job_for: Callable[..., ExportJob],
) -> None:
    job = job_for("b0", "onnx", (64, 64))
    example = torch.zeros(1, 3, 64, 64)
    module = rewritten_model(job, reference_of(job), example).module
    with captured_output(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain, theirs = (
            torch.onnx.export(
                module, (example,), dynamo=True, opset_version=OPSET, optimize=by, verbose=False
            )
            for by in (False, True)
        )
    assert plain is not None and theirs is not None
    before = len(plain.model_proto.graph.node)
    fold_constants(plain.model)
    ours = onnxsim.simplify(plain.model_proto)[0].graph.node
    expected = onnxsim.simplify(theirs.model_proto)[0].graph.node
    # A bias more is an input more.
    assert [(n.op_type, len(n.input)) for n in ours] == [(n.op_type, len(n.input)) for n in expected]
    assert len(ours) < before
