"""Fixtures that every test may use."""

import contextlib
import io
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest


def pytest_configure(config):
    # TensorFlow 2.21 turns variables into arrays in a way that NumPy 2
    # deprecates.
    config.addinivalue_line(
        "filterwarnings",
        "ignore:__array__ implementation doesn't accept:DeprecationWarning",
    )


@pytest.fixture
def full_disk():
    """A function in whose context no file grows beyond some bytes."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    @contextlib.contextmanager
    def full_disk(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return full_disk


@pytest.fixture(scope="session")
def test_data():
    """The folder of real photographs, weights and references."""
    folder = os.environ.get("DELF_TEST_DATA")
    if not folder:
        pytest.skip("DELF_TEST_DATA does not name a folder of test data")
    if not Path(folder).is_dir():
        pytest.skip(f"DELF_TEST_DATA names no folder: {folder}")
    return Path(folder)


def _random_values(name, shape, rng):
    """Weights that keep the scale of activations, and no two alike."""
    if name == "kernel":
        scale = np.sqrt(2 / np.prod(shape[:-1]))
        return scale * rng.standard_normal(shape, np.float32)
    if name in ("gamma", "moving_variance"):
        return rng.uniform(0.5, 1.5, shape)
    return rng.normal(0, 0.1, shape)


@pytest.fixture(scope="session")
def randomise():
    """A function that gives a Keras model random weights.

    Batch norm statistics are random too, where Keras would start with a mean
    of 0 and a variance of 1, with which much that is wrong goes unseen.
    """

    def randomise(model, seed=0):
        rng = np.random.default_rng(seed)
        for variable in model.weights:
            variable.assign(_random_values(variable.name, variable.shape, rng))
        return model

    return randomise


@pytest.fixture(scope="session")
def make_model(randomise):
    """A function that makes a tiny `Delf`, built, with random weights."""
    from delf_keras.models.delf import Delf
    from delf_keras.models.resnet import ResNet

    def make_model(seed=0, depth=14, width=8, resnet=None, **options):
        backbone = ResNet(depth=depth, width=width, **(resnet or {}))
        model = Delf(backbone, **options)
        model.build((None, None, None, 3))
        return randomise(model, seed)

    return make_model


@pytest.fixture(scope="session")
def tiny_model(make_model):
    """A `Delf` of depth 14 and width 8, 128-d features at stride 16."""
    return make_model()


@pytest.fixture(scope="session")
def make_network(randomise):
    """A function that makes a functional Keras model of 12 channels.

    Its cells have a stride of 8; `excited` adds squeeze and excitation.
    """
    import keras
    from keras import layers

    def make_network(seed=0, excited=False):
        inputs = keras.Input((None, None, 3))
        x = layers.Conv2D(8, 3, 2, "same", activation="relu")(inputs)
        x = layers.ZeroPadding2D(((2, 1), (2, 1)))(x)
        x = layers.Conv2D(12, 4, activation="relu")(x)
        y = layers.DepthwiseConv2D(3, padding="same", dilation_rate=2)(x)
        y = layers.BatchNormalization()(y)
        if excited:
            gate = layers.GlobalAveragePooling2D(keepdims=True)(y)
            y = y * layers.Conv2D(12, 1, activation="sigmoid")(gate)
        x = layers.Add()([x, y])
        x = layers.AveragePooling2D(2)(x)
        x = layers.Cropping2D(((1, 0), (1, 0)))(x)
        x = layers.SeparableConv2D(12, 3, 2, "same", activation="relu")(x)
        return randomise(keras.Model(inputs, x), seed)

    return make_network


@pytest.fixture(scope="session")
def keras_resnet50(randomise):
    """A ResNet50 of keras.applications with random weights."""
    import keras

    model = keras.applications.ResNet50(
        weights=None, include_top=False, input_shape=(None, None, 3)
    )
    return randomise(model)


@pytest.fixture(scope="session")
def resnet50_file(keras_resnet50, tmp_path_factory):
    """The weights of `keras_resnet50` up to block 3, as Keras saves them."""
    import keras

    path = tmp_path_factory.mktemp("weights") / "resnet50.weights.h5"
    output = keras_resnet50.get_layer("conv4_block6_out").output
    keras.Model(keras_resnet50.input, output).save_weights(path)
    return path


def _photograph(height, width, seed):
    """Smooth random colours with some grain, uint8 `[height, width, 3]`."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width] / 50
    image = rng.normal(128, 12, (height, width, 3))
    for y, x, *phases in rng.uniform(-3, 3, (8, 5)):
        wave = (y * rows + x * columns)[..., None] + phases
        image += 16 * np.sin(wave)
    return np.clip(image, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def turned_photographs():
    """A photograph in each EXIF orientation, stored lying in various ways.

    A list of the bytes of a JPEG, its pixels as they are stored, and those of
    the upright photograph.
    """
    from PIL import Image, ImageOps

    turned = []
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        file = io.BytesIO()
        image = Image.fromarray(_photograph(72, 112, seed=0))
        image.save(file, "JPEG", exif=exif, quality=95)
        with Image.open(file) as image:
            pixels = (
                np.asarray(image),
                np.asarray(ImageOps.exif_transpose(image)),
            )
        turned.append((file.getvalue(), *pixels))
    return turned


@pytest.fixture(scope="session")
def make_photograph():
    """A function that makes a photograph-like array of a size and a seed."""
    return lambda height=150, width=200, seed=0: _photograph(
        height, width, seed
    )


@pytest.fixture(scope="session")
def photographs(tmp_path_factory):
    """A folder of rendered photographs: 4 landmarks and 2 other things."""
    from delf_keras.datasets.synthetic import write_photographs

    folder = tmp_path_factory.mktemp("photographs")
    write_photographs(
        folder,
        num_landmarks=4,
        views_per_landmark=1,
        num_distractors=2,
        size=(160, 208),
    )
    return folder


@pytest.fixture(scope="session")
def tiny_extractor(tiny_model):
    """An `Extractor` of `tiny_model` without PCA, 200 features at most."""
    from delf_keras.features.extraction_options import ExtractionOptions
    from delf_keras.features.extractor import Extractor

    return Extractor(
        tiny_model,
        options=ExtractionOptions(
            max_features=200, scales=(1.0,), min_image_size=0
        ),
    )


@pytest.fixture(scope="session")
def tiny_preset(tiny_extractor, tmp_path_factory):
    """The folder of the preset of `tiny_extractor`."""
    folder = tmp_path_factory.mktemp("presets") / "tiny"
    tiny_extractor.save_to_preset(folder, "A tiny network.")
    return folder


@pytest.fixture(scope="session")
def tiny_report(photographs, tiny_extractor):
    """The `BuildReport` of an index of `photographs`, with a PCA to 16."""
    from delf_keras.retrieval import PcaOptions, build_index

    return build_index(photographs, tiny_extractor, pca=PcaOptions(16))


@pytest.fixture(scope="session")
def tiny_index(tiny_report):
    """An `ImageIndex` of `photographs`."""
    return tiny_report.index


@pytest.fixture(scope="session")
def tiny_index_folder(tiny_index, tmp_path_factory):
    """The folder of `tiny_index`, not to be changed."""
    folder = tmp_path_factory.mktemp("indexes") / "tiny"
    tiny_index.save(folder)
    return folder


@pytest.fixture(scope="session")
def oxford_set(tmp_path_factory):
    """A folder in the layout of Oxford5k: 4 queries, 22 photographs.

    Each landmark is the query in its first view; the second is good, the
    third ok, the fourth junk.
    """
    from delf_keras.datasets.synthetic import render_view, write_photographs

    folder, size = tmp_path_factory.mktemp("oxford"), (160, 208)
    write_photographs(
        folder / "jpg",
        num_landmarks=4,
        views_per_landmark=4,
        num_distractors=6,
        size=size,
    )
    truth = folder / "gt_files"
    truth.mkdir()
    for landmark in range(4):
        query, good, ok, junk = (
            f"landmark_{landmark:02d}_view_{view}" for view in range(4)
        )
        rows, columns = np.nonzero(render_view(landmark, 0, size).visible)
        box = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        texts = {
            "query": f"oxc1_{query} {' '.join(f'{side:.1f}' for side in box)}",
            # One line is there twice, as in a file of Oxford5k.
            "good": f"{query}\n{good}\n{good}",
            "ok": ok,
            "junk": junk,
        }
        for label, text in texts.items():
            path = truth / f"landmark_{landmark:02d}_1_{label}.txt"
            path.write_text(f"{text}\n")
    return folder


@pytest.fixture(scope="session")
def revisited_set(oxford_set, tmp_path_factory):
    """`oxford_set` in the layout of Revisited Oxford, in gnd_tiny.pkl.

    The queries are not in the database; good is easy, ok is hard.
    """
    from delf_keras.evaluation import load_oxford

    folder = tmp_path_factory.mktemp("revisited")
    shutil.copytree(oxford_set / "jpg", folder / "jpg")
    queries = load_oxford(oxford_set / "gt_files").values()
    names = [query.image_name for query in queries]
    photographs = (path.stem for path in (folder / "jpg").iterdir())
    database = sorted({*photographs} - {*names})
    entries = []
    for query in queries:
        landmark = query.image_name.removesuffix("view_0")
        views = {
            label: [database.index(f"{landmark}view_{view}")]
            for view, label in enumerate(("easy", "hard", "junk"), start=1)
        }
        entries.append({"bbx": [*query.box], **views})
    content = {"imlist": database, "qimlist": names, "gnd": entries}
    (folder / "gnd_tiny.pkl").write_bytes(pickle.dumps(content))
    return folder
