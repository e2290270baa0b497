"""Rankings as pages, read back by an HTML parser."""

import os
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from delf_keras.visualization import (
    PageEntry,
    RankedPage,
    ranking_pages,
    write_ranking_pages,
)

NAN = float("nan")
ODD = "<b>a & \"b\" 'c'.png"


class Reader(HTMLParser):
    """Collects elements and texts, and checks that elements close."""

    _VOID = ("meta", "img", "br")

    def __init__(self, path):
        super().__init__()
        self.elements, self.texts, self._open = [], [], []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self._VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.texts.append(data.strip())

    def values(self, tag, name):
        return [a[name] for t, a in self.elements if t == tag and name in a]

    def after(self, text):
        return self.texts[self.texts.index(text) + 1 :]


def make_photograph(path, color=(90, 90, 90), size=(400, 300)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path)
    return path


@pytest.fixture
def photographs(tmp_path):
    """Paths of photographs, one with an odd name and one that is missing."""
    names = ["a.png", "b.png", ODD, "other/a.png"]
    paths = [make_photograph(tmp_path / "photos" / name) for name in names]
    return [*paths, tmp_path / "photos" / "missing.png"]


def make_page(photographs, name="query", values=None, **options):
    labels = ["easy", "hard", "wrong", "junk", "wrong"]
    entries = [
        PageEntry(path, rank, label, f"score {10 - rank}")
        for rank, (path, label) in enumerate(
            zip(photographs, labels, strict=True), start=1
        )
    ]
    missed = [PageEntry(photographs[0], 57, "hard")]
    values = {"E": 0.25, "M": 0.5} if values is None else values
    options = {"entries": entries, "missed": missed, **options}
    return RankedPage(name, photographs[0], values, **options)


def write(tmp_path, *pages):
    write_ranking_pages(tmp_path / "pages", "Benchmark", pages)
    return tmp_path / "pages"


def test_folder(tmp_path, photographs):
    folder = write(tmp_path, *[make_page(photographs)] * 2)
    assert sorted(os.listdir(folder)) == [
        "index.html",
        "query_0000.html",
        "query_0001.html",
        "thumbnails",
    ]
    # Two photographs are called a.png.
    assert len(os.listdir(folder / "thumbnails")) == 4
    assert sorted(os.listdir(tmp_path)) == ["pages", "photos"]


def test_every_address_leads_into_the_folder(tmp_path, photographs):
    folder = write(tmp_path, *[make_page(photographs)] * 3)
    paths = [*folder.glob("*.html")]
    assert len(paths) == 4
    for path in paths:
        page = Reader(path)
        sources = page.values("img", "src")
        links = page.values("a", "href")
        assert sources and links
        for address in sources + links:
            assert not address.startswith(("/", "."))
            assert (folder / address).is_file()
        tags = {tag for tag, _ in page.elements}
        assert not tags & {"script", "link", "iframe"}
        assert str(tmp_path) not in path.read_text(encoding="utf-8")


def test_page_of_a_query(tmp_path, photographs):
    page = Reader(write(tmp_path, make_page(photographs)) / "query_0000.html")
    assert page.texts[0] == "query – Benchmark"
    assert "AP E 25.0, AP M 50.0" in page.texts
    results = page.after("Results")
    results = results[: results.index("Missed")]
    assert results == [
        *["1", "easy", "a.png", "score 9"],
        *["2", "hard", "b.png", "score 8"],
        *["3", "wrong", "first wrong", ODD, "score 7"],
        *["4", "junk", "a.png", "score 6"],
        # The photograph is missing, and its name stands in its place.
        *["missing.png cannot be read", "5", "wrong", "missing.png", "score 5"],
    ]
    assert page.after("Missed") == ["57", "hard", "a.png"]
    assert page.values("figure", "class") == [
        *["positive", "positive", "wrong", "junk", "wrong"],
        "positive",
    ]


def test_nothing_wrong_nothing_missed(tmp_path, photographs):
    entries = [PageEntry(photographs[0], 1, "positive")]
    folder = write(
        tmp_path,
        make_page(photographs, entries=entries, missed=[]),
        make_page(photographs, entries=[]),
    )
    page = Reader(folder / "query_0000.html")
    assert page.after("Results") == ["1", "positive", "a.png"]
    assert Reader(folder / "query_0001.html").after("Results")[0] == "None."


def test_positive_that_was_not_returned(tmp_path, photographs):
    missed = [PageEntry(photographs[1], None, "easy")]
    folder = write(tmp_path, make_page(photographs, missed=missed))
    page = Reader(folder / "query_0000.html")
    assert page.after("Missed") == ["not returned", "easy", "b.png"]


def test_index_lists_the_worst_first(tmp_path, photographs):
    values = {
        "best": {"E": 0.9, "M": 0.8},
        "none": {"E": NAN, "M": NAN},
        "worst": {"E": NAN, "M": 0.125},
        "middle": {"M": 0.5, "H": 1.0},
    }
    pages = [make_page(photographs, *item) for item in values.items()]
    folder = write(tmp_path, *pages)
    index = Reader(folder / "index.html")
    assert index.after("Query") == [
        *["AP E", "AP M", "AP H"],
        *["worst", "–", "12.5", "–"],
        *["middle", "–", "50.0", "100.0"],
        *["best", "90.0", "80.0", "–"],
        *["none", "–", "–", "–"],
    ]
    assert len(index.values("img", "src")) == 4
    links = index.values("a", "href")
    assert links == [f"query_000{number}.html" for number in (2, 3, 0, 1)]
    # From a page to its neighbours in the list.
    middle = Reader(folder / links[1])
    assert middle.values("a", "href") == ["index.html", links[0], links[2]]
    last = Reader(folder / links[-1])
    assert last.values("a", "href") == ["index.html", links[2]]


def test_text_is_escaped(tmp_path, photographs):
    page = make_page(
        photographs,
        name="<script>&",
        values={"<E>": 1.0},
        entries=[PageEntry(photographs[2], 1, "wrong", "<i>&amp;")],
    )
    write_ranking_pages(tmp_path / "pages", "A <title> & more", [page])
    index = Reader(tmp_path / "pages" / "index.html")
    assert {"A <title> & more", "<script>&", "AP <E>"} <= set(index.texts)
    page = Reader(tmp_path / "pages" / "query_0000.html")
    assert "<script>& – A <title> & more" in page.texts
    assert {"AP <E> 100.0", ODD, "<i>&amp;"} <= set(page.texts)
    assert ODD in page.values("img", "alt")
    assert not {"script", "i", "b"} & {tag for tag, _ in page.elements}


def test_names_that_are_no_text(tmp_path, photographs):
    path = tmp_path / os.fsdecode(b"caf\xe9.png")
    entries = [PageEntry(path, 1, "wrong")]
    folder = write(tmp_path, make_page(photographs, entries=entries))
    assert "caf?.png" in Reader(folder / "query_0000.html").texts


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((960, 480), (240, 120)),
        ((300, 1200), (60, 240)),
        ((100, 50), (100, 50)),
        ((2400, 10), (240, 1)),
    ],
)
def test_thumbnails_are_small(tmp_path, size, expected):
    color = (200, 100, 50)
    path = make_photograph(tmp_path / "a.png", color, size)
    folder = write(tmp_path, RankedPage("query", path, {}, []))
    (address,) = Reader(folder / "index.html").values("img", "src")
    with Image.open(folder / address) as thumbnail:
        assert thumbnail.format == "JPEG"
        assert thumbnail.size == expected
        pixels = np.asarray(thumbnail).astype(int)
    assert abs(pixels - color).max() <= 4


def test_query_is_cropped_to_its_box(tmp_path):
    pixels = np.zeros((200, 300, 3), np.uint8)
    pixels[50:150, 100:250] = 255
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path)
    entries = [PageEntry(path, 1, "easy")]
    box = np.array([100.2, 49.8, 250, 150])
    page = RankedPage("query", path, {}, entries, box=box)
    page = Reader(write(tmp_path, page) / "query_0000.html")
    query, result = page.values("img", "src")
    with Image.open(tmp_path / "pages" / query) as thumbnail:
        assert thumbnail.size == (150, 100)
        assert np.asarray(thumbnail).min() > 250
    with Image.open(tmp_path / "pages" / result) as thumbnail:
        assert np.asarray(thumbnail).min() == 0


@pytest.mark.parametrize("upright", [True, False])
def test_photographs_are_upright_or_as_stored(tmp_path, upright):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "a.jpg"
    Image.new("RGB", (200, 100)).save(path, exif=exif)
    page = RankedPage("query", path, {}, [PageEntry(path, 1, "easy")])
    write_ranking_pages(tmp_path / "pages", "It", [page], upright=upright)
    (file,) = (tmp_path / "pages" / "thumbnails").iterdir()
    with Image.open(file) as thumbnail:
        assert thumbnail.size == ((100, 200) if upright else (200, 100))


def test_photograph_that_cannot_be_read(tmp_path, photographs):
    (tmp_path / "broken.jpg").write_bytes(b"not a photograph")
    broken = RankedPage(
        "query", tmp_path / "broken.jpg", {}, [], box=(0, 0, 20, 20)
    )
    folder = write(tmp_path, broken)
    for name in ("index.html", "query_0000.html"):
        page = Reader(folder / name)
        assert page.values("div", "class") == ["missing"]
        assert "broken.jpg cannot be read" in page.texts
        assert not page.values("img", "src")


def test_each_photograph_is_read_once(tmp_path, photographs, monkeypatch):
    read = []

    def record(folder, path, box, upright):
        read.append((path, box))

    monkeypatch.setattr(ranking_pages, "_write_thumbnail", record)
    write(tmp_path, *[make_page(photographs)] * 3)
    assert len(read) == len(set(read)) == 5


def test_existing_folder_stays(tmp_path, photographs):
    (tmp_path / "pages").mkdir()
    with pytest.raises(FileExistsError, match="exists already. Received: "):
        write(tmp_path, make_page(photographs))
    assert not os.listdir(tmp_path / "pages")


def test_failure_leaves_nothing(tmp_path, photographs):
    page = make_page(photographs, box=(10, 10, 10, 20))
    with pytest.raises(ValueError, match="not empty. Received: "):
        write(tmp_path, make_page(photographs), page)
    assert os.listdir(tmp_path) == ["photos"]


def test_wrong_arguments_are_refused(tmp_path):
    with pytest.raises(ValueError, match="label must be one of.*'good'"):
        PageEntry("a.jpg", 1, "good")
    with pytest.raises(ValueError, match="rank must be at least 1.*rank=0"):
        PageEntry("a.jpg", 0, "easy")
    with pytest.raises(ValueError, match="Only positives.*label='wrong'"):
        RankedPage("q", "q.jpg", {}, [], [PageEntry("a.jpg", 1, "wrong")])
    with pytest.raises(ValueError, match="at least one query"):
        write(tmp_path)
    assert not os.listdir(tmp_path)
