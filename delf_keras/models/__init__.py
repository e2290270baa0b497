"""Keras models and layers, on any Keras backend."""

from delf_keras.models.attention import Attention, NormAttention
from delf_keras.models.delf import Delf
from delf_keras.models.presets import list_presets
from delf_keras.models.resnet import ResNet
from delf_keras.models.weights import model_fingerprint

__all__ = [
    "Attention",
    "Delf",
    "NormAttention",
    "ResNet",
    "list_presets",
    "model_fingerprint",
]
