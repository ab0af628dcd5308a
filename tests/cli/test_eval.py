"""`evit-eval` as a person runs it: a subprocess, its text, its files, its exit code."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
from accuracy_data import coloured, folder_of_colours, imagenet_of_colours, save_graph, save_image
from cli.conftest import RunEval, error_of, offline_environment, read
from PIL import Image

from evit_deploy.artifact import manifest_path
from evit_deploy.errors import Exit

RECORDS = "r.records.jsonl"


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    return save_graph(tmp_path / "c.onnx")


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    return imagenet_of_colours(tmp_path / "data")


def test_classification(run_eval: RunEval, classifier: Path, colours: Path, tmp_path: Path) -> None:
    done = run_eval("c.onnx", "--data", "data", "-o", "out/r.json")
    assert done.returncode == 0, done.stderr
    assert "Accuracy on 9 of 9 images of data (imagenet)" in done.stdout
    assert [line.split() for line in done.stdout.splitlines() if "c.onnx" in line] == [
        ["c.onnx", "100.00", "66.37", "..", "100.00", "100.00"]
    ]
    assert done.stderr.splitlines()[-1] == "result: out/r.json"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["r.json"]
    data = read(tmp_path / "out/r.json")
    assert (data["schema"], data["kind"], len(data["records"])) == (2, "evaluation", 9)
    (model,) = data["models"]
    manifest = read(manifest_path(classifier))
    assert model["identity"]["sha256"] == manifest["graph"]["sha256"]
    assert model["identity"]["device"] == "local"
    assert data["device"] == {"name": "local", "label": "local", "emulated": False, "facts": None}
    assert "ran on" not in done.stdout
    assert data["environment"]["machine"] and data["tool"]["numpy"] == np.__version__
    assert data["dataset"]["classes"] == ["0r", "1g", "2b"]


def test_segmentation_with_a_reference_and_json(run_eval: RunEval, tmp_path: Path) -> None:
    folder_of_colours(tmp_path / "data")
    for name, bias in (("new", (0.5, 0, 0)), ("old", (0, 0, 0))):
        save_graph(tmp_path / name / "s.onnx", task="segmentation", size=(32, 64), bias=bias)
    arguments = ["new/s.onnx", "--data", "data", "--against", "old/s.onnx", "-q", "-o", "r.json"]
    done = run_eval(*arguments, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    printed = json.loads(done.stdout)
    whole = read(tmp_path / "r.json")
    assert whole.pop("records")
    assert printed == whole
    assert [model["name"] for model in printed["models"]] == ["new/s.onnx", "old/s.onnx"]
    (comparison,) = printed["comparisons"]
    assert comparison["difference"] < 0 and 80 < comparison["agreement_percent"] < 100
    table = run_eval(*arguments).stdout
    assert "against old/s.onnx" in table and "IoU % of class" in table


def test_left_out_files_are_named_and_warned_of(
    run_eval: RunEval, classifier: Path, colours: Path, tmp_path: Path
) -> None:
    (colours / "1g/0.png").write_bytes(b"no image")
    (colours / "1g/notes.txt").write_text("")
    done = run_eval("c.onnx", "--data", "data", "-q", "-o", "r.json")
    assert done.returncode == 0
    assert done.stderr == "warning: 2 files were left out; the figures are of the rest. The result says why\n"
    assert "  1g/0.png: is no image of a known kind" in done.stdout
    assert "Left out: 2 files" in done.stdout
    assert len(read(tmp_path / "r.json")["dataset"]["problems"]) == 2


def test_limit_takes_a_seeded_sample(
    run_eval: RunEval, classifier: Path, colours: Path, tmp_path: Path
) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        run_eval("c.onnx", "--data", "data", "--limit", 4, "--seed", seed, "-o", f"{name}.json")
    taken = {n: [r["image"] for r in read(tmp_path / f"{n}.json")["records"]] for n in "abc"}
    assert taken["a"] == taken["b"] != taken["c"]
    assert len(taken["a"]) == 4


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """600 images of a colour each, some wrong, a few damaged: enough to be interrupted among them."""
    random = np.random.default_rng(0)
    for i in range(600):
        pixels = random.integers(0, 90, (24, 24, 3)) + coloured(np.full((24, 24), i % 3)) // 4
        path = save_image(tmp_path / f"data/{'rgb'[i % 3]}/{i:03}.png", pixels.astype(np.uint8))
        if i % 100 == 5:
            path.write_bytes(path.read_bytes()[:100])
    return tmp_path / "data"


def interrupted(folder: Path, number: int = signal.SIGINT) -> CompletedProcess[str]:
    """Run until some images are done, then send a signal."""
    command = [
        sys.executable,
        "-m",
        "evit_deploy.cli.eval",
        "c.onnx",
        "--data",
        "data",
        "--against",
        "d.onnx",
    ]
    command += ["-o", "r.json"]
    with subprocess.Popen(
        command,
        cwd=folder,
        env=offline_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert any("91 of 600" in line for line in process.stderr)
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=60)
    return CompletedProcess(command, process.returncode, stdout, stderr)


@pytest.fixture
def partial(many: Path, classifier: Path, tmp_path: Path) -> Path:
    save_graph(tmp_path / "d.onnx", bias=(0.01, 0, 0))
    done = interrupted(tmp_path)
    assert done.returncode == Exit.INTERRUPTED
    warning, error = [line for line in done.stderr.splitlines() if line][-2:]
    assert warning.endswith(f" of 600 images done; go on with 'evit-eval --resume {RECORDS}'")
    assert error == "error: interrupted"
    assert not (tmp_path / "r.json").exists()
    lines = (tmp_path / RECORDS).read_text().splitlines()
    assert 90 <= len(lines) - 1 < 600
    return tmp_path / RECORDS


@pytest.mark.parametrize("cut", [0, 30])
def test_resumed_is_equal_to_the_bit(run_eval: RunEval, partial: Path, tmp_path: Path, cut: int) -> None:
    """Also where the last line was cut off, as by a power failure."""
    partial.write_bytes(partial.read_bytes()[: -cut or None])
    done = run_eval("--resume", RECORDS)
    assert done.returncode == 0, done.stderr
    assert "1 of 600" not in done.stderr
    assert not partial.exists()
    assert run_eval("c.onnx", "--data", "data", "--against", "d.onnx", "-o", "whole.json").returncode == 0
    resumed, whole = read(tmp_path / "r.json"), read(tmp_path / "whole.json")
    assert 0 < whole["models"][0]["metrics"]["top1_percent"] < 100
    assert len(whole["dataset"]["problems"]) == 6
    for data in (resumed, whole):
        del data["created"], data["request"]["output"]
    assert resumed == whole


def test_killed_outright_and_resumed(run_eval: RunEval, many: Path, classifier: Path, tmp_path: Path) -> None:
    save_graph(tmp_path / "d.onnx")
    assert interrupted(tmp_path, signal.SIGKILL).returncode == -signal.SIGKILL
    assert run_eval("--resume", RECORDS).returncode == 0
    assert len(read(tmp_path / "r.json")["records"]) == 600


def test_resume_refuses_what_has_changed(
    run_eval: RunEval, partial: Path, many: Path, tmp_path: Path
) -> None:
    ending = "has changed since; the parts would not belong together. Evaluate anew, and remove that file"
    content = partial.read_bytes()
    image = many / "b/002.png"  # done, as it is among the first
    original = image.read_bytes()
    image.write_bytes(original[:-1] + b"\0")  # of the same size
    done = run_eval("--resume", RECORDS)
    assert (done.returncode, error_of(done)) == (
        Exit.USAGE,
        f"--resume {RECORDS}: 'b/002.png' or its mask {ending}",
    )
    image.write_bytes(original)
    save_image(many / "r/new.png", np.zeros((4, 4, 3), np.uint8))
    assert error_of(run_eval("--resume", RECORDS)) == f"--resume {RECORDS}: the dataset in 'data' {ending}"
    (many / "r/new.png").unlink()
    save_graph(tmp_path / "d.onnx", bias=(0.02, 0, 0))
    assert error_of(run_eval("--resume", RECORDS)) == f"--resume {RECORDS}: 'd.onnx' or what runs it {ending}"
    assert partial.read_bytes() == content


def test_a_partial_file_is_neither_overwritten_nor_mixed_with_options(
    run_eval: RunEval, partial: Path
) -> None:
    done = run_eval("c.onnx", "--data", "data", "-o", "r.json")
    assert done.returncode == Exit.OUTPUT
    assert error_of(done) == (
        f"'{RECORDS}' is left from an interrupted evaluation; go on with "
        f"'evit-eval --resume {RECORDS}', or remove it"
    )
    for given, named in (["c.onnx"], "ARTIFACT"), (["--limit", 3], "--limit"), (["-o", "x.json"], "--output"):
        done = run_eval("--resume", RECORDS, *given)
        assert done.returncode == Exit.USAGE
        assert error_of(done) == f"--resume: the file says what to evaluate, and how; leave out {named}"


def test_pictures_of_the_worst(run_eval: RunEval, tmp_path: Path) -> None:
    folder_of_colours(tmp_path / "data")
    save_graph(tmp_path / "s.onnx", task="segmentation", size=(32, 64), bias=(9, 0, 0))
    save_graph(tmp_path / "good.onnx", task="segmentation", size=(32, 64))
    arguments = ["s.onnx", "--data", "data", "--against", "good.onnx", "--pictures", "worst", "--worst", 2]
    done = run_eval(*arguments, "-o", "r.json")
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "pictures: 2 in worst"
    paths = sorted((tmp_path / "worst").iterdir())
    assert [path.name[:17] for path in paths] == [
        "s.onnx-worst-01-" + paths[0].name[16],
        "s.onnx-worst-02-" + paths[1].name[16],
    ]
    with Image.open(paths[0]) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    panels = [pixels[-32:, left : left + 64] for left in (0, 68, 136, 204)]
    seen, label, reference, answer = panels
    stem = paths[0].stem[-1]
    with Image.open(tmp_path / f"data/images/{stem}.png") as image:
        assert np.array_equal(seen, np.asarray(image))
    assert np.array_equal(label, reference)
    assert len(np.unique(answer.reshape(-1, 3), axis=0)) == 1  # all red to it


def test_pictures_of_wrong_classes(run_eval: RunEval, colours: Path, tmp_path: Path) -> None:
    save_graph(tmp_path / "c.onnx", bias=(9, 0, 0))
    done = run_eval("c.onnx", "--data", "data", "--pictures", "worst", "-o", "r.json")
    assert done.stderr.splitlines()[-1] == "pictures: 6 in worst"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["--data", "data"],
            Exit.USAGE,
            "nothing to evaluate: name an artifact, or a reference with --model",
        ),
        (["c.onnx"], Exit.USAGE, "--data FOLDER: the dataset is missing"),
        (["c.onnx", "--data", "x"], Exit.DATASET, "--data x: no such folder"),
        (
            ["c.onnx", "--data", "data", "-o", "r.txt"],
            Exit.USAGE,
            "--output r.txt: expected a name that ends in .json",
        ),
        (
            ["c.onnx", "--data", "data", "--worst", "3"],
            Exit.USAGE,
            "--worst says how many to draw: it needs --pictures FOLDER",
        ),
        (
            ["c.onnx", "--data", "data", "--weights", "x.pt"],
            Exit.USAGE,
            "--weights: are those of --model, which is not given; an artifact has its own",
        ),
        (
            ["c.onnx", "--data", "data", "--against", "d.onnx", "--against-weights", "x.pt"],
            Exit.USAGE,
            "--against-weights: are those of a model that --against names; an artifact has its own",
        ),
        (
            ["c.onnx", "--data", "data", "-r", "64"],
            Exit.USAGE,
            "--resolution: is for --model, or a model that --against names; an artifact has its own",
        ),
        (["c.onnx", "c.onnx", "--data", "data"], Exit.USAGE, "c.onnx: named twice; name it once"),
        (["d.onnx", "--data", "data"], Exit.ARTIFACT_MISSING, "d.onnx: no such file"),
        (
            ["b0", "--data", "data"],
            Exit.ARTIFACT_UNREADABLE,
            "b0: not an artifact (.onnx or .tflite); a reference model is named with --model",
        ),
        (
            ["--resume", "none.jsonl"],
            Exit.USAGE,
            "--resume none.jsonl: cannot be read (No such file or directory)",
        ),
        (
            ["c.onnx", "--data", "data", "-o", "c.onnx/r.json"],
            Exit.OUTPUT,
            "cannot write 'c.onnx/r.records.jsonl': File exists; choose another file with --output",
        ),
    ],
)
def test_refusals(
    run_eval: RunEval, classifier: Path, colours: Path, arguments: list[str], code: Exit, message: str
) -> None:
    done = run_eval(*arguments)
    assert (error_of(done), done.returncode, done.stdout) == (message, code, "")


def test_weights_that_cannot_be_had_name_the_option_that_helps(
    run_eval: RunEval, classifier: Path, colours: Path
) -> None:
    done = run_eval("c.onnx", "--data", "data", "--against", "b0", "-r", 64)
    assert done.returncode == Exit.WEIGHTS_UNAVAILABLE
    assert error_of(done).startswith("--against b0: ")
    assert error_of(done).endswith("pass --against-weights PATH or --against-weights random")


def test_a_damaged_header(run_eval: RunEval, tmp_path: Path) -> None:
    (tmp_path / RECORDS).write_text('{"kind": "evit-eval records", "schema": 1, "request": {}}\n')
    done = run_eval("--resume", RECORDS)
    assert (done.returncode, error_of(done)) == (
        Exit.USAGE,
        f"--resume {RECORDS}: its header is damaged ('resolution'); evaluate anew",
    )


def test_class_counts_that_differ(run_eval: RunEval, colours: Path, tmp_path: Path) -> None:
    save_graph(tmp_path / "c.onnx", num_classes=10)
    done = run_eval("c.onnx", "--data", "data")
    assert (done.returncode, error_of(done)) == (
        Exit.DATASET,
        "class counts differ: got 3 from 'data' (layout imagenet), c.onnx expects 10; list the model's "
        "classes in order with --classes FILE, or name a model that was trained on these 3",
    )
    (tmp_path / "names.txt").write_text("\n".join(["0r", "1g", "2b", *(f"unseen{i}" for i in range(7))]))
    done = run_eval("c.onnx", "--data", "data", "--classes", "names.txt", "-o", "r.json")
    assert done.returncode == 0, done.stderr
    assert read(tmp_path / "r.json")["models"][0]["metrics"]["top1_percent"] == 100


def test_a_task_that_differs(run_eval: RunEval, classifier: Path, tmp_path: Path) -> None:
    folder_of_colours(tmp_path / "maps")
    done = run_eval("c.onnx", "--data", "maps")
    assert (done.returncode, error_of(done)) == (
        Exit.DATASET,
        "c.onnx is for classification (a class per image), 'maps' (layout folder) has labels for "
        "segmentation (a class per pixel); name another model, or a dataset with such labels",
    )


def test_empty_and_useless_datasets_leave_nothing_behind(
    run_eval: RunEval, classifier: Path, colours: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    done = run_eval("c.onnx", "--data", "empty")
    assert (done.returncode, error_of(done).startswith("--data empty: no known layout; expected")) == (
        40,
        True,
    )
    for path in colours.rglob("*.png"):
        path.write_bytes(b"")
    done = run_eval("c.onnx", "--data", "data", "-o", "out/r.json")
    assert (done.returncode, error_of(done)) == (
        Exit.DATASET,
        "'data': none of 9 images is usable, the first: 0r/0.png: is empty; mend the dataset",
    )
    assert list((tmp_path / "out").iterdir()) == []


def test_without_pillow(run_eval: RunEval, classifier: Path, colours: Path) -> None:
    done = run_eval("c.onnx", "--data", "data", prelude="import sys; sys.modules['PIL'] = None")
    assert (done.returncode, error_of(done)) == (
        Exit.MISSING_EXTRA,
        "reading images needs Pillow: install it with \"pip install 'evit-deploy[eval]'\"",
    )


NO_TORCH = (
    "import sys; sys.modules['torch'] = None; sys.modules['matplotlib'] = None; sys.modules['scipy'] = None"
)


TORCH_IS_NOT_INSTALLED = """
import importlib.util as util
find = util.find_spec
util.find_spec = lambda name, *rest: None if name == "torch" else find(name, *rest)
"""


def test_torch_is_needed_for_references_only(run_eval: RunEval, tmp_path: Path) -> None:
    folder_of_colours(tmp_path / "data")
    save_graph(tmp_path / "s.onnx", task="segmentation", size=(32, 64))
    arguments = ["s.onnx", "--data", "data", "--pictures", "worst", "-o", "r.json"]
    done = run_eval(*arguments, prelude=NO_TORCH)
    assert done.returncode == 0, done.stderr
    done = run_eval("--model", "b0", "--data", "data", prelude=TORCH_IS_NOT_INSTALLED)
    assert (done.returncode, error_of(done)) == (
        Exit.MISSING_EXTRA,
        "the reference 'b0' needs torch: install it with \"pip install 'evit-deploy[export]'\"",
    )


def test_help_has_the_layouts(run_eval: RunEval) -> None:
    done = run_eval("--help")
    assert done.returncode == 0
    for layout in ("imagenet", "cityscapes", "ade20k", "folder"):
        assert f"  {layout} " in done.stdout
