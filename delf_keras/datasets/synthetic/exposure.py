"""What light, lens and sensor make of what is seen."""

import cv2
import numpy as np


def coordinates(size):
    """x and y of an image of a size, -1 to 1, float32, to be broadcast."""
    height, width = size
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    return np.linspace(-1, 1, width, dtype=np.float32)[None], y


def exposed(image, rng):
    """An image (uint8 [H, W, 3], RGB) as a camera records it."""
    size = image.shape[:2]
    sigma = rng.uniform(0.2, 0.7) if rng.random() < 0.8 else 1.2
    image = cv2.GaussianBlur(image, (0, 0), sigma * min(size) / 480)
    gain = rng.uniform(0.85, 1.18) * rng.uniform(0.95, 1.05, 3)
    levels = np.linspace(0, 1, 256)[:, None] ** rng.uniform(0.8, 1.15)
    curves = np.float32(255 * gain * levels)
    # A gradient across the view, and darker corners.
    x, y = coordinates(size)
    angle, corners = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.12)
    across = np.float32(0.1 * np.cos(angle)) * x
    across = across + np.float32(0.1 * np.sin(angle)) * y
    light = 1 + across - np.float32(corners) * (x**2 + y**2)
    result = cv2.LUT(image, curves[None]) * light[..., None]
    grain = rng.standard_normal(size, np.float32)[..., None]
    result += np.float32(rng.uniform(1, 5)) * grain
    return np.uint8(np.clip(result + 0.5, 0, 255))
