"""Where weights come from: modules, exports and checkpoints."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

from delf_keras.convert.variables import Variables

GRAPH_FILE = "saved_model.pb"
_MODULE_FILE = "tfhub_module.pb"


@dataclass(frozen=True)
class Source:
    """Weights, and what lies beside them.

    Attributes:
        variables: `Variables`.
        graph: `MetaGraphDef` of an export, or None for a checkpoint.
        pca_folder: `Path` of `.datum` files, or None.
        settings: dict of what a configuration beside them says:
            `score_threshold`, `pca_dim` and `use_whitening`.
        module: bool. Whether it is a TF-Hub module.
    """

    variables: Variables
    graph: object = None
    pca_folder: Path | None = None
    settings: dict | None = None
    module: bool = False

    @property
    def pool_padding(self):
        """How the network's first pooling pads, see `ResNet`.

        The code of slim pads by parity, but Google's exports pad alike.
        """
        for node in self.graph.graph_def.node if self.graph else ():
            if node.op == "MaxPool" and "/pool1/" in node.name:
                return (
                    "same" if node.attr["padding"].s == b"SAME" else "symmetric"
                )
        return "same"


def open_source(path):
    """Opens weights that are on this machine.

    Args:
        path: str or `Path`. A TF-Hub module, an export, a folder with an
            export and its PCA, a folder of checkpoints, or the path of a
            checkpoint with or without the suffix `.index`.

    Returns:
        `Source`.

    Raises:
        FileNotFoundError: if there is nothing of that kind.
        ValueError: if what is there cannot be read.
    """
    path = Path(path)
    if (path / "model" / GRAPH_FILE).is_file():
        return _open_export(path / "model", path)
    if (path / GRAPH_FILE).is_file():
        return _open_export(path, path.parent)
    if path.is_dir():
        prefix = tf.train.latest_checkpoint(str(path))
        if prefix is None:
            raise FileNotFoundError(
                f"A folder of weights holds {GRAPH_FILE}, or model/"
                f"{GRAPH_FILE}, or checkpoints. Received: {path}"
            )
        return Source(Variables(prefix))
    return Source(Variables(os.fspath(path).removesuffix(".index")))


def _open_export(model, home):
    pca = home / "pca"
    return Source(
        Variables(str(model / "variables" / "variables")),
        _read_graph(model / GRAPH_FILE),
        pca if pca.is_dir() else None,
        _read_settings(home),
        (model / _MODULE_FILE).is_file(),
    )


def _read_graph(path):
    try:
        saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
        return saved.meta_graphs[0]
    except (DecodeError, IndexError) as error:
        raise ValueError(
            f"The graph of an export is expected. Received: {path}"
        ) from error


def _read_settings(home):
    """Reads what the `.pbtxt` file of an export says of its features."""
    settings = {}
    for file in sorted(home.glob("*.pbtxt")):
        for name, value in re.findall(
            r"^\s*(score_threshold|pca_dim|use_whitening)\s*:\s*(\S+)",
            file.read_text(),
            re.MULTILINE,
        ):
            settings[name] = (
                value == "true" if value.isalpha() else float(value)
            )
    return settings
