"""Weights from elsewhere, written as a preset."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from delf_keras.convert.datum import read_datum
from delf_keras.convert.slim import convert_slim, is_slim
from delf_keras.convert.sources import open_source
from delf_keras.convert.tf2 import convert_tf2, is_tf2
from delf_keras.features.pca import Pca
from delf_keras.features.tfhub import find_module
from delf_keras.models import presets
from delf_keras.models.delf import Delf
from delf_keras.models.weights import check_finite, model_fingerprint

# What Google's own configuration says where none lies beside the weights.
_PCA_DIMENSION = 40
_SCORE_THRESHOLD = 100.0
_PAPER = "https://arxiv.org/abs/1612.06321"


@dataclass(frozen=True, eq=False)
class Imported:
    """What became of the weights.

    Attributes:
        model: `Delf`.
        pca: `Pca`, or None.
        score_threshold: float.
        left_out: list of the variables that the network has no use for.
    """

    model: Delf
    pca: Pca | None
    score_threshold: float
    left_out: list[str]


def import_weights(
    source,
    *,
    pca=None,
    pca_dimension=None,
    score_threshold=None,
    output_stride=32,
):
    """Makes a `Delf` of weights of TF-Hub or tensorflow/models.

    Args:
        source: str. The URL of a TF-Hub module, or what `open_source` takes.
        pca: str or `Path`. Folder of the `.datum` files of its PCA; those
            beside an export are found without, and False is for none.
        pca_dimension: int. Components of them to keep; defaults to what the
            configuration beside an export says, or else 40.
        score_threshold: float. Defaults to that configuration's too, or else
            100 for a trained attention and 0 for one that is not.
        output_stride: int. 16 for a model of TensorFlow 2 that was trained
            without `block3_strides`; all others have 32.

    Returns:
        `Imported`.

    Raises:
        FileNotFoundError: if there are no such weights.
        ValueError: if they are not those of a DELF, or not all there.
    """
    found = open_source(find_module(str(source)))
    model = _convert(found, output_stride)
    left_out = found.variables.left_out()
    check_finite(model)
    settings = found.settings or {}
    fitted = None
    if pca is not False:
        fitted = _pca(
            found,
            model,
            pca,
            pca_dimension or int(settings.get("pca_dim", _PCA_DIMENSION)),
        )
    if score_threshold is None:
        trained = model.get_config()["attention"] == "conv"
        score_threshold = settings.get(
            "score_threshold", _SCORE_THRESHOLD if trained else 0.0
        )
    return Imported(model, fitted, score_threshold, left_out)


def save_imported(imported, folder, source):
    """Writes imported weights as a preset folder.

    Args:
        imported: `Imported`.
        folder: str or `Path`. A folder that does not exist yet.
        source: str. Where the weights came from, for the preset's record.

    Raises:
        FileExistsError: if the folder exists.
    """
    presets.save_model(
        imported.model,
        folder,
        {
            "description": f"Weights of {Path(source).name}, imported.",
            "origin": str(source),
            "licence": "that of the origin; Google's DELF is Apache-2.0",
            "paper": _PAPER,
            "score_threshold": imported.score_threshold,
        },
        pca=imported.pca and vars(imported.pca),
    )


def _convert(source, output_stride):
    names = source.variables.shapes
    if is_slim(names):
        return convert_slim(source.variables, source.pool_padding)
    if is_tf2(names):
        return convert_tf2(source.variables, output_stride)
    raise ValueError(
        "Variables of a DELF are named resnet_v1_50/... (TensorFlow 1) or "
        f".../backbone/conv1/... (2). Received: {source.variables.prefix} "
        f"with {sorted(names)[:3]}"
    )


def _pca(source, model, folder, dimension):
    """Returns the PCA of a folder, beside the weights or inside a module."""
    folder = Path(folder) if folder else source.pca_folder
    if folder is not None:
        mean, matrix, variances = _read_pca(folder)
    elif source.module:
        arrays = _module_pca(source.graph, model.backbone.channels)
        if arrays is None:
            return None
        (mean, matrix), variances = arrays, None
    else:
        return None
    channels = model.backbone.channels
    if mean.shape != (channels,) or matrix.shape[1:] != (channels,):
        raise ValueError(
            f"The PCA of this network is of {channels} dimensions. Received: "
            f"mean of {mean.shape}, projection of {matrix.shape}"
        )
    whiten = bool((source.settings or {}).get("use_whitening", False))
    dimension = min(dimension, len(matrix))
    return Pca(
        mean=mean,
        components=matrix[:dimension],
        variances=np.ones(dimension, np.float32)
        if variances is None
        else variances[:dimension],
        whiten=whiten,
        model_fingerprint=model_fingerprint(model),
    )


def _read_pca(folder):
    variances = folder / "pca_variances.datum"
    return (
        read_datum(folder / "mean.datum").ravel(),
        read_datum(folder / "pca_proj_mat.datum"),
        read_datum(variances).ravel() if variances.is_file() else None,
    )


def _module_pca(graph, channels):
    """Returns the mean and projection among the constants of a module.

    TF-Hub modules project inside their graph, under names that are not
    documented; their shapes tell them apart.
    """
    means, matrices = [], []
    for node in _constants_of_the_answer(graph):
        shape = [d.size for d in node.attr["value"].tensor.tensor_shape.dim]
        shape = [size for size in shape if size != 1]
        if shape == [channels]:
            means.append(node)
        elif len(shape) == 2 and channels in shape and min(shape) < channels:
            matrices.append(node)
    if len(means) != 1 or len(matrices) != 1:
        return None
    mean, matrix = (
        np.squeeze(tf.make_ndarray(node.attr["value"].tensor))
        for node in (means[0], matrices[0])
    )
    return mean, matrix if matrix.shape[1] == channels else matrix.T


def _constants_of_the_answer(graph):
    """Returns the constants behind the descriptors, not initial values."""
    nodes = {node.name: node for node in graph.graph_def.node}
    found = set()
    waiting = [
        signature.outputs["descriptors"].name
        for signature in graph.signature_def.values()
        if "descriptors" in signature.outputs
    ]
    while waiting:
        name = waiting.pop().split(":")[0].removeprefix("^")
        if name in nodes and name not in found:
            found.add(name)
            waiting += nodes[name].input
    return [
        nodes[name]
        for name in sorted(found)
        if nodes[name].op == "Const"
        and nodes[name].attr["dtype"].type == tf.float32.as_datatype_enum
    ]
