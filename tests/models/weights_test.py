"""Fingerprints, precisions and float16 files of weights."""

import h5py
import keras
import numpy as np

from delf_keras.models import presets
from delf_keras.models.delf import Delf
from delf_keras.models.weights import model_fingerprint, with_dtype


def test_fingerprint_is_of_the_descriptor_space(make_model):
    """Weights, architecture and scaling are in it; name and dtype are not."""
    fingerprint = model_fingerprint(make_model())
    same = [
        make_model(name="another"),
        make_model(dtype="mixed_bfloat16"),
        make_model(resnet={"name": "another", "dtype": "mixed_bfloat16"}),
    ]
    others = [
        make_model(seed=1),
        make_model(scaling="tf_models"),
        make_model(attention="conv"),
        make_model(resnet={"output_stride": 32}),
    ]

    assert len(fingerprint) == 16 and int(fingerprint, 16)
    assert {model_fingerprint(model) for model in same} == {fingerprint}
    assert len({fingerprint, *map(model_fingerprint, others)}) == 5


def test_fingerprint_of_one_changed_weight(make_model):
    model = make_model()
    before = model_fingerprint(model)
    variance = model.backbone.convolutions()[-1].batch_norm.moving_variance
    values = variance.numpy()
    values[-1] = np.nextafter(values[-1], np.float32(2))
    variance.assign(values)

    assert model_fingerprint(model) != before


def test_fingerprint_of_layers_that_keras_numbers(make_network):
    """Names, which count on from one model to the next, are not in it."""
    networks = [make_network(), make_network(), make_network(excited=True)]
    first, same, other = (
        model_fingerprint(Delf(network, "norm", scaling="tf"))
        for network in networks
    )
    names = [network.layers[1].name for network in networks]
    assert names[0] != names[1]
    assert first == same != other


def test_with_dtype_changes_every_part(make_model, make_network):
    """Whatever precision the model was made in."""
    ours = make_model(
        attention="conv",
        autoencoder=6,
        dtype="mixed_bfloat16",
        resnet={"dtype": "mixed_bfloat16"},
    )
    for model, dtype in (ours, "float32"), (make_network(), "mixed_bfloat16"):
        copy = with_dtype(model, dtype)
        policies = {
            layer.dtype_policy.name
            for layer in copy._flatten_layers()
            # Of which Keras has no policy.
            if not isinstance(layer, keras.layers.InputLayer)
        }
        assert policies - {copy.dtype_policy.name} <= {dtype}
        assert dtype in policies
        for before, after in zip(
            model.get_weights(), copy.get_weights(), strict=True
        ):
            np.testing.assert_array_equal(after, before)


def numbers_of_float16(model):
    """Rounds the weights of a model, and returns it."""
    model.set_weights([np.float16(each) for each in model.get_weights()])
    return model


def dtypes_of(path):
    """Returns the NumPy types of the weights in a file."""
    types = set()
    with h5py.File(path) as file:
        file.visititems(
            lambda _, item: (
                types.add(item.dtype.type)
                if isinstance(item, h5py.Dataset)
                else None
            )
        )
    return types


def test_half(tmp_path, make_model):
    """Float16 on disk, the same model once it is loaded."""
    model = numbers_of_float16(make_model(attention="conv"))
    for half in (False, True):
        presets.save_model(model, tmp_path / f"{half}", {}, half=half)
    sizes = [
        (tmp_path / name / "model.weights.h5").stat().st_size
        for name in ("False", "True")
    ]
    loaded = Delf.from_preset(tmp_path / "True")

    assert dtypes_of(tmp_path / "False/model.weights.h5") == {np.float32}
    assert dtypes_of(tmp_path / "True/model.weights.h5") == {np.float16}
    # What HDF5 adds for each weight is not halved.
    values = 4 * model.count_params()
    assert sizes[0] - sizes[1] > 0.45 * values
    assert {v.dtype for v in loaded.weights} == {"float32"}
    assert model_fingerprint(loaded) == model_fingerprint(model)
