"""What is extracted from a photograph: the defaults of every command."""

from dataclasses import dataclass

PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
# 0.25 to 2.0 by the square root of two, as in section 3.1 of the DELF paper.
DEFAULT_SCALES = tuple(2.0 ** (step / 2) for step in range(-4, 3))


@dataclass(frozen=True)
class ExtractionOptions:
    """What is extracted from a photograph.

    Attributes:
        max_features: Features of highest attention score that are kept.
        score_threshold: Features of a lower attention score are dropped.
        iou_threshold: Of two receptive fields that overlap by more than this
            (intersection over union), the one of lower score is dropped;
            1.0 keeps both.
        max_image_size: Pixels to which a longer side is shrunk first; 0 for
            no limit.
        min_image_size: Pixels to which one is enlarged, but not beyond
            `max_image_size`: a small photograph has fewer features than it
            could, and coarser ones. 0 for none.
        scales: Scales of the image pyramid.
        global_power: Power of the generalised mean (GeM) that pools all cells
            to a descriptor of the whole photograph, such as 3; 0 for none.
        precision: "float32" or "bfloat16", in which the model computes.
        upright: Whether a photograph is turned as its EXIF orientation says;
            False keeps the pixels as they are stored, as hloc and COLMAP do.
    """

    max_features: int = 1000
    score_threshold: float = 0.0
    iou_threshold: float = 1.0
    max_image_size: int = 640
    min_image_size: int = 640
    scales: tuple[float, ...] = DEFAULT_SCALES
    precision: str = "float32"
    global_power: float = 0.0
    upright: bool = True

    def __post_init__(self):
        object.__setattr__(self, "scales", tuple(self.scales))
        problems = {
            "max_features": self.max_features < 1,
            "max_image_size": self.max_image_size < 0,
            "min_image_size": self.min_image_size < 0,
            "scales": not self.scales or min(self.scales) <= 0,
            "precision": self.precision not in PRECISIONS,
            "global_power": self.global_power < 0,
            "iou_threshold": not 0 < self.iou_threshold <= 1,
        }
        for name, wrong in problems.items():
            if wrong:
                raise ValueError(
                    "max_features and scales must be positive, sizes and "
                    "global_power not negative, iou_threshold in (0, 1], "
                    f"precision one of {sorted(PRECISIONS)}. "
                    f"Received: {name}={getattr(self, name)!r}"
                )
