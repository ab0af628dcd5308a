"""`evit-bench report`, as a person runs it, and the options that it shares with other commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from report_samples import compare_report, passing_report, predicted_result, sample_history, sample_profile

from evit_deploy.benchmarks.checks import read_report, write_report
from evit_deploy.benchmarks.results import write_result
from evit_deploy.cli.common import QUIET, Reporter
from evit_deploy.cli.report_options import takes_stdout, write_reports
from evit_deploy.errors import Exit, UserError

RunBench = Callable[..., "CompletedProcess[str]"]
FORMATS = ("html", "markdown", "junit", "csv", "bmf", "github-benchmark")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    names = ("result", "report", "profile", "history")
    paths = {name: tmp_path / f"{name}.json" for name in names}
    write_result(predicted_result(), paths["result"])
    write_report(compare_report(), paths["report"])
    paths["profile"].write_text(json.dumps(sample_profile().as_dict()))
    paths["history"].write_text(json.dumps([asdict(point) for point in sample_history()]))
    return paths


def error_of(done: CompletedProcess[str]) -> tuple[int, str]:
    last = done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    return done.returncode, last


def test_every_format_at_once(run_bench: RunBench, files: dict[str, Path], tmp_path: Path) -> None:
    outputs = [word for name in FORMATS for word in (f"--{name}", f"out/{name}")]
    inputs = [files[name] for name in ("result", "report", "profile")]
    done = run_bench("report", *inputs, *outputs, "--history", files["history"], "--title", "Tuesday")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(FORMATS)
    page = (tmp_path / "out/html").read_text()
    assert "<h1>Tuesday</h1>" in page and 'id="history"' in page and 'id="stages-1"' in page
    assert "html: out/html" in done.stderr


def test_tables_where_no_output_is_named(run_bench: RunBench, files: dict[str, Path]) -> None:
    done = run_bench("report", files["result"], files["report"], files["profile"])
    assert done.returncode == 0, done.stderr
    for words in ("Regression (4 checks", "Latency of one inference", "By stage", "19.6 ms (18.4-20.8)"):
        assert words in done.stdout


def test_the_newest_result_where_no_file_is_named(run_bench: RunBench, tmp_path: Path) -> None:
    assert error_of(run_bench("report")) == (
        Exit.ARTIFACT_MISSING,
        "error: no FILE given, and nothing that ends in .json in 'results'; 'evit-bench' makes one",
    )
    folder = tmp_path / "results"
    folder.mkdir()
    write_report(passing_report(), folder / "z-old.json")
    os.utime(folder / "z-old.json", (1, 1))
    write_report(compare_report(), folder / "a-new.json")
    done = run_bench("report")
    assert "the newest: results/a-new.json" in done.stderr
    assert "Regression" in done.stdout


def test_a_page_of_nothing_but_history(run_bench: RunBench, files: dict[str, Path]) -> None:
    done = run_bench("report", "--history", files["history"], "--html", "-")
    assert done.returncode == 0, done.stderr
    assert 'id="history"' in done.stdout


def test_stdout_is_for_one_output(run_bench: RunBench, files: dict[str, Path]) -> None:
    done = run_bench("report", files["report"], "--bmf", "-")
    assert json.loads(done.stdout)
    code, said = error_of(run_bench("report", files["report"], "--bmf", "-", "--csv", "-"))
    assert (code, said) == (
        Exit.USAGE,
        "error: --csv and --bmf cannot both go to stdout; name a file for one of them",
    )


def test_a_format_is_not_written_empty(run_bench: RunBench, files: dict[str, Path], tmp_path: Path) -> None:
    code, said = error_of(run_bench("report", files["result"], "--junit", "x.xml"))
    assert (code, said) == (Exit.USAGE, "error: --junit is made of reports; none of the files is one")
    code, said = error_of(run_bench("report", files["profile"], "--csv", "x.csv"))
    assert said == "error: --csv is made of results and reports; none of the files is one"
    assert not (tmp_path / "x.xml").exists() and not (tmp_path / "x.csv").exists()


def test_inconclusive_can_fail(run_bench: RunBench, files: dict[str, Path]) -> None:
    options = (files["report"], "--junit", "-")
    assert "<skipped" in run_bench("report", *options).stdout
    assert "<skipped" not in run_bench("report", *options, "--inconclusive", "fail").stdout


def test_bad_input_is_one_line(run_bench: RunBench, files: dict[str, Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text('{"checks": [{"metric": 1}], "baseline": "", "schema": 1}')
    for arguments in (("none.json",), (broken,), (files["report"], "--history", files["report"])):
        code, said = error_of(run_bench("report", *arguments))
        assert code == Exit.USAGE
        assert said.startswith("error: ")
    code, said = error_of(run_bench("report", files["report"], "--csv", files["report"] / "below.csv"))
    assert code == Exit.OUTPUT


def test_without_jinja2_the_message_names_the_extra(files: dict[str, Path], tmp_path: Path) -> None:
    code = "import sys; sys.modules['jinja2'] = None\nfrom evit_deploy.cli.bench import main; main()"
    command = [sys.executable, "-c", code, "report", str(files["report"]), "--html", "x.html"]
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert error_of(done) == (
        Exit.MISSING_EXTRA,
        "error: an HTML page needs jinja2; install it with 'pip install evit-deploy[report]'",
    )


def test_what_compare_and_gate_call(tmp_path: Path) -> None:
    outputs = {name.replace("-", "_"): tmp_path / name for name in FORMATS}
    options = {**outputs, "output": tmp_path / "r.json", "unrelated": None}
    write_reports(compare_report(), options, Reporter(QUIET))
    assert read_report(tmp_path / "r.json") == compare_report()
    assert {path.name for path in tmp_path.iterdir()} == {*FORMATS, "r.json"}
    write_reports(compare_report(), {}, Reporter(QUIET))


def test_whether_stdout_is_taken() -> None:
    assert not takes_stdout({"html": Path("x"), "output": None})
    assert takes_stdout({"html": None, "output": Path("-")})
    with pytest.raises(UserError, match="--html and --output cannot both"):
        takes_stdout({"html": Path("-"), "output": Path("-")})
