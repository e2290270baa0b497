"""Putative matches: nearest neighbours between two sets of descriptors."""

from dataclasses import dataclass

import numpy as np

# Squared distances held at a time: 2 MiB of float32, which stay in the cache.
_BLOCK_ELEMENTS = 1 << 19


@dataclass(frozen=True, eq=False)
class Matches:
    """Putative matches between photographs a and b, closest first.

    Attributes:
        indices: int32 `[M, 2]`. Rows of the features of a and of b.
        distances: float32 `[M]`. Euclidean distances of the descriptors.
    """

    indices: np.ndarray
    distances: np.ndarray

    def __len__(self):
        return len(self.distances)


def match(
    features_a, features_b, *, mutual=True, max_distance=None, max_ratio=None
):
    """Matches the local features of two photographs by their descriptors.

    Args:
        features_a: `LocalFeatures` of photograph a.
        features_b: `LocalFeatures` of photograph b, from the same descriptor
            space.
        mutual: bool. Keeps a pair only if each is the other's nearest.
        max_distance: float. Largest Euclidean distance of a match; `None` for
            any.
        max_ratio: float in (0, 1]. Lowe's ratio test: a match must be closer
            than this share of the distance to the second nearest in b; `None`
            for no test.

    Returns:
        `Matches`, with at most one match for each feature of a.

    Raises:
        ValueError: If both fingerprints are known and differ, and as
            `match_descriptors` does.
    """
    fingerprints = features_a.fingerprint, features_b.fingerprint
    if all(fingerprints) and fingerprints[0] != fingerprints[1]:
        raise ValueError(
            "Features can only be matched within one descriptor space. "
            f"Received: fingerprints {fingerprints[0]!r} and "
            f"{fingerprints[1]!r}"
        )
    return match_descriptors(
        features_a.descriptors,
        features_b.descriptors,
        mutual=mutual,
        max_distance=max_distance,
        max_ratio=max_ratio,
    )


def match_descriptors(descriptors_a, descriptors_b, **options):
    """Matches each descriptor of a to its nearest neighbour in b.

    Args:
        descriptors_a: float `[N, D]`.
        descriptors_b: float `[K, D]`.
        **options: Keyword arguments of `DescriptorMatcher.match`.

    Returns:
        `Matches`, none if a or b is empty.

    Raises:
        ValueError: If the dimensions differ, or a descriptor is not finite.
    """
    return DescriptorMatcher(descriptors_a).match(descriptors_b, **options)


class DescriptorMatcher:
    """Matches the descriptors of one photograph to those of many others.

    Neighbours whose squared distances differ by less than the rounding of
    float32 at the squared length of a descriptor count as equally near.

    Args:
        descriptors_a: float `[N, D]`.

    Raises:
        ValueError: If a descriptor is not finite.
    """

    def __init__(self, descriptors_a):
        self._a = a = _float32("descriptors_a", descriptors_a)
        norms = _finite_squared_norms("descriptors_a", a)
        # The norms ride along in the product, so that one multiplication
        # gives the squared distances |a|^2 - 2ab + |b|^2.
        self._left = np.hstack([-2 * a, norms, np.ones((len(a), 1), "f4")])

    def match(
        self,
        descriptors_b,
        *,
        mutual=True,
        max_distance=None,
        max_ratio=None,
    ):
        """Matches each descriptor of a to its nearest neighbour in b.

        Args:
            descriptors_b: float `[K, D]`.
            mutual: See `match`.
            max_distance: See `match`.
            max_ratio: See `match`. If b has a single descriptor, it passes.

        Returns:
            `Matches`, none if a or b is empty.

        Raises:
            ValueError: If the dimensions differ, or a descriptor is not
                finite.
        """
        a, b = self._a, _float32("descriptors_b", descriptors_b)
        norms = _finite_squared_norms("descriptors_b", b)
        if max_ratio is not None and not 0 < max_ratio <= 1:
            raise ValueError(
                f"max_ratio must be in (0, 1]. Received: max_ratio={max_ratio}"
            )
        if len(a) == 0 or len(b) == 0:
            return Matches(np.zeros((0, 2), np.int32), np.zeros(0, np.float32))
        if a.shape[1] != b.shape[1]:
            raise ValueError(
                "Descriptors must have the same dimension. Received: "
                f"descriptors_a.shape={a.shape}, descriptors_b.shape={b.shape}"
            )
        right = np.hstack([b, np.ones((len(b), 1), "f4"), norms]).T
        nearest, second, least, least_of_b = _neighbors(
            self._left, right, max_ratio is not None
        )
        rows = np.arange(len(a))
        if mutual:
            rows = _first_mutual(nearest, least, least_of_b)
        distances = _distances(a[rows], b[nearest[rows]])
        keep = np.ones(len(rows), bool)
        if max_distance is not None:
            keep &= distances <= max_distance
        if max_ratio is not None and len(b) > 1:
            keep &= distances < max_ratio * _distances(a[rows], b[second[rows]])
        rows, distances = rows[keep], distances[keep]
        order = np.argsort(distances, kind="stable")
        rows = rows[order]
        return Matches(
            np.stack([rows, nearest[rows]], axis=1).astype(np.int32),
            distances[order],
        )


def _float32(name, descriptors):
    descriptors = np.asarray(descriptors, np.float32)
    if descriptors.ndim != 2:
        raise ValueError(
            f"{name} must have shape [N, D]. "
            f"Received: {name}.shape={descriptors.shape}"
        )
    return descriptors


def _finite_squared_norms(name, descriptors):
    norms = _squared_norms(descriptors)
    # Squares of what is not finite are not either: they are fewer to look at.
    if not np.isfinite(norms).all():
        rows = np.flatnonzero(~np.isfinite(descriptors).all(axis=1))
        if len(rows):
            raise ValueError(
                f"{name} must be finite. Received: NaN or infinity in "
                f"{len(rows)} rows, first in row {rows[0]}"
            )
    return norms


def _neighbors(left, right, with_second):
    """Finds the least of each row and column of a product.

    Args:
        left: float32 `[N, D + 2]`.
        right: float32 `[D + 2, K]`.
        with_second: bool. Whether to find the second least of each row.

    Returns:
        A tuple: int `[N]`, where in its row the least element is; int `[N]`,
        where the second least is; float32 `[N]`, the least element of each
        row; float32 `[K]`, the same of each column.
    """
    count, columns = len(left), right.shape[1]
    nearest = np.empty(count, np.intp)
    second = np.empty(count, np.intp)
    least = np.empty(count, np.float32)
    least_of_b = np.full(columns, np.inf, np.float32)
    step = max(1, _BLOCK_ELEMENTS // columns)
    memory = np.empty((min(step, count), columns), np.float32)
    for start in range(0, count, step):
        rows = slice(start, start + step)
        block = memory[: len(left[rows])]
        np.matmul(left[rows], right, out=block)
        np.minimum(least_of_b, block.min(axis=0), out=least_of_b)
        each = np.arange(len(block))
        nearest[rows] = block.argmin(axis=1)
        least[rows] = block[each, nearest[rows]]
        if with_second:
            block[each, nearest[rows]] = np.inf
            second[rows] = block.argmin(axis=1)
    return nearest, second, least, least_of_b


def _first_mutual(nearest, least, least_of_b):
    """Returns the rows of a that are nearest to what is nearest to them."""
    candidates = np.flatnonzero(least == least_of_b[nearest])
    # Of equal descriptors in a, the first is the match of b: it is assigned
    # last, and stays.
    backwards = candidates[::-1]
    match_of_b = np.empty(len(least_of_b), np.intp)
    match_of_b[nearest[backwards]] = backwards
    return candidates[match_of_b[nearest[candidates]] == candidates]


def _squared_norms(descriptors):
    return np.einsum("nd,nd->n", descriptors, descriptors)[:, None]


def _distances(a, b):
    # From differences, exact for close pairs, where the product is not.
    return np.sqrt(_squared_norms(a - b))[:, 0]
