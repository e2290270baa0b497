"""What an exported model and its clients agree on.

Signature `extract`, which is `serving_default` too, takes `image_bytes`,
string `[N]`, the bytes of photographs, and `extract_pixels` takes `images`,
uint8 `[N, height, width, 3]`, RGB. Both return, of each photograph,

- `locations`, float32 `[N, K, 2]`, (y, x) in pixels of the photograph, which is
  upright unless `options` of the extractor say otherwise,
- `descriptors`, float32 `[N, K, D]`, of unit length,
- `scores` and `scales`, float32 `[N, K]`,
- `num_features`, int32 `[N]`: that many of the K rows are features, the
  strongest first; the rest are zeros,
- `image_size`, int32 `[N, 2]`, height and width in pixels, zeros where the
  photograph could not be decoded,
- `status`, string `[N]`: one of `STATUSES`. Only `OK` has features,
- `extractor`, string `[N]`: JSON of an `ExtractorDescription`.
"""

import json
from dataclasses import asdict, dataclass

MODEL_NAME = "delf"
# Versions are numbers of 64 bits.
VERSIONS = range(2**63)
SERVING_DEFAULT = "serving_default"
EXTRACT = "extract"
EXTRACT_PIXELS = "extract_pixels"
DELF_COMPAT = "delf_compat"

OK = "ok"
CORRUPT = "corrupt"
TOO_SMALL = "too_small"
TOO_LARGE = "too_large"
# Status to what was expected of the photograph.
STATUSES = {
    OK: "",
    CORRUPT: "A photograph is a JPEG, PNG, BMP or still WebP file that is "
    "whole",
    TOO_SMALL: "A photograph has at least 10 pixels on each side, also when "
    "it is shrunk to the largest size that is extracted",
    TOO_LARGE: "A photograph keeps the served model's limits on bytes and "
    "pixels",
}


def version_number(name):
    """Returns the version that a folder's name is, an int, or None.

    Args:
        name: str. Zeros may stand before the number.
    """
    if not (name.isascii() and name.isdecimal()):
        return None
    number = int(name)
    return number if number in VERSIONS else None


@dataclass(frozen=True)
class ExtractorDescription:
    """What is known of a served extractor.

    Attributes:
        fingerprint: The descriptor space.
        pca: Whether the descriptors are projected by a PCA.
        dimension: Length of a descriptor.
        options: dict of the fields of `ExtractionOptions`.
    """

    fingerprint: str
    pca: bool
    dimension: int
    options: dict

    def to_json(self):
        """Returns the description as one line."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text):
        """Reads what `to_json` wrote.

        Raises:
            ValueError: if it is not a description.
        """
        try:
            return cls(**json.loads(text))
        except (TypeError, ValueError) as error:
            raise ValueError(
                "The description of a served extractor is JSON of its "
                f"fingerprint, pca, dimension and options. Received: {text!r}"
            ) from error
