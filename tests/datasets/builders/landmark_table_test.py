"""The tables of Google Landmarks v2."""

import numpy as np
import pytest

from delf_keras.datasets.builders.landmark_table import (
    photograph_id,
    read_clean_table,
    read_landmark_names,
    read_train_table,
)

A, B, C, D = (letter * 16 for letter in "0a5f")
TRAIN = f"""id,url,landmark_id
{B},"http://a.org/1,2.jpg",7
{A},http://a.org/2.jpg,203093
{C},http://a.org/3.jpg,7
"""


def written(folder, text):
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_train_table(tmp_path):
    table = read_train_table(written(tmp_path, TRAIN))
    assert len(table) == 3
    assert table.landmark_ids.tolist() == [7, 203093]
    assert table.find([A, B, C, D]).tolist() == [1, 0, 0, -1]


def test_clean_table(tmp_path):
    text = f"landmark_id,images\n9,{C} {A}\n3,{B}\n"
    table = read_clean_table(written(tmp_path, text))
    assert table.landmark_ids.tolist() == [3, 9]
    assert table.find([A, B, C, D]).tolist() == [1, 0, 1, -1]


def test_a_class_of_very_many_photographs(tmp_path):
    """Its line is longer than the csv module takes."""
    ids = [f"{number:016x}" for number in range(9000)]
    text = f"landmark_id,images\n9,{' '.join(ids)}\n"
    table = read_clean_table(written(tmp_path, text))
    assert (table.find(ids) == 0).all()


def test_a_photograph_takes_20_bytes(tmp_path):
    table = read_train_table(written(tmp_path, TRAIN))
    assert table.ids.nbytes + table.labels.nbytes == 20 * len(table)


def test_other_names_are_not_found(tmp_path):
    table = read_train_table(written(tmp_path, TRAIN))
    assert table.find(["", A[:-1], "z" * 16]).tolist() == [-1] * 3
    assert table.find([]).dtype == np.int32


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (f"0/0/0/{A}.jpg", A),
        (f"train/0/0/0/{A}.jpg", A),
        (f"0/0/0/{A}0.jpg", ""),
        ("readme.jpg", ""),
        (f"0/0/0/{A[:-1]}é.jpg", ""),
    ],
)
def test_id_of_a_file(name, expected):
    assert photograph_id(name) == expected


def test_landmark_names(tmp_path):
    address = "http://commons.wikimedia.org/wiki/Category:"
    text = (
        f"landmark_id,category\n7,{address}Eiffel_Tower\n"
        f'9,"{address}Caf%C3%A9,_Paris"\n'
    )
    assert read_landmark_names(written(tmp_path, text)) == {
        7: "Eiffel_Tower",
        9: "Café,_Paris",
    }


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (read_train_table, ""),
        (read_train_table, "id,landmark_id\n"),
        (read_train_table, "id,url,landmark_id\n"),
        (read_train_table, f"id,url,landmark_id\n{A},u\n"),
        (read_train_table, f"id,url,landmark_id\n{A},u,seven\n"),
        (read_train_table, "id,url,landmark_id\nshort,u,7\n"),
        (read_clean_table, "id,url,landmark_id\n"),
        (read_clean_table, "landmark_id,images\n9\n"),
        (read_landmark_names, "landmark_id,category\nseven,a\n"),
        (read_landmark_names, "landmark_id\n"),
    ],
)
def test_refuses_another_table(tmp_path, read, text):
    with pytest.raises(ValueError, match="path=.*table.csv"):
        read(written(tmp_path, text))
