from __future__ import annotations

from pathlib import Path

import numpy as np

from evit_deploy.benchmarks.builtin_graph import NAME, builtin_graph
from evit_deploy.runtimes import open_runner


def test_onnx_finds_no_fault_with_it() -> None:
    import onnx

    model = onnx.load_from_string(builtin_graph())
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["Conv", "Relu"] * 6
    assert builtin_graph() == builtin_graph()


def test_it_runs_and_its_activations_keep_their_size(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(builtin_graph())
    image = np.random.default_rng(0).standard_normal((1, 32, 56, 56), dtype=np.float32)
    with open_runner(path) as runner:
        runner.bind({"image": image})()
        features = runner.fetch()["features"]
    assert features.shape == image.shape
    assert 0.3 < features.std() < 3


def test_protocol_buffers_take_numbers_of_several_bytes() -> None:
    from evit_deploy.benchmarks.builtin_graph import _varint

    assert [_varint(value) for value in (0, 127, 128, 300)] == [b"\0", b"\x7f", b"\x80\x01", b"\xac\x02"]
