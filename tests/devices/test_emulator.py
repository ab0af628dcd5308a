"""What of the emulator can be tested without having one."""

from __future__ import annotations

from pathlib import Path

import pytest

from evit_deploy.devices import QemuDevice, emulator, find_emulator
from evit_deploy.devices.debian import PackageSource, find_mirror, require_tools
from evit_deploy.devices.emulator import CORES, cache_folder
from evit_deploy.devices.emulator_setup import set_up
from evit_deploy.errors import Exit, SetupError


def quiet(step: str) -> None:
    pass


def test_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("EVIT_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg/evit-deploy/qemu"
    monkeypatch.setenv("EVIT_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own/qemu"


def test_cores_announce_what_qemu_emulates() -> None:
    assert "asimddp" in CORES["cortex-a76"].cpuinfo
    assert "asimddp" not in CORES["cortex-a53"].cpuinfo
    assert CORES["cortex-a72"].cpuinfo.count("processor") == 1


def test_another_runtime_means_another_emulator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EVIT_CACHE", str(tmp_path))
    before = emulator.emulator_folder()
    monkeypatch.setattr(emulator, "wanted_wheels", lambda: {"onnxruntime": "0.1"})
    assert emulator.emulator_folder() != before


def test_without_an_emulator_the_device_names_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EVIT_CACHE", str(tmp_path))
    assert find_emulator() is None
    with pytest.raises(SetupError, match="run 'evit-bench setup'") as caught, QemuDevice():
        pass
    assert caught.value.code == Exit.EMULATOR


def test_a_folder_without_its_stamp_is_not_an_emulator(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EVIT_CACHE", str(tmp_path))
    (emulator.emulator_folder() / "host").mkdir(parents=True)
    assert find_emulator() is None


def test_missing_tools_are_named_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupError, match=r"without apt-get, cc; .* install them with") as caught:
        require_tools("apt-get", "cc")
    assert caught.value.code == Exit.EMULATOR


def test_a_given_mirror_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVIT_DEBIAN_MIRROR", "file:///second/")
    assert find_mirror("file:///first/") == "file:///first"
    assert find_mirror() == "file:///second"


def test_no_debian_mirror(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("EVIT_DEBIAN_MIRROR", raising=False)
    apt_get = tmp_path / "apt-get"
    apt_get.write_text("#!/bin/sh\n")
    apt_get.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(SetupError, match="--mirror URL or EVIT_DEBIAN_MIRROR"):
        find_mirror()


def test_a_failing_step_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EVIT_CACHE", str(tmp_path))
    monkeypatch.setenv("EVIT_DEBIAN_MIRROR", "file:///nowhere")
    monkeypatch.setenv("CC", "false")
    with pytest.raises(SetupError, match="compiling the instruction counter failed"):
        set_up(quiet)
    assert [path.name for path in (tmp_path / "qemu").iterdir()] == [".lock"]


def test_an_unreachable_mirror_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="fetching package") as caught:
        source = PackageSource(tmp_path / "apt", "arm64", f"file://{tmp_path}/nowhere")
        source.fetch(["libc6"], tmp_path / "packages")
    assert caught.value.code == Exit.EMULATOR
    assert "\n" not in str(caught.value)


def test_unwritable_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.touch()
    monkeypatch.setenv("EVIT_CACHE", str(blocker))
    with pytest.raises(SetupError, match="EVIT_CACHE=FOLDER"):
        set_up(quiet)
