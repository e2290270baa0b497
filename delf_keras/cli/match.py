"""Matches two photographs and draws the inliers.

    delf-keras match --preset=delf_resnet50_imagenet --picture=matches.png \\
        a.jpg b.jpg
"""

from absl import flags as absl_flags

from delf_keras.cli.extraction_flags import (
    define_extraction_flags,
    make_extractor,
)
from delf_keras.matching.geometry import INLIER_THRESHOLD


def define_flags(flags):
    """Defines the flags of this verb."""
    define_extraction_flags(flags, default_preset="delf_resnet50_imagenet")
    absl_flags.DEFINE_string(
        "picture", None, "File to draw the inliers to.", flag_values=flags
    )
    absl_flags.DEFINE_enum(
        "model",
        "affine",
        ["affine", "homography"],
        "Transform between the photographs.",
        flag_values=flags,
    )
    absl_flags.DEFINE_float(
        "threshold",
        INLIER_THRESHOLD,
        "Largest distance of an inlier, in pixels of the level of the pyramid "
        "that the feature of the second photograph was found on.",
        lower_bound=0.0,
        flag_values=flags,
    )
    absl_flags.DEFINE_float(
        "max_ratio",
        None,
        "Lowe's ratio test against the second nearest descriptor.",
        flag_values=flags,
    )


def run(flags, args):
    """Matches the photographs."""
    from delf_keras.matching import match, verify

    if len(args) != 2:
        raise ValueError(f"match takes two photographs. Received: {args}")
    a, b = make_extractor(flags).extract(args)
    matches = match(a, b, max_ratio=flags.max_ratio)
    verification = verify(
        a, b, matches, model=flags.model, threshold=flags.threshold
    )
    inliers = matches.indices[verification.inliers]
    print(
        f"{len(a)} and {len(b)} features, {len(matches)} putative matches, "
        f"{verification.num_inliers} inliers."
    )
    if flags.picture:
        from delf_keras.features.decoding import read_image
        from delf_keras.visualization import draw_matches

        draw_matches(
            flags.picture,
            *(read_image(path, flags.upright) for path in args),
            a.locations[inliers[:, 0]],
            b.locations[inliers[:, 1]],
            title=f"{verification.num_inliers} inliers",
        )
    return 0
