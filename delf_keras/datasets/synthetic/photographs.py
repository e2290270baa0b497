"""A folder of photographs that nobody had to take."""

import itertools
from pathlib import Path

import cv2

from delf_keras.atomic import atomic_path
from delf_keras.datasets.synthetic.checks import checked_count, checked_size
from delf_keras.datasets.synthetic.distractors import render_distractor
from delf_keras.datasets.synthetic.views import render_view

JPEG_QUALITY = 92

# Landmarks and distractors of one set have seeds in a row from here on.
SEEDS_PER_SET = 1 << 20


def encode_jpeg(image):
    """Encodes a photograph.

    Args:
        image: uint8 [height, width, 3], RGB.

    Returns:
        bytes of a JPEG file.
    """
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    _, data = cv2.imencode(".jpg", image[..., ::-1], quality)
    return data.tobytes()


def write_photographs(
    folder,
    *,
    num_landmarks=6,
    views_per_landmark=5,
    num_distractors=6,
    size=(480, 640),
    seed=0,
):
    """Writes photographs of landmarks, and of other things, as JPEG files.

    `landmark_03_view_1.jpg` is the second view of the fourth landmark,
    `distractor_02.jpg` shows none. Existing files of these names are replaced.

    Args:
        folder: str or `Path`. It is made if need be.
        num_landmarks: int, at least 0.
        views_per_landmark: int, at least 0.
        num_distractors: int, at least 0.
        size: (height, width), pixels, each at least 96.
        seed: int, at least 0. The same arguments write the same bytes; another
            seed has other landmarks.

    Returns:
        list of `Path`, the files, landmarks first.

    Raises:
        ValueError: if a number is negative or the size too small.
    """
    folder, size = Path(folder), checked_size(size)
    landmarks = range(checked_count("num_landmarks", num_landmarks))
    views = range(checked_count("views_per_landmark", views_per_landmark))
    distractors = range(checked_count("num_distractors", num_distractors))
    first = checked_count("seed", seed) * SEEDS_PER_SET
    paths = []
    for landmark, view in itertools.product(landmarks, views):
        image = render_view(first + landmark, view, size).image
        name = f"landmark_{landmark:02d}_view_{view}.jpg"
        paths.append(_write_jpeg(folder / name, image))
    for distractor in distractors:
        image = render_distractor(first + distractor, size)
        name = f"distractor_{distractor:02d}.jpg"
        paths.append(_write_jpeg(folder / name, image))
    return paths


def _write_jpeg(path, image):
    with atomic_path(path) as temporary:
        temporary.write_bytes(encode_jpeg(image))
    return path
