"""Photographs are found where they are, after index or folder has moved."""

import os
from pathlib import Path

import pytest

from delf_keras.retrieval.roots import (
    describe_root,
    find_root,
    name_in,
    path_in,
)


@pytest.fixture
def project(tmp_path):
    """A project with photographs and an index beside them."""
    project = tmp_path / "old"
    for name in ("data/photos/sub", "out/index"):
        (project / name).mkdir(parents=True)
    return project


@pytest.fixture
def roots(project):
    return describe_root(project / "data/photos", project / "out/index")


def test_nothing_has_moved(project, roots, monkeypatch):
    assert roots == ["../../data/photos", str(project / "data/photos")]
    assert find_root(project / "out/index", roots) == project / "data/photos"
    monkeypatch.chdir(project)
    assert describe_root("data/photos", "out/index") == roots
    assert find_root("out/index", roots) == project / "data/photos"


def test_project_has_moved(project, roots):
    moved = project.rename(project.with_name("new"))
    assert find_root(moved / "out/index", roots) == moved / "data/photos"


def test_index_has_moved(project, roots):
    moved = (project / "out/index").rename(project.with_name("index"))
    assert find_root(moved, roots) == project / "data/photos"


def test_photographs_are_gone(project, roots, caplog):
    photos = project / "data/photos"
    photos.rename(project / "elsewhere")
    assert find_root(project / "out/index", roots) == photos
    assert f"were in {photos}, which is gone" in caplog.text


def test_links(project, tmp_path):
    """An index is opened by a link; photographs are a link in the project."""
    (project / "data/photos").rename(tmp_path / "disk")
    (project / "data/photos").symlink_to(tmp_path / "disk")
    roots = describe_root(project / "data/photos", project / "out/index")
    moved = project.rename(project.with_name("new"))
    (tmp_path / "link").symlink_to(moved / "out/index")
    root = find_root(tmp_path / "link", roots)
    assert root == moved / "data/photos"
    assert name_in(root, root / "sub/a.jpg") == "sub/a.jpg"
    assert name_in(root, tmp_path / "disk/a.jpg") == "a.jpg"


def test_linked_folder_keeps_its_name(project, tmp_path):
    photos = project / "data/photos"
    (photos / "more").symlink_to(tmp_path)
    assert name_in(photos, photos / "more/a.jpg") == "more/a.jpg"


def test_names_lead_back(project):
    photos = project / "data/photos"
    paths = {
        "a.jpg": photos / "sub/../a.jpg",
        "../more/a.jpg": project / "data/more/a.jpg",
    }
    for name, path in paths.items():
        assert name_in(photos, path) == name
        assert path_in(photos, name) == Path(os.path.normpath(path))


def test_lists_of_photographs_and_buckets(tmp_path, caplog):
    """The root of the file system, and what is not on this machine."""
    assert describe_root("/", tmp_path) == ["/"]
    assert find_root(tmp_path, ["/"]) == Path("/")
    assert describe_root("gs://bucket/a", tmp_path) == ["gs://bucket/a"]
    assert find_root(tmp_path, ["gs://bucket/a"]) == "gs://bucket/a"
    assert path_in("gs://bucket/a", "b/c.jpg") == "gs://bucket/a/b/c.jpg"
    assert not caplog.text
