"""Weights of all kinds, and what they become."""

import json
import shutil
import struct

import numpy as np
import pytest
import tensorflow as tf

from delf_keras.convert.importing import import_weights, save_imported
from delf_keras.features.extractor import Extractor
from delf_keras.models.weights import model_fingerprint
from tests.convert.conftest import ATTENTION, CHANNELS, SCOPE

v1 = tf.compat.v1


def varint(number):
    parts = []
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


def write_datum(path, array):
    """Writes a `.datum` file as tensorflow/models does."""

    def field(number, content):
        return bytes([number << 3 | 2]) + varint(len(content)) + content

    shape = field(1, field(1, b"".join(map(varint, array.shape))))
    floats = struct.pack(f"<{array.size}f", *array.ravel())
    path.write_bytes(shape + field(2, field(1, floats)))


@pytest.fixture
def released(google, tmp_path):
    """A folder as Google released it: model, PCA and configuration."""
    folder = tmp_path / "delf_v1"
    google.save_export(folder / "model")
    (folder / "pca").mkdir()
    mean, projection = google.pca
    write_datum(folder / "pca" / "mean.datum", mean)
    write_datum(folder / "pca" / "pca_proj_mat.datum", projection)
    write_datum(
        folder / "pca" / "pca_variances.datum",
        np.linspace(1, 0.1, len(projection), dtype=np.float32)[None],
    )
    (folder / "delf_config_example.pbtxt").write_text(
        "delf_local_config {\n  use_pca: true\n  score_threshold: 0.5\n"
        "  pca_parameters {\n    pca_dim: 20\n    use_whitening: true\n  }\n}"
    )
    return folder


@pytest.mark.parametrize("inner", ["", "model"])
def test_release(google, released, inner):
    """The PCA and the threshold are those of its configuration."""
    imported = import_weights(released / inner)

    assert imported.left_out == []
    assert imported.score_threshold == 0.5
    pca = imported.pca
    assert pca.dimension == 20 and pca.whiten
    assert pca.model_fingerprint == model_fingerprint(imported.model)
    np.testing.assert_array_equal(pca.mean, google.pca[0][0])
    np.testing.assert_array_equal(pca.components, google.pca[1][:20])
    np.testing.assert_allclose(pca.variances[0], 1)


def test_choices(released):
    imported = import_weights(released, pca_dimension=7, score_threshold=2.0)
    assert (imported.pca.dimension, imported.score_threshold) == (7, 2.0)
    assert import_weights(released, pca=False).pca is None
    elsewhere = shutil.move(released / "pca", released.parent / "elsewhere")
    assert import_weights(released).pca is None
    assert import_weights(released, pca=elsewhere).pca.dimension == 20


def test_checkpoint_without_configuration(google_checkpoint, tmp_path):
    """Google's threshold, and no PCA; a folder or a path will do."""
    google_checkpoint.save_checkpoint(tmp_path / "model.ckpt-7")
    names = ("", "model.ckpt-7", "model.ckpt-7.index")
    fingerprints = set()
    for name in names:
        imported = import_weights(tmp_path / name)
        assert imported.pca is None and imported.score_threshold == 100
        fingerprints.add(model_fingerprint(imported.model))
    assert len(fingerprints) == 1


def test_preset(google, released, tmp_path, make_photograph):
    """Descriptors of the preset are Google's: L2, PCA, whitening, L2."""
    save_imported(import_weights(released), tmp_path / "preset", released)
    extractor = Extractor.from_preset(
        tmp_path / "preset",
        max_image_size=0,
        min_image_size=0,
        scales=(0.5, 1.0),
    )
    image = make_photograph(150, 201)
    features = extractor.extract(image)
    boxes, raw, _, scores = google.extract(image, threshold=0.5)
    mean, projection = google.pca
    unit = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    expected = (unit - mean) @ projection[:20].T
    expected /= np.sqrt(np.linspace(1, 0.1, len(projection))[:20])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)

    assert extractor.options.score_threshold == 0.5
    assert len(features) == len(boxes) > 10
    np.testing.assert_allclose(features.scores, scores[:, 0], rtol=1e-5)
    np.testing.assert_allclose(features.descriptors, expected, atol=1e-5)
    info = json.loads((tmp_path / "preset" / "preset.json").read_text())
    assert info["origin"] == str(released)
    with pytest.raises(FileExistsError):
        save_imported(import_weights(released), tmp_path / "preset", "x")


def save_changed(google, prefix, change):
    """Writes a checkpoint of the variables after `change`, a function."""
    with google.session.graph.as_default():
        values = {
            v.op.name: google.session.run(v) for v in v1.global_variables()
        }
    change(values)
    with tf.Graph().as_default(), v1.Session() as session:
        for name, value in values.items():
            v1.get_variable(name, initializer=value, use_resource=False)
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(prefix), write_meta_graph=False)


def test_what_training_left_is_left_out(google, tmp_path):
    def change(values):
        values["global_step"] = np.int64(7)
        values[f"{SCOPE}/conv1/weights/Adam"] = np.zeros(3, np.float32)
        values[f"{SCOPE}/logits/weights"] = np.zeros(3, np.float32)
        values[f"{SCOPE}/block4/unit_1/x"] = np.zeros(3, np.float32)

    save_changed(google, tmp_path / "model.ckpt", change)
    assert import_weights(tmp_path / "model.ckpt").left_out == [
        "global_step",
        f"{SCOPE}/block4/unit_1/x",
        f"{SCOPE}/conv1/weights/Adam",
        f"{SCOPE}/logits/weights",
    ]


def test_attention_of_delf_v1(google, tmp_path, make_photograph):
    """The scope of slim's own code, and an attention without batch norm."""

    def change(values):
        for name in [n for n in values if n.startswith("attonly/")]:
            value = values.pop(name)
            if "BatchNorm" not in name:
                values[name.replace("attonly", "attention_block")] = value
        scope = ATTENTION.replace("attonly", "attention_block")
        values[f"{scope}/conv1/biases"] = np.ones(512, np.float32)

    save_changed(google, tmp_path / "model.ckpt", change)
    model = import_weights(tmp_path / "model.ckpt").model
    assert model.attention.bn_1 is None
    np.testing.assert_array_equal(model.attention.conv_1.bias, 1)


def remove(name):
    return lambda values: values.pop(name)


def replace(name, value):
    return lambda values: values.update({name: np.asarray(value, np.float32)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            remove(f"{SCOPE}/block2/unit_1/bottleneck_v1/conv2/weights"),
            "have no variable .*block2/unit_1/bottleneck_v1/conv2/weights",
        ),
        (
            replace(f"{SCOPE}/conv1/BatchNorm/beta", np.zeros(9)),
            r"conv1/BatchNorm/beta has the shape \(8,\) .*Received: \(9,\)",
        ),
        (
            replace(f"{SCOPE}/colour/weights", [1.0]),
            f"must have a place in the network. Received: {SCOPE}/colour",
        ),
        (
            replace(f"{SCOPE}/block1/unit_2/bottleneck_v1/x", [1.0]),
            r"depth 14 has \(1, 1, 1\) units .*with \(2, 1, 1\)",
        ),
        (
            replace(f"{ATTENTION}/conv2/biases", [np.nan]),
            "Weights must be finite",
        ),
    ],
)
def test_other_networks(google, tmp_path, change, message):
    save_changed(google, tmp_path / "model.ckpt", change)
    with pytest.raises(ValueError, match=message):
        import_weights(tmp_path / "model.ckpt")


def test_module_that_is_not_delf(tmp_path):
    with tf.Graph().as_default(), v1.Session() as session:
        v1.get_variable("dense/kernel", initializer=1.0, use_resource=False)
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(
            session, str(tmp_path / "x"), write_meta_graph=False
        )
    with pytest.raises(ValueError, match=r"resnet_v1_50.*\['dense/kernel'\]"):
        import_weights(tmp_path / "x")


def test_no_weights(tmp_path):
    with pytest.raises(FileNotFoundError, match="no checkpoint"):
        import_weights(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="holds saved_model.pb"):
        import_weights(tmp_path)


def test_damaged_files(released):
    data = released / "model/variables/variables.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:5000])
    with pytest.raises(ValueError, match="damaged or not all there"):
        import_weights(released)
    data.unlink()
    with pytest.raises(ValueError, match="damaged or not all there"):
        import_weights(released)
    (released / "model" / "saved_model.pb").write_bytes(b"text")
    with pytest.raises(ValueError, match="graph of an export is expected"):
        import_weights(released)


def test_pca_of_another_network(released, tmp_path):
    write_datum(released / "pca" / "mean.datum", np.zeros((1, 7)))
    with pytest.raises(ValueError, match=f"of {CHANNELS} dimensions.*mean of"):
        import_weights(released)
    (released / "pca" / "pca_proj_mat.datum").unlink()
    with pytest.raises(FileNotFoundError, match="pca_proj_mat.datum"):
        import_weights(released)
