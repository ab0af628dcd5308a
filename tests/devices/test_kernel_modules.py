from __future__ import annotations

from pathlib import Path

import pytest

from evit_deploy.devices.kernel_modules import dependencies, in_loading_order
from evit_deploy.errors import Exit, SetupError


def module(folder: Path, name: str, *needed: str) -> Path:
    """A file with what a module says of itself, in the midst of other bytes."""
    path = folder / "drivers" / f"{name}.ko"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"\x7fELF\0license=GPL\0depends=" + ",".join(needed).encode() + b"\0name=x\0\xff")
    return path


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    module(tmp_path, "virtio_blk", "virtio", "virtio_ring")
    module(tmp_path, "virtio_net", "virtio", "net_failover")
    module(tmp_path, "net_failover", "failover")
    for name in ("failover", "virtio"):
        module(tmp_path, name)
    module(tmp_path, "virtio_ring", "virtio")
    return tmp_path


def test_each_comes_once_and_after_what_it_needs(modules: Path) -> None:
    ordered = [path.stem for path in in_loading_order(["virtio_net", "virtio_blk"], modules)]
    assert ordered == ["virtio", "failover", "net_failover", "virtio_net", "virtio_ring", "virtio_blk"]


def test_file_names_have_hyphens_where_modules_have_underscores(tmp_path: Path) -> None:
    module(tmp_path, "crc-t10dif", "crct10dif-common")
    module(tmp_path, "crct10dif-common")
    ordered = [path.stem for path in in_loading_order(["crc_t10dif"], tmp_path)]
    assert ordered == ["crct10dif-common", "crc-t10dif"]


def test_nothing_needed(modules: Path) -> None:
    assert dependencies(modules / "drivers/virtio.ko") == []


def test_a_missing_one_is_named(modules: Path) -> None:
    with pytest.raises(SetupError, match="its kernel has no module virtio_scsi") as caught:
        in_loading_order(["virtio_scsi"], modules)
    assert caught.value.code == Exit.EMULATOR
