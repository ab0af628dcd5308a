"""The agent that can also run a graph in pieces: several files, one after the other, in one launch.

pieces: {"pieces": [{"graph", "inputs", "options"}, ...], "threads", "interpreter", "image", "output",
         "images": N, "file"}:
    FILE, an .npz of arrays "0" to "N - 1" -> {"outputs": [N packed arrays]}

Pieces hand tensors to each other by name: `image` is what the images are called, `output` what is wanted.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evit_deploy.benchmarks import agent

MODULES = ("float16.__init__", "float16.agent")  # below `benchmarks`; the agent's file has to have them


def pieces_pass(job: Mapping[str, Any]) -> dict[str, Any]:
    """Run all pieces on all images.

    Raises:
        UserError, SetupError: as `open_runner`; or the inputs are not the graph's.
    """
    import numpy as np

    from evit_deploy.benchmarks.answers import packed
    from evit_deploy.runtimes import RuntimeOptions, open_runner

    with np.load(job["file"], allow_pickle=False) as arrays:
        known = [{job["image"]: arrays[str(number)]} for number in range(job["images"])]
    for piece in job["pieces"]:
        options = RuntimeOptions(**piece["options"])
        with open_runner(
            Path(piece["graph"]), interpreter=job["interpreter"], threads=job["threads"], options=options
        ) as runner:
            for tensors in known:
                tensors.update(runner.run({name: tensors[name] for name in piece["inputs"]}))
    return {"outputs": [packed(tensors[job["output"]]) for tensors in known]}


def main(arguments: list[str]) -> int:
    """Do the job and leave the answer; the value is the process's exit code."""
    return agent.main(arguments, {**agent.MODES, "pieces": pieces_pass})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
