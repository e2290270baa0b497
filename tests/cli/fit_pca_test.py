"""The verb `fit-pca`, from photographs to a preset."""

import json

import numpy as np
from sklearn.decomposition import PCA

from delf_keras.features.extractor import Extractor

NAMES = ("a.jpg", "b.jpg", "more/c.png")
OPTIONS = {"scales": (1.0,), "max_features": 200, "min_image_size": 0}


def test_descriptors_are_scikit_learn_s(scenes, tiny_preset, fitted):
    _check_descriptors(scenes, tiny_preset, fitted, whiten=False)


def test_whitened_descriptors_are_scikit_learn_s(
    command, scenes, small, tiny_preset, tmp_path
):
    output = tmp_path / "preset"
    finished = command(
        "fit-pca",
        *small,
        f"--photos={scenes}",
        "--dimension=16",
        "--whiten",
        f"--output={output}",
    )
    assert finished.code == 0
    assert finished.out == (
        f"{output}: PCA to 16 dimensions, fitted on 3 photographs.\n"
    )
    _check_descriptors(scenes, tiny_preset, output, whiten=True)


def _check_descriptors(scenes, preset, fitted, whiten):
    """Checks the preset `fitted` on the photographs that made it."""
    paths = [scenes / name for name in NAMES]
    plain = Extractor.from_preset(preset, **OPTIONS)
    features = np.concatenate(
        [each.descriptors for each in plain.extract(paths)]
    )
    # Each has fewer features than are sampled, so that all are fitted on.
    assert features.shape == (324, 128)
    pca = PCA(16, whiten=whiten, svd_solver="full").fit(
        features.astype(np.float64)
    )
    expected = pca.transform(features)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)

    extractor = Extractor.from_preset(fitted, **OPTIONS)
    found = np.concatenate(
        [each.descriptors for each in extractor.extract(paths)]
    )
    expected *= np.sign(np.sum(found * expected, axis=0))
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0)


def test_preset_describes_itself(fitted, tiny_preset):
    info = json.loads((fitted / "preset.json").read_text())
    assert info["description"] == (
        f"{tiny_preset} with a PCA to 16 dimensions."
    )


def _last_line(finished):
    """Returns the message of a run that fails after the extraction."""
    assert finished.code == 1
    line = finished.err.splitlines()[-1]
    assert line.startswith("delf-keras fit-pca: ")
    return line


def test_dimension_that_is_too_large(command, scenes, small, tmp_path):
    output = tmp_path / "preset"
    finished = command(
        "fit-pca",
        *small,
        f"--photos={scenes}",
        "--dimension=129",
        f"--output={output}",
    )
    assert _last_line(finished).endswith("Received: dimension=129")
    assert not output.exists()


def test_existing_output(refused, scenes, small, tmp_path, extractions):
    message = refused(
        "fit-pca", *small, f"--photos={scenes}", f"--output={tmp_path}"
    )
    assert message.endswith(f"Received: {tmp_path}")
    assert extractions == []


def test_photographs_of_no_use(command, small, tmp_path, caplog):
    photos, output = tmp_path / "photos", tmp_path / "preset"
    photos.mkdir()
    (photos / "a.jpg").write_bytes(b"no image")
    finished = command(
        "fit-pca", *small, f"--photos={photos}", f"--output={output}"
    )
    assert f"Received: {photos}" in _last_line(finished)
    (message,) = caplog.messages
    assert message.startswith("Skipped: ") and "a.jpg" in message
    assert not output.exists()


def test_no_feature_is_good_enough(command, scenes, small, tmp_path, caplog):
    output = tmp_path / "preset"
    finished = command(
        "fit-pca",
        *small,
        f"--photos={scenes}",
        "--score_threshold=1e6",
        f"--output={output}",
    )
    assert f"Received: {scenes}" in _last_line(finished)
    assert "at least 1e+06" in caplog.messages[0]
    assert not output.exists()
