from __future__ import annotations

from pathlib import Path

import pytest

from evit_deploy.devices.config import _KEYS, config_files, load_config, read_config, user_file
from evit_deploy.errors import Exit, UserError

PI = """
[defaults]
arm-cpu = "pi5"

[devices.pi5]
target = "ssh://pi@pi5.local:2222"
cores = "big"
threads = 4
environment = "private"
ssh-options = ["-F", "my.config"]
"""


@pytest.fixture
def user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The user's file, which is not there yet."""
    monkeypatch.delenv("EVIT_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    file = user_file()
    file.parent.mkdir(parents=True)
    return file


def test_every_key_is_read(tmp_path: Path) -> None:
    file = tmp_path / "evit.toml"
    file.write_text(PI)
    config = read_config(file)
    pi5 = config.devices["pi5"]
    assert config.arm_cpu == "pi5"
    assert (pi5.target, pi5.cores, pi5.threads) == ("ssh://pi@pi5.local:2222", "big", 4)
    assert (pi5.environment, pi5.python, pi5.ssh_options) == ("private", None, ("-F", "my.config"))
    assert pi5.file == file


def test_no_file_is_no_device(user: Path, tmp_path: Path) -> None:
    assert not load_config(tmp_path).devices
    assert load_config(tmp_path).arm_cpu is None


def test_the_projects_file_is_found_up_to_the_root_of_the_repository(user: Path, tmp_path: Path) -> None:
    repository = tmp_path / "outer" / "repository"
    inner = repository / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "outer" / "evit.toml").write_text("")
    (repository / ".git").mkdir()
    assert config_files(inner) == []
    (repository / "evit.toml").write_text("")
    assert config_files(inner) == [repository / "evit.toml"]
    (inner / "evit.toml").write_text("")
    assert config_files(inner) == [inner / "evit.toml"]


def test_outside_a_repository_parents_do_not_count(user: Path, tmp_path: Path) -> None:
    (tmp_path / "evit.toml").write_text("")
    (tmp_path / "inner").mkdir()
    assert config_files(tmp_path / "inner") == []


def test_the_projects_file_stands_before_the_users(user: Path, tmp_path: Path) -> None:
    user.write_text(
        '[defaults]\narm-cpu = "mine"\n[devices.mine]\ntarget = "local"\n'
        '[devices.both]\ntarget = "local"\ncores = "little"\n'
    )
    (tmp_path / "evit.toml").write_text('[devices.both]\ntarget = "qemu:cortex-a53"\n')
    config = load_config(tmp_path)
    assert sorted(config.devices) == ["both", "mine"]
    assert (config.devices["both"].target, config.devices["both"].cores) == ("qemu:cortex-a53", None)
    assert config.arm_cpu == "mine"


def test_evit_config_names_the_users_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EVIT_CONFIG", str(tmp_path / "other.toml"))
    assert user_file() == tmp_path / "other.toml"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x = 1 2", r"evit.toml: not TOML: .*line 1"),
        ("[device.pi5]\n", r"evit.toml:1: 'device': unknown key; did you mean 'devices'\? known: devices, "),
        ("devices = 3\n", r"evit.toml:1: 'devices': got 3, expected a table"),
        ("[devices]\npi5 = 3\n", r"evit.toml:2: 'pi5' in \[devices\]: expected a table \[devices.pi5\]"),
        (
            '[devices.pi5]\ntarget = "local"\n\ntreads = 4\n',
            r"evit.toml:4: 'treads' in \[devices.pi5\]: unknown key; did you mean 'threads'\?",
        ),
        ('[devices.a]\ntarget = "local"\nthreads = "4"\n', r"toml:3: 'threads' .*got '4', expected a whole"),
        ('[devices.a]\ntarget = "local"\nthreads = true\n', "got True, expected a whole number"),
        ('[devices.a]\ntarget = "local"\nthreads = 0\n', "got 0, expected at least 1"),
        ('[devices.a]\ntarget = "ssh://b"\nssh-options = [1]\n', "expected a list of strings"),
        ('[devices.a]\ncores = "big"\n', r"toml:1: \[devices.a\]: no target; add target = "),
        ('[devices."a b"]\ntarget = "local"\n', "letters, digits"),
        ('[devices.local]\ntarget = "local"\n', "'local' has a meaning already"),
        ('[defaults]\narm_cpu = "a"\n', r"toml:2: 'arm_cpu' in \[defaults\]: .*did you mean 'arm-cpu'"),
        ("[defaults]\narm-cpu = 5\n", "got 5, expected a string"),
        ("devices.a = {target = 5}\n", "'target' in .*: got 5"),
    ],
)
def test_what_is_not_understood_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "evit.toml"
    file.write_text(text)
    with pytest.raises(UserError, match=complaint) as caught:
        read_config(file)
    assert caught.value.code == Exit.CONFIG
    assert str(file) in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Is a directory"):
        read_config(tmp_path)


def test_the_documented_file_is_understood(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent.parent / "docs" / "devices.md").read_text()
    file = tmp_path / "evit.toml"
    file.write_text(page.partition("```toml\n")[2].partition("```")[0])
    assert list(read_config(file).devices) == ["pi5", "small"]
    assert [key for key in _KEYS if f"`{key}`" not in page] == []
