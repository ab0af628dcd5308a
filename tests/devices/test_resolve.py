from __future__ import annotations

import platform
from pathlib import Path

import pytest

from evit_deploy.devices import built_in_devices, known_devices, resolve, resolve_all
from evit_deploy.errors import Exit, UserError

NOT_ARM = pytest.mark.skipif(platform.machine() == "aarch64", reason="arm-cpu is this machine")
LAB = """
[defaults]
arm-cpu = "small"

[devices.small]
target = "qemu:cortex-a53"

[devices.desk]
target = "local"
cores = "0"
threads = 2

[devices.board]
target = "ssh://me@board"
environment = "system"
python = "/opt/python3"
ssh-options = ["-v"]
"""


@pytest.fixture(autouse=True)
def project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A working folder without configuration; the value is its evit.toml, to be written."""
    monkeypatch.delenv("EVIT_ARM_TARGET", raising=False)
    monkeypatch.setenv("EVIT_CONFIG", str(tmp_path / "user.toml"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "evit.toml"


def test_all_built_in_devices_resolve() -> None:
    for name in built_in_devices():
        assert resolve(name).emulated == (name.startswith("qemu:") or resolve(name).name != "local")


@NOT_ARM
def test_arm_cpu_is_emulated_where_there_is_no_arm() -> None:
    device = resolve("arm-cpu")
    assert (device.name, device.label, device.emulated) == ("qemu:cortex-a76", "cortex-a76 (emulated)", True)


def test_arm_cpu_is_this_machine_if_it_is_arm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert resolve("arm-cpu").name == "local"


def test_what_arm_cpu_is_in_order(monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    (project.parent / "user.toml").write_text('[defaults]\narm-cpu = "qemu:cortex-a72"\n')
    assert resolve("arm-cpu").name == "qemu:cortex-a72"
    project.write_text(LAB)
    assert resolve("arm-cpu").label == "small = cortex-a53 (emulated)"
    monkeypatch.setenv("EVIT_ARM_TARGET", "qemu:neoverse-n1")
    assert resolve("arm-cpu").name == "qemu:neoverse-n1"
    monkeypatch.setenv("EVIT_ARM_TARGET", "desk")
    assert resolve("arm-cpu").label == "desk = local"


def test_names_bring_their_choices(project: Path) -> None:
    project.write_text(LAB)
    desk, board = resolve_all(["desk", "board"])
    assert (desk.name, desk.label, desk.choices) == ("local", "desk = local", {"cores": "0", "threads": 2})
    assert (board.name, board.label, board.choices) == ("ssh://me@board", "board = me@board", {})
    assert known_devices()[-3:] == ("small", "desk", "board")


def test_several_cores_are_several_devices() -> None:
    devices = resolve_all(["qemu:cortex-a53,neoverse-n1", "local", "qemu:neoverse-n1"])
    assert [device.name for device in devices] == ["qemu:cortex-a53", "qemu:neoverse-n1", "local"]
    with pytest.raises(UserError, match="one device was expected, it names 2"):
        resolve("qemu:cortex-a53,neoverse-n1")


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("locale", "did you mean 'local'"),
        ("local:1", "'local' takes nothing behind it"),
        ("dekc", "did you mean 'desk'"),
        (
            "gpu",
            "known: arm-cpu, local, qemu:cortex-a53.*, small, desk, board; qemu:..., qemu-system:..., ssh",
        ),
        ("qemu", "unknown device 'qemu'"),
        ("qemu:cortex-m4", "cortex-a53, cortex-a72, cortex-a76, neoverse-n1"),
    ],
)
def test_unknown_devices(project: Path, name: str, complaint: str) -> None:
    project.write_text(LAB)
    with pytest.raises(UserError, match=complaint) as caught:
        resolve(name)
    assert caught.value.code == Exit.DEVICE


@pytest.mark.parametrize(
    ("entry", "code", "complaint"),
    [
        ('target = "dekc"', Exit.DEVICE, r"evit.toml: \[devices.x\] target: unknown device 'dekc'"),
        # One name for one thing: no names of names.
        ('target = "x"', Exit.DEVICE, "unknown device 'x'"),
        ('target = "qemu:cortex-a53"\ncores = "big"', Exit.CONFIG, "cores: means nothing for 'qemu:cort"),
        ('target = "local"\nssh-options = ["-v"]', Exit.CONFIG, "ssh-options: means nothing for 'local'"),
        ('target = "ssh://b"\nenvironment = "mine"', Exit.DEVICE, "expected private or system"),
    ],
)
def test_entries_that_cannot_be(project: Path, entry: str, code: Exit, complaint: str) -> None:
    project.write_text(f"[devices.x]\n{entry}\n")
    with pytest.raises(UserError, match=complaint) as caught:
        resolve("x")
    assert caught.value.code == code


@pytest.mark.parametrize("source", ["variable", "file"])
def test_arm_cpu_that_names_itself(monkeypatch: pytest.MonkeyPatch, project: Path, source: str) -> None:
    if source == "variable":
        monkeypatch.setenv("EVIT_ARM_TARGET", "arm-cpu")
    else:
        project.write_text('[defaults]\narm-cpu = "arm-cpu"\n')
    with pytest.raises(UserError, match="is 'arm-cpu', which it should define"):
        resolve("arm-cpu")
