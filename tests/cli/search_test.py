"""The verb `search`, from a photograph to ranked photographs."""

import dataclasses
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from delf_keras.retrieval.manifest import read_manifest

SHIFT = np.array([16, 32])


def _rows(out):
    """Returns the table's rows as (rank, score, inliers, photograph)."""
    header, *rows = out.splitlines()
    assert header.split() == ["rank", "score", "inliers", "photograph"]
    return [
        (int(rank), float(score), int(inliers), photograph)
        for rank, score, inliers, photograph in (
            row.split(maxsplit=3) for row in rows
        )
    ]


@pytest.fixture
def search(command, built):
    """A function that searches the index and returns the table's rows."""

    def search(query, *flags):
        finished = command(
            "search", f"--index={built.folder}", f"--query={query}", *flags
        )
        assert finished.code == 0
        assert finished.err == ""
        return _rows(finished.out)

    return search


@dataclass(frozen=True)
class Searched:
    """What a search for view.jpg printed and wrote."""

    rows: list
    json: Path
    picture: Path


@pytest.fixture(scope="module")
def searched(finish, built, view, tmp_path_factory):
    """The `Searched` of the index."""
    folder = tmp_path_factory.mktemp("searched") / "new"
    written = folder / "results.json", folder / "result.png"
    finished = finish(
        "search",
        f"--index={built.folder}",
        f"--query={view}",
        f"--json={written[0]}",
        f"--picture={written[1]}",
    )
    assert finished.code == 0
    return Searched(_rows(finished.out), *written)


def test_photograph_finds_itself(search, built):
    query = built.photos / "a.jpg"
    rows = search(query)
    assert [rank for rank, *_ in rows] == list(range(1, len(rows) + 1))
    scores = [score for _, score, *_ in rows]
    assert scores == sorted(scores, reverse=True)
    _, _, inliers, photograph = rows[0]
    assert photograph == str(query)
    assert inliers == 108
    others = [inliers for _, _, inliers, _ in rows[1:]]
    assert others and max(others) < 20


def test_another_view_is_found(searched, built):
    _, _, inliers, photograph = searched.rows[0]
    assert photograph == str(built.photos / "a.jpg")
    assert inliers >= 20


def test_top(search, searched, view):
    assert len(searched.rows) > 2
    assert search(view, "--top=2") == searched.rows[:2]


def test_json(searched, view):
    rows = searched.rows
    content = json.loads(searched.json.read_text())
    assert content["query"] == str(view)
    results = content["results"]
    assert [(result["path"], result["inliers"]) for result in results] == [
        (photograph, inliers) for *_, inliers, photograph in rows
    ]
    assert [result["score"] for result in results] == pytest.approx(
        [score for _, score, *_ in rows], abs=1e-3
    )
    for result in results:
        assert result["verified"] == (result["inliers"] >= 30)
        assert 0 < result["votes"] <= result["score"]

    best = results[0]
    query = np.array(best["query_locations"])
    image = np.array(best["image_locations"])
    assert query.shape == image.shape == (best["inliers"], 2)
    np.testing.assert_array_equal(np.median(image - query, axis=0), SHIFT)
    transform = np.array(best["transform"])
    mapped = np.c_[query, np.ones(len(query))] @ transform.T
    distances = np.linalg.norm(mapped[:, :2] - image, axis=1)
    assert distances.max() < 40
    assert best["transform"][2] == [0, 0, 1]
    # Scale and shift are estimated from cells of 16 pixels.
    centre = transform @ (64, 80, 1)
    np.testing.assert_allclose(centre[:2], SHIFT + (64, 80), atol=8)


def test_without_verification(search, view, tmp_path):
    file = tmp_path / "results.json"
    rows = search(view, "--candidates=0", f"--json={file}")
    assert all(inliers == 0 for _, _, inliers, _ in rows)
    best = json.loads(file.read_text())["results"][0]
    assert best["transform"] is None
    assert best["query_locations"] == []
    assert not best["verified"]


def test_picture(searched):
    with Image.open(searched.picture) as image:
        assert image.format == "PNG"
        assert len(image.getcolors(1 << 24)) > 100


def test_picture_of_photographs_that_are_gone_or_damaged(
    command, built, view, tmp_path, monkeypatch, caplog
):
    """Their ranks stay, and their cells are grey."""
    drawn = []
    monkeypatch.setattr(
        "delf_keras.visualization.draw_ranking",
        lambda path, query, results: drawn.extend(results),
    )
    index = shutil.copytree(built.folder, tmp_path / "index")
    root = shutil.copytree(built.photos, tmp_path / "moved")
    dataclasses.replace(read_manifest(index), roots=[str(root)]).write(index)
    (root / "a.jpg").unlink()
    (root / "b.jpg").write_bytes((root / "b.jpg").read_bytes()[:200])
    finished = command(
        "search",
        f"--index={index}",
        f"--query={view}",
        f"--picture={tmp_path / 'result.png'}",
    )
    assert finished.code == 0
    assert [each.title for each in drawn] == [
        Path(photograph).name for *_, photograph in _rows(finished.out)
    ]
    assert {each.title for each in drawn if each.image is None} == {
        "a.jpg",
        "b.jpg",
    }
    (record,) = (r for r in caplog.records if "grey" in r.getMessage())
    assert f"grey cells for 2 of {len(drawn)}" in record.getMessage()
    assert "a.jpg (No such file" in record.getMessage()


def test_homography(search, built, view, tmp_path):
    file = tmp_path / "results.json"
    rows = search(view, "--model=homography", f"--json={file}")
    _, _, inliers, photograph = rows[0]
    assert photograph == str(built.photos / "a.jpg")
    assert inliers >= 20
    transform = json.loads(file.read_text())["results"][0]["transform"]
    assert transform[2][:2] != [0, 0]


def test_wrong_picture_name(refused, built, view, tmp_path):
    message = refused(
        "search",
        f"--index={built.folder}",
        f"--query={view}",
        f"--picture={tmp_path / 'result.txt'}",
    )
    assert ".png" in message and "result.txt" in message


def test_missing_index(refused, view, tmp_path):
    missing = tmp_path / "missing"
    message = refused("search", f"--index={missing}", f"--query={view}")
    assert "delf-keras index" in message
    assert message.endswith(f"Received: {missing}")


@pytest.mark.parametrize("text", ["{", "[]", '{"format_version": 99}', "{}"])
def test_damaged_manifest(refused, built, view, tmp_path, text):
    index = shutil.copytree(built.folder, tmp_path / "index")
    (index / "manifest.json").write_text(text)
    message = refused("search", f"--index={index}", f"--query={view}")
    assert str(index) in message


def test_damaged_index(refused, built, view, tmp_path):
    index = shutil.copytree(built.folder, tmp_path / "index")
    (index / "segments/000001/locations.npy").write_bytes(b"")
    message = refused("search", f"--index={index}", f"--query={view}")
    assert "build it again" in message and "locations.npy" in message


def test_query_is_no_photograph(refused, built, tmp_path):
    flags = ("search", f"--index={built.folder}")
    missing = tmp_path / "missing.jpg"
    assert str(missing) in refused(*flags, f"--query={missing}")
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    assert str(broken) in refused(*flags, f"--query={broken}")
    assert str(tmp_path) in refused(*flags, f"--query={tmp_path}")
