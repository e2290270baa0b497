"""What a data set is like, as values and as text."""

from dataclasses import dataclass

import numpy as np

from delf_keras.datasets.labelled_images import LabelledImages

TRAINING = "training"
VALIDATION = "validation"

# Photographs or classes that a table names of each kind.
_NAMED = 5


@dataclass(frozen=True, eq=False)
class PartReport:
    """What the photographs of one part of a data set are like.

    Attributes:
        images: `LabelledImages` that can be used, their classes numbered as
            before.
        rows: int64 `[N]`. Which of the part they are.
        unreadable: dict of the name of a photograph to the reason why it
            cannot be used.
        copies: dict of the name of a photograph to that of an earlier one of
            the same bytes. Both are used.
    """

    images: LabelledImages
    rows: np.ndarray
    unreadable: dict[str, str]
    copies: dict[str, str]

    @property
    def counts(self):
        """How many photographs each class has, int64 `[num_classes]`."""
        return np.bincount(
            self.images.labels, minlength=self.images.num_classes
        )


@dataclass(frozen=True, eq=False)
class DatasetReport:
    """What a data set is like.

    Attributes:
        parts: dict of "training" and, if there is one, "validation" to
            `PartReport`.
        shared: dict of the name of a photograph for validation to that of one
            for training of the same bytes. Both are used.
    """

    parts: dict[str, PartReport]
    shared: dict[str, str]

    @property
    def train(self):
        """The `LabelledImages` for training that can be used."""
        return self.parts[TRAINING].images

    @property
    def validation(self):
        """Those for validation, None if the data set has no such part."""
        part = self.parts.get(VALIDATION)
        return part and part.images

    @property
    def single_classes(self):
        """Names of the classes with one photograph for training."""
        return self._classes_of(1)

    @property
    def empty_classes(self):
        """Names of the classes without a photograph for training."""
        return self._classes_of(0)

    def _classes_of(self, count):
        numbers = np.flatnonzero(self.parts[TRAINING].counts == count)
        return [self.train.class_names[number] for number in numbers]

    def table(self):
        """Returns what there is to know as text, to be printed."""
        columns = [_column(part) for part in self.parts.values()]
        rows = [["", *self.parts]] + [
            [label, *(str(column[label]) for column in columns)]
            for label in columns[0]
        ]
        lines = [
            "".join([f"{row[0]:24}", *(f"{cell:>12}" for cell in row[1:])])
            for row in rows
        ]
        for title, items in self._remarks().items():
            lines += _remark(title, items)
        return "\n".join(lines)

    def _remarks(self):
        """Returns a dict of what is remarkable to a list of instances."""
        parts = self.parts.values()
        return {
            "Unreadable, left out": [
                reason for part in parts for reason in part.unreadable.values()
            ],
            "Classes without a photograph for training": self.empty_classes,
            "Classes of one photograph for training": self.single_classes,
            "Copies inside training or validation": [
                f"{name} = {other}"
                for part in parts
                for name, other in part.copies.items()
            ],
            "Photographs for validation that are also for training": [
                f"{name} = {other}" for name, other in self.shared.items()
            ],
        }


def _column(part):
    """Returns a dict of what a column of the table says of a part."""
    counts = part.counts[part.counts > 0]
    return {
        "photographs": len(part.images),
        "unreadable": len(part.unreadable),
        "copies": len(part.copies),
        "classes": len(counts),
        "of a class, fewest": counts.min(),
        "of a class, median": f"{np.median(counts):g}",
        "of a class, most": counts.max(),
    }


def _remark(title, items):
    """Returns the lines of what is remarkable, none if nothing is."""
    lines = [f"  {item}" for item in items[:_NAMED]]
    if len(items) > _NAMED:
        lines.append(f"  and {len(items) - _NAMED} more")
    return ["", f"{title}: {len(items)}", *lines] if items else []
