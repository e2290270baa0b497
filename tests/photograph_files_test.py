"""One rule says which files are photographs; more is in `photographs_test`."""

from delf_keras.photograph_files import SUFFIXES, list_photographs


def test_every_suffix(tmp_path):
    names = [
        f"a{case(suffix)}" for suffix in SUFFIXES for case in (str, str.upper)
    ]
    for name in [*names, "a.tiff", "b", ".jpg"]:
        (tmp_path / name).touch()

    assert list_photographs(tmp_path) == sorted(names)


def test_names_are_relative(tmp_path, monkeypatch):
    """Also where the folder is named in another way than it is walked."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c.jpg").touch()

    for folder in (tmp_path / "a", f"{tmp_path}/a/", f"{tmp_path}/a/../a"):
        assert list_photographs(folder) == ["b/c.jpg"]
    monkeypatch.chdir(tmp_path)
    assert list_photographs(".") == ["a/b/c.jpg"]


def test_no_photographs(tmp_path):
    assert list_photographs(tmp_path) == []
    assert list_photographs(tmp_path / "absent") == []
