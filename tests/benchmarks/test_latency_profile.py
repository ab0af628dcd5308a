from __future__ import annotations

from pathlib import Path

import pytest

from evit_deploy.benchmarks.latency_fit import fit_profile
from evit_deploy.benchmarks.latency_profile import (
    Conditions,
    LatencyProfile,
    Pair,
    find_profile,
    read_profile,
    write_profile,
)
from evit_deploy.errors import Exit, UserError


@pytest.fixture
def profile() -> LatencyProfile:
    pairs = [Pair(f"graph-{n}", {"load": n * 1e8}, n * 10.5) for n in range(1, 6)]
    return fit_profile("device", Conditions("cortex-a76", "litert", "fp32", 1), pairs)


def test_a_file_says_it_all(profile: LatencyProfile, tmp_path: Path) -> None:
    path = tmp_path / "device.profile.json"
    write_profile(profile, path)
    assert read_profile(path) == profile
    assert find_profile(str(path)).sha256 == profile.sha256


def test_the_hash_is_the_files(profile: LatencyProfile, tmp_path: Path) -> None:
    from evit_deploy.artifact import sha256_of

    write_profile(profile, tmp_path / "a.profile.json")
    assert sha256_of(tmp_path / "a.profile.json") == profile.sha256


def test_an_unknown_name_has_its_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'snapdragon-8gen1'") as refusal:
        find_profile("snapdragon-8gen2")
    assert refusal.value.code == Exit.PROFILE


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"schema": 2}', '{"schema": 1, "terms": 3}'])
def test_refuses_a_file_that_is_no_profile(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(UserError, match="not a device profile of schema 1") as refusal:
        read_profile(path)
    assert refusal.value.code == Exit.PROFILE
