"""Photographs are listed as tables say, without a look at them."""

import time

import numpy as np
import pytest

from delf_keras.datasets.tables import read_relabeling, read_table


@pytest.fixture
def write(tmp_path):
    """A function that writes a table of lines and returns its path."""

    def write(*lines, name="table.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_text("".join(f"{line}\n" for line in lines), encoding)
        return path

    return write


def listing(images, folder):
    """Returns (file, name of its class) of all photographs."""
    return [
        (
            images.name(i).removeprefix(f"{folder}/"),
            images.class_names[images.labels[i]],
        )
        for i in range(len(images))
    ]


def test_files_and_labels(write, tmp_path):
    """Labels are any text; other columns and empty lines do not matter."""
    path = write(
        "label,taken,file",
        "Tháp Rùa,2019,b.jpg",
        '"Oxford, All Souls",,"sub folder/a, b.jpg"',
        "",
        "Tháp Rùa,2020, /elsewhere/c.jpg ",
    )
    images = read_table(path)

    assert images.class_names == ("Oxford, All Souls", "Tháp Rùa")
    assert listing(images, tmp_path) == [
        ("b.jpg", "Tháp Rùa"),
        ("sub folder/a, b.jpg", "Oxford, All Souls"),
        ("/elsewhere/c.jpg", "Tháp Rùa"),
    ]


def test_image_root(write, tmp_path):
    (tmp_path / "jpg").mkdir()
    images = read_table(
        write("file,label", "a.jpg,x"), image_root=tmp_path / "jpg"
    )

    assert images.name(0) == f"{tmp_path}/jpg/a.jpg"


def test_table_of_a_spreadsheet(write, tmp_path):
    """It starts with a byte order mark and its lines end in two characters."""
    path = write("file,label\r", "a.jpg,x\r", encoding="utf-8-sig")

    assert listing(read_table(path), tmp_path) == [("a.jpg", "x")]


def test_google_landmarks_v2(write, tmp_path):
    (tmp_path / "train" / "6").mkdir(parents=True)
    path = write(
        "id,url,landmark_id",
        "6e158a47eb2ca3f6,https://example.org/a.jpg,142820",
        "202cd79556f30760,http://example.org/b.jpg,104169",
        "6e158a47eb2ca3f7,https://example.org/c.jpg,104169",
    )
    images = read_table(path, image_root=tmp_path / "train")

    assert images.class_names == ("104169", "142820")
    assert listing(images, tmp_path / "train") == [
        ("6/e/1/6e158a47eb2ca3f6.jpg", "142820"),
        ("2/0/2/202cd79556f30760.jpg", "104169"),
        ("6/e/1/6e158a47eb2ca3f7.jpg", "104169"),
    ]


def test_google_landmarks_v1(write, tmp_path):
    """Its files lie in one folder; some show no landmark."""
    path = write(
        '"id","url","landmark_id"',
        '"cacf8152e2d2ae60","http://example.org/a.jpg","4676"',
        '"0a58358a2afd3e4e","http://example.org/b.jpg","None"',
        '"1a58358a2afd3e4e","http://example.org/c.jpg",""',
        '"6b2bb500b6a38aa0","None","6651"',
    )
    images = read_table(path)

    assert listing(images, tmp_path) == [
        ("cacf8152e2d2ae60.jpg", "4676"),
        ("6b2bb500b6a38aa0.jpg", "6651"),
    ]


def test_clean_google_landmarks_v2(write, tmp_path):
    (tmp_path / "1").mkdir()
    path = write(
        "landmark_id,images",
        "7,17660ef415d37059 92b6290d571448f6",
        "1,cd41bf948edc0340",
    )

    assert listing(read_table(path), tmp_path) == [
        ("1/7/6/17660ef415d37059.jpg", "7"),
        ("9/2/b/92b6290d571448f6.jpg", "7"),
        ("c/d/4/cd41bf948edc0340.jpg", "1"),
    ]


def test_landmark_of_many_photographs(write):
    """A value of 170,000 characters, more than csv takes by default."""
    ids = " ".join(f"{i:016x}" for i in range(10_000))

    assert len(read_table(write("landmark_id,images", f"7,{ids}"))) == 10_000


def test_relabeling(write, tmp_path):
    """Only its classes are kept, by its numbers."""
    relabeling = write(
        "new_label,old_label", "0,7", "2,1", "1,30", name="relabeling.csv"
    )
    path = write("file,label", "a.jpg,1", "b.jpg,2", "c.jpg,7", "d.jpg,30")
    images = read_table(path, relabeling=relabeling)

    assert read_relabeling(relabeling) == ("7", "30", "1")
    assert images.class_names == ("7", "30", "1")
    assert images.labels.tolist() == [2, 0, 1]
    assert listing(images, tmp_path) == [
        ("a.jpg", "1"),
        ("c.jpg", "7"),
        ("d.jpg", "30"),
    ]


def test_known_classes(write):
    path = write("file,label", "a.jpg,tower", "b.jpg,castle")

    images = read_table(path, class_names=("tower", "abbey", "castle"))
    assert images.class_names == ("tower", "abbey", "castle")
    assert images.labels.tolist() == [0, 2]
    with pytest.raises(ValueError, match="one of 2 known .* Received: castle,"):
        read_table(path, class_names=("tower", "abbey"))


def test_many_lines(tmp_path):
    """A table of all of Google Landmarks has 50 times as many."""
    path = tmp_path / "train.csv"
    rng = np.random.default_rng(0)
    with open(path, "w") as file:
        file.write("id,url,landmark_id\n")
        for i, label in enumerate(rng.integers(0, 20_000, 100_000)):
            file.write(f"{i:016x},http://example.org,{label}\n")

    start = time.process_time()
    images = read_table(path)
    assert time.process_time() - start < 10
    assert len(images) == 100_000
    assert images.name(99_999) == f"{tmp_path}/000000000001869f.jpg"


@pytest.mark.parametrize("lines", [(), ("a.jpg,castle",), ("file,landmark",)])
def test_other_columns(write, lines):
    path = write(*lines)
    with pytest.raises(
        ValueError,
        match="file,label or id,landmark_id or images,landmark_id. Received: "
        f"{','.join(lines)}, path={path}",
    ):
        read_table(path)


def test_line_that_is_too_short(write):
    path = write("file,label", "a.jpg,castle", "b.jpg")
    with pytest.raises(ValueError, match=f"1 values in line 3, path={path}"):
        read_table(path)


def test_file_without_label(write):
    path = write("file,label", "a.jpg,castle", "b.jpg,")
    with pytest.raises(ValueError, match=f"none for b.jpg, path={path}"):
        read_table(path)


def test_table_that_lists_nothing(write):
    relabeling = write("new_label,old_label", "0,7", name="relabeling.csv")
    for path, options, count in (
        (write("file,label", name="empty.csv"), {}, 0),
        (write("file,label", "a.jpg,1"), {"relabeling": relabeling}, 1),
    ):
        with pytest.raises(ValueError, match=f"{path}, with {count} photo"):
            read_table(path, **options)


def test_what_is_no_table(tmp_path):
    path = tmp_path / "photograph.csv"
    path.write_bytes(b"file,label\n\xff\xd8\xff\xe0,\x00\n")

    with pytest.raises(ValueError, match=f"UTF-8 text .* path={path} "):
        read_table(path)


def test_missing_files(write, tmp_path):
    path = write("file,label", "a.jpg,castle")
    with pytest.raises(
        FileNotFoundError, match="no table. Received: path=.*/x"
    ):
        read_table(tmp_path / "x.csv")
    with pytest.raises(FileNotFoundError, match="Received: image_root=.*/x"):
        read_table(path, image_root=tmp_path / "x")
    with pytest.raises(
        FileNotFoundError, match="no table. Received: path=.*/x"
    ):
        read_table(path, relabeling=tmp_path / "x.csv")


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["1,7", "2,8"],
        ["0,7", "0,8"],
        ["0,7", "1,7"],
        ["0,7", "2,8"],
        ["0,7", "one,8"],
        ["0,"],
    ],
)
def test_relabeling_with_holes(write, lines):
    path = write("new_label,old_label", *lines)
    with pytest.raises(ValueError, match=f"path={path}, with {len(lines)} "):
        read_relabeling(path)
