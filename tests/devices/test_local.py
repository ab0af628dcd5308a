from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from evit_deploy.devices import LocalDevice
from evit_deploy.errors import Exit, SetupError, UserError


def agent_that_runs(code: str, folder: Path) -> Path:
    path = folder / "agent.pyz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("__main__.py", code)
    return path


ANSWER = "import json, sys; json.dump(%s, open(sys.argv[2], 'w'))"


def test_the_answer_comes_back_and_nothing_stays(tmp_path: Path) -> None:
    with LocalDevice() as device:
        device.install_agent(agent_that_runs(ANSWER % "{'result': json.load(open(sys.argv[1]))}", tmp_path))
        assert device.run_agent({"mode": "echo"}) == {"mode": "echo"}
        folder = device._opened()
        assert folder.is_dir()
    assert not folder.exists()


def test_a_file_is_put_where_the_agent_runs_in_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    code = "import json, sys; json.dump({'result': {'text': open('given').read()}}, open(sys.argv[2], 'w'))"
    with LocalDevice() as device:
        device.install_agent(agent_that_runs(code, tmp_path))
        for text in ("longer", "short"):
            (tmp_path / "mine").write_text(text)
            device.put(tmp_path / "mine", "given")
            assert device.run_agent({"mode": "x"}) == {"text": text}


def test_errors_of_the_agent_are_raised_here_with_the_users_name_of_the_file(tmp_path: Path) -> None:
    graph = tmp_path / "x.onnx"
    with LocalDevice() as device:
        name = device.push(graph)
        error = {"kind": "UserError", "code": 20, "message": f"{name}: damaged"}
        device.install_agent(agent_that_runs(ANSWER % {"error": error}, tmp_path))
        with pytest.raises(UserError, match=f"^{graph}: damaged$") as caught:
            device.run_agent({"mode": "latency"})
    assert caught.value.code == Exit.ARTIFACT_UNREADABLE


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "killed by SIGSEGV .a damaged file"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL .out of memory"),
        ("import os; os._exit(139)", "killed by SIGSEGV"),
        ("raise KeyError('nothing')", "exit code 1 on local: KeyError: 'nothing'"),
    ],
)
def test_an_agent_that_dies_is_one_clear_error(tmp_path: Path, code: str, complaint: str) -> None:
    with LocalDevice() as device:
        device.install_agent(agent_that_runs(code, tmp_path))
        with pytest.raises(SetupError, match=complaint) as caught:
            device.run_agent({"mode": "latency"})
    assert caught.value.code == Exit.RUNTIME


def test_an_old_answer_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    with LocalDevice() as device:
        device.install_agent(agent_that_runs(ANSWER % {"result": {}}, tmp_path))
        device.run_agent({})
        device.install_agent(agent_that_runs("pass", tmp_path))
        with pytest.raises(SetupError):
            device.run_agent({})


def test_the_agents_environment_is_fixed(tmp_path: Path) -> None:
    code = "import os; " + ANSWER % "{'result': dict(os.environ)}"
    with LocalDevice() as device:
        device.install_agent(agent_that_runs(code, tmp_path))
        environment = device.run_agent({})
    assert environment["ORT_DISABLE_TELEMETRY"] == "1"
    assert environment["PYTHONHASHSEED"] == "0"
