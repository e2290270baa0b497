"""Keys hold images and keypoints; neighbours of parts are merged."""

import numpy as np

from delf_keras.retrieval.neighbors import (
    Neighbors,
    keys_of_images,
    nearest_of_parts,
    pack_keys,
)


def test_keys_are_unpacked():
    images = np.array([[0, 7, 2**40]])
    keypoints = np.array([[0, 1, 2**20 - 1]])
    found = Neighbors.from_keys(np.zeros((1, 3)), pack_keys(images, keypoints))

    np.testing.assert_array_equal(found.images, images)
    np.testing.assert_array_equal(found.keypoints, keypoints)


def test_no_neighbor_has_no_image():
    found = Neighbors.from_keys(np.zeros((1, 1)), np.array([[-1]]))
    assert found.images.tolist() == [[-1]]


def test_keys_of_images():
    keys = keys_of_images(np.array([3, 5, 9]), np.array([0, 2, 2, 5]))
    found = Neighbors.from_keys(np.zeros(5), keys)

    assert found.images.tolist() == [3, 3, 9, 9, 9]
    assert found.keypoints.tolist() == [0, 1, 0, 1, 2]


def test_nearest_of_parts():
    parts = [
        Neighbors.from_keys(np.array([[0.1, 0.4]]), pack_keys([[1, 2]], 0)),
        Neighbors.from_keys(np.array([[0.2, 9.0]]), pack_keys([[7, -1]], 1)),
    ]
    merged = nearest_of_parts(parts, 3)

    assert merged.distances.tolist() == [[0.1, 0.2, 0.4]]
    assert merged.images.tolist() == [[1, 7, 2]]
    assert merged.keypoints.tolist() == [[0, 1, 0]]
    assert nearest_of_parts(parts[:1], 3) is parts[0]
