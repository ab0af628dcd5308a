"""Datasets on disk, in the layout of `datasets`' save_to_disk and to_parquet."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from evit_deploy.errors import Exit, SetupError, UserError
from evit_deploy.exporters.precision.calibration import read_calibration

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 24, 36, 3), np.uint8)
IMAGE = pa.struct({"bytes": pa.binary(), "path": pa.string()})


INDICES = pa.table({"indices": pa.array([2, 0], pa.uint64())})


DESCRIBED_AS_IMAGES = pa.table({"image": ["one.png"]}).replace_schema_metadata(
    {"huggingface": '{"info": {"features": {"image": {"_type": "Image"}}}}'}
)


def encoded(pixels: np.ndarray, format: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format)
    return stream.getvalue()


def images(pixels: Sequence[np.ndarray] = PIXELS) -> list[dict[str, object]]:
    return [{"bytes": encoded(one), "path": None} for one in pixels]


def table_of(columns: dict[str, list[dict[str, object]]], described: bool = True) -> pa.Table:
    """With labels beside the images."""
    (count,) = {len(values) for values in columns.values()}
    features = {name: {"_type": "Image"} for name in columns}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})} if described else None
    fields = [pa.field(name, IMAGE) for name in columns]
    schema = pa.schema([pa.field("label", pa.int64()), *fields], metadata)
    return pa.table({"label": list(range(count)), **columns}, schema)


def save(table: pa.Table, folder: Path, shards: int = 1) -> Path:
    """As `Dataset.save_to_disk` does."""
    folder.mkdir(parents=True)
    names = [f"data-{i:05}-of-{shards:05}.arrow" for i in range(shards)]
    rows = -(-len(table) // shards)
    for i, name in enumerate(names):
        with pa.ipc.new_stream(folder / name, table.schema) as stream:
            stream.write_table(table.slice(i * rows, rows))
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names]}))
    (folder / "dataset_info.json").write_text("{}")
    return folder


def assert_is(path: Path, pixels: np.ndarray = PIXELS) -> None:
    calibration = read_calibration(path)
    assert (calibration.source, calibration.images) == (path.name, len(pixels))
    assert np.array_equal(list(calibration.pixels(24, 36)), pixels)
    assert np.array_equal(calibration.some_pixels(2, 24, 36), pixels[sorted({0, len(pixels) - 1})])


@pytest.mark.parametrize("described", [True, False])
@pytest.mark.parametrize("shards", [1, 2])
def test_saved_to_disk(tmp_path: Path, shards: int, described: bool) -> None:
    assert_is(save(table_of({"photo": images()}, described), tmp_path / "street", shards))


def test_parquet_alone_and_in_a_folder_with_its_card(tmp_path: Path) -> None:
    path = tmp_path / "street" / "data" / "train-00000-of-00001.parquet"
    path.parent.mkdir(parents=True)
    parquet.write_table(table_of({"photo": images()}), path, row_group_size=2)
    (tmp_path / "street" / "README.md").write_text("# Streets")
    assert_is(path)
    assert_is(tmp_path / "street")


def test_masks_are_no_images(tmp_path: Path) -> None:
    masks = images(PIXELS[::-1])
    assert_is(save(table_of({"annotation": masks, "image": images()}), tmp_path / "street"))


def test_what_a_map_left_beside_is_none_of_it(tmp_path: Path) -> None:
    folder = save(table_of({"image": images()}), tmp_path / "street", shards=2)
    caches = {"cache-0123456789abcdef.arrow": table_of({"image": images()}), "cache-f.arrow": INDICES}
    for name, table in caches.items():
        with pa.ipc.new_stream(folder / name, table.schema) as stream:
            stream.write_table(table)
    assert_is(folder)


def test_a_state_that_is_none(tmp_path: Path) -> None:
    folder = save(table_of({"image": images()}), tmp_path / "street")
    (folder / "state.json").write_text("[]")
    with pytest.raises(UserError, match=r"state\.json: expected the names of a dataset's files"):
        read_calibration(folder)


def test_empty_shards(tmp_path: Path) -> None:
    folder = save(table_of({"image": images()}), tmp_path / "street")
    for name in ("a.parquet", "b.parquet"):
        parquet.write_table(table_of({"image": []}), folder / name)
    (folder / "state.json").unlink()
    assert_is(folder)


def test_pictures_beside_tables_are_used_as_well(tmp_path: Path) -> None:
    folder = save(table_of({"image": images(PIXELS[:2])}), tmp_path / "street")
    (folder / "last.png").write_bytes(encoded(PIXELS[2]))
    assert_is(folder)


def test_splits_are_named(tmp_path: Path) -> None:
    for split in ("train", "test"):
        save(table_of({"image": images()}), tmp_path / "street" / split)
    (tmp_path / "street" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    with pytest.raises(
        UserError, match=r"the splits test, train, expected one; name it: .*street/test$"
    ) as e:
        read_calibration(tmp_path / "street")
    assert e.value.code == Exit.IMAGE
    assert_is(tmp_path / "street" / "train")
    shutil.rmtree(tmp_path / "street" / "test")
    assert_is(tmp_path / "street")  # of one split


def test_splits_of_parquet_are_named(tmp_path: Path) -> None:
    for name in ("train-00000-of-00002", "train-00001-of-00002", "test-00000-of-00001"):
        parquet.write_table(table_of({"image": images()}), tmp_path / f"{name}.parquet")
    with pytest.raises(UserError, match=r"the splits test, train, .*/test-00000-of-00001.parquet$"):
        read_calibration(tmp_path)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (table_of({"left": images(), "right": images()}), "of which left, right have images; expected one"),
        (pa.table({"label": [1]}), "columns label, of which none has images"),
        (table_of({"image": [{"bytes": b"bring milk", "path": None}]}), "row 0: not read as an image"),
        (table_of({"image": [*images(), {"bytes": None, "path": None}]}), "row 3 has no image"),
        (table_of({"image": [{"bytes": None, "path": "one.png"}]}), "row 0 has no image in it"),
        (table_of({"image": images()}).drop_columns("image"), "of which none has images"),
        (DESCRIBED_AS_IMAGES, "columns image, of which none has images"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, table: pa.Table, reason: str) -> None:
    folder = save(table, tmp_path / "street")
    with pytest.raises(UserError) as caught:
        read_calibration(folder)
    assert (caught.value.code, "\n" in str(caught.value)) == (Exit.IMAGE, False)
    assert "1 of 1 files cannot be used: data-00000-of-00001.arrow: " in str(caught.value)
    assert reason in str(caught.value)


@pytest.mark.parametrize("suffix", [".arrow", ".parquet"])
def test_damaged(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"torn{suffix}").write_bytes(b"PAR1 and no more")
    with pytest.raises(UserError, match="not read as a table of images"):
        read_calibration(tmp_path / f"torn{suffix}")


def test_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = save(table_of({"image": images()}), tmp_path / "street")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(SetupError, match=r"pip install 'evit-deploy\[datasets\]'") as caught:
        read_calibration(folder)
    assert caught.value.code == Exit.MISSING_EXTRA
