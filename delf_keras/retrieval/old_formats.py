"""Opening index folders of formats 1 and 2."""

import json
import logging
from pathlib import Path

import numpy as np

from delf_keras.atomic import TemporaryFolder
from delf_keras.features.extraction_options import ExtractionOptions
from delf_keras.features.local_features import LocalFeatures
from delf_keras.retrieval.index_training import learn
from delf_keras.retrieval.manifest import PRESET_FOLDER

logger = logging.getLogger(__name__)


def write_old_index(folder, manifest, target):
    """Writes what an index of an older format holds as one of this format.

    Quantizers are trained anew, on the descriptors that it has. Global
    descriptors are left out: format 2 kept them whitened only.

    Args:
        folder: `Path`.
        manifest: dict, its manifest.
        target: `Path` of a folder that does not exist yet.

    Raises:
        ValueError: if it is damaged.
    """
    # The writer opens indexes, old ones too.
    from delf_keras.retrieval.index_files import create_index
    from delf_keras.retrieval.index_filling import fill_index

    try:
        named_features = _read_features(folder, manifest)
        source = manifest.get("server") or folder / PRESET_FOLDER
        learned = learn(
            [features for _, features in named_features],
            factory=manifest["factory"],
            # Nothing of what it has is lost.
            descriptor_type="float16",
        )
        new = create_index(
            target,
            source,
            manifest["fingerprint"],
            Path(manifest["root"]),
            ExtractionOptions(**manifest["extraction"]),
            learned,
        )
    except (ValueError, KeyError, TypeError, IndexError, OSError) as error:
        raise ValueError(
            "The index is damaged: build it again. Received: "
            f"{folder} ({error})"
        ) from error
    fill_index(target, new, [(named_features, None)])


def open_old_index(cls, folder, manifest):
    """Opens an `ImageIndex` of an older format, by way of a temporary copy."""
    logger.warning(
        "%s is of index format %s: it is read anew each time. "
        "`delf-keras index-compact --output=NEW` writes it in the present one.",
        folder,
        manifest["format_version"],
    )
    temporary = TemporaryFolder()
    target = temporary.path / "index"
    write_old_index(folder, manifest, target)
    return cls.load(target).with_temporary(temporary)


def _read_features(folder, manifest):
    """Returns (name, `LocalFeatures`) of all photographs."""
    arrays = {
        name: np.load(folder / f"{name}.npy", allow_pickle=False)
        for name in ("sizes", "offsets", "locations", "descriptors")
    }
    names = json.loads((folder / "images.json").read_text())
    count = len(arrays["locations"])
    scales = np.ones(count, np.float32)
    # Format 1 did not keep them.
    if (folder / "scales.npy").is_file():
        scales = np.load(folder / "scales.npy", allow_pickle=False)
    offsets = arrays["offsets"]
    if len(names) != len(offsets) - 1 or offsets[-1] != count:
        raise ValueError("its files do not belong together")
    return [
        (
            name,
            LocalFeatures(
                arrays["locations"][rows],
                arrays["descriptors"][rows],
                np.zeros(len(scales[rows])),
                scales[rows],
                arrays["sizes"][image],
                manifest["fingerprint"],
            ),
        )
        for image, name in enumerate(names)
        for rows in [slice(offsets[image], offsets[image + 1])]
    ]
