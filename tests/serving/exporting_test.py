"""A version for TensorFlow Serving: what it holds, and that it is the same."""

import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow.core.protobuf import saved_model_pb2

from delf_keras.features.extractor import Extractor
from delf_keras.serving import exporting, warmup
from delf_keras.serving.exporting import export, next_version
from delf_keras.serving.servable import Servable, read_signature_defs
from tests.serving.c_api import CSession

FEATURES = ("locations", "descriptors", "scores", "scales")


@pytest.fixture(scope="module")
def version(exported_base):
    return exported_base / "1"


@pytest.fixture(scope="module")
def photograph(tmp_path_factory, make_photograph):
    path = tmp_path_factory.mktemp("photograph") / "a.jpg"
    Image.fromarray(make_photograph(120, 160)).save(path)
    return path


def assert_same_features(outputs, features):
    count = outputs["num_features"][0]
    assert count == len(features) > 0
    for name in FEATURES:
        received, expected = outputs[name][0, :count], getattr(features, name)
        if name == "locations":
            np.testing.assert_array_equal(received, expected)
        np.testing.assert_allclose(
            received, expected, rtol=1e-6, atol=1e-5, err_msg=name
        )


def test_files(exported_base, version, served_extractor):
    files = {
        path.relative_to(version).as_posix()
        for path in version.rglob("*")
        if path.is_file()
    }
    assert files == {
        "saved_model.pb",
        "batching_params.pbtxt",
        "assets.extra/tf_serving_warmup_requests",
        "assets.extra/model_card.md",
        "assets.extra/extractor.json",
    }
    assert list(exported_base.iterdir()) == [version]
    description = json.loads(
        (version / "assets.extra/extractor.json").read_text()
    )
    assert description["fingerprint"] == served_extractor.fingerprint
    card = (version / "assets.extra/model_card.md").read_text()
    for text in ("# tiny", "random weights", "licence of the weights: none"):
        assert text in card
    assert served_extractor.fingerprint in card


def test_signatures(version):
    signatures = Servable(version).signatures

    assert signatures["serving_default"] == signatures["extract"]
    assert signatures["extract"].inputs["image_bytes"].shape == (None,)
    shapes = {
        name: (spec.dtype.name, spec.shape)
        for name, spec in signatures["extract"].outputs.items()
    }
    assert shapes == {
        "locations": ("float32", (None, 50, 2)),
        "descriptors": ("float32", (None, 50, 16)),
        "scores": ("float32", (None, 50)),
        "scales": ("float32", (None, 50)),
        "num_features": ("int32", (None,)),
        "image_size": ("int32", (None, 2)),
        "status": ("string", (None,)),
        "extractor": ("string", (None,)),
    }
    assert signatures["extract_pixels"].outputs == signatures["extract"].outputs
    assert signatures["extract_pixels"].batchable
    assert not signatures["delf_compat"].batchable


def test_graph_needs_no_python_and_no_weights(version):
    """Plain operations: no Python, no variables, no batch norm, no XLA."""
    saved = saved_model_pb2.SavedModel.FromString(
        (version / "saved_model.pb").read_bytes()
    )
    graph = saved.meta_graphs[0].graph_def
    nodes = [
        *graph.node,
        *(n for f in graph.library.function for n in f.node_def),
    ]
    operations = {node.op for node in nodes}

    assert "Conv2D" in operations and "DecodeJpeg" in operations
    assert not {op for op in operations if "Py" in op or "Xla" in op}
    assert not {
        op for op in operations if "Variable" in op or "BatchNorm" in op
    }
    assert not any("_XlaMustCompile" in node.attr for node in nodes)
    # The four signatures share one network.
    assert (version / "saved_model.pb").stat().st_size < 2**20


def test_equals_the_extractor(version, served_extractor, photograph):
    contents = np.array([photograph.read_bytes()], object)
    outputs = Servable(version).predict("", {"image_bytes": contents})

    assert_same_features(outputs, served_extractor.extract(photograph))


def test_through_the_c_api(version, served_extractor, photograph):
    """By the loader that TensorFlow Serving is built on."""
    signature = read_signature_defs(version)["serving_default"]
    session = CSession(version)
    names = sorted(signature.outputs)
    contents = np.array([photograph.read_bytes(), b"none"], object)
    arrays = session.run(
        {signature.inputs["image_bytes"].name: contents},
        [signature.outputs[name].name for name in names],
    )
    outputs = dict(zip(names, arrays, strict=True))

    assert list(outputs["status"]) == [b"ok", b"corrupt"]
    assert_same_features(outputs, served_extractor.extract(photograph))


def test_scripts_of_tensorflow_models(version, make_photograph):
    """They fetch tensors by name, by TensorFlow 1's loader or by `prune`."""
    feeds = {
        "input_image:0": make_photograph(80, 100),
        "input_scales:0": np.array([0.5, 1.0], np.float32),
        "input_abs_thres:0": np.float32(0),
        "input_max_feature_num:0": np.int32(10),
    }
    fetches = ["boxes:0", "features:0", "scales:0", "scores:0"]
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.saved_model.load(session, ["serve"], str(version))
        by_name = session.run(fetches, feeds)
    pruned = tf.saved_model.load(str(version)).prune(list(feeds), fetches)

    shapes = [array.shape for array in by_name]
    assert shapes == [(10, 4), (10, 128), (10,), (10, 1)]
    for received, expected in zip(
        pruned(*map(tf.constant, feeds.values())), by_name, strict=True
    ):
        np.testing.assert_allclose(received, expected, rtol=1e-5, atol=1e-5)


def test_no_version_is_overwritten(served_extractor, exported_base):
    with pytest.raises(FileExistsError, match="never overwritten.*/1$"):
        export(served_extractor, exported_base, 1)
    for version in (0, 2**63):
        with pytest.raises(ValueError, match=f"64 bits. Received: {version}"):
            export(served_extractor, exported_base, version)


def test_nothing_is_left_of_a_failure(monkeypatch, served_extractor, tmp_path):
    def fail(servable, folder):
        raise ValueError("no answer")

    monkeypatch.setattr(warmup, "replay", fail)
    with pytest.raises(ValueError, match="no answer"):
        export(served_extractor, tmp_path / "base", 3)
    assert list((tmp_path / "base").iterdir()) == []


def test_servers_see_no_half_of_a_version(
    monkeypatch, served_extractor, tmp_path
):
    """Until it is whole, no folder has a number for its name."""
    seen = []

    def look(servable, folder):
        assert (folder / "saved_model.pb").is_file()
        seen.extend(path.name for path in (tmp_path / "base").iterdir())

    monkeypatch.setattr(warmup, "replay", look)
    export(served_extractor, tmp_path / "base", 3)
    assert len(seen) == 1 and not seen[0].isdecimal()
    assert (tmp_path / "base" / "3" / exporting.CARD_FILE).is_file()


def test_next_version(tmp_path):
    assert next_version(tmp_path / "none") == 1
    for name in ("2", "10", ".writing-3", "notes", "9" * 20, "٣٣"):
        (tmp_path / name).mkdir()
    assert next_version(tmp_path) == 11


def test_real_photographs(test_data, tmp_path):
    """`delf_tiny` on three of them, in Python and through the C API."""
    extractor = Extractor.from_preset(
        "delf_tiny", max_image_size=320, max_features=300
    )
    folder = export(extractor, tmp_path, 1)
    paths = sorted((test_data / "landmarks/jpg").glob("*.jpg"))[::150]
    contents = np.array([path.read_bytes() for path in paths], object)
    outputs = Servable(folder).predict("extract", {"image_bytes": contents})
    session = CSession(folder)

    assert len(paths) == 3
    for row, features in enumerate(extractor.extract(paths)):
        assert_same_features(
            {name: rows[row : row + 1] for name, rows in outputs.items()},
            features,
        )
        names = (*FEATURES, "num_features")
        arrays = session.run(
            {"extract/image_bytes:0": contents[row : row + 1]},
            [f"extract/{name}:0" for name in names],
        )
        assert_same_features(dict(zip(names, arrays, strict=True)), features)
