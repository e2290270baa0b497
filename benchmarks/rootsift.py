"""RootSIFT with exhaustive affine verification, the peer in benchmarks."""

import cv2
import numpy as np
from tqdm import tqdm

from delf_keras.features.decoding import read_image
from delf_keras.matching import estimate_transform, match_descriptors


def rank(database, queries, max_image_size, max_features=1000):
    """Ranks a database by the inliers of an affine transform to each query.

    Args:
        database: list of paths.
        queries: list of uint8 arrays `[height, width, 3]`.
        max_image_size: int. Pixels to which a longer side is shrunk.
        max_features: int. Features of a photograph.

    Returns:
        int `[database size, queries]`, ranked images in each column.
    """
    described = [
        describe(read_image(path), max_image_size, max_features)
        for path in tqdm(database, "RootSIFT", disable=None)
    ]
    columns = []
    for query in tqdm(queries, "verify", disable=None):
        one = describe(query, max_image_size, max_features)
        inliers = [count_inliers(one, other) for other in described]
        columns.append(np.argsort(-np.array(inliers), kind="stable"))
    return np.stack(columns, axis=1)


def describe(image, max_image_size, max_features):
    """Returns locations (y, x) in pixels of the image, and RootSIFT.

    And how many of these pixels are one of what was described.
    """
    scale = min(1.0, max_image_size / max(image.shape[:2]))
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    points, sift = cv2.SIFT_create(max_features).detectAndCompute(grey, None)
    if not points:
        nothing = (np.zeros((0, length), np.float32) for length in (2, 128))
        return *nothing, 1 / scale
    root = np.sqrt(sift / np.maximum(sift.sum(axis=1, keepdims=True), 1e-12))
    locations = cv2.KeyPoint_convert(points)[:, ::-1]
    # Resizing keeps the edges of an image where they are.
    return (locations + 0.5) / scale - 0.5, root, 1 / scale


def count_inliers(one, other):
    """Returns the inliers of an affine transform between two photographs."""
    matches = match_descriptors(one[1], other[1], max_ratio=0.9)
    rows, other_rows = matches.indices.T
    return estimate_transform(
        one[0][rows], other[0][other_rows], scales=other[2]
    ).num_inliers
