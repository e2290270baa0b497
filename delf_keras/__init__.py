"""DELF for Keras 3: attentive deep local features and image retrieval."""

import importlib

from wrapt import register_post_import_hook

from delf_keras.version import __version__

_HOMES = {
    "Delf": "delf_keras.models.delf",
    "Extractor": "delf_keras.features.extractor",
    "ImageIndex": "delf_keras.retrieval.image_index",
    "LocalFeatures": "delf_keras.features.local_features",
    "list_presets": "delf_keras.models.presets",
    "match": "delf_keras.matching.nearest_neighbors",
    "verify": "delf_keras.matching.geometry",
}
_ROOMS = (
    "benchmarking",
    "cli",
    "convert",
    "datasets",
    "evaluation",
    "features",
    "matching",
    "models",
    "retrieval",
    "serving",
    "training",
    "visualization",
)
__all__ = ["__version__", *_HOMES]

# Keras finds in its files only what is registered, and importing it here would
# take seconds.
register_post_import_hook(
    lambda _: importlib.import_module("delf_keras.models"), "keras"
)


def __getattr__(name):
    """Imports a public name or sub-package when it is first asked for."""
    if name in _ROOMS:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'delf_keras' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__():
    return sorted([*__all__, *_ROOMS])
