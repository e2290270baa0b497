"""Small networks of TensorFlow 1, named and built as Google's DELF."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

v1 = tf.compat.v1

SCALES = (0.5, 1.0)
WIDTH = 8
CHANNELS = 16 * WIDTH
SCOPE = "resnet_v1_14"
ATTENTION = "attonly/attention/compute"
HIDDEN = 512
# Depth 14 has a unit in each block.
DIMENSION = 24


def random_values(name, shape, seed):
    """Values that keep the scale of activations, and no two alike."""
    rng = np.random.default_rng([seed, *name.encode()])
    if name.endswith("weights"):
        return rng.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape)
    if name.endswith(("gamma", "moving_variance")):
        return rng.uniform(0.5, 1.5, shape)
    return rng.normal(0, 0.1, shape)


def variable(name, shape, seed):
    values = random_values(name, shape, seed).astype(np.float32)
    return v1.get_variable(name, initializer=values, use_resource=False)


def convolution(x, name, filters, size, seed, strides=1):
    """A convolution of slim, with its batch norm, without a ReLU."""
    kernel = variable(
        f"{name}/weights", (size, size, int(x.shape[-1]), filters), seed
    )
    sides = [[0, 0], [size // 2] * 2, [size // 2] * 2, [0, 0]]
    x = tf.nn.conv2d(tf.pad(x, sides), kernel, strides, "VALID")
    gamma, beta, mean, variance = (
        variable(f"{name}/BatchNorm/{part}", (filters,), seed)
        for part in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    return tf.nn.batch_normalization(x, mean, variance, beta, gamma, 1.001e-5)


def unit(x, name, filters, strides, seed):
    shortcut = convolution(x, f"{name}/shortcut", 4 * filters, 1, seed, strides)
    x = tf.nn.relu(convolution(x, f"{name}/conv1", filters, 1, seed))
    x = tf.nn.relu(convolution(x, f"{name}/conv2", filters, 3, seed, strides))
    x = convolution(x, f"{name}/conv3", 4 * filters, 1, seed)
    return tf.nn.relu(x + shortcut)


def network(images, seed, pad_alike):
    """Returns features and attention scores of normalised pixels."""
    x = convolution(images, f"{SCOPE}/conv1", WIDTH, 7, seed, 2)
    x = tf.nn.relu(x)
    if pad_alike:
        x = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
    x = v1.nn.max_pool(
        x,
        [1, 3, 3, 1],
        [1, 2, 2, 1],
        "VALID" if pad_alike else "SAME",
        name=f"{SCOPE}/pool1/MaxPool",
    )
    for block in (1, 2, 3):
        name = f"{SCOPE}/block{block}/unit_1/bottleneck_v1"
        x = unit(x, name, WIDTH * 2 ** (block - 1), 2, seed)
    hidden = tf.nn.relu(convolution(x, f"{ATTENTION}/conv1", HIDDEN, 1, seed))
    kernel = variable(f"{ATTENTION}/conv2/weights", (1, 1, HIDDEN, 1), seed)
    bias = variable(f"{ATTENTION}/conv2/biases", (1,), seed)
    scores = tf.nn.softplus(tf.nn.conv2d(hidden, kernel, 1, "SAME") + bias)
    return x, scores


def extraction(pixels, scales, count, threshold, seed, pad_alike):
    """Google's extraction, over a fixed number of scales."""
    size = tf.cast(tf.shape(pixels)[:2], tf.float32)
    levels = []
    for scale in tf.unstack(scales, len(SCALES)):
        level = v1.image.resize_bilinear(
            pixels[None], tf.cast(tf.round(size * scale), tf.int32)
        )
        with v1.variable_scope(v1.get_variable_scope(), reuse=v1.AUTO_REUSE):
            features, scores = network(level, seed, pad_alike)
        index = tf.stack(
            tf.meshgrid(
                tf.range(tf.shape(features)[1]),
                tf.range(tf.shape(features)[2]),
                indexing="ij",
            ),
            -1,
        )
        start = 32.0 * tf.cast(tf.reshape(index, [-1, 2]), tf.float32)
        boxes = tf.concat([start - RADIUS, start + RADIUS], 1) / scale
        cells = tf.shape(boxes)[0]
        levels.append(
            (
                boxes,
                tf.reshape(features, [-1, CHANNELS]),
                tf.fill([cells], 1.0 / scale),
                tf.reshape(scores, [-1]),
            )
        )
    boxes, features, scales, scores = (
        tf.concat(parts, 0) for parts in zip(*levels, strict=True)
    )
    order = tf.argsort(scores, direction="DESCENDING", stable=True)
    above = tf.reduce_sum(tf.cast(scores >= threshold, tf.int32))
    kept = order[: tf.minimum(above, count)]
    return [tf.gather(part, kept) for part in (boxes, features, scales, scores)]


# Half of the receptive field of depth 14, less the centre.
RADIUS = 33.0


@dataclass(frozen=True)
class Google:
    """A network of TensorFlow 1 in a session of its own.

    Attributes:
        session: `Session`.
        pca: (mean, projection) that the module has.
    """

    session: object
    pca: tuple

    def extract(self, image, count=1000, threshold=0.0):
        """Returns boxes, features, scales and scores `[N, 1]`."""
        return self.session.run(
            ["boxes:0", "features:0", "scales:0", "scores:0"],
            {
                "input_image:0": image,
                "input_scales:0": SCALES,
                "input_max_feature_num:0": count,
                "input_abs_thres:0": threshold,
            },
        )

    def save_checkpoint(self, prefix):
        """Writes a checkpoint of TensorFlow 1."""
        with self.session.graph.as_default(), quiet():
            v1.train.Saver().save(
                self.session, str(prefix), write_meta_graph=False
            )

    def save_export(self, folder, tags=("serve",), name="serving_default"):
        """Writes a SavedModel, with the signature of the export."""
        graph = self.session.graph
        inputs = ("image", "scales", "max_feature_num", "abs_thres")
        outputs = ("boxes", "features", "scales", "scores")
        self._save(
            folder,
            tags,
            name,
            {
                f"input_{n}": graph.get_tensor_by_name(f"input_{n}:0")
                for n in inputs
            },
            {n: graph.get_tensor_by_name(f"{n}:0") for n in outputs},
        )

    def save_module(self, folder):
        """Writes the network as a TF-Hub module of TensorFlow 1."""
        graph = self.session.graph
        inputs = {
            "image": "hub_image",
            "score_threshold": "input_abs_thres",
            "image_scales": "input_scales",
            "max_feature_num": "input_max_feature_num",
        }
        outputs = {"locations": "locations", "descriptors": "descriptors"}
        self._save(
            folder,
            (),
            "default",
            *(
                {
                    k: graph.get_tensor_by_name(f"{n}:0")
                    for k, n in names.items()
                }
                for names in (inputs, outputs)
            ),
        )
        (Path(folder) / "tfhub_module.pb").write_bytes(b"\x08\x03")

    def _save(self, folder, tags, name, inputs, outputs):
        with self.session.graph.as_default(), quiet():
            builder = v1.saved_model.Builder(str(folder))
            build = v1.saved_model.build_tensor_info
            signature = v1.saved_model.build_signature_def(
                {k: build(t) for k, t in inputs.items()},
                {k: build(t) for k, t in outputs.items()},
                "tensorflow/serving/predict",
            )
            builder.add_meta_graph_and_variables(
                self.session, list(tags), signature_def_map={name: signature}
            )
            builder.save()


@contextlib.contextmanager
def quiet():
    from tensorflow.python.util import deprecation

    with deprecation.silence():
        yield


def make_google(seed=0, pad_alike=True):
    """Builds a `Google` of depth 14, width 8, with random weights."""
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.normal(0, 1, (CHANNELS, CHANNELS)))[0]
    pca = (
        rng.normal(0, 0.02, (1, CHANNELS)).astype(np.float32),
        rotation[:DIMENSION].astype(np.float32),
    )
    with tf.Graph().as_default(), quiet():
        image = v1.placeholder(tf.uint8, [None, None, 3], "input_image")
        hub_image = v1.placeholder_with_default(
            tf.cast(image, tf.float32) / 255, [None, None, 3], "hub_image"
        )
        scales = v1.placeholder(tf.float32, [len(SCALES)], "input_scales")
        count = v1.placeholder(tf.int32, [], "input_max_feature_num")
        threshold = v1.placeholder(tf.float32, [], "input_abs_thres")
        boxes, features, feature_scales, scores = extraction(
            (hub_image * 255 - 128) / 128,
            scales,
            count,
            threshold,
            seed,
            pad_alike,
        )
        tf.identity(boxes, "boxes")
        tf.identity(features, "features")
        tf.identity(feature_scales, "scales")
        tf.identity(scores[:, None], "scores")
        tf.identity((boxes[:, :2] + boxes[:, 2:]) / 2, "locations")
        mean, projection = map(tf.constant, pca)
        projected = tf.linalg.matmul(
            tf.nn.l2_normalize(features, 1) - mean, projection, transpose_b=True
        )
        tf.identity(tf.nn.l2_normalize(projected, 1), "descriptors")
        session = v1.Session()
        session.run(v1.global_variables_initializer())
    return Google(session, pca)


@pytest.fixture(scope="session")
def google():
    """A `Google` that pads its pooling alike, as the exports do."""
    return make_google()


@pytest.fixture(scope="session")
def google_checkpoint():
    """A `Google` that pads by parity, as the code of slim does."""
    return make_google(seed=1, pad_alike=False)
