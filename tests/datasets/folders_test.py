"""A folder of photographs is a data set by the names of its subfolders."""

import pytest

from delf_keras.datasets.folders import read_folder


@pytest.fixture
def make_files(tmp_path):
    """A function that makes empty files of a folder, which it returns."""

    def make_files(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return make_files


def listing(images, folder):
    """Returns (file, name of its class) of all photographs."""
    return [
        (
            images.name(i).removeprefix(f"{folder}/"),
            images.class_names[images.labels[i]],
        )
        for i in range(len(images))
    ]


def test_classes_are_sorted(make_files):
    folder = make_files(
        "tower/b.jpg", "tower/a.png", "castle/c.jpg", "Zoo/d.gif"
    )
    train, validation = read_folder(folder)

    assert validation is None
    assert train.class_names == ("Zoo", "castle", "tower")
    assert listing(train, folder) == [
        ("Zoo/d.gif", "Zoo"),
        ("castle/c.jpg", "castle"),
        ("tower/a.png", "tower"),
        ("tower/b.jpg", "tower"),
    ]


def test_photographs_are_found_at_any_depth(make_files):
    folder = make_files("castle/2019/may/a.jpg", "castle/b.jpg", "tower/c.JPEG")
    train, _ = read_folder(str(folder))

    assert listing(train, folder) == [
        ("castle/2019/may/a.jpg", "castle"),
        ("castle/b.jpg", "castle"),
        ("tower/c.JPEG", "tower"),
    ]


def test_what_is_left_out(make_files):
    """Hidden files, other files, empty classes and files of no class."""
    folder = make_files(
        "castle/a.jpg",
        "castle/notes.txt",
        "castle/._a.jpg",
        "castle/.thumbnails/a.jpg",
        ".git/a.jpg",
        "documents/a.pdf",
        "a.jpg",
    )
    train, _ = read_folder(folder)

    assert train.class_names == ("castle",)
    assert listing(train, folder) == [("castle/a.jpg", "castle")]


@pytest.mark.parametrize("name", ["val", "validation"])
def test_train_and_validation(make_files, name):
    """Numbers of classes are those of training, whose classes may be more."""
    folder = make_files(
        "train/abbey/a.jpg",
        "train/castle/b.jpg",
        "train/tower/c.jpg",
        f"{name}/tower/d.jpg",
        f"{name}/abbey/e.jpg",
        "test/tower/f.jpg",
    )
    train, validation = read_folder(folder)

    assert train.class_names == ("abbey", "castle", "tower")
    assert validation.class_names == train.class_names
    assert train.labels.tolist() == [0, 1, 2]
    assert listing(validation, folder) == [
        (f"{name}/abbey/e.jpg", "abbey"),
        (f"{name}/tower/d.jpg", "tower"),
    ]


def test_train_alone(make_files):
    folder = make_files("train/castle/a.jpg", "train/tower/b.jpg")
    train, validation = read_folder(folder)

    assert train.class_names == ("castle", "tower")
    assert validation is None


def test_classes_named_as_parts(make_files):
    """Photographs of trains, beside those of cars."""
    folder = make_files("train/a.jpg", "car/b.jpg")
    train, validation = read_folder(folder)

    assert train.class_names == ("car", "train")
    assert validation is None


def test_links(make_files, tmp_path):
    """A class may lie elsewhere."""
    make_files("elsewhere/deep/a.jpg")
    (tmp_path / "classes").mkdir()
    (tmp_path / "classes" / "castle").symlink_to(tmp_path / "elsewhere")
    train, _ = read_folder(tmp_path / "classes")

    assert listing(train, tmp_path) == [("classes/castle/deep/a.jpg", "castle")]


def test_no_folder(make_files, tmp_path):
    make_files("a.jpg")
    for path in (tmp_path / "absent", tmp_path / "a.jpg"):
        with pytest.raises(FileNotFoundError, match=f"folder={path}, which is"):
            read_folder(path)


@pytest.mark.parametrize(
    ("files", "count"),
    [
        ([], 0),
        (["a.jpg", "b.jpg"], 0),
        (["castle/notes.txt", "tower/.a.jpg"], 2),
    ],
)
def test_folder_without_classes(make_files, tmp_path, files, count):
    make_files(*files)
    with pytest.raises(
        ValueError, match=f"folder={tmp_path}, with no .* in {count} subfolders"
    ):
        read_folder(tmp_path)


def test_parts_without_classes(make_files, tmp_path):
    make_files("train/a.jpg", "val/castle/b.jpg")
    with pytest.raises(ValueError, match=f"folder={tmp_path}/train, with no"):
        read_folder(tmp_path)


def test_validation_class_that_training_lacks(make_files):
    folder = make_files(
        "train/castle/a.jpg", "val/castle/b.jpg", "val/tower/c.jpg"
    )
    with pytest.raises(ValueError, match="Received: tower, which has none"):
        read_folder(folder)


def test_two_validation_parts(make_files):
    folder = make_files(
        "train/castle/a.jpg", "val/castle/b.jpg", "validation/castle/c.jpg"
    )
    with pytest.raises(ValueError, match="with val and validation"):
        read_folder(folder)
