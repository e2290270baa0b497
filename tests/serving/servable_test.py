"""A version in memory, and the requests that it refuses."""

import numpy as np
import pytest

from delf_keras.serving.servable import Servable

IMAGES = np.zeros((1, 40, 50, 3), np.uint8)


@pytest.fixture(scope="module")
def servable(exported_base):
    return Servable(exported_base / "1")


def test_default_signature(servable):
    contents = np.array([b"none"], object)
    for name in ("", "serving_default", "extract"):
        outputs = servable.predict(name, {"image_bytes": contents})
        assert outputs["status"] == [b"corrupt"]


@pytest.mark.parametrize(
    ("signature", "inputs", "message"),
    [
        ("features", {}, "one of .*'extract'.*Received: 'features'"),
        ("extract", {}, r"inputs of extract are .*Received: \[\]"),
        (
            "extract_pixels",
            {"images": IMAGES, "more": IMAGES},
            r"Received: \['images', 'more'\]",
        ),
        ("extract_pixels", {"images": IMAGES[0]}, r"shape=\(40, 50, 3\)"),
        (
            "extract_pixels",
            {"images": IMAGES.astype(np.float32)},
            "images is uint8 .*dtype=float32",
        ),
        ("extract", {"image_bytes": np.zeros(1)}, "image_bytes is string"),
    ],
)
def test_wrong_request(servable, signature, inputs, message):
    with pytest.raises(ValueError, match=message):
        servable.predict(signature, inputs)


def test_message_of_the_graph_is_one_line(servable):
    inputs = {
        "input_image": IMAGES[0],
        "input_scales": np.ones(1, np.float32),
        "input_max_feature_num": np.int32(-5),
        "input_abs_thres": np.float32(0),
    }
    with pytest.raises(ValueError, match="^Need k >= 0, got -5$"):
        servable.predict("delf_compat", inputs)


def test_no_model(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds saved_model.pb"):
        Servable(tmp_path)


@pytest.mark.parametrize("contents", [b"", b"text", b"\x08\x01"])
def test_damaged_model(tmp_path, contents):
    (tmp_path / "saved_model.pb").write_bytes(contents)
    with pytest.raises(ValueError, match="The exported model is damaged"):
        Servable(tmp_path)
