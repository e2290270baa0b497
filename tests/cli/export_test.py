"""The verb `export`, from a preset to a version of a served model."""

import json

import numpy as np
import pytest

from delf_keras.features.extractor import Extractor
from delf_keras.serving.servable import Servable


@pytest.fixture(scope="module")
def exported(finish, fitted, tmp_path_factory):
    """What the verb said, and the folder of the first version."""
    base = tmp_path_factory.mktemp("models") / "delf"
    finished = finish(
        "export",
        f"--preset={fitted}",
        f"--output={base}",
        "--scales=1",
        "--max_features=30",
        "--max_image_mb=0.1",
        "--max_megapixels=0.03",
    )
    assert finished.code == 0
    return finished.out, base / "1"


def test_equals_the_extractor(exported, fitted, scenes):
    out, version = exported
    extractor = Extractor.from_preset(fitted, scales=(1.0,), max_features=30)
    features = extractor.extract(scenes / "b.jpg")
    contents = np.array([(scenes / "b.jpg").read_bytes()], object)
    outputs = Servable(version).predict("", {"image_bytes": contents})

    assert out.startswith(
        f"{version}: descriptor space {extractor.fingerprint}, "
    )
    assert outputs["status"] == [b"ok"] and outputs["num_features"] == [30]
    np.testing.assert_array_equal(outputs["locations"][0], features.locations)
    np.testing.assert_allclose(
        outputs["descriptors"][0], features.descriptors, atol=1e-5
    )
    card = (version / "assets.extra/model_card.md").read_text()
    assert f"# {fitted}" in card


def test_limits(exported, make_photograph):
    """0.1 MB and 0.03 megapixels, by the flags."""
    _, version = exported
    servable = Servable(version)
    contents = np.array([bytes(104_857), bytes(104_859)], object)
    outputs = servable.predict("", {"image_bytes": contents})
    assert list(outputs["status"]) == [b"corrupt", b"too_large"]
    for size, status in (((150, 200), b"ok"), ((150, 201), b"too_large")):
        images = make_photograph(*size)[None]
        outputs = servable.predict("extract_pixels", {"images": images})
        assert outputs["status"] == [status]


def test_versions(command, refused, fitted, exported, tmp_path):
    """The next number, and never an old one."""
    _, version = exported
    flags = f"--preset={fitted}", "--scales=1"
    base = tmp_path / "models"
    (base / "4").mkdir(parents=True)
    finished = command("export", *flags, f"--output={base}")
    assert finished.code == 0 and finished.out.startswith(f"{base / '5'}: ")
    description = base / "5/assets.extra/extractor.json"
    assert json.loads(description.read_text())["options"]["scales"] == [1.0]
    message = refused(
        "export", *flags, f"--output={version.parent}", "--version=1"
    )
    assert message == (
        "A version is never overwritten: give a higher one. "
        f"Received: {version}"
    )


def test_wrong_flags(refused, fitted, tmp_path):
    base = f"--output={tmp_path}"
    assert "preset" in refused("export", base, code=2)
    message = refused(
        "export", base, f"--preset={fitted}", "--version=0", code=2
    )
    assert "version" in message
    message = refused("export", base, "--preset=none")
    assert message.startswith("A preset is one of")
    assert list(tmp_path.iterdir()) == []
