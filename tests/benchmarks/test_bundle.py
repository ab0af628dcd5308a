from __future__ import annotations

import ast
import io
import os
import zipfile

import pytest

from evit_deploy.benchmarks.bundle import bundle_agent


@pytest.fixture(scope="module")
def sources() -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(bundle_agent().content)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_same_bytes_whenever_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    first = bundle_agent()
    old = os.umask(0o077)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    try:
        assert bundle_agent().content == first.content
    finally:
        os.umask(old)
    assert len(first.sha256) == 64


def test_runs_on_python_3_9(sources: dict[str, str]) -> None:
    for name, source in sources.items():
        ast.parse(source, filename=name, feature_version=(3, 9))
        assert name.endswith("__init__.py") or name == "__main__.py" or "annotations" in source, name
        assert "slots=True" not in source, name
        assert "strict=" not in source, name


def test_brings_all_of_ours_that_it_imports_and_nothing_heavy(sources: dict[str, str]) -> None:
    modules = {name[:-3].replace("/", ".").removesuffix(".__init__") for name in sources}
    for name, source in sources.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom) and node.module is not None:
                root = node.module.partition(".")[0]
                assert root != "evit_deploy" or node.module in modules, f"{name}: {node.module}"
                assert root not in {"torch", "onnx", "click", "rich", "matplotlib"}, f"{name}: {node.module}"
