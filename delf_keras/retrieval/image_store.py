"""What an index knows of its photographs beside the descriptors' codes."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

NAMES_FILE = "images.json"
ARRAY_FILES = {
    "sizes": "sizes.npy",
    "offsets": "offsets.npy",
    "locations": "locations.npy",
    "scales": "scales.npy",
    "descriptors": "descriptors.npy",
}


@dataclass(frozen=True, eq=False)
class ImageStore:
    """Names, sizes and local features of the photographs of a database.

    Attributes:
        names: Names of the photographs.
        sizes: int32 `[num_images, 2]`, height and width in pixels.
        offsets: int64 `[num_images + 1]`. The features of photograph `i` are
            the rows `offsets[i]` to `offsets[i + 1]`.
        locations: float32 `[N, 2]`, (y, x) in pixels.
        scales: float32 `[N]`, pixels of the photograph per pixel of the
            pyramid level.
        descriptors: float16 `[N, D]`, to match candidates with.
    """

    names: list[str]
    sizes: np.ndarray
    offsets: np.ndarray
    locations: np.ndarray
    scales: np.ndarray
    descriptors: np.ndarray

    def __len__(self):
        return len(self.names)

    @classmethod
    def from_features(cls, named_features):
        """Collects the features of photographs.

        Args:
            named_features: list of (name, `LocalFeatures`) pairs.

        Returns:
            `ImageStore`.
        """
        features = [each for _, each in named_features]
        return cls(
            names=[name for name, _ in named_features],
            sizes=np.array([each.image_size for each in features], np.int32),
            offsets=np.cumsum([0, *map(len, features)], dtype=np.int64),
            locations=np.concatenate([each.locations for each in features]),
            scales=np.concatenate([each.scales for each in features]),
            descriptors=np.concatenate(
                [each.descriptors.astype(np.float16) for each in features]
            ),
        )

    def image_ids(self, rows):
        """Returns the photograph of each row, -1 for the row -1."""
        return np.searchsorted(self.offsets, rows, side="right") - 1

    def features_of(self, image):
        """Returns locations, scales and float32 descriptors of an image."""
        rows = slice(self.offsets[image], self.offsets[image + 1])
        return (
            self.locations[rows],
            self.scales[rows],
            self.descriptors[rows].astype(np.float32),
        )

    def save(self, folder):
        """Writes the store into a folder."""
        (folder / NAMES_FILE).write_text(json.dumps(self.names, indent=0))
        for name, file in ARRAY_FILES.items():
            np.save(folder / file, getattr(self, name))

    @classmethod
    def load(cls, folder):
        """Opens the store in a folder; its arrays are mapped, not read."""
        folder = Path(folder)
        return cls(
            names=json.loads((folder / NAMES_FILE).read_text()),
            **{
                name: np.load(folder / file, mmap_mode="r", allow_pickle=False)
                for name, file in ARRAY_FILES.items()
            },
        )
