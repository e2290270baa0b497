"""The options of extraction, and their defaults."""

import numpy as np
import pytest

from delf_keras.features.extraction_options import ExtractionOptions


def test_default_scales_are_those_of_the_paper():
    np.testing.assert_allclose(
        ExtractionOptions.scales,
        [0.25, 0.3536, 0.5, 0.7071, 1.0, 1.4142, 2.0],
        atol=5e-5,
    )


@pytest.mark.parametrize(
    ("options", "received"),
    [
        ({"max_features": 0}, "max_features=0"),
        ({"max_image_size": -1}, "max_image_size=-1"),
        ({"scales": ()}, r"scales=\(\)"),
        ({"scales": [1.0, 0.0]}, r"scales=\(1.0, 0.0\)"),
        ({"precision": "float16"}, "precision='float16'"),
        ({"iou_threshold": 0.0}, "iou_threshold=0.0"),
        ({"iou_threshold": 1.1}, "iou_threshold=1.1"),
    ],
)
def test_wrong_options(options, received):
    with pytest.raises(
        ValueError, match=rf"must be positive, .*Received: {received}"
    ):
        ExtractionOptions(**options)


def test_default_options():
    options = ExtractionOptions()

    assert options.max_features == 1000
    assert options.max_image_size == options.min_image_size == 640
    assert (options.score_threshold, options.iou_threshold) == (0.0, 1.0)
    assert ExtractionOptions(scales=[1, 2]).scales == (1, 2)
    assert hash(options) == hash(ExtractionOptions())
