"""Street scenes, drawn: what a camera behind a windscreen sees, and the class of every pixel.

One vanishing point; everything stands on the ground and is drawn from far to near, so that what is near hides
what is far. Colours overlap between classes on purpose (grey vehicles on a grey road, houses as pale as the
sky), and light, shadows, blur and noise differ from scene to scene: what is left to tell the classes apart
is shape and place, as in photographs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

HEIGHT, WIDTH = 256, 512
CLASSES = ("sky", "road", "pavement", "building", "vegetation", "vehicle", "person", "sign")
SKY, ROAD, PAVEMENT, BUILDING, VEGETATION, VEHICLE, PERSON, SIGN = range(len(CLASSES))

Point = tuple[float, float]
Colour = tuple[int, int, int]
# How rough each class looks: the amplitude of its texture.
_ROUGHNESS = np.array([5, 11, 13, 10, 26, 7, 12, 6], np.float32)


@dataclass(frozen=True, slots=True)
class Scene:
    """RGB pixels, (H, W, 3) uint8, and the class of each, (H, W) uint8."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.uint8]


def draw_scene(seed: int) -> Scene:
    """The scene of that number, always the same one; (256, 512) in size."""
    random = np.random.default_rng([20260, seed])
    canvas = _Canvas()
    view = _View(random)
    _draw_sky(canvas, view, random)
    _draw_ground(canvas, view, random)
    for depth in sorted(random.uniform(1.15, 14, random.integers(16, 34)), reverse=True):
        draw = _STANDING[random.choice(len(_STANDING), p=_SHARES)]
        draw(canvas, view, float(depth), random)
    labels = np.asarray(canvas.labels, np.uint8)
    return Scene(_photographed(np.asarray(canvas.pixels, np.float32), labels, random), labels)


class _Canvas:
    """Pixels and labels, drawn on together."""

    def __init__(self) -> None:
        self.pixels = Image.new("RGB", (WIDTH, HEIGHT))
        self.labels = Image.new("L", (WIDTH, HEIGHT), SKY)
        self._paint, self._mark = ImageDraw.Draw(self.pixels), ImageDraw.Draw(self.labels)

    def polygon(self, points: list[Point], colour: Colour, label: int) -> None:
        self._paint.polygon(points, fill=colour)
        self._mark.polygon(points, fill=label)

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour, label: int) -> None:
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], colour, label)

    def ellipse(
        self, left: float, top: float, right: float, bottom: float, colour: Colour, label: int
    ) -> None:
        self._paint.ellipse((left, top, right, bottom), fill=colour)
        self._mark.ellipse((left, top, right, bottom), fill=label)


class _View:
    """The camera: where the horizon and the vanishing point lie, how wide the road is.

    A depth of 1 is the lower edge of the picture; `scale` is pixels per metre.
    """

    def __init__(self, random: np.random.Generator) -> None:
        self.horizon = HEIGHT * float(random.uniform(0.32, 0.5))
        self.vanishing = WIDTH * float(random.uniform(0.3, 0.7))
        self.road = float(random.uniform(3.0, 5.5))  # half its width
        self.shift = float(random.uniform(-2.0, 2.0))

    def ground(self, depth: float) -> float:
        """The row on which things of that depth stand."""
        return self.horizon + (HEIGHT - self.horizon) / depth

    def scale(self, depth: float) -> float:
        """Pixels per metre at that depth."""
        return 62.0 / depth

    def column(self, across: float, depth: float) -> float:
        """Where a point so many metres right of the road's middle lies."""
        return self.vanishing + (across + self.shift) * self.scale(depth)

    def roadside(self, random: np.random.Generator, nearest: float, farthest: float) -> float:
        """A place beside the road, in metres from its middle."""
        side = 1.0 if random.random() < 0.5 else -1.0
        return side * (self.road + float(random.uniform(nearest, farthest)))


def _grey(random: np.random.Generator, low: int, high: int, tint: int = 10) -> Colour:
    base = int(random.integers(low, high))
    red, green, blue = (int(np.clip(base + random.integers(-tint, tint + 1), 0, 255)) for _ in range(3))
    return red, green, blue


def _any_colour(random: np.random.Generator) -> Colour:
    red, green, blue = (int(value) for value in random.integers(20, 236, 3))
    return red, green, blue


def _shaded(colour: Colour, factor: float) -> Colour:
    red, green, blue = (int(min(255.0, value * factor)) for value in colour)
    return red, green, blue


def _draw_sky(canvas: _Canvas, view: _View, random: np.random.Generator) -> None:
    high, low = _grey(random, 90, 220, 35), _grey(random, 150, 250, 15)
    for row in range(HEIGHT):
        share = min(1.0, row / view.horizon)
        red, green, blue = (round(a + (b - a) * share) for a, b in zip(high, low, strict=True))
        canvas.box(0, row, WIDTH, row + 1, (red, green, blue), SKY)
    for _ in range(int(random.integers(0, 7))):  # clouds
        x, y = float(random.uniform(0, WIDTH)), float(random.uniform(0, view.horizon))
        wide, tall = float(random.uniform(30, 120)), float(random.uniform(6, 26))
        canvas.ellipse(x - wide, y - tall, x + wide, y + tall, _grey(random, 170, 250), SKY)


def _draw_ground(canvas: _Canvas, view: _View, random: np.random.Generator) -> None:
    far = 40.0
    pavement, road = _grey(random, 85, 185, 14), _grey(random, 55, 140, 8)
    canvas.box(0, view.horizon, WIDTH, HEIGHT, pavement, PAVEMENT)
    edges = [(-view.road, far), (view.road, far), (view.road, 0.9), (-view.road, 0.9)]
    canvas.polygon([(view.column(a, d), view.ground(d)) for a, d in edges], road, ROAD)
    if random.random() < 0.7:  # the dashes in its middle
        paint = _grey(random, 170, 245)
        for start in np.arange(1.0, 9.0, 0.9):
            corners = [(-0.12, start), (0.12, start), (0.12, start + 0.4), (-0.12, start + 0.4)]
            dash = [(view.column(a, float(d)), view.ground(float(d))) for a, d in corners]
            canvas.polygon(dash, paint, ROAD)


def _draw_building(canvas: _Canvas, view: _View, depth: float, random: np.random.Generator) -> None:
    depth = max(depth, 2.0)
    scale, foot = view.scale(depth), view.ground(depth)
    across = view.roadside(random, 3.0, 14.0)
    wide, tall = float(random.uniform(5, 14)) * scale, float(random.uniform(4, 16)) * scale
    middle = view.column(across, depth) + (wide / 2 if across > 0 else -wide / 2)
    wall = _grey(random, 70, 235, 28)
    left, right, top = middle - wide / 2, middle + wide / 2, foot - tall
    canvas.box(left, top, right, foot, wall, BUILDING)
    if random.random() < 0.45:  # a gable
        roof = _shaded(wall, float(random.uniform(0.4, 0.9)))
        canvas.polygon([(left, top), (middle, top - 0.35 * wide), (right, top)], roof, BUILDING)
    glass, step = _grey(random, 30, 200, 25), max(6.0, 2.6 * scale)
    for x in np.arange(left + 0.3 * step, right - 0.6 * step, step):
        for y in np.arange(top + 0.3 * step, foot - 0.8 * step, step):
            canvas.box(float(x), float(y), float(x + 0.5 * step), float(y + 0.6 * step), glass, BUILDING)


def _draw_tree(canvas: _Canvas, view: _View, depth: float, random: np.random.Generator) -> None:
    scale, foot = view.scale(depth), view.ground(depth)
    x = view.column(view.roadside(random, 0.6, 9.0), depth)
    tall = float(random.uniform(0.8, 7.0)) * scale
    red, green, blue = random.integers(25, 110), random.integers(55, 160), random.integers(15, 90)
    leaves = (int(red), int(green), int(blue))
    trunk = 0.05 * tall
    canvas.box(x - trunk, foot - 0.5 * tall, x + trunk, foot, (70, 55, 45), VEGETATION)
    for _ in range(9):
        across, up = float(random.normal(0, 0.2 * tall)), float(random.uniform(0.35, 1.0)) * tall
        size = float(random.uniform(0.12, 0.3)) * tall
        shade = _shaded(leaves, float(random.uniform(0.6, 1.3)))
        y = foot - up
        canvas.ellipse(x + across - size, y - size, x + across + size, y + size, shade, VEGETATION)


def _draw_vehicle(canvas: _Canvas, view: _View, depth: float, random: np.random.Generator) -> None:
    scale, foot = view.scale(depth), view.ground(depth)
    across = float(random.uniform(-view.road, view.road)) * (1.0 if depth > 2 else 1.3)
    x = view.column(across, depth)
    lorry = random.random() < 0.25
    wide = float(random.uniform(2.2, 2.8) if lorry else random.uniform(1.6, 2.1)) * scale
    tall = float(random.uniform(2.4, 3.8) if lorry else random.uniform(1.3, 1.7)) * scale
    body = _any_colour(random) if random.random() < 0.6 else _grey(random, 30, 230)
    left, right, top = x - wide / 2, x + wide / 2, foot - tall
    canvas.ellipse(left, foot - 0.08 * tall, right, foot + 0.08 * tall, (25, 25, 28), ROAD)  # its shadow
    wheel = 0.2 * wide
    for edge in (left + 0.02 * wide, right - wheel - 0.02 * wide):
        canvas.box(edge, foot - wheel, edge + wheel, foot, (22, 22, 24), VEHICLE)
    if lorry:
        canvas.box(left, top, right, foot - 0.12 * tall, body, VEHICLE)
        canvas.box(left + 0.1 * wide, top + 0.1 * tall, right - 0.1 * wide, top + 0.4 * tall,
                   _shaded(body, 0.6), VEHICLE)  # fmt: skip
    else:
        shoulder = top + 0.42 * tall
        cabin = [(left + 0.2 * wide, top), (right - 0.2 * wide, top), (right - 0.05 * wide, shoulder),
                 (left + 0.05 * wide, shoulder)]  # fmt: skip
        canvas.polygon(cabin, _shaded(body, 0.9), VEHICLE)
        pane = [(left + 0.25 * wide, top + 0.08 * tall), (right - 0.25 * wide, top + 0.08 * tall),
                (right - 0.13 * wide, shoulder), (left + 0.13 * wide, shoulder)]  # fmt: skip
        canvas.polygon(pane, _grey(random, 30, 150, 20), VEHICLE)
        canvas.box(left, shoulder, right, foot - 0.14 * tall, body, VEHICLE)
    lamp = (200, 40, 40) if across > 0 else (250, 240, 200)
    for edge in (left + 0.04 * wide, right - 0.19 * wide):
        canvas.box(edge, foot - 0.45 * tall, edge + 0.15 * wide, foot - 0.36 * tall, lamp, VEHICLE)


def _draw_person(canvas: _Canvas, view: _View, depth: float, random: np.random.Generator) -> None:
    scale, foot = view.scale(depth), view.ground(depth)
    on_road = random.random() < 0.3
    across = float(random.uniform(-view.road, view.road)) if on_road else view.roadside(random, 0.3, 5.0)
    x, tall = view.column(across, depth), float(random.uniform(1.2, 1.95)) * scale
    coat, legs = _any_colour(random), _grey(random, 20, 150, 25)
    skin = _shaded((224, 180, 150), float(random.uniform(0.35, 1.1)))
    stride = float(random.uniform(0.02, 0.12)) * tall
    for side in (-1, 1):
        hip = x + side * 0.05 * tall
        canvas.polygon([(hip - 0.05 * tall, foot - 0.5 * tall), (hip + 0.05 * tall, foot - 0.5 * tall),
                        (hip + side * stride + 0.04 * tall, foot), (hip + side * stride - 0.04 * tall, foot)],
                       legs, PERSON)  # fmt: skip
    canvas.ellipse(x - 0.14 * tall, foot - 0.86 * tall, x + 0.14 * tall, foot - 0.4 * tall, coat, PERSON)
    canvas.ellipse(x - 0.07 * tall, foot - tall, x + 0.07 * tall, foot - 0.83 * tall, skin, PERSON)


def _draw_sign(canvas: _Canvas, view: _View, depth: float, random: np.random.Generator) -> None:
    scale, foot = view.scale(depth), view.ground(depth)
    x, tall = view.column(view.roadside(random, 0.2, 2.0), depth), float(random.uniform(2.2, 3.6)) * scale
    size, pole = float(random.uniform(0.3, 0.55)) * scale, max(0.8, 0.05 * scale)
    canvas.box(x - pole, foot - tall, x + pole, foot, _grey(random, 70, 180), SIGN)
    y, shape = foot - tall, int(random.integers(3))
    rim, plate = ((190, 35, 40), _grey(random, 200, 250)) if shape < 2 else ((40, 70, 170), (60, 90, 190))
    for part, colour in ((1.0, rim), (0.68, plate)):
        r = part * size
        if shape == 0:
            canvas.ellipse(x - r, y - r, x + r, y + r, colour, SIGN)
        elif shape == 1:
            canvas.polygon([(x, y - r), (x + r, y + 0.8 * r), (x - r, y + 0.8 * r)], colour, SIGN)
        else:
            canvas.box(x - r, y - r, x + r, y + r, colour, SIGN)


_STANDING = (_draw_building, _draw_tree, _draw_vehicle, _draw_person, _draw_sign)
_SHARES = (0.2, 0.22, 0.2, 0.23, 0.15)


def _photographed(
    pixels: NDArray[np.float32], labels: NDArray[np.uint8], random: np.random.Generator
) -> NDArray[np.uint8]:
    """Texture, shadows, light, blur and noise, as a camera would bring them; (H, W, 3) uint8."""
    coarse, fine = _noise(random, 16), _noise(random, 3)
    textured = pixels + (_ROUGHNESS[labels] * (0.7 * coarse + fine))[..., None]
    shaded = (_noise(random, 64) > 0.6) & (labels != SKY)
    shadow = 1 - float(random.uniform(0, 0.55)) * shaded
    gain, cast = float(random.uniform(0.6, 1.25)), random.uniform(0.88, 1.12, 3).astype(np.float32)
    lit = textured * shadow.astype(np.float32)[..., None] * gain * cast
    blurred = Image.fromarray(np.clip(lit, 0, 255).astype(np.uint8)).filter(
        ImageFilter.GaussianBlur(float(random.uniform(0.3, 1.4)))
    )
    grain = random.normal(0, float(random.uniform(3, 16)), (HEIGHT, WIDTH, 3))
    return np.clip(np.asarray(blurred, np.float32) + grain, 0, 255).astype(np.uint8)


def _noise(random: np.random.Generator, cell: int) -> NDArray[np.float32]:
    """Smooth noise of variance near one, (H, W); its features are `cell` pixels wide."""
    grid = random.standard_normal((HEIGHT // cell + 2, WIDTH // cell + 2)).astype(np.float32)
    smooth = Image.fromarray(grid).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    return np.asarray(smooth, np.float32)
