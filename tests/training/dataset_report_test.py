"""A report says what a data set is like, briefly where there is much."""

import numpy as np
import pytest

from delf_keras.datasets.labelled_images import LabelledImages
from delf_keras.training.dataset_report import DatasetReport, PartReport

NAMES = ("abbey", "castle", "gate", "tower")


@pytest.fixture
def make_part():
    """A function that makes the report of photographs with some labels."""

    def make_part(labels, unreadable=None, copies=None):
        paths = [f"{i}.jpg" for i in range(len(labels))]
        return PartReport(
            images=LabelledImages.from_files(paths, labels, NAMES),
            rows=np.arange(len(labels)),
            unreadable=unreadable or {},
            copies=copies or {},
        )

    return make_part


def test_counts(make_part):
    part = make_part([1, 3, 3, 1, 1])

    assert part.counts.tolist() == [0, 3, 0, 2]


def test_what_a_report_tells(make_part):
    training, validation = make_part([1, 3, 3, 2]), make_part([0, 1])
    report = DatasetReport(
        {"training": training, "validation": validation}, shared={}
    )

    assert report.train is training.images
    assert report.validation is validation.images
    assert report.single_classes == ["castle", "gate"]
    assert report.empty_classes == ["abbey"]
    assert DatasetReport({"training": training}, {}).validation is None


def test_table(make_part):
    """Classes without a photograph do not count as those with the fewest."""
    report = DatasetReport(
        {
            "training": make_part(
                [0] * 1200 + [1] * 7 + [2],
                {"x.jpg": "It is too small: x.jpg", "y.jpg": "Empty: y.jpg"},
            ),
            "validation": make_part([0, 0, 0, 1], copies={"1.jpg": "0.jpg"}),
        },
        shared={"3.jpg": "1207.jpg"},
    )

    assert report.table().splitlines() == [
        "                            training  validation",
        "photographs                     1208           4",
        "unreadable                         2           0",
        "copies                             0           1",
        "classes                            3           2",
        "of a class, fewest                 1           1",
        "of a class, median                 7           2",
        "of a class, most                1200           3",
        "",
        "Unreadable, left out: 2",
        "  It is too small: x.jpg",
        "  Empty: y.jpg",
        "",
        "Classes without a photograph for training: 1",
        "  tower",
        "",
        "Classes of one photograph for training: 1",
        "  gate",
        "",
        "Copies inside training or validation: 1",
        "  1.jpg = 0.jpg",
        "",
        "Photographs for validation that are also for training: 1",
        "  3.jpg = 1207.jpg",
    ]


def test_table_names_the_first_of_many(make_part):
    unreadable = {f"x{i}.jpg": f"Empty: x{i}.jpg" for i in range(8)}
    part = make_part([0, 0, 1, 1, 2, 2, 3, 3], unreadable)
    lines = DatasetReport({"training": part}, {}).table().splitlines()

    assert lines[lines.index("Unreadable, left out: 8") + 1 :] == [
        *(f"  Empty: x{i}.jpg" for i in range(5)),
        "  and 3 more",
    ]
