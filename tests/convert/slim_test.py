"""Networks of TensorFlow 1 and what they are turned into, side by side."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from delf_keras.convert.importing import import_weights
from delf_keras.features.decoding import read_image
from delf_keras.features.extraction_options import ExtractionOptions
from delf_keras.features.extractor import Extractor
from delf_keras.features.files import load_features
from delf_keras.features.graph import extraction_graph
from delf_keras.features.receptive_field import receptive_field
from delf_keras.models.delf import Delf
from delf_keras.models.resnet import ResNet
from delf_keras.serving.admission import Limits
from delf_keras.serving.signatures import make_signatures
from tests.convert.conftest import (
    SCALES,
    SCOPE,
    network,
    quiet,
    random_values,
)

v1 = tf.compat.v1
# Of Google's configuration, rounded as there.
GOOGLE_SCALES = (0.25, 0.3536, 0.5, 0.7071, 1.0, 1.4142, 2.0)


def extraction(model):
    """A function like `Google.extract`, of a `Delf`."""
    options = ExtractionOptions(max_image_size=0)
    signatures = make_signatures(Extractor(model, options=options), Limits())

    def extract(image, count=1000, threshold=0.0, scales=SCALES):
        outputs = signatures["delf_compat"](
            input_image=tf.constant(image),
            input_scales=tf.constant(scales),
            input_max_feature_num=tf.constant(count),
            input_abs_thres=tf.constant(threshold, tf.float32),
        )
        names = ("boxes", "features", "scales", "scores")
        return [outputs[name].numpy() for name in names]

    return extract


def assert_same(received, expected, rtol):
    """The same features in an order that may differ where scores do not."""
    assert len(received[0]) == len(expected[0]) > 0
    received, expected = (
        [part[np.lexsort([*boxes.T, scales])] for part in (boxes, *rest)]
        for boxes, *rest in (received, expected)
        for scales in (rest[1],)
    )
    # Boxes and scales to the last bit.
    np.testing.assert_array_equal(received[0], expected[0])
    np.testing.assert_array_equal(received[2], expected[2])
    for part in (1, 3):
        np.testing.assert_allclose(
            received[part],
            expected[part],
            rtol=rtol,
            atol=rtol * np.abs(expected[part]).max(),
        )


def limits_of(scores):
    """Limits that keep some features: a count, and then a threshold.

    Both are where two scores are farthest apart, so that rounding decides
    nothing.
    """
    ranked = np.sort(scores.ravel())[::-1]
    first, last = len(ranked) // 5, len(ranked) * 4 // 5
    count = first + 1 + int(np.argmax(-np.diff(ranked[first:last])))
    threshold = float(ranked[count - 1] + ranked[count]) / 2
    return (count, 0.0), (100_000, threshold)


@pytest.fixture(scope="module")
def exported(google, tmp_path_factory):
    """The `Delf` of `google`'s export."""
    folder = tmp_path_factory.mktemp("google") / "export"
    google.save_export(folder)
    return import_weights(folder).model


@pytest.fixture(scope="module")
def extract_exported(exported):
    return extraction(exported)


@pytest.mark.parametrize("size", [(150, 201), (96, 128), (131, 90)])
def test_equals_the_export(google, extract_exported, make_photograph, size):
    image = make_photograph(*size)
    every = google.extract(image)

    assert_same(extract_exported(image), every, 1e-5)
    for limits in limits_of(every[3]):
        expected = google.extract(image, *limits)
        assert len(expected[0]) < len(every[0])
        assert_same(extract_exported(image, *limits), expected, 1e-5)


def test_equals_the_network_of_a_checkpoint(
    google_checkpoint, tmp_path, make_photograph
):
    """The code of slim pads its pooling by parity."""
    google_checkpoint.save_checkpoint(tmp_path / "model.ckpt-7")
    imported = import_weights(tmp_path / "model.ckpt-7")
    extract = extraction(imported.model)

    assert imported.model.backbone.pool_padding == "same"
    for size in ((150, 201), (96, 128)):
        image = make_photograph(*size)
        assert_same(extract(image), google_checkpoint.extract(image), 1e-5)


def test_classifier_of_imagenet(tmp_path, make_photograph):
    """Its weights are for RGB less the mean, without an attention."""
    image = make_photograph(70, 90)
    mean = np.array([123.68, 116.779, 103.939])
    with tf.Graph().as_default(), v1.Session() as session, quiet():
        pixels = tf.constant(image[None] - mean, tf.float32)
        features, _ = network(pixels, seed=2, pad_alike=False)
        session.run(v1.global_variables_initializer())
        expected = session.run(features)
        variables = [v for v in v1.global_variables() if SCOPE in v.name]
        v1.train.Saver(variables).save(
            session, str(tmp_path / "resnet.ckpt"), write_meta_graph=False
        )
    model = import_weights(tmp_path / "resnet.ckpt").model
    received = model(image[None])["features"]

    assert model.get_config()["attention"] == "norm"
    np.testing.assert_allclose(
        received, expected, rtol=1e-4, atol=1e-4 * expected.max()
    )


@pytest.fixture(scope="module")
def official(test_data, tmp_path_factory):
    """Google's graph with random values, and the folder of its export."""
    data = test_data / "delf_v1_20171026/model/saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(data.read_bytes())
    graph = tf.Graph()
    with graph.as_default():
        saver = v1.train.import_meta_graph(saved.meta_graphs[0])
        session = v1.Session()
        _fill(graph, session)
        folder = tmp_path_factory.mktemp("official")
        (folder / "variables").mkdir()
        (folder / "saved_model.pb").write_bytes(data.read_bytes())
        saver.save(
            session,
            str(folder / "variables" / "variables"),
            write_meta_graph=False,
        )
    return session, folder


def _fill(graph, session):
    """Gives every variable values; residuals are small, as in trained ones."""
    filled = 0
    for operation in graph.get_operations():
        if operation.type == "VariableV2":
            name = operation.name
            shape = operation.outputs[0].shape.as_list()
            values = random_values(name, shape, seed=0)
            if name.endswith("conv3/BatchNorm/gamma"):
                values *= 0.3
            assign = next(
                consumer
                for consumer in operation.outputs[0].consumers()
                if consumer.type == "Assign"
            )
            session.run(assign.outputs[0], {assign.inputs[1]: values})
            filled += 1
    assert filled == 222


def test_equals_google_s_graph(official, test_data):
    """On three real photographs over seven scales, and within limits."""
    session, folder = official
    extract = extraction(import_weights(folder).model)
    paths = sorted((test_data / "landmarks/jpg").glob("*.jpg"))[::150]
    assert len(paths) == 3
    for path in paths:
        image = read_image(path)[::4, ::4]

        def google(count, threshold, image=image):
            return session.run(
                ["boxes:0", "features:0", "scales:0", "scores:0"],
                {
                    "input_image:0": image,
                    "input_scales:0": GOOGLE_SCALES,
                    "input_max_feature_num:0": count,
                    "input_abs_thres:0": threshold,
                },
            )

        every = google(100_000, 0.0)
        for limits in ((100_000, 0.0), *limits_of(every[3])):
            received = extract(image, *limits, scales=GOOGLE_SCALES)
            assert_same(received, google(*limits), 1e-4)


def test_grid_of_google_s_photograph(test_data):
    """Every feature that Google found lies on the grid of stride 32.

    On that of stride 16 there are four times as many cells: of its odd rows
    and columns Google found none.
    """
    found = load_features(test_data / "delf_reference/love.delf")
    image = read_image(test_data / "delf_reference/love.jpg")
    model = Delf(
        ResNet(depth=14, width=1, stride_placement="last", output_stride=32),
        resampling="tf1",
    )
    model.build((None, None, None, 3))
    options = ExtractionOptions(
        max_features=100_000,
        max_image_size=0,
        min_image_size=0,
        scales=GOOGLE_SCALES,
    )
    outputs = extraction_graph(model, None, options)(image[None])
    count = outputs["num_features"][0]
    grid = np.column_stack(
        [outputs["locations"][0, :count], outputs["scales"][0, :count]]
    )
    wanted = np.column_stack([found.locations, found.scales])
    nearest = [np.abs(grid - row).max(axis=1).min() for row in wanted]

    assert len(found) == 546 and image.shape == (684, 1000, 3)
    assert max(nearest) < 1e-3


def test_receptive_field(exported):
    field = receptive_field(exported.backbone.spatial_layers())
    assert (field.size, field.stride, field.padding) == (67, 32, 33)
