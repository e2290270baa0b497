"""Drawing in relief: colour and height first, light afterwards.

A facade is drawn as reflectance and height, so that the sun which is chosen
later gives each cornice its shadow and each column its round.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np


@dataclass(frozen=True)
class Surface:
    """A material as large as the canvas it is cut from.

    `albedo` is float32 [H, W, 3], linear; `relief` is float32 [H, W], pixels.
    """

    albedo: np.ndarray
    relief: np.ndarray


@dataclass(frozen=True)
class Canvas:
    """Arrays that are drawn on, and the level at which it is done.

    Attributes:
        albedo: float32 [H, W, 3], linear reflectance.
        height: float32 [H, W], pixels towards the viewer.
        cover: float32 [H, W], 1 where something was drawn.
        unit: float, the length in pixels of what is drawn one unit long.
        level: float, units; the height on which `fill` builds.
    """

    albedo: np.ndarray
    height: np.ndarray
    cover: np.ndarray
    unit: float
    level: float = 0.0

    def raised(self, rise):
        """The same canvas, drawn on `rise` units nearer to the viewer."""
        return replace(self, level=self.level + rise)


@dataclass(frozen=True)
class Light:
    """A sun and the sky around it.

    `towards` points at the sun in (x, y, z), y downwards and z to the viewer.
    """

    towards: tuple[float, float, float]
    sun: tuple[float, float, float]
    sky: tuple[float, float, float]


LIGHTS = (
    Light((-0.55, -0.62, 0.62), (1.10, 1.02, 0.88), (0.36, 0.40, 0.47)),
    Light((0.62, -0.48, 0.66), (1.12, 0.98, 0.80), (0.34, 0.38, 0.46)),
    Light((-0.10, -0.75, 0.65), (0.42, 0.42, 0.42), (0.70, 0.72, 0.76)),
)


def blank_canvas(size):
    """An empty canvas of `size` (height, width), its short side 768 units."""
    zeros = np.zeros(size, np.float32)
    return Canvas(
        albedo=np.zeros((*size, 3), np.float32),
        height=zeros,
        cover=zeros.copy(),
        unit=min(size) / 768,
    )


def _window(canvas, points):
    """The slices around points (x, y), and their left and top corner."""
    height, width = canvas.height.shape
    left, top = np.maximum(np.floor(points.min(0)).astype(int) - 1, 0)
    right, bottom = np.maximum(np.ceil(points.max(0)).astype(int) + 2, 0)
    window = np.s_[top : min(bottom, height), left : min(right, width)]
    return window, (left, top)


def _rasterise(canvas, outlines, clip):
    """Coverage (uint8) of the outlines, and the slices where it belongs."""
    window, origin = _window(canvas, np.concatenate(outlines))
    mask = np.zeros(canvas.height[window].shape, np.uint8)
    if mask.size == 0:
        return mask, window
    _polygons(mask, outlines, origin)
    if clip is not None:
        inside = np.zeros_like(mask)
        _polygons(inside, [clip], origin)
        np.minimum(mask, inside, out=mask)
    return mask, window


def _polygons(mask, outlines, origin):
    # Sixteenths of a pixel, the fixed point of OpenCV's anti-aliasing.
    fixed = [
        np.round((outline - origin) * 16).astype(np.int32)
        for outline in outlines
    ]
    cv2.fillPoly(mask, fixed, 255, cv2.LINE_AA, shift=4)


def _stamp(canvas, mask, window, paint, relief):
    """Puts paint and height (pixels, above the level) where the mask is."""
    weight = mask.astype(np.float32) / 255
    relief = relief + canvas.unit * canvas.level
    if isinstance(paint, Surface):
        relief = relief + paint.relief[window]
        paint = paint.albedo[window]
    albedo, height = canvas.albedo[window], canvas.height[window]
    albedo += weight[..., None] * (paint - albedo)
    height += weight * (relief - height)
    cover = canvas.cover[window]
    np.maximum(cover, weight, out=cover)


def fill(canvas, outlines, paint, rise=0.0, roundness=0.0, clip=None):
    """Builds a shape of a material.

    Args:
        canvas: the `Canvas` to draw on.
        outlines: float array [N, 2], or a list of them: a point is inside
            when it is inside an odd number of them.
        paint: a `Surface`, or a linear colour [3].
        rise: units above the level of the canvas.
        roundness: units over which the edge curves back; 0 for a sharp edge.
        clip: an outline outside which nothing is drawn, or None.
    """
    outlines = outlines if isinstance(outlines, list) else [outlines]
    mask, window = _rasterise(canvas, outlines, clip)
    if mask.size == 0:
        return
    relief = canvas.unit * rise
    if roundness:
        radius = roundness * canvas.unit
        depth = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
        relief = relief - radius * (1 - _quarter_circle(depth / radius))
    _stamp(canvas, mask, window, paint, relief)


def turn(canvas, outline, paint, rise=0.0, depth=0.5):
    """Builds a body of revolution: a column, a dome, a round tower.

    Args:
        canvas: the `Canvas` to draw on.
        outline: float array [N, 2]; each of its rows is one piece.
        paint: a `Surface`, or a linear colour [3].
        rise: units above the level of the canvas, at the edges.
        depth: how far it stands out in the middle, in half-widths.
    """
    mask, window = _rasterise(canvas, [outline], None)
    if mask.size == 0:
        return
    count = (mask > 127).sum(1, keepdims=True)
    first = (mask > 127).argmax(1)[:, None]
    reach = np.arange(mask.shape[1]) - first + 0.5
    half = np.maximum(count, 1) / 2
    inside = np.clip(np.minimum(reach, 2 * half - reach) / half, 0, 1)
    relief = canvas.unit * rise + depth * half * _quarter_circle(inside)
    _stamp(canvas, mask, window, paint, np.float32(relief))


def _quarter_circle(distance):
    """The height of a unit circle, `distance` in from where it starts."""
    distance = np.minimum(distance, 1)
    return np.sqrt(distance * (2 - distance))


def tint(canvas, outlines, gain, clip=None):
    """Multiplies the colour inside a shape; see `fill`."""
    outlines = outlines if isinstance(outlines, list) else [outlines]
    mask, window = _rasterise(canvas, outlines, clip)
    if mask.size:
        weight = mask[..., None].astype(np.float32) / 255
        canvas.albedo[window] *= 1 + weight * (np.float32(gain) - 1)


def write(canvas, box, text, paint, rise=2.0):
    """Builds a line of raised letters that fills a `Box`."""
    font, scale = cv2.FONT_HERSHEY_DUPLEX, box.height / 22
    weight = max(round(1.3 * scale), 1)
    (width, height), below = cv2.getTextSize(text, font, scale, weight)
    page = np.zeros((2 * height + below, width + 2 * weight), np.uint8)
    start = (weight, height + height // 2)
    cv2.putText(page, text, start, font, scale, 255, weight, cv2.LINE_AA)
    # Versions of OpenCV differ in the room they leave around letters.
    x, y, width, height = cv2.boundingRect(page)
    page = page[y : y + height, x : x + width]
    corners = np.array([(box.left, box.top), (box.right, box.bottom)])
    window, (left, top) = _window(canvas, corners)
    rows, columns = canvas.height[window].shape
    if rows == 0 or columns == 0:
        return
    move = [
        [box.width / width, 0, box.left - left],
        [0, box.height / height, box.top - top],
    ]
    mask = cv2.warpAffine(page, np.float64(move), (columns, rows))
    _stamp(canvas, mask, window, paint, canvas.unit * rise)


def _sunlit(height, towards):
    """How much of the sun each point sees, 0 to 1."""
    x, y, z = towards
    reach = np.hypot(x, y)
    horizon = height
    # Each round doubles the distance that is searched for what stands in the
    # way of the sun; 32 pixels is more than any cornice throws.
    for distance in (1, 2, 4, 8, 16):
        move = np.float32(
            [[1, 0, -distance * x / reach], [0, 1, -distance * y / reach]]
        )
        moved = cv2.warpAffine(
            horizon, move, height.shape[::-1], borderMode=cv2.BORDER_REPLICATE
        )
        horizon = np.maximum(horizon, moved - distance * z / reach)
    return 1 - np.clip((horizon - height) / 1.5, 0, 1)


def shade(canvas, light):
    """The canvas as a photograph would show it.

    Args:
        canvas: a `Canvas`.
        light: a `Light`.

    Returns:
        uint8 [H, W, 3], RGB.
    """
    smooth = cv2.GaussianBlur(canvas.height, (0, 0), 0.7)
    slope_x = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=1 / 8)
    slope_y = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=1 / 8)
    length = np.sqrt(1 + slope_x**2 + slope_y**2)
    x, y, z = light.towards
    facing = np.maximum((z - x * slope_x - y * slope_y) / length, 0)
    direct = facing * _sunlit(smooth, light.towards)
    around = cv2.GaussianBlur(canvas.height, (0, 0), 7 * canvas.unit)
    openness = np.clip(1 - 0.05 * (around - canvas.height), 0.35, 1.15)
    # What faces upwards sees more of the sky.
    ambient = openness * (0.8 + 0.35 * slope_y / length)
    radiance = direct[..., None] * np.float32(light.sun)
    radiance += ambient[..., None] * np.float32(light.sky)
    radiance *= canvas.albedo
    return np.uint8(255 * np.sqrt(np.clip(radiance, 0, 1)) + 0.5)
