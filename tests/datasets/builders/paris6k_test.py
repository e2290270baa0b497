"""Paris6k in miniature, as its authors publish it."""

import pytest

from delf_keras.datasets.builders import Paris6k

QUERY = {
    "query": "paris_defense_000605 1 2 30 20\n",
    "good": "paris_defense_000605\n",
    "ok": "",
    "junk": "",
}


@pytest.fixture
def archives(tmp_path, write_photograph, pack):
    """Photographs in folders by landmark; one is an error page."""
    halves = tmp_path / "1", tmp_path / "2"
    write_photograph(halves[0] / "paris/defense/paris_defense_000605.jpg")
    write_photograph(halves[1] / "paris/louvre/paris_louvre_000001.jpg", 1)
    broken = halves[1] / "paris/louvre/paris_louvre_000136.jpg"
    broken.write_text("<html>302 Found</html>")
    truth = tmp_path / "gt" / "paris_120310"
    truth.mkdir(parents=True)
    for kind, text in QUERY.items():
        (truth / f"defense_1_{kind}.txt").write_text(text)
    folder = tmp_path / "archives"
    pack(halves[0], folder / "paris_1-v1.tgz")
    pack(halves[1], folder / "paris_2-v1.tgz")
    pack(tmp_path / "gt", folder / "paris_120310.tgz")
    return folder


def test_from_archives(build, archives, examples):
    builder = build(Paris6k, archives)
    names = [each["name"] for each in examples(builder, "database")]
    assert names == [b"paris_defense_000605", b"paris_louvre_000001"]
    (query,) = examples(builder, "query")
    assert query["query"] == b"defense_1"
    assert query["box"].tolist() == [1, 2, 30, 20]


def test_twenty_photographs_are_broken():
    assert len(Paris6k.BROKEN) == 20
    assert "paris_pantheon_000974" in Paris6k.BROKEN
