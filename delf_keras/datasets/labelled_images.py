"""Labelled photographs, wherever their bytes lie."""

from dataclasses import dataclass, replace

import numpy as np

from delf_keras.photograph_files import check_regular

WHOLE_FILE = -1


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Encoded photographs in files, each with the number of its class.

    A photograph is a whole file or a part of one, such as a record of a
    shard, so that all sources are alike once they are listed: any photograph
    is read at once, in any order.

    Attributes:
        paths: object array `[N]` of str.
        offsets: int64 `[N]`. Where the photograph starts in its file, bytes.
        lengths: int64 `[N]`, bytes; `WHOLE_FILE` for all of a file.
        labels: int64 `[N]`, indices into `class_names`.
        class_names: Names of the classes.
    """

    paths: np.ndarray
    offsets: np.ndarray
    lengths: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]

    def __post_init__(self):
        counts = {
            name: len(getattr(self, name))
            for name in ("paths", "offsets", "lengths", "labels")
        }
        if len(set(counts.values())) > 1:
            raise ValueError(
                "Photographs must have a path, offset, length and label each. "
                f"Received: {counts}"
            )

    def __len__(self):
        return len(self.labels)

    @classmethod
    def from_files(cls, paths, labels, class_names):
        """Lists photographs that are files of their own.

        Args:
            paths: N str.
            labels: N int, indices into `class_names`.
            class_names: Names of the classes.

        Returns:
            `LabelledImages`.
        """
        return cls(
            paths=np.array(paths, object),
            offsets=np.zeros(len(paths), np.int64),
            lengths=np.full(len(paths), WHOLE_FILE, np.int64),
            labels=np.array(labels, np.int64),
            class_names=tuple(class_names),
        )

    @property
    def num_classes(self):
        return len(self.class_names)

    def select(self, indices):
        """Returns some of the photographs, of the same classes.

        Args:
            indices: int array or bool array `[N]`.

        Returns:
            `LabelledImages`, in the order of the indices.
        """
        return replace(
            self,
            paths=self.paths[indices],
            offsets=self.offsets[indices],
            lengths=self.lengths[indices],
            labels=self.labels[indices],
        )

    def name(self, index):
        """Returns the path of a photograph, path@offset for a part of one."""
        if self.lengths[index] == WHOLE_FILE:
            return self.paths[index]
        return f"{self.paths[index]}@{self.offsets[index]}"

    def read(self, index):
        """Reads the encoded photograph.

        Args:
            index: int.

        Returns:
            bytes.

        Raises:
            OSError: if the file cannot be read.
        """
        return read_part(
            self.paths[index], self.offsets[index], self.lengths[index]
        )


def read_part(path, offset, length):
    """Reads a part of a file.

    Args:
        path: str or `Path`.
        offset: int. Where the part starts, bytes.
        length: int, bytes; `WHOLE_FILE` for all that follows.

    Returns:
        bytes.

    Raises:
        OSError: if the file cannot be read.
    """
    check_regular(path)
    with open(path, "rb") as file:
        file.seek(offset)
        return file.read(length)
