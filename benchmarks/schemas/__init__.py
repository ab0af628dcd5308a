"""The JSON Schemas of what `evit-bench` writes; published, one file a version."""

from __future__ import annotations

from pathlib import Path

from evit_deploy.benchmarks import checks, results

_FOLDER = Path(__file__).parent
VERSIONS = {"result": results.SCHEMA_VERSION, "report": checks.SCHEMA_VERSION}


def schema_text(kind: str) -> str:
    """The schema of the present version of "result" or "report" files."""
    return (_FOLDER / f"{kind}-{VERSIONS[kind]}.schema.json").read_text(encoding="utf-8")
