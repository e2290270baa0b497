"""Files that are damaged at random are read, or refused; see fuzzing.py."""

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from delf_keras.features.files import open_h5, save_features, write_h5
from delf_keras.features.local_features import LocalFeatures
from delf_keras.serving.exporting import export

COUNT = int(os.environ.get("DELF_FUZZ_COUNT", 10_000))
# Deaths of the process that are told, before it is not started again.
MOST_DEATHS = 5


def photographs(folder):
    """Every format that is decoded, in the variants that Pillow writes."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 60, (20, 28, 3), np.uint8)
    noise[5:] += np.arange(28, dtype=np.uint8)[:, None] * 6
    color = Image.fromarray(noise)
    exif = Image.Exif()
    exif[274] = 6
    variants = {
        "a.jpg": (color, {"exif": exif}),
        "b.jpg": (color, {"progressive": True}),
        "c.jpg": (color.convert("L"), {}),
        "d.jpg": (color.convert("CMYK"), {}),
        "a.png": (color, {"exif": exif}),
        "b.png": (color.convert("P"), {}),
        "c.png": (color.convert("RGBA"), {}),
        "d.png": (Image.fromarray(noise[..., 0].astype(np.uint16) * 99), {}),
        "e.png": (color.convert("1"), {}),
        "a.bmp": (color, {}),
        "b.bmp": (color.convert("P"), {}),
        "c.bmp": (color.convert("1"), {}),
        "d.bmp": (color.convert("RGBA"), {}),
        "a.gif": (color, {}),
        "b.gif": (color, {"save_all": True, "append_images": [color.copy()]}),
        "a.webp": (color, {"exif": exif}),
        "b.webp": (color, {"lossless": True}),
        "c.webp": (color.convert("RGBA"), {}),
        "d.webp": (
            color,
            {"save_all": True, "append_images": [color.transpose(1)]},
        ),
        "a.tiff": (color, {"exif": exif}),
        "b.tiff": (color, {"compression": "tiff_lzw"}),
        "c.tiff": (color, {"compression": "jpeg"}),
        "d.tiff": (color.convert("1"), {"compression": "group4"}),
        "e.tiff": (Image.fromarray(noise[..., 0].astype(np.uint16)), {}),
        "a.jp2": (color, {}),
    }
    if features.check("avif"):
        variants["a.avif"] = (color, {})
    for name, (image, options) in variants.items():
        image.save(folder / name, **options)


def local_features(count, dimension=6):
    rng = np.random.default_rng(count)
    return LocalFeatures(
        locations=rng.uniform(0, 99, (count, 2)),
        descriptors=rng.normal(size=(count, dimension)),
        scores=rng.uniform(size=count),
        scales=rng.uniform(size=count),
        image_size=(100, 100),
        fingerprint="space",
        global_descriptor=rng.normal(size=3),
    )


def feature_files(folder):
    for count in (0, 1, 5):
        for suffix in ("delf", "npz"):
            path = folder / f"{count}.{suffix}"
            save_features(path, local_features(count))


def collections(folder):
    for count in (1, 3):
        with open_h5(folder / f"{count}.h5", "w") as file:
            for name in ("a.jpg", "more/b.jpg")[:count]:
                write_h5(file, name, local_features(count), "made")


def arrays(folder):
    rng = np.random.default_rng(0)
    for number, array in enumerate(
        (
            np.arange(12).reshape(3, 4),
            np.asfortranarray(rng.normal(size=(5, 3)).astype(np.float32)),
            rng.integers(0, 9, (4, 2, 3), np.uint8),
            np.float64(3),
            np.zeros((0, 5), np.int8),
            np.array(["a", "bc"]),
        )
    ):
        np.save(folder / f"{number}.npy", array)


def ground_truths(folder):
    for protocol in range(5):
        as_arrays = protocol % 2
        entry = {
            label: np.array(values) if as_arrays else values
            for label, values in {
                "bbx": [1.0, 2.0, 30.0, 40.0],
                "easy": [0, 2],
                "hard": [1],
                "junk": [3],
            }.items()
        }
        content = {
            "imlist": [f"{image}.jpg" for image in range(5)],
            "qimlist": ["q", "r"],
            "gnd": [entry, {**entry, "hard": []}],
        }
        path = folder / f"{protocol}.pkl"
        path.write_bytes(pickle.dumps(content, protocol))


WRITERS = {
    "photographs": photographs,
    "exported": photographs,
    "served": photographs,
    "features": feature_files,
    "collections": collections,
    "arrays": arrays,
    "ground_truths": ground_truths,
}


def faults(kind, samples, work, count):
    """Returns what a process found that reads `count` damaged files."""
    found, first = [], 0
    command = (sys.executable, Path(__file__).with_name("fuzzing.py"), kind)
    for folder in ("", "home"):
        (work / folder).mkdir(exist_ok=True)
    while first < count and len(found) < MOST_DEATHS:
        finished = subprocess.run(
            [*command, samples, work, str(first), str(count)],
            cwd=work,
            env={**os.environ, "HOME": str(work), "TMPDIR": str(work)},
            capture_output=True,
            text=True,
        )
        found += filter(None, [finished.stdout])
        if not finished.returncode:
            break
        number = int((work / "number").read_text())
        found.append(
            f"{kind} {number}: {finished.returncode}\n{finished.stderr[-3000:]}"
        )
        first = number + 1
    return found


@pytest.fixture(scope="module")
def exported(tiny_extractor, tmp_path_factory):
    """A folder with version 1 of a tiny model."""
    base = tmp_path_factory.mktemp("exported") / "delf"
    export(tiny_extractor, base, 1)
    return base


@pytest.mark.large
@pytest.mark.parametrize("kind", [*WRITERS, "indexes"])
def test_damaged_files(kind, tiny_index_folder, exported, tmp_path):
    """No crash, no hang, no other error, and nothing is written outside."""
    samples, work = tmp_path / "samples", tmp_path / "work"
    samples.mkdir()
    if kind in WRITERS:
        WRITERS[kind](samples)
    else:
        samples = tiny_index_folder
    before = {*tmp_path.parent.rglob("*")} - {work}
    shutil.copytree(exported, work / "delf")

    found = faults(kind, samples, work, COUNT)

    assert not found, "\n".join(found)
    outside = {
        path for path in tmp_path.parent.rglob("*") if work not in path.parents
    }
    assert outside - {work} == before
