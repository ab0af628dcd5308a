from __future__ import annotations

import platform

import pytest

from evit_deploy.devices import known_devices, resolve
from evit_deploy.errors import Exit, UserError

NOT_ARM = pytest.mark.skipif(platform.machine() == "aarch64", reason="arm-cpu is this machine")


def test_all_known_devices_resolve() -> None:
    for name in known_devices():
        assert resolve(name).emulated == (name.startswith("qemu:") or resolve(name).name != "local")


@NOT_ARM
def test_arm_cpu_is_emulated_where_there_is_no_arm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EVIT_ARM_TARGET", raising=False)
    device = resolve("arm-cpu")
    assert (device.name, device.label, device.emulated) == ("qemu:cortex-a76", "cortex-a76 (emulated)", True)


@NOT_ARM
def test_arm_cpu_is_the_configured_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVIT_ARM_TARGET", "qemu:cortex-a53")
    assert resolve("arm-cpu").name == "qemu:cortex-a53"


def test_arm_cpu_is_this_machine_if_it_is_arm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert resolve("arm-cpu").name == "local"


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("locale", "did you mean 'local'"),
        ("gpu", "known: arm-cpu, local, qemu:cortex-a53"),
        ("qemu:cortex-m4", "cortex-a53, cortex-a72, cortex-a76, neoverse-n1"),
        ("ssh://board", "not in this version"),
        ("adb:0123", "not in this version"),
    ],
)
def test_unknown_devices(name: str, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint) as caught:
        resolve(name)
    assert caught.value.code == Exit.DEVICE


@NOT_ARM
def test_arm_target_that_names_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVIT_ARM_TARGET", "arm-cpu")
    with pytest.raises(UserError, match="EVIT_ARM_TARGET"):
        resolve("arm-cpu")
