"""The local features of one photograph."""

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, eq=False)
class LocalFeatures:
    """The local features of one photograph, strongest first.

    Attributes:
        locations: float32 `[N, 2]`. Centres of the receptive fields, (y, x)
            in pixels of the photograph, whole numbers being the centers of
            pixels.
        descriptors: float32 `[N, D]`.
        scores: float32 `[N]`. Attention scores, at least 0.
        scales: float32 `[N]`. Pixels of the photograph per pixel of the
            pyramid level that the feature was found on: its receptive field
            is that of the network times its scale.
        image_size: (height, width) of the photograph in pixels, (0, 0) if not
            known.
        fingerprint: The descriptor space, see `delf_keras.models.presets`;
            empty if not known.
        global_descriptor: float32 `[C]` of all of the photograph, see
            `ExtractionOptions.global_power`; None if none was extracted.
        upright: Whether locations and image size are those of the photograph
            as its EXIF orientation turns it, or as it is stored.

    Reference:
        Noh et al., arXiv 1612.06321, section 4.1.
    """

    locations: np.ndarray
    descriptors: np.ndarray
    scores: np.ndarray
    scales: np.ndarray
    image_size: tuple[int, int] = (0, 0)
    fingerprint: str = ""
    global_descriptor: np.ndarray | None = None
    upright: bool = True

    def __post_init__(self):
        arrays = {
            "locations": (self.locations, 2),
            "descriptors": (self.descriptors, 2),
            "scores": (self.scores, 1),
            "scales": (self.scales, 1),
        }
        for name, (values, rank) in arrays.items():
            values = np.asarray(values, np.float32)
            if values.ndim != rank or len(values) != len(self.scores):
                raise ValueError(
                    f"{name} must have rank {rank} and one row for each of "
                    f"{len(self.scores)} features. "
                    f"Received: {name}.shape={values.shape}"
                )
            object.__setattr__(self, name, values)
        if self.locations.shape[1] != 2:
            raise ValueError(
                "locations must be (y, x) pairs. "
                f"Received: locations.shape={self.locations.shape}"
            )
        if self.global_descriptor is not None:
            vector = np.asarray(self.global_descriptor, np.float32)
            object.__setattr__(self, "global_descriptor", vector)
        height, width = self.image_size
        object.__setattr__(self, "image_size", (int(height), int(width)))

    def __len__(self):
        return len(self.scores)

    @property
    def dimension(self):
        """Length of a descriptor."""
        return self.descriptors.shape[1]

    def __getitem__(self, index):
        return replace(
            self,
            locations=self.locations[index],
            descriptors=self.descriptors[index],
            scores=self.scores[index],
            scales=self.scales[index],
        )
