"""Keras models and layers, on any Keras backend."""

from delf_keras.models.attention import Attention, NormAttention
from delf_keras.models.delf import Delf
from delf_keras.models.presets import list_presets, model_fingerprint
from delf_keras.models.resnet import ResNet

__all__ = [
    "Attention",
    "Delf",
    "NormAttention",
    "ResNet",
    "list_presets",
    "model_fingerprint",
]
