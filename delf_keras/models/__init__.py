"""Keras models and layers, on any Keras backend."""

from delf_keras.models.attention import Attention, NormAttention
from delf_keras.models.classifiers import (
    AttentionClassifier,
    DescriptorClassifier,
    JointClassifier,
)
from delf_keras.models.delf import Delf
from delf_keras.models.losses import CrossEntropy
from delf_keras.models.presets import list_presets
from delf_keras.models.resnet import ResNet
from delf_keras.models.weights import model_fingerprint

__all__ = [
    "Attention",
    "AttentionClassifier",
    "CrossEntropy",
    "Delf",
    "DescriptorClassifier",
    "JointClassifier",
    "NormAttention",
    "ResNet",
    "list_presets",
    "model_fingerprint",
]
