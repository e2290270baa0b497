"""`Delf`: scaling, backbone and attention together."""

import keras
import numpy as np
import pytest

from delf_keras.models.delf import Delf
from delf_keras.models.resnet import ResNet
from delf_keras.models.weights import model_fingerprint

VARIANTS = {
    "norm": {},
    "conv": {"attention": "conv"},
    "slim": {
        "attention": "conv",
        "attention_batch_norm": False,
        "scaling": "tf_models",
        "resnet": {"stride_placement": "last", "output_stride": 32},
    },
    "autoencoder": {"attention": "conv", "autoencoder": 6},
}


def test_outputs(tiny_model, make_photograph, compute):
    outputs = compute(tiny_model, make_photograph(100, 130)[None])

    assert set(outputs) == {"features", "attention_scores"}
    assert outputs["features"].shape == (1, 7, 9, 128)
    assert outputs["attention_scores"].shape == (1, 7, 9)
    np.testing.assert_allclose(
        outputs["attention_scores"],
        np.linalg.norm(outputs["features"], axis=-1),
        rtol=1e-5,
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_is_its_parts(make_model, make_photograph, compute, variant):
    model = make_model(**VARIANTS[variant])
    pixels = make_photograph(64, 80)[None].astype(np.float32)
    if variant == "slim":
        scaled = (pixels - 128) / 128
    else:
        scaled = keras.applications.resnet50.preprocess_input(pixels.copy())
    features = restored = compute(model.backbone, scaled)
    if model.autoencoder is not None:
        features, restored = compute(model.autoencoder, restored)
        assert features.shape == (1, 4, 5, 6)
    outputs = compute(model, pixels)

    np.testing.assert_allclose(
        outputs["features"], features, atol=1e-5 * features.max()
    )
    np.testing.assert_allclose(
        outputs["attention_scores"],
        compute(model.attention, restored),
        rtol=1e-4,
    )


def test_predict_of_bytes_and_floats(make_model, make_photograph, compute):
    model = make_model(attention="conv")
    pixels = make_photograph(64, 80)[None]
    outputs = compute(model, pixels)
    predicted = model.predict(pixels.astype(np.float32), verbose=0)

    for name in ("features", "attention_scores"):
        assert predicted[name].dtype == np.float32
        np.testing.assert_allclose(
            predicted[name], outputs[name], atol=1e-5 * predicted[name].max()
        )


@pytest.mark.parametrize("variant", VARIANTS)
def test_keras_file(tmp_path, make_model, make_photograph, compute, variant):
    model = make_model(**VARIANTS[variant])
    pixels = make_photograph(64, 80)[None]
    expected = compute(model, pixels)

    model.save(tmp_path / "delf.keras")
    loaded = keras.saving.load_model(tmp_path / "delf.keras")

    assert loaded.name == model.name
    assert model_fingerprint(loaded) == model_fingerprint(model)
    for name, values in compute(loaded, pixels).items():
        np.testing.assert_array_equal(values, expected[name])


@pytest.mark.parametrize("variant", VARIANTS)
def test_config(make_model, variant):
    model = make_model(**VARIANTS[variant])
    copy = Delf.from_config(model.get_config())
    copy.build((None, None, None, 3))

    assert copy.get_config() == model.get_config()
    assert [v.shape for v in copy.weights] == [v.shape for v in model.weights]


def test_mixed_bfloat16(make_model, make_photograph, compute):
    """Every layer computes in the policy of the model; scores do not."""
    pixels = make_photograph(64, 80)[None]
    exact = make_model(attention="conv")
    mixed = make_model(
        attention="conv",
        dtype="mixed_bfloat16",
        resnet={"dtype": "mixed_bfloat16"},
    )
    outputs = compute(mixed, pixels)

    dtypes = {
        name: keras.backend.standardize_dtype(values.dtype)
        for name, values in outputs.items()
    }
    assert dtypes == {"features": "bfloat16", "attention_scores": "float32"}
    expected = compute(exact, pixels)["features"]
    received = outputs["features"].astype(np.float32)
    assert np.abs(received - expected).max() < 0.05 * expected.max()


def test_precision_reaches_the_default_backbone():
    model = Delf(dtype="mixed_bfloat16")
    assert model.backbone.depth == 50
    assert model.backbone.compute_dtype == "bfloat16"


@pytest.mark.tf_only
def test_gradients_reach_the_weights(make_model, make_photograph):
    """The trainable weights are those of a convolution or a batch norm."""
    import tensorflow as tf

    model = make_model(attention="conv")
    with tf.GradientTape() as tape:
        outputs = model(make_photograph(64, 80)[None], training=True)
        loss = tf.reduce_sum(outputs["attention_scores"])
    gradients = tape.gradient(
        loss, [variable.value for variable in model.trainable_weights]
    )

    assert len(gradients) > 20
    assert all(gradient is not None for gradient in gradients)


def test_wrong_attention():
    with pytest.raises(
        ValueError, match=r"\('norm', 'conv'\). Received: attention='softmax'"
    ):
        Delf(ResNet(depth=14, width=8), attention="softmax")


def test_resampling():
    """It is kept where it is not the default, so that fingerprints hold."""
    backbone = ResNet(depth=14, width=4)
    model = Delf(backbone, resampling="tf1")
    assert model.get_config()["resampling"] == "tf1"
    assert Delf.from_config(model.get_config()).resampling == "tf1"
    assert "resampling" not in Delf(backbone).get_config()
    with pytest.raises(ValueError, match="Received: resampling='cubic'"):
        Delf(resampling="cubic")
