"""What of the emulated board can be tested without booting one; cli/test_bench_qemu_system.py boots it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from evit_deploy.devices import emulator, resolve, resolve_all, system_files
from evit_deploy.devices.base import INSTRUCTION_TIME
from evit_deploy.devices.system_files import SystemFiles, find_system, system_folder
from evit_deploy.devices.system_setup import set_up_system
from evit_deploy.devices.virtual_machine import VirtualMachine
from evit_deploy.errors import Exit, SetupError, UserError


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache, and a folder for temporary files; the value is the latter."""
    monkeypatch.setenv("EVIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_cores_and_what_they_give() -> None:
    older, newer = resolve_all(["qemu-system:cortex-a53,neoverse-v1"])
    assert (older.name, older.label) == ("qemu-system:cortex-a53", "cortex-a53 (emulated board)")
    assert newer.label == "neoverse-v1 (emulated board)"
    assert newer.emulated
    assert newer.figure == INSTRUCTION_TIME


def test_an_unknown_core_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"unknown core 'cortex-a55'; .* cortex-a710, neoverse-v1") as caught:
        resolve("qemu-system:cortex-a55")
    assert caught.value.code == Exit.DEVICE


@pytest.mark.parametrize("core", ["cortex-a710", "neoverse-v1"])
def test_a_core_that_cannot_be_counted_on_names_the_way(core: str) -> None:
    with pytest.raises(UserError, match=f"on a whole emulated board it is: qemu-system:{core}"):
        resolve(f"qemu:{core}")


def test_a_name_for_it(cache: Path) -> None:
    file = Path("evit.toml")
    file.write_text('[devices.vm]\ntarget = "qemu-system:cortex-a710"\n')
    assert resolve("vm").label == "vm = cortex-a710 (emulated board)"
    file.write_text('[devices.vm]\ntarget = "qemu-system:cortex-a710"\nthreads = 2\n')
    with pytest.raises(UserError, match="threads: means nothing for 'qemu-system:cortex-a710'"):
        resolve("vm")


def test_not_set_up_names_the_command(cache: Path) -> None:
    device = resolve("qemu-system:cortex-a76")
    for use in (device.reach, device.open):
        with pytest.raises(SetupError, match="run 'evit-bench setup --system'") as caught:
            use()
        assert caught.value.code == Exit.EMULATOR
    assert not list(cache.iterdir())


def test_another_runtime_or_guest_means_another_board(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    before = system_folder()
    monkeypatch.setattr(system_files, "wanted_wheels", lambda: {"onnxruntime": "0.1"})
    other = system_folder()
    monkeypatch.setattr("evit_deploy.devices.system_guest.INIT", "#!/bin/sh\n")
    assert len({before, other, system_folder()}) == 3
    assert before.parent == emulator.cache_folder().with_name("qemu-system")


def test_a_folder_without_its_stamp_is_no_board(cache: Path) -> None:
    system_folder().mkdir(parents=True)
    assert find_system() is None


def test_a_failing_set_up_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setenv("EVIT_DEBIAN_MIRROR", f"file://{cache}/nowhere")
    said: list[str] = []
    with pytest.raises(SetupError, match="fetching package") as caught:
        set_up_system(said.append)
    assert caught.value.code == Exit.EMULATOR
    assert said == ["fetching qemu-system-arm"]
    assert [path.name for path in system_folder().parent.iterdir()] == [".lock"]


def test_missing_tools_are_named(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setenv("PATH", str(cache))
    with pytest.raises(SetupError, match=r"without apt-get, .*ssh-keygen"):
        set_up_system(lambda step: None)


@pytest.mark.parametrize(
    ("program", "complaint"),
    [
        ("echo no such core >&2; exit 1", "the emulated board ended with exit code 1: no such core"),
        ("kill -9 $$", "the emulated board was killed by SIGKILL: it said nothing"),
    ],
)
def test_a_machine_that_does_not_come_up(cache: Path, program: str, complaint: str) -> None:
    qemu = cache.parent / "host/qemu-system-aarch64"
    qemu.parent.mkdir()
    qemu.write_text(f"#!/bin/sh\n{program}\n")
    qemu.chmod(0o755)
    with pytest.raises(SetupError, match=complaint) as caught:
        VirtualMachine(SystemFiles(cache.parent), "cortex-a76")
    assert caught.value.code == Exit.EMULATOR
    assert not list(cache.iterdir())
