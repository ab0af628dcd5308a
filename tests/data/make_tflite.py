"""Makes the .tflite files in this folder, which are kept so that no test of the runtimes needs a converter.

python tests/data/make_tflite.py
"""

from pathlib import Path

import litert_torch
import torch
from torch import nn

FOLDER = Path(__file__).parent


class Split(nn.Module):
    """Two convolutions with an operator between them that XNNPACK does not take: two partitions."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 1)
        self.second = nn.Conv2d(4, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(torch.cumsum(self.first(x), dim=1))


def main() -> None:
    torch.manual_seed(0)
    tiny = nn.Sequential(
        *(nn.Conv2d(3, 8, 3, 2, 1), nn.Hardswish(), nn.Conv2d(8, 8, 3, 1, 1, groups=8), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10)),
    )
    litert_torch.convert(tiny.eval(), (torch.zeros(1, 3, 16, 16),)).export(str(FOLDER / "tiny.tflite"))
    litert_torch.convert(Split().eval(), (torch.zeros(1, 3, 4, 4),)).export(str(FOLDER / "split.tflite"))


if __name__ == "__main__":
    main()
