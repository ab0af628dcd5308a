"""The delegate's banner is held back; everything else gets through."""

from __future__ import annotations

import os

import pytest

from evit_deploy.runtimes.banner import without_banner


def test_holds_back_the_banner_only(capfd: pytest.CaptureFixture[str]) -> None:
    with without_banner():
        os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n")
        os.write(2, b"ERROR: something that matters\n")
    assert capfd.readouterr().err == "ERROR: something that matters\n"


def test_gives_stderr_back_after_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="x"), without_banner():
        raise ValueError("x")
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "afterwards\n"
