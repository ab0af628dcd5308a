"""A matplotlib figure that needs no display, and its PNG."""

from __future__ import annotations

import io
from typing import Any

from evit_deploy.errors import Exit, SetupError


def new_figure(**settings: Any) -> Any:
    """A `Figure` of these settings.

    Raises:
        SetupError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise SetupError(
            "drawing needs matplotlib: install it with \"pip install 'evit-deploy[report]'\"",
            Exit.MISSING_EXTRA,
        ) from error
    figure = Figure(**settings)
    FigureCanvasAgg(figure)
    return figure


def png_of(figure: Any, **settings: Any) -> bytes:
    """The figure, drawn."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130, **settings)
    return buffer.getvalue()
