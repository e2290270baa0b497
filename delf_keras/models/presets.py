"""Presets: named models, and the folders that models are kept in.

A preset folder holds `config.json` (the model), `model.weights.h5`,
`preset.json` (description, origin, licence, checksums, score threshold) and,
where one was fitted, `pca.npz`.
"""

import hashlib
import json
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

import keras
import numpy as np

from delf_keras.atomic import durable_path
from delf_keras.models.delf import Delf
from delf_keras.models.imagenet import load_imagenet_weights
from delf_keras.models.resnet import ResNet
from delf_keras.models.weights import (
    check_finite,
    config_with_dtype,
    keras_downloads,
    save_weights,
)

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.weights.h5"
INFO_FILE = "preset.json"
PCA_FILE = "pca.npz"

_IMAGENET = {
    "origin": "keras.applications, trained on ImageNet",
    "licence": "MIT",
    "paper": "https://arxiv.org/abs/1512.03385",
}
# The folder of a preset that the package brings with it has its own files.
PRESETS = {
    "delf_tiny": {
        "description": "A small ResNet trained on rendered landmarks, 40-d "
        "descriptors at stride 16.",
        "folder": Path(__file__).parent / "delf_tiny",
    },
    "delf_resnet50_imagenet": {
        "description": "ResNet50 to block 3, norm attention, 1024-d features "
        "at stride 16.",
        "depth": 50,
        **_IMAGENET,
    },
    "delf_resnet101_imagenet": {
        "description": "ResNet101 to block 3, norm attention, 1024-d features "
        "at stride 16.",
        "depth": 101,
        **_IMAGENET,
    },
}


@dataclass(frozen=True)
class Preset:
    """What is known of a preset before its model is made.

    Attributes:
        name: The name, or the folder's.
        info: What `preset.json` says.
        folder: `Path`, or None for a preset of ImageNet weights, which has no
            files.
    """

    name: str
    info: dict = field(default_factory=dict)
    folder: Path | None = None

    def file(self, name):
        """Returns the `Path` of a file of the folder, None where it has none.

        Raises:
            ValueError: if the file is not the one that was saved.
        """
        path = self.folder and self.folder / name
        if not path or not path.is_file():
            return None
        expected = self.info.get("sha256", {}).get(name)
        received = file_sha256(path)
        if expected != received:
            raise ValueError(
                f"{path} is damaged or was replaced: its sha256 must be "
                f"{expected}. Received: {received}"
            )
        return path


def list_presets():
    """Returns the built-in presets as a dict of name to description."""
    return {name: info["description"] for name, info in PRESETS.items()}


def find_preset(preset):
    """Finds a preset by name, folder or URL.

    Args:
        preset: str or `Path`. A built-in name, a folder, or the http(s) URL
            of a `.tar.gz` or `.zip` of a preset folder, which is downloaded
            once and kept in Keras' cache.

    Returns:
        `Preset`.

    Raises:
        ValueError: if it is none of these.
        FileNotFoundError: if the folder lacks a file or cannot be downloaded.
    """
    name = str(preset)
    if name in PRESETS:
        info = PRESETS[name]
        if "folder" in info:
            return replace(_read_folder(info["folder"]), name=name)
        return Preset(name, info)
    if name.startswith(("http://", "https://")):
        return _read_folder(_download(name))
    if Path(name).is_dir():
        return _read_folder(Path(name))
    raise ValueError(
        f"A preset is one of {sorted(PRESETS)}, a folder, or a URL. "
        f"Received: preset={name!r}"
    )


def _read_folder(folder):
    for file in (CONFIG_FILE, WEIGHTS_FILE, INFO_FILE):
        if not (folder / file).is_file():
            raise FileNotFoundError(
                f"A preset folder holds {CONFIG_FILE}, {WEIGHTS_FILE} and "
                f"{INFO_FILE}. Received: {folder}, which has no {file}"
            )
    return Preset(folder.name, _read_json(folder / INFO_FILE), folder)


def _read_json(path):
    try:
        values = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(
            f"{path} is not valid JSON. Received: {error}"
        ) from error
    if not isinstance(values, dict):
        raise ValueError(f"{path} must hold an object. Received: {values!r}")
    return values


def _download(url):
    # Keras keeps files by their name alone, which two sites may share.
    subfolder = f"delf_keras/{hashlib.sha256(url.encode()).hexdigest()[:16]}"
    try:
        with keras_downloads():
            root = keras.utils.get_file(
                origin=url, extract=True, cache_subdir=subfolder
            )
    # Keras raises a plain Exception where a download fails.
    except Exception as error:
        raise FileNotFoundError(
            "The preset could not be downloaded: give the folder of a local "
            f"copy. Received: {error}"
        ) from error
    root = Path(root)
    for config in sorted(root.rglob(CONFIG_FILE)):
        return config.parent
    # What is no preset is not kept.
    shutil.rmtree(root.parent, ignore_errors=True)
    raise FileNotFoundError(
        f"The archive holds no preset folder. Received: url={url}"
    )


def load_model(preset, weights=None, dtype=None):
    """Makes the model of a `Preset`; see `Delf.from_preset`."""
    if preset.folder is None:
        backbone = ResNet(depth=preset.info["depth"], dtype=dtype)
        model = Delf(backbone, dtype=dtype, name=preset.name)
        model.build((None, None, None, 3))
        load_imagenet_weights(backbone, weights)
    elif weights is not None:
        raise ValueError(
            "Only a preset of ImageNet weights takes them; a preset folder has "
            f"its own. Received: preset={preset.folder}, weights={weights}"
        )
    else:
        model = _load_folder(preset, dtype)
    check_finite(model)
    return model


def _load_folder(preset, dtype):
    folder = preset.folder
    config = _read_json(folder / CONFIG_FILE)
    if dtype is not None:
        config = config_with_dtype(config, dtype)
    weights = preset.file(WEIGHTS_FILE)
    try:
        model = keras.saving.deserialize_keras_object(config)
        # Keras goes on where a build fails, with a model without weights.
        if not model.weights:
            model.backbone.build((None, None, None, 3))
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{folder / CONFIG_FILE} does not describe a model. "
            f"Received: {error}"
        ) from error
    model.load_weights(weights)
    return model


def save_model(model, folder, info, pca=None, half=False):
    """Writes a preset folder, all or nothing.

    Args:
        model: `Delf`, built.
        folder: str or `Path`. A folder that does not exist yet.
        info: dict. What `preset.json` shall say beside the checksums.
        pca: dict of the arrays that `pca.npz` shall hold, or None.
        half: bool. Whether to keep the weights as float16. They must be
            numbers of float16 already, for the fingerprint to stay.

    Raises:
        FileExistsError: if the folder exists.
    """
    folder = Path(folder)
    if folder.exists():
        raise FileExistsError(
            f"The preset folder exists already. Received: folder={folder}"
        )
    with durable_path(folder) as temporary:
        temporary.mkdir()
        config = keras.saving.serialize_keras_object(model)
        (temporary / CONFIG_FILE).write_text(json.dumps(config, indent=2))
        save_weights(model, temporary / WEIGHTS_FILE, half)
        if pca is not None:
            np.savez(temporary / PCA_FILE, **pca)
        checksums = {
            name: file_sha256(temporary / name)
            for name in (WEIGHTS_FILE, PCA_FILE)
            if (temporary / name).exists()
        }
        info = {**info, "sha256": checksums}
        (temporary / INFO_FILE).write_text(json.dumps(info, indent=2))


def file_sha256(path):
    """Returns the sha256 of a file as hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
