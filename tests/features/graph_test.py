"""The extraction graph against the same steps written one by one."""

import numpy as np
import pytest
import tensorflow as tf

from delf_keras.features import graph
from delf_keras.features.extraction_options import ExtractionOptions
from delf_keras.features.graph import extraction_graph
from delf_keras.features.pca import Pca
from delf_keras.features.receptive_field import ReceptiveField
from delf_keras.models.residual import LAYOUTS

SCALES = (0.5, 2**-0.5, 1.0, 2**0.5)
EVERY = {"max_features": 100_000, "scales": SCALES, "min_image_size": 0}


@pytest.fixture(scope="module")
def pca():
    """A PCA of 128-d features, with random orthonormal components."""
    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.normal(0, 1, (128, 128)))[0]
    return Pca(
        mean=rng.normal(0, 0.03, 128).astype(np.float32),
        components=rotation[:16].astype(np.float32),
        variances=np.linspace(2, 0.1, 16, dtype=np.float32),
        whiten=True,
    )


@pytest.fixture(scope="module")
def photograph(make_photograph):
    return make_photograph(150, 201)


@pytest.fixture(scope="module")
def features(tiny_model, pca, photograph):
    """All features of the photograph, with no limit."""
    extract = extraction_graph(tiny_model, pca, ExtractionOptions(**EVERY))
    return first_of(extract(photograph[None]))


def first_of(outputs):
    """The valid features of the first photograph of a batch, as arrays."""
    count = outputs.pop("num_features")[0]
    return {name: rows[0, :count].numpy() for name, rows in outputs.items()}


def resize(image, size):
    """Resizes unless the image has the size."""
    size = [int(side) for side in size]
    return tf.image.resize(image, size, antialias=True).numpy()


def normalise(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def step_by_step(model, pca, image, limit=1024):
    """What the graph shall compute, a level at a time, batch norms unfolded."""
    size = np.array(image.shape[:2])
    fit = min(1, limit / size.max())
    fitted = resize(image.astype(np.float32), np.rint(size * fit))
    rows = []
    for scale in SCALES:
        level = resize(fitted, np.rint(np.array(fitted.shape[:2]) * scale))
        ratio = size / level.shape[:2]
        outputs = model(level[None])
        scores = outputs["attention_scores"].numpy()[0]
        index = np.stack(np.indices(scores.shape), -1).reshape(-1, 2)
        rows.append(
            {
                "locations": (index * 16 + 0.5) * ratio - 0.5,
                "descriptors": outputs["features"].numpy()[0].reshape(-1, 128),
                "scores": scores.ravel(),
                "scales": np.full(scores.size, 1 / scale / fit),
            }
        )
    joined = {
        name: np.concatenate([row[name] for row in rows]) for name in rows[0]
    }
    projected = normalise(joined["descriptors"]) - pca.mean
    projected = projected @ pca.components.T / np.sqrt(pca.variances)
    return joined | {"descriptors": normalise(projected)}


def by_cell(features):
    """Sorts features by scale and place."""
    keys = np.round([*features["locations"].T, features["scales"]], 1)
    order = np.lexsort(keys)
    return {name: rows[order] for name, rows in features.items()}


def assert_same_features(received, expected):
    received, expected = by_cell(received), by_cell(expected)
    np.testing.assert_allclose(
        received["locations"], expected["locations"], atol=1e-3
    )
    np.testing.assert_allclose(
        received["scales"], expected["scales"], rtol=1e-6
    )
    np.testing.assert_allclose(
        received["scores"], expected["scores"], rtol=1e-4
    )
    np.testing.assert_allclose(
        received["descriptors"], expected["descriptors"], atol=1e-4
    )


def test_equals_the_steps_one_by_one(tiny_model, pca, photograph, features):
    assert features["descriptors"].shape[1] == 16
    assert {rows.dtype for rows in features.values()} == {np.dtype("float32")}
    assert_same_features(features, step_by_step(tiny_model, pca, photograph))


def test_large_photographs_are_shrunk_first(tiny_model, pca, photograph):
    options = ExtractionOptions(**EVERY, max_image_size=120)
    received = first_of(
        extraction_graph(tiny_model, pca, options)(photograph[None])
    )
    expected = step_by_step(tiny_model, pca, photograph, 120)

    assert_same_features(received, expected)
    # Locations are pixels of the photograph nevertheless.
    assert received["locations"][:, 1].max() > 150


def test_scales_of_features(features):
    np.testing.assert_allclose(
        np.unique(features["scales"]), 1 / np.array(SCALES[::-1]), rtol=1e-6
    )


def ramp(height, width):
    """An image whose values are the places of its pixels, y and x."""
    rows, columns = np.indices((height, width))
    return np.stack([rows, columns, rows], -1).astype(np.uint8)


def seeing_network(resampling, stride=8):
    """A network whose cells say what they see at their center."""

    def run(level):
        cells = level[:, ::stride, ::stride]
        return {"features": cells, "attention_scores": cells[..., 0]}

    return graph.DenseNetwork(run, ReceptiveField(1, stride, 0), resampling)


@pytest.mark.parametrize("limits", [(0, 0), (80, 0), (300, 300)])
@pytest.mark.parametrize(
    ("resampling", "size", "scales"),
    [
        ("antialias", (200, 120), SCALES),
        ("antialias", (161, 203), SCALES),
        ("tf2", (200, 120), SCALES),
        ("tf2", (99, 250), SCALES),
        # "tf1" divides by the scale, whatever whole size it gives a level.
        ("tf1", (200, 120), (0.5, 1.0, 1.5)),
    ],
)
def test_locations_are_what_cells_see(resampling, size, scales, limits):
    options = ExtractionOptions(
        scales=scales, max_image_size=limits[0], min_image_size=limits[1]
    )
    cells = graph.dense_features(
        seeing_network(resampling), ramp(*size)[None], options
    )
    seen, locations = cells["features"][0, :, :2].numpy(), cells["locations"]
    # Beyond the first and the last center, a resized image stays as it is.
    margin = 2 * cells["scales"][:, None]
    last = np.array(size) - 1
    inside = np.all((seen > margin) & (seen < last - margin), axis=1)

    assert np.count_nonzero(inside) > 50
    np.testing.assert_allclose(
        locations[inside], seen[inside], rtol=0, atol=0.2
    )


def test_locations_of_tf1_are_multiples_of_the_stride():
    """To the last bit, as those of Google's graph."""
    network = seeing_network("tf1")
    cells = graph.level_cells(network, ramp(161, 203)[None], 2**-0.5)
    index = np.stack(np.indices((15, 18)), -1).reshape(-1, 2)
    expected = np.float32(index * 8) / np.float32(2**-0.5)

    np.testing.assert_array_equal(cells["locations"], expected)
    np.testing.assert_array_equal(cells["boxes"], np.tile(expected, 2))


def test_strongest_features_come_first(tiny_model, pca, photograph, features):
    threshold = np.median(features["scores"])
    assert (np.diff(features["scores"]) <= 0).all()
    for options in ({"max_features": 50}, {"score_threshold": threshold}):
        extract = extraction_graph(
            tiny_model, pca, ExtractionOptions(**EVERY | options)
        )
        received = first_of(extract(photograph[None]))
        count = len(received["scores"])

        assert count == 50 or 100 < count < len(features["scores"])
        assert received["scores"][-1] >= threshold
        for name, rows in received.items():
            np.testing.assert_allclose(rows, features[name][:count], atol=1e-5)


def receptive_boxes(features, rows):
    """Boxes of 67 pixels a side at scale 1, from the features alone."""
    reach = 33 * features["scales"][rows, None]
    centres = features["locations"][rows]
    return np.concatenate([centres - reach, centres + reach], axis=1)


def overlaps(a, b):
    """Intersection over union of every box of `a` with every box of `b`."""
    a, b = a[:, None], b[None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(
        a[..., :2], b[..., :2]
    )
    intersection = np.prod(np.maximum(sides, 0), axis=-1)
    areas = [np.prod(box[..., 2:] - box[..., :2], axis=-1) for box in (a, b)]
    return intersection / (sum(areas) - intersection)


def test_overlapping_receptive_fields(tiny_model, photograph, features, pca):
    """Those kept do not overlap; those dropped overlap a better one."""
    options = ExtractionOptions(**EVERY, iou_threshold=0.4)
    kept = first_of(
        extraction_graph(tiny_model, pca, options)(photograph[None])
    )
    cells = [
        np.flatnonzero(
            (features["locations"] == location).all(1)
            & (features["scales"] == scale)
        ).item()
        for location, scale in zip(
            kept["locations"], kept["scales"], strict=True
        )
    ]
    boxes = receptive_boxes(features, slice(None))
    among_kept = overlaps(boxes[cells], boxes[cells]) - np.eye(len(cells))
    better = features["scores"][:, None] <= features["scores"][cells]
    dropped = np.setdiff1d(np.arange(len(boxes)), cells)

    assert 10 < len(cells) < len(boxes) / 2
    assert among_kept.max() <= 0.4 + 1e-6
    covered = (overlaps(boxes, boxes[cells]) > 0.4 - 1e-6) & better
    assert covered[dropped].any(axis=1).all()


def test_batch_equals_one_by_one(tiny_model, pca, make_photograph):
    batch = np.stack([make_photograph(90, 120, seed) for seed in range(3)])
    options = ExtractionOptions(
        max_features=40, score_threshold=0.01, min_image_size=0
    )
    extract = extraction_graph(tiny_model, pca, options)
    together = {name: rows.numpy() for name, rows in extract(batch).items()}

    for row, image in enumerate(batch):
        alone = extract(image[None])
        for name, rows in alone.items():
            np.testing.assert_allclose(
                together[name][row],
                rows[0],
                rtol=1e-6,
                atol=1e-5,
                err_msg=name,
            )


def test_no_size_traces_again(monkeypatch, tiny_model, make_photograph):
    traces = []
    dense_features = graph.dense_features

    def counted(*args):
        traces.append(args)
        return dense_features(*args)

    monkeypatch.setattr(graph, "dense_features", counted)
    extract = extraction_graph(
        tiny_model, None, ExtractionOptions(min_image_size=0)
    )
    for count, size in ((1, (60, 80)), (2, (81, 60)), (1, (33, 47))):
        images = np.stack([make_photograph(*size)] * count)
        assert extract(images)["locations"].shape[0] == count
    assert len(traces) == 1


def test_cells_of_a_photograph(make_model, make_photograph):
    """As many as Google's DELF has: 24,463 over seven scales, in order."""
    model = make_model(width=1)
    cells = graph.dense_features(
        graph.DenseNetwork.of(model, model),
        make_photograph(768, 1024)[None],
        ExtractionOptions(max_image_size=0),
    )
    assert {name: tuple(rows.shape) for name, rows in cells.items()} == {
        "features": (1, 24463, 16),
        "scores": (1, 24463),
        "locations": (24463, 2),
        "scales": (24463,),
        "boxes": (24463, 4),
    }
    np.testing.assert_allclose(
        (cells["boxes"][:, :2] + cells["boxes"][:, 2:]) / 2,
        cells["locations"],
        atol=1e-3,
    )


@pytest.mark.parametrize("stride_placement", LAYOUTS)
def test_small_photographs(make_model, stride_placement):
    """What has no cell on a level has none in all, and does no harm."""
    model = make_model(
        width=1,
        attention="conv",
        autoencoder=4,
        resnet={"stride_placement": stride_placement},
    )
    scales = (0.25, 1.0)
    options = ExtractionOptions(
        scales=scales, global_power=3.0, min_image_size=0
    )
    extract = extraction_graph(model, None, options)
    for height in range(1, 41):
        for width in (height, 41 - height, 100):
            outputs = extract(np.zeros((1, height, width, 3), np.uint8))
            levels = [
                (round(height * scale) or 1, round(width * scale) or 1)
                for scale in scales
            ]
            shapes = [
                model.backbone.compute_output_shape((1, *level, 3))
                for level in levels
            ]
            count = sum(rows * columns for _, rows, columns, _ in shapes)

            assert outputs["num_features"] == [count]
            assert outputs["descriptors"].shape == (1, count, 4)
            for values in outputs.values():
                assert np.isfinite(values).all()


def test_bfloat16(tiny_model, photograph):
    exact, rounded = (
        by_cell(
            first_of(
                extraction_graph(
                    tiny_model,
                    None,
                    ExtractionOptions(**EVERY, precision=precision),
                )(photograph[None])
            )
        )
        for precision in ("float32", "bfloat16")
    )
    similarity = np.sum(exact["descriptors"] * rounded["descriptors"], axis=1)

    np.testing.assert_array_equal(exact["locations"], rounded["locations"])
    assert rounded["descriptors"].dtype == np.float32
    assert np.median(similarity) > 0.98
    difference = exact["descriptors"] - rounded["descriptors"]
    assert np.abs(difference).max() > 1e-3
