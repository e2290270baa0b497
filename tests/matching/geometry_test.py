from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from skimage.measure import ransac
from skimage.transform import AffineTransform, ProjectiveTransform

from delf_keras.datasets.synthetic import render_view
from delf_keras.features.extractor import Extractor
from delf_keras.features.local_features import LocalFeatures
from delf_keras.matching import (
    Matches,
    estimate_transform,
    estimate_upright,
    match,
    match_descriptors,
    verify,
)

AFFINE = np.array([[1.1, 0.2, 30.0], [-0.15, 0.9, 50.0], [0.0, 0.0, 1.0]])
HOMOGRAPHY = np.array(
    [[1.05, 0.1, 20.0], [-0.08, 0.95, 30.0], [1e-4, -5e-5, 1]]
)
MODELS = {
    "affine": (AFFINE, AffineTransform, 3),
    "homography": (HOMOGRAPHY, ProjectiveTransform, 4),
}
CORNERS = np.array([[0, 0], [0, 1000], [1000, 0], [1000, 1000]])


def transformed(transform, points):
    return cv2.perspectiveTransform(points[None].astype(float), transform)[0]


def correspondences(transform, total, true, *, noise=1.0, seed=0):
    """Points on 1000x1000 pixels, and which of them obey the transform."""
    rng = np.random.default_rng(seed)
    a = rng.uniform(0, 1000, (total, 2))
    b = transformed(transform, a) + rng.normal(0, noise, a.shape)
    is_true = rng.permutation(total) < true
    b[~is_true] = rng.uniform(0, 1000, (total - true, 2))
    return a, b, is_true


def corner_error(transform, expected):
    """Root mean square, in pixels."""
    difference = transformed(transform, CORNERS) - transformed(
        expected, CORNERS
    )
    return np.sqrt((difference**2).sum(axis=1).mean())


@pytest.mark.parametrize("model", MODELS)
def test_recovers_an_exact_transform(model):
    expected, _, _ = MODELS[model]
    a, b, _ = correspondences(expected, 50, 50, noise=0)

    verification = estimate_transform(a, b, model=model)

    assert verification.num_inliers == 50
    assert verification.transform.dtype == np.float64
    # OpenCV keeps points in float32: 6e-5 pixels at 1000.
    assert corner_error(verification.transform, expected) < 1e-2


@pytest.mark.parametrize("outlier_share", [0.1, 0.4, 0.6, 0.8])
@pytest.mark.parametrize("model", MODELS)
def test_finds_no_fewer_true_inliers_than_skimage(model, outlier_share):
    expected, skimage_model, min_samples = MODELS[model]
    a, b, is_true = correspondences(
        expected, 250, round(250 * (1 - outlier_share))
    )

    verification = estimate_transform(a, b, model=model)

    _, skimage_inliers = ransac(
        (a, b),
        skimage_model,
        min_samples=min_samples,
        residual_threshold=20,
        max_trials=3000,
        stop_probability=0.9999,
        rng=0,
    )
    assert verification.inliers[is_true].all()
    assert (
        np.count_nonzero(verification.inliers & is_true)
        >= np.count_nonzero(skimage_inliers & is_true)
        > 0
    )
    assert corner_error(verification.transform, expected) < 3


@pytest.mark.parametrize("seed", range(5))
def test_finds_one_true_match_in_ten(seed):
    a, b, is_true = correspondences(AFFINE, 1000, 100, seed=seed)

    verification = estimate_transform(a, b, seed=seed)

    assert verification.inliers[is_true].mean() > 0.95
    assert corner_error(verification.transform, AFFINE) < 3


def test_noisy_matches_are_not_lost_to_a_loose_transform():
    found, expected = 0, 0
    for seed in range(10):
        a, b, _ = correspondences(AFFINE, 150, 100, noise=10, seed=seed)
        found += estimate_transform(a, b).num_inliers
        residuals = AffineTransform(AFFINE).residuals(a, b)
        expected += np.count_nonzero(residuals <= 20)

    # The true transform is not the one of most inliers.
    assert found >= expected


@pytest.mark.parametrize("model", MODELS)
def test_inliers_are_what_the_transform_says(model):
    expected, skimage_model, _ = MODELS[model]
    a, b, _ = correspondences(expected, 300, 100, noise=8)

    verification = estimate_transform(a, b, model=model, threshold=12)

    residuals = skimage_model(verification.transform).residuals(a, b)
    assert 0 < verification.num_inliers < 300
    np.testing.assert_array_equal(verification.inliers, residuals <= 12)


def test_translation_downwards_is_a_shift_of_y():
    a = np.array([[0, 0], [0, 90], [90, 0], [80, 70], [40, 30]])

    verification = estimate_transform(a, a + [25, 0])

    np.testing.assert_allclose(
        verification.transform, [[1, 0, 25], [0, 1, 0], [0, 0, 1]], atol=1e-4
    )


def test_points_may_be_slices_of_any_type():
    rows = np.random.default_rng(0).integers(0, 900, (60, 4))

    verification = estimate_transform(
        rows[:, 2:], rows[:, ::-1][:, :2][:, ::-1]
    )

    assert verification.num_inliers == 60


def test_arguments_are_left_as_they_were():
    a, b, _ = correspondences(AFFINE, 100, 30)
    a, b = a.astype(np.float32), b.astype(np.float32)
    before = a.copy(), b.copy()

    estimate_transform(a, b)

    np.testing.assert_array_equal((a, b), before)


@pytest.mark.parametrize("model", MODELS)
def test_same_seed_gives_the_same_result_whatever_else_happens(model):
    a, b, _ = correspondences(AFFINE, 200, 0)
    expected = estimate_transform(a, b, model=model, seed=7).transform

    def repeat(seed):
        # The global generators of OpenCV and numpy, and another search.
        cv2.setRNGSeed(seed)
        np.random.seed(seed)
        estimate_transform(b, a, model=model, seed=seed)
        return estimate_transform(a, b, model=model, seed=7).transform

    with ThreadPoolExecutor(4) as threads:
        for transform in threads.map(repeat, range(8)):
            np.testing.assert_array_equal(transform, expected)


@pytest.mark.parametrize("model", MODELS)
def test_seed_changes_the_samples(model):
    a, b, _ = correspondences(AFFINE, 200, 0)

    seeds = [0, 1, 2, -1, 2**40 + 5]
    transforms = [
        estimate_transform(a, b, model=model, seed=seed).transform
        for seed in seeds
    ]

    assert len({transform.tobytes() for transform in transforms}) == len(seeds)


@pytest.mark.parametrize(
    ("model", "count"), [("affine", 0), ("affine", 2), ("homography", 3)]
)
def test_too_few_matches_have_no_transform(model, count):
    points = np.array([[0, 0], [0, 9], [9, 0]])[:count].reshape(count, 2)

    verification = estimate_transform(points, points, model=model)

    assert verification.transform is None
    assert verification.num_inliers == 0
    assert verification.inliers.shape == (count,)


def on_a_plane(count=40):
    return np.random.default_rng(0).uniform(0, 500, (count, 2))


def on_a_line(count=40):
    along = np.random.default_rng(1).uniform(0, 500, (count, 1))
    return along * [1, 0.37] + [3, 5]


def on_a_point(count=40):
    return np.full((count, 2), 7.0)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("points_a", "points_b"),
    [
        (on_a_line, on_a_line),
        (on_a_line, on_a_plane),
        (on_a_plane, on_a_line),
        (on_a_point, on_a_point),
        (on_a_point, on_a_plane),
        (on_a_plane, on_a_point),
    ],
)
def test_degenerate_points_have_no_transform(model, points_a, points_b):
    verification = estimate_transform(points_a(), points_b(), model=model)

    assert verification.transform is None
    assert not verification.inliers.any()


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["points_a", "points_b"])
def test_points_that_are_not_finite_are_refused(name, value):
    points = {"points_a": on_a_plane(), "points_b": on_a_plane()}
    points[name][4, 1] = value

    with pytest.raises(ValueError, match=f"{name} must be finite.*row 4"):
        estimate_transform(**points)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"points_b": np.zeros((39, 2))}, r"pair up.*\(39, 2\)"),
        ({"points_b": np.zeros((40, 3))}, r"\(y, x\) pairs.*\(40, 3\)"),
        ({"model": "similarity"}, "model='similarity'"),
        ({"threshold": 0}, "threshold=0"),
        ({"max_iterations": 0}, "max_iterations=0"),
        ({"confidence": 1}, "confidence=1"),
    ],
)
def test_wrong_arguments_are_refused(options, message):
    arguments = {"points_a": on_a_plane(), "points_b": on_a_plane()} | options

    with pytest.raises(ValueError, match=message):
        estimate_transform(**arguments)


def features(locations, scales=1.0):
    count = len(locations)
    return LocalFeatures(
        locations=locations,
        descriptors=np.zeros((count, 2)),
        scores=np.ones(count),
        scales=np.full(count, scales),
    )


def test_verify_compares_the_locations_of_the_matches():
    a, b, is_true = correspondences(AFFINE, 60, 30)
    order = np.random.default_rng(5).permutation(60)
    indices = np.stack([np.arange(60), np.argsort(order)], axis=1)
    matches = Matches(indices.astype(np.int32), np.zeros(60, np.float32))

    verification = verify(
        features(a), features(b[order]), matches, threshold=10, seed=3
    )

    assert verification.inliers[is_true].all()
    assert corner_error(verification.transform, AFFINE) < 3


def test_coarse_features_may_be_further_off():
    a = np.random.default_rng(0).uniform(0, 1000, (90, 2))
    scales = np.tile([1.0, 2.0, 4.0], 30)
    b = a.copy()
    b[60:, 0] += np.tile(np.repeat([30, -30], 3), 5)

    fine = estimate_transform(a, b, threshold=12.0)
    by_scale = estimate_transform(a, b, scales=scales, threshold=12.0)

    assert not fine.inliers[60:].any()
    assert by_scale.inliers[:60].all()
    # Of those that are 30 pixels off, the ones of scale 4.
    np.testing.assert_array_equal(by_scale.inliers[60:], scales[60:] == 4)


@pytest.mark.parametrize("size", [0.25, 4, 64])
def test_verify_counts_pixels_of_what_was_extracted(size):
    """Photographs of any size, whose features scale with them."""
    a, b, _ = correspondences(AFFINE, 60, 30, noise=8)
    rows = np.arange(60, dtype=np.int32)
    matches = Matches(np.stack([rows, rows], 1), np.zeros(60, np.float32))
    expected = verify(features(a), features(b), matches)

    received = verify(features(a), features(size * b, size), matches)

    assert 20 < expected.num_inliers < 60
    np.testing.assert_array_equal(received.inliers, expected.inliers)


@pytest.fixture(scope="module")
def pairs():
    """The features of two views of a building, at 256, 512, 1024 pixels."""
    extractor = Extractor.from_preset("delf_tiny", max_image_size=256)
    views = [render_view(0, seed, (768, 1024)).image for seed in (0, 1)]
    return [
        extractor.extract(
            [cv2.resize(v, size, interpolation=cv2.INTER_AREA) for v in views]
        )
        for size in ((256, 192), (512, 384), (1024, 768))
    ]


@pytest.mark.parametrize("model", ["affine", "homography", "upright"])
def test_photographs_of_three_sizes_verify_alike(pairs, model):
    counts = []
    for a, b in pairs:
        matches = match(a, b)
        if model == "upright":
            rows_a, rows_b = matches.indices.T
            verification = estimate_upright(
                a.locations[rows_a],
                b.locations[rows_b],
                a.scales[rows_a],
                b.scales[rows_b],
                np.ones(len(matches)),
            )
        else:
            verification = verify(a, b, matches, model=model)
        counts.append(verification.num_inliers)

    assert min(counts) > 150
    assert np.ptp(counts) <= 15


def test_verify_without_matches():
    none = Matches(np.zeros((0, 2), np.int32), np.zeros(0, np.float32))

    verification = verify(features(on_a_plane()), features(on_a_plane()), none)

    assert verification.num_inliers == 0


def sift(path):
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    keypoints, descriptors = cv2.SIFT_create(1000).detectAndCompute(image, None)
    return np.array([k.pt[::-1] for k in keypoints]), descriptors


def test_real_photographs_of_one_landmark(test_data):
    names = "fountain_p11__0049", "fountain_p11__0050", "cyprus_dim__0138"
    folder = test_data / "landmarks" / "jpg"
    (a, of_a), (b, of_b), (c, of_c) = (
        sift(folder / f"{name}.jpg") for name in names
    )
    right = match_descriptors(of_a, of_b, max_ratio=0.8).indices.T
    wrong = match_descriptors(of_a, of_c, max_ratio=0.8).indices.T

    found = estimate_transform(a[right[0]], b[right[1]])
    by_chance = estimate_transform(a[wrong[0]], c[wrong[1]])

    _, skimage_inliers = ransac(
        (a[right[0]], b[right[1]]),
        AffineTransform,
        min_samples=3,
        residual_threshold=20,
        max_trials=1000,
        rng=0,
    )
    assert found.num_inliers >= np.count_nonzero(skimage_inliers)
    assert found.num_inliers > 2 * by_chance.num_inliers
