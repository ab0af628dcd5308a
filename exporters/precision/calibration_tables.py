"""Images in the tables of a Hugging Face dataset on disk: `save_to_disk`'s Arrow files, or Parquet.

An image is a struct of `bytes`, an encoded file, and `path`, which is not followed: `datasets` puts the files
into what it saves. Which columns have images is in the schema's metadata; where it says nothing, a column of
such structs is one. Of several the one that is called image or img is meant: the others are masks.

Format: https://huggingface.co/docs/datasets/about_arrow, the metadata of `Dataset.save_to_disk`.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from evit_deploy.errors import Exit, SetupError, UserError

if TYPE_CHECKING:
    import pyarrow as pa

TABLES = (".arrow", ".parquet")
_SPLITS = "dataset_dict.json"  # of a folder of splits, as `DatasetDict.save_to_disk` writes it
_STATE = "state.json"
_DESCRIPTIONS = ("dataset_info.json", "dataset_infos.json", _SPLITS, _STATE, "README.md")
_SHARD = re.compile(r"(.+)-\d{5}-of-\d{5}(?:-[0-9a-f]+)?")
_MEANT = ("image", "img")
_ROWS = 64  # of a Parquet file at a time


def check_splits(folder: Path) -> None:
    """Refuse a folder of splits.

    Raises:
        UserError: names them.
    """
    saved = {path.parent.name: path.parent for path in folder.glob("*/state.json")}
    splits = saved if (folder / _SPLITS).is_file() else _parquet_splits(folder)
    if len(splits) > 1:
        first = min(splits)
        raise UserError(
            f"--calibration {folder}: got a dataset with the splits {', '.join(sorted(splits))}, expected "
            f"one; name it: --calibration {splits[first]}",
            Exit.IMAGE,
        )


def _parquet_splits(folder: Path) -> dict[str, Path]:
    """Of files that are called SPLIT-00000-of-00002.parquet, as the hub has them, one of each split."""
    shards = [(path, _SHARD.fullmatch(path.stem)) for path in folder.rglob("*.parquet")]
    return {match[1]: path for path, match in sorted(shards, reverse=True) if match}


def without_descriptions(files: Sequence[Path]) -> tuple[Path, ...]:
    """Files of a folder, less what describes its tables if there are any, and `datasets`' own caches."""
    has_tables = any(file.suffix in TABLES for file in files)
    described = {file.parent: _data_files(file) for file in files if file.name == _STATE}
    return tuple(
        file
        for file in files
        if not (has_tables and file.name in _DESCRIPTIONS)
        and not (file.suffix in TABLES and file.name not in described.get(file.parent, {file.name}))
    )


def _data_files(state: Path) -> set[str]:
    """Names of the tables of a dataset that was saved; a `map` of it leaves others beside them."""
    try:
        return {each["filename"] for each in json.loads(state.read_bytes())["_data_files"]}
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{state}: expected the names of a dataset's files (_data_files); save it again with "
            "save_to_disk",
            Exit.IMAGE,
        ) from error


def encoded_images(table: Path) -> Iterator[tuple[int, BinaryIO]]:
    """Of every row its number and its image as an encoded file.

    Raises:
        SetupError: pyarrow is not installed.
        OSError, ValueError: it is no such table, or damaged; which column is meant is not clear; a row has no
            image.
    """
    number = 0
    with _columns(table) as columns:
        for column in columns:
            for value in column.to_pylist():
                yield number, _opened(number, value)
                number += 1


@contextmanager
def _columns(table: Path) -> Iterator[Iterator[pa.StructArray]]:
    """The column of images, some rows at a time."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise SetupError(
            f"{table.name} needs pyarrow: pip install 'evit-deploy[datasets]'", Exit.MISSING_EXTRA
        ) from error
    if table.suffix == ".parquet":
        with parquet.ParquetFile(table) as file:
            name = _column_of(file.schema_arrow)
            yield (batch.column(name) for batch in file.iter_batches(_ROWS, columns=[name]))
    else:
        with pa.memory_map(str(table)) as source, pa.ipc.open_stream(source) as stream:
            name = _column_of(stream.schema)
            yield (batch.column(name) for batch in stream)


def _column_of(schema: pa.Schema) -> str:
    metadata = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    features = (metadata.get("info") or {}).get("features") or {}
    columns: list[str] = [field.name for field in schema if _looks_like_images(field.type)]
    known = [name for name in columns if features.get(name, {}).get("_type") == "Image"]
    columns = known or columns
    meant = columns if len(columns) == 1 else [name for name in columns if name in _MEANT]
    if len(meant) != 1:
        raise ValueError(
            f"columns {', '.join(schema.names)}, of which {', '.join(columns) or 'none'} "
            f"{'have' if len(columns) > 1 else 'has'} images; expected one, or one called image"
        )
    return meant[0]


def _looks_like_images(type: pa.DataType) -> bool:
    import pyarrow as pa

    return pa.types.is_struct(type) and {field.name for field in type} == {"bytes", "path"}


def _opened(number: int, value: Mapping[str, Any] | None) -> BinaryIO:
    if value is None or value["bytes"] is None:
        raise ValueError(f"row {number} has no image in it; save the dataset with save_to_disk")
    return io.BytesIO(value["bytes"])
