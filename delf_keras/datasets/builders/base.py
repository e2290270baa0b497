"""What the builders have in common."""

import numpy as np
import tensorflow_datasets as tfds

from delf_keras.documentation import documentation


class LandmarkBuilder(tfds.core.DatasetBuilder, skip_registration=True):
    """A builder that works in parallel and says how far it is.

    Args:
        workers: int. Processes that render, or threads that read, at once.
        progress: Wraps an iterable, its length and a label, for a progress
            bar.
        **kwargs: Of `tfds.core.DatasetBuilder`: data_dir, config, version.
    """

    def __init__(
        self,
        *,
        workers=1,
        progress=lambda iterable, total, label: iterable,
        **kwargs,
    ):
        if workers < 1:
            raise ValueError(
                f"There must be a worker. Received: workers={workers}"
            )
        # TFDS asks for what these are needed for while it is initialised.
        self.workers = workers
        self.progress = progress
        super().__init__(**kwargs)


def exact_floats(*shape):
    """Returns a feature of float64, of which TFDS would keep float32."""
    return tfds.features.Tensor(
        shape=shape, dtype=np.float64, encoding=tfds.features.Encoding.BYTES
    )


def described(builder, features, **options):
    """Describes a data set.

    Args:
        builder: `tfds.core.DatasetBuilder`, whose documentation is the
            description.
        features: dict of name to feature.
        **options: Of `tfds.core.DatasetInfo`.

    Returns:
        `tfds.core.DatasetInfo`.
    """
    return tfds.core.DatasetInfo(
        builder=builder,
        description=documentation(type(builder)),
        features=tfds.features.FeaturesDict(features),
        **options,
    )
