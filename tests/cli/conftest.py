"""Fixtures of the command's tests: photographs, presets, and a runner."""

import contextlib
import io
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from delf_keras.cli.main import main
from delf_keras.datasets.synthetic import write_photographs

# A photograph of this size has 108 features at scale 1.
HEIGHT, WIDTH = 144, 192
SHIFT = 16, 32


@dataclass(frozen=True)
class Finished:
    """What a command left: its exit code and its output."""

    code: int
    out: str
    err: str


@pytest.fixture
def command(capsys):
    """A function that runs `delf-keras` with arguments, in this process."""

    def command(*arguments):
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return Finished(code, *capsys.readouterr())

    return command


@pytest.fixture
def refused(command):
    """A function that runs a verb that must fail, and returns its message."""

    def refused(*arguments, code=1):
        finished = command(*arguments)
        assert finished.code == code
        lines = finished.err.splitlines()
        assert len(lines) == 1
        start = f"delf-keras {arguments[0]}: "
        assert lines[0].startswith(start)
        return lines[0].removeprefix(start)

    return refused


@pytest.fixture(scope="session")
def finish():
    """A function like `command`, for fixtures that several tests share."""

    def finish(*arguments):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([str(argument) for argument in arguments])
        return Finished(code, out.getvalue(), err.getvalue())

    return finish


@pytest.fixture(scope="session")
def files_first():
    """The class of a stream that is written to when files are there."""

    class FilesFirst(io.StringIO):
        def __init__(self, *files):
            super().__init__()
            self.files = files

        def write(self, text):
            assert all(file.exists() for file in self.files)
            return super().write(text)

    return FilesFirst


@pytest.fixture(scope="session")
def scenes(tmp_path_factory, make_photograph):
    """A folder of the photographs a.jpg, b.jpg and more/c.png.

    Beside it is view.jpg, which shows what a.jpg shows, moved up by 16 and
    left by 32 pixels.
    """
    folder = tmp_path_factory.mktemp("scenes") / "photographs"
    (folder / "more").mkdir(parents=True)
    for seed, name in enumerate(("a.jpg", "b.jpg", "more/c.png")):
        pixels = make_photograph(HEIGHT + SHIFT[0], WIDTH + SHIFT[1], seed)
        _save(pixels[:HEIGHT, :WIDTH], folder / name)
        if name == "a.jpg":
            view = pixels[SHIFT[0] :, SHIFT[1] :]
            _save(view, folder.parent / "view.jpg")
    return folder


def _save(pixels, path):
    Image.fromarray(pixels).save(path, quality=95)


@pytest.fixture(scope="session")
def view(scenes):
    """The path of view.jpg."""
    return scenes.parent / "view.jpg"


@pytest.fixture
def photos(scenes, tmp_path):
    """A folder of the photographs of `scenes`, to be changed."""
    return Path(shutil.copytree(scenes, tmp_path / "photos"))


@pytest.fixture(scope="session")
def small(tiny_preset):
    """Flags for a tiny model without PCA, and quick extraction."""
    return (
        f"--preset={tiny_preset}",
        "--scales=1",
        "--max_features=200",
        "--min_image_size=0",
    )


@pytest.fixture(scope="session")
def fitted(finish, scenes, small, tmp_path_factory):
    """A preset folder that `delf-keras fit-pca` wrote, to 16 dimensions."""
    folder = tmp_path_factory.mktemp("fitted") / "preset"
    finished = finish(
        "fit-pca",
        *small,
        f"--photos={scenes}",
        "--dimension=16",
        f"--output={folder}",
    )
    assert finished.code == 0
    return folder


@dataclass(frozen=True)
class Built:
    """An index that `delf-keras index` wrote, and what it said."""

    folder: Path
    photos: Path
    out: str


@pytest.fixture(scope="session")
def built(finish, scenes, small, tmp_path_factory):
    """An index of `scenes`, a copy of b.jpg and a file that is no image."""
    home = tmp_path_factory.mktemp("built")
    photos = Path(shutil.copytree(scenes, home / "photos"))
    shutil.copy(photos / "b.jpg", photos / "copy.jpg")
    (photos / "broken.jpg").write_bytes(b"no image")
    finished = finish(
        "index",
        *small,
        "--pca_dimension=16",
        f"--photos={photos}",
        f"--output={home / 'index'}",
    )
    assert finished.code == 0
    return Built(home / "index", photos, finished.out)


class Extractions(list):
    """Names of the photographs that were extracted, in their order.

    Attributes:
        limit: Where it is not None, so many are extracted and then the user
            interrupts.
    """

    limit = None


@pytest.fixture
def extractions(monkeypatch):
    """The `Extractions` of the test."""
    from delf_keras.features.extractor import Extractor

    seen = Extractions()
    extract_each = Extractor.extract_each

    def extract_and_record(self, photographs, batch_size=1):
        for photograph, result in extract_each(self, photographs, batch_size):
            if len(seen) == seen.limit:
                raise KeyboardInterrupt
            seen.append(Path(str(photograph)).name)
            yield photograph, result

    monkeypatch.setattr(Extractor, "extract_each", extract_and_record)
    return seen


@pytest.fixture(scope="session")
def quick():
    """Flags of `train` that make a run quick."""
    return (
        "--image_size=48",
        "--batch_size=8",
        "--epochs=2",
        "--pca_dimension=16",
        "--features=40",
        "--max_image_size=128",
    )


@pytest.fixture(scope="session")
def landmarks(tmp_path_factory):
    """A folder of 5 rendered photographs of each of 4 landmarks."""
    folder = tmp_path_factory.mktemp("landmarks")
    paths = write_photographs(
        folder,
        num_landmarks=4,
        views_per_landmark=5,
        num_distractors=0,
        size=(96, 128),
    )
    for path in paths:
        landmark = path.stem.split("_view_")[0]
        (folder / landmark).mkdir(exist_ok=True)
        path.rename(folder / landmark / path.name)
    return folder
