"""ResNet in all layouts, against keras.applications and plain TensorFlow."""

import itertools
import math

import keras
import numpy as np
import pytest

from delf_keras.models.imagenet import load_imagenet_weights
from delf_keras.models.residual import LAYOUTS
from delf_keras.models.resnet import ResNet


@pytest.fixture
def make_resnet(randomise):
    """A function that makes a tiny `ResNet`, built, with random weights."""

    def make_resnet(depth=14, width=4, **options):
        model = ResNet(depth=depth, width=width, **options)
        model.build((None, None, None, 3))
        return randomise(model)

    return make_resnet


def random_images(*shape, seed=1):
    rng = np.random.default_rng(seed)
    return rng.normal(0, 1, (*shape, 3)).astype(np.float32)


def relative_difference(received, expected):
    received, expected = (
        keras.ops.convert_to_numpy(values).astype(np.float32)
        for values in (received, expected)
    )
    return np.abs(received - expected).max() / np.abs(expected).max()


def cells_of(side, stride_placement, output_stride):
    """Cells of a side: "tf2" pools whole windows of three only."""
    if stride_placement == "tf2":
        pooled = max((math.ceil(side / 2) - 3) // 2 + 1, 0)
        return math.ceil(pooled / (output_stride // 4))
    return math.ceil(side / output_stride)


@pytest.mark.parametrize("stride_placement", LAYOUTS)
@pytest.mark.parametrize(
    ("output_block", "output_stride", "channels"),
    [(3, 16, 64), (3, 32, 64), (4, 32, 128)],
)
def test_output_shape(
    make_resnet, stride_placement, output_block, output_stride, channels
):
    model = make_resnet(
        stride_placement=stride_placement,
        output_block=output_block,
        output_stride=output_stride,
    )
    assert model.channels == channels
    for size in ((64, 96), (65, 97), (63, 31), (33, 50), (4, 5), (1, 2)):
        rows, columns = (
            cells_of(side, stride_placement, output_stride) for side in size
        )
        expected = (2, rows, columns, channels)

        assert model(random_images(2, *size)).shape == expected
        assert model.compute_output_shape((2, *size, 3)) == expected


@pytest.mark.tf_only
@pytest.mark.parametrize("stride_placement", LAYOUTS)
def test_every_small_size(make_resnet, stride_placement):
    """Of an image that is too small nothing is left, and no error comes."""
    import tensorflow as tf

    model = make_resnet(width=2, stride_placement=stride_placement)
    features = tf.function(
        model.call, input_signature=[tf.TensorSpec([None, None, None, 3])]
    )
    for height, width in itertools.product(range(1, 41), repeat=2):
        shape = features(tf.zeros([1, height, width, 3])).shape
        rows, columns = (
            cells_of(side, stride_placement, 16) for side in (height, width)
        )
        assert shape == (1, rows, columns, 32)


def test_output_shape_of_unknown_size():
    model = ResNet(depth=14, width=4)
    shape = model.compute_output_shape((None, None, None, 3))
    assert shape == (None, None, None, 64)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 18}, r"depth must be one of .* Received: depth=18"),
        (
            {"stride_placement": "middle"},
            "stride_placement must be one of .* Received: .*='middle'",
        ),
        ({"output_block": 2}, "must be 3 or 4. Received: output_block=2"),
        ({"output_stride": 8}, "must be one of .* Received: output_stride=8"),
        (
            {"output_block": 4, "output_stride": 16},
            r"block 4 must be one of \(32,\). Received: output_stride=16",
        ),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        ResNet(**arguments)


def test_equals_keras_applications_on_photographs(test_data):
    """With the real weights, on real photographs."""
    weights = test_data / "weights/resnet50_imagenet_conv1-4.weights.h5"
    photographs = sorted((test_data / "landmarks/jpg").glob("*.jpg"))[::150]
    crops = [
        keras.utils.load_img(path).resize((225, 161)) for path in photographs
    ]
    images = keras.applications.resnet50.preprocess_input(
        np.stack(crops).astype(np.float32)
    )
    source = keras.applications.ResNet50(
        weights=None, include_top=False, input_shape=(None, None, 3)
    )
    reference = keras.Model(
        source.input, source.get_layer("conv4_block6_out").output
    )
    reference.load_weights(weights)
    expected = reference(images)

    model = ResNet()
    model.build((None, None, None, 3))
    load_imagenet_weights(model, weights)

    assert expected.shape == (3, 11, 15, 1024)
    assert relative_difference(model(images), expected) < 1e-4


def reference_last(weights, images, units, output_stride, pool_padding):
    """TF-slim's ResNet v1 of block 3, in operations of TensorFlow.

    Its units subsample where the next layer would, at the end of a block.
    """
    import tensorflow as tf

    def convolution(x, name, strides=1):
        kernel = weights[f"{name}_conv/kernel"]
        pad = kernel.shape[0] // 2
        sides = [[pad, pad]] * 2
        x = tf.nn.conv2d(
            tf.pad(x, [[0, 0], *sides, [0, 0]]), kernel, strides, "VALID"
        )
        part = f"{name}_bn"
        return tf.nn.batch_normalization(
            x,
            weights[f"{part}/moving_mean"],
            weights[f"{part}/moving_variance"],
            weights[f"{part}/beta"],
            weights[f"{part}/gamma"],
            1.001e-5,
        )

    x = tf.nn.relu(convolution(images, "conv1", 2))
    if pool_padding == "same":
        x = tf.nn.max_pool2d(x, 3, 2, "SAME")
    else:
        x = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
        x = tf.nn.max_pool2d(x, 3, 2, "VALID")
    for block, block_strides in enumerate((2, 2, output_stride // 16), 2):
        for unit in range(1, units + 1):
            strides = block_strides if unit == units else 1
            name = f"conv{block}_block{unit}"
            shortcut = x[:, ::strides, ::strides]
            if unit == 1:
                shortcut = convolution(x, f"{name}_0", strides)
            x = tf.nn.relu(convolution(x, f"{name}_1"))
            x = tf.nn.relu(convolution(x, f"{name}_2", strides))
            x = tf.nn.relu(convolution(x, f"{name}_3") + shortcut)
    return x.numpy()


@pytest.mark.tf_only
@pytest.mark.parametrize(
    ("depth", "units", "output_stride"), [(26, 2, 16), (26, 2, 32), (14, 1, 16)]
)
@pytest.mark.parametrize("size", [(70, 97), (63, 64)])
@pytest.mark.parametrize("pool_padding", ["same", "symmetric"])
def test_last_layout_equals_plain_operations(
    make_resnet, depth, units, output_stride, size, pool_padding
):
    model = make_resnet(
        depth=depth,
        stride_placement="last",
        output_stride=output_stride,
        pool_padding=pool_padding,
    )
    images = random_images(2, *size)
    # A path is model/.../conv2_block1_1_conv/kernel.
    weights = {
        "/".join(variable.path.split("/")[-2:]): variable.numpy()
        for variable in model.weights
    }
    expected = reference_last(
        weights, images, units, output_stride, pool_padding
    )

    assert len(weights) == len(model.weights)
    assert not any(name.endswith("bias") for name in weights)
    assert relative_difference(model(images), expected) < 1e-5


@pytest.mark.parametrize("stride_placement", LAYOUTS)
def test_stride_32_is_every_second_cell_of_stride_16(
    make_resnet, stride_placement
):
    fine, coarse = (
        make_resnet(
            depth=26, stride_placement=stride_placement, output_stride=stride
        )
        for stride in (16, 32)
    )
    for size in ((97, 130), (96, 64)):
        images = random_images(1, *size)
        expected = fine(images)[:, ::2, ::2]

        assert relative_difference(coarse(images), expected) < 1e-5


@pytest.mark.parametrize("stride_placement", LAYOUTS)
def test_keras_file(tmp_path, make_resnet, compute, stride_placement):
    model = make_resnet(depth=26, stride_placement=stride_placement)
    images = random_images(1, 40, 50)
    expected = compute(model, images)

    model.save(tmp_path / "resnet.keras")
    loaded = keras.saving.load_model(tmp_path / "resnet.keras")

    assert loaded.get_config() == model.get_config()
    np.testing.assert_array_equal(compute(loaded, images), expected)


def test_config():
    options = {
        "depth": 26,
        "width": 8,
        "stride_placement": "last",
        "output_block": 4,
        "output_stride": 32,
        "batch_norm": False,
        "pool_padding": "symmetric",
    }
    config = ResNet(**options, name="backbone", dtype="bfloat16").get_config()
    copy = ResNet.from_config(config)

    assert options.items() <= config.items()
    assert copy.get_config() == config
    assert copy.name == "backbone"
    assert copy.compute_dtype == "bfloat16"


@pytest.mark.parametrize("stride_placement", LAYOUTS)
def test_default_padding_is_not_in_the_config(stride_placement):
    """Fingerprints of models that were saved before it was a choice hold."""
    config = ResNet(stride_placement=stride_placement).get_config()
    assert "pool_padding" not in config


@pytest.mark.parametrize("stride_placement", LAYOUTS)
def test_mixed_bfloat16(make_resnet, stride_placement):
    options = {"depth": 26, "stride_placement": stride_placement}
    exact = make_resnet(**options)
    mixed = make_resnet(**options, dtype="mixed_bfloat16")
    images = random_images(1, 64, 96)
    features = mixed(images)

    assert keras.backend.standardize_dtype(features.dtype) == "bfloat16"
    assert {variable.dtype for variable in mixed.weights} == {"float32"}
    # Bfloat16 has 8 bits of precision: 0.4 % an operation.
    difference = relative_difference(features, exact(images))
    assert 1e-4 < difference < 0.05


def test_training_moves_the_batch_statistics(make_resnet):
    model = make_resnet()
    images = random_images(2, 64, 64)
    layer = model.convolutions()[-1].batch_norm
    before = layer.moving_mean.numpy()

    model(images)
    np.testing.assert_array_equal(layer.moving_mean, before)
    model(images, training=True)
    assert np.abs(layer.moving_mean.numpy() - before).max() > 1e-3


def test_without_batch_norm_convolutions_have_biases(make_resnet):
    model = make_resnet(stride_placement="last", batch_norm=False)

    assert {v.name for v in model.weights} == {"kernel", "bias"}
    assert all(layer.batch_norm is None for layer in model.convolutions())
    assert model(random_images(1, 32, 32)).shape == (1, 2, 2, 64)
