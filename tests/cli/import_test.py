"""The verb `import`, and what users do with its preset."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tests.convert.conftest import DIMENSION, make_google

pytestmark = pytest.mark.filterwarnings(
    "ignore:pkg_resources is deprecated:UserWarning",
    "ignore:Deprecated call to `pkg_resources:DeprecationWarning",
)

SMALL = (
    "--scales=0.5,1",
    "--max_features=200",
    "--min_image_size=0",
    "--score_threshold=0",
)


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    """The folder of a small TF-Hub module."""
    folder = tmp_path_factory.mktemp("hub") / "delf"
    make_google().save_module(folder)
    return folder


@pytest.fixture(scope="module")
def imported(finish, module, tmp_path_factory):
    """The preset of the module, and what the verb said."""
    preset = tmp_path_factory.mktemp("imported") / "preset"
    finished = finish("import", f"--from={module}", f"--output={preset}")
    assert finished.code == 0
    return preset, finished.out


def test_summary(imported, module):
    preset, out = imported
    assert out == (
        f"{preset}: ResNet of depth 14, conv attention, PCA to {DIMENSION}, "
        "score threshold 100.\n"
    )
    info = json.loads((preset / "preset.json").read_text())
    assert info["origin"] == str(module) and info["score_threshold"] == 100


def test_variables_that_are_left_out_are_listed(command, tmp_path):
    google = make_google()
    with google.session.graph.as_default():
        tf.compat.v1.get_variable(
            "global_step", initializer=3, use_resource=False
        )
        initialise = tf.compat.v1.variables_initializer(
            [tf.compat.v1.global_variables()[-1]]
        )
        google.session.run(initialise)
    google.save_checkpoint(tmp_path / "model.ckpt")
    finished = command(
        "import",
        f"--from={tmp_path / 'model.ckpt'}",
        f"--output={tmp_path / 'preset'}",
        "--score_threshold=1.5",
    )
    assert finished.code == 0
    first, second, last = finished.out.splitlines()
    assert first == "Left out, of no use here: 1 variables"
    assert second == "  global_step"
    assert "no PCA, score threshold 1.5" in last


def test_wrong_sources(refused, module, tmp_path):
    """One line, and nothing is left behind."""
    output = f"--output={tmp_path / 'preset'}"
    message = refused("import", f"--from={tmp_path / 'none'}", output)
    assert message.startswith("There is no checkpoint.")
    url = "http://127.0.0.1:9/google/delf/1"
    assert "give a local folder" in refused("import", f"--from={url}", output)
    (tmp_path / "preset").mkdir()
    message = refused("import", f"--from={module}", output)
    assert message.startswith("The preset folder exists already.")
    assert [path.name for path in tmp_path.iterdir()] == ["preset"]


def test_module_and_preset_find_the_same(
    command, imported, module, scenes, view, tmp_path
):
    """The module as it is, by one flag, and the preset made of it."""
    preset, _ = imported
    found = {}
    for name, source in (
        ("hub", f"--tfhub={module}"),
        ("preset", f"--preset={preset}"),
    ):
        index, file = tmp_path / name, tmp_path / f"{name}.json"
        # In steps of int8, what hardly differs may be a step apart.
        flags = f"--photos={scenes}", f"--output={index}", *SMALL
        kept = "--descriptor_type=float16"
        assert command("index", source, kept, *flags).code == 0
        search = [f"--index={index}", f"--query={view}", f"--json={file}"]
        # A module tells no scales, which inliers are told by.
        search.append("--candidates=0")
        if name == "hub":
            search.append(source)
        assert command("search", *search).code == 0
        found[name] = json.loads(file.read_text())["results"]
    for hub, own in zip(found["hub"], found["preset"], strict=True):
        assert hub["path"] == own["path"]
        np.testing.assert_allclose(hub["score"], own["score"], rtol=1e-3)
    assert found["hub"][0]["path"].endswith("a.jpg")


def test_index_of_a_module_needs_the_module(
    command, refused, module, scenes, view, tmp_path
):
    index = tmp_path / "index"
    flags = f"--photos={scenes}", f"--output={index}"
    assert command("index", f"--tfhub={module}", *flags, *SMALL).code == 0
    message = refused("search", f"--index={index}", f"--query={view}")
    assert "search with --server or --tfhub" in message
    assert str(module) in message
    message = refused(
        "index", f"--tfhub={module}", *flags, "--precision=bfloat16"
    )
    assert "exists already" in message or "was fixed" in message


def test_fine_tuning(command, imported, landmarks, quick, tmp_path):
    """Attention is trained from it; the result is exported and searched."""
    from delf_keras.serving.servable import Servable

    preset, _ = imported
    trained = tmp_path / "trained"
    finished = command(
        "train",
        f"--preset={preset}",
        f"--dataset=folder:{landmarks}",
        "--stage=attention",
        f"--output={trained}",
        *quick,
    )
    assert finished.code == 0, finished.err
    config = json.loads((trained / "config.json").read_text())["config"]
    assert (config["scaling"], config["resampling"]) == ("tf_models", "tf1")

    base = tmp_path / "models"
    finished = command("export", f"--preset={trained}", f"--output={base}")
    assert finished.code == 0
    photograph = sorted(landmarks.rglob("*.jpg"))[0]
    contents = np.array([photograph.read_bytes()], object)
    outputs = Servable(base / "1").predict("", {"image_bytes": contents})
    assert outputs["status"] == [b"ok"] and outputs["num_features"][0] > 0

    index = tmp_path / "index"
    flags = f"--photos={landmarks}", f"--preset={trained}"
    assert command("index", *flags, f"--output={index}").code == 0
    finished = command("search", f"--index={index}", f"--query={photograph}")
    assert finished.code == 0
    assert photograph.name in finished.out.splitlines()[1]
