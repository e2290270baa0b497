"""The rankings of a benchmark as pages to look through, worst query first.

The pages are a folder of plain HTML and small photographs, which a browser
opens from the disk and which can be moved as a whole.
"""

import hashlib
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from html import escape
from pathlib import Path
from statistics import fmean

from delf_keras.atomic import durable_path

_THUMBNAILS = "thumbnails"
_THUMBNAIL_SIDE = 240
_JPEG_QUALITY = 85

# Which frame each label gets.
_FRAMES = {
    "easy": "positive",
    "hard": "positive",
    "positive": "positive",
    "junk": "junk",
    "wrong": "wrong",
}

_STYLE = """
:root { color-scheme: light dark; --page: #fff; --ink: #222; --faint: #6b6b6b;
  --line: #ddd; --empty: #e4e4e4; --link: #0b57a4; --positive: #1a9850;
  --wrong: #d73027; --junk: #a8a8a8; }
@media (prefers-color-scheme: dark) {
  :root { --page: #181818; --ink: #e6e6e6; --faint: #a0a0a0; --line: #3a3a3a;
    --empty: #383838; --link: #82b7f0; --positive: #3fbf74; --wrong: #f0665c;
    --junk: #777; } }
body { margin: 1.5rem; background: var(--page); color: var(--ink);
  font: 14px/1.4 system-ui, sans-serif; }
h1 { font-size: 1.4rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin-top: 2rem; }
a { color: var(--link); }
nav a { margin-right: 1rem; }
p, figcaption { color: var(--faint); }
table { border-collapse: collapse; }
th, td { padding: .3rem 1rem .3rem 0; text-align: left;
  border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
td.number, th.number { text-align: right; }
img { display: block; max-width: 100%; }
td img { max-width: 120px; max-height: 90px; }
.grid { display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-start; }
figure { margin: 0; width: 248px; overflow-wrap: anywhere; }
.frame { display: inline-block; vertical-align: bottom; border: 4px solid; }
.positive .frame { border-color: var(--positive); }
.wrong .frame { border-color: var(--wrong); }
.junk .frame { border-color: var(--junk); }
.missing { width: 240px; height: 160px; padding: .5rem; overflow: hidden;
  box-sizing: border-box; background: var(--empty); color: var(--faint); }
td .missing { width: 120px; height: 90px; }
.rank { color: var(--ink); font-weight: bold; }
.mark { padding: 0 .3rem; background: var(--wrong); color: var(--page); }
"""


@dataclass(frozen=True)
class PageEntry:
    """One photograph of a ranking.

    Attributes:
        path: str or `Path` of the photograph, which need not exist.
        rank: int from 1, or `None` if it was not returned at all.
        label: "easy", "hard" or "positive", all of which are right, "wrong",
            or "junk", which counts neither way.
        note: str to write below it, like its score and its inliers.
    """

    path: str | os.PathLike
    rank: int | None
    label: str
    note: str = ""

    def __post_init__(self):
        if self.label not in _FRAMES:
            raise ValueError(
                f"label must be one of {', '.join(_FRAMES)}. "
                f"Received: label={self.label!r}"
            )
        if self.rank is not None and self.rank < 1:
            raise ValueError(
                f"rank must be at least 1, or None. Received: rank={self.rank}"
            )
        object.__setattr__(self, "path", Path(self.path))


@dataclass(frozen=True)
class RankedPage:
    """What the page of one query shows.

    Attributes:
        name: str. What to call the query.
        path: str or `Path` of its photograph.
        average_precisions: dict of protocol to the query's average precision
            in [0, 1]; NaN where it has no positives.
        entries: Sequence of `PageEntry`, the first twenty or so, best first.
        missed: Sequence of `PageEntry`, the positives that come later.
        box: (left, top, right, bottom) in pixels, to which the photograph is
            cropped as `read_query` does it; `None` for all of it.
    """

    name: str
    path: str | os.PathLike
    average_precisions: dict[str, float]
    entries: Sequence[PageEntry]
    missed: Sequence[PageEntry] = ()
    box: Sequence[float] | None = None

    def __post_init__(self):
        for entry in self.missed:
            if _FRAMES[entry.label] != "positive":
                raise ValueError(
                    "Only positives can be missed. Received: label="
                    f"{entry.label!r} of {entry.path} for query {self.name!r}"
                )
        object.__setattr__(self, "path", Path(self.path))
        if self.box is not None:
            box = tuple(float(side) for side in self.box)
            object.__setattr__(self, "box", box)

    @property
    def first_wrong(self):
        """The first `PageEntry` that is wrong, or `None`."""
        wrong = (entry for entry in self.entries if entry.label == "wrong")
        return next(wrong, None)


def write_ranking_pages(folder, title, queries, *, upright=True):
    """Writes a page for each query, and index.html that leads to them.

    The index lists the queries by the mean of their average precisions, worst
    first; those without any come last. A page shows the query, its results,
    framed in green if right, red if wrong and grey if junk, and the positives
    that it missed. Photographs become JPEG files of at most 240 pixels a
    side, one for each path; one that cannot be read becomes a grey box.

    Args:
        folder: str or `Path`. Where the folder shall appear.
        title: str. What to call the whole.
        queries: Sequence of `RankedPage`, at least one.
        upright: bool. Whether photographs are turned as their EXIF orientation
            says, and boxes are in pixels of that.

    Raises:
        FileExistsError: if the folder exists.
        ValueError: if there is no query, or a box is empty.
    """
    if not queries:
        raise ValueError(
            f"queries must have at least one query. Received: {queries=}"
        )
    folder = Path(folder)
    if folder.exists():
        raise FileExistsError(
            f"The folder of pages exists already. Received: folder={folder}"
        )
    # Named by the order given, so that two runs name a query's page alike.
    pages = [(f"query_{n:04}.html", query) for n, query in enumerate(queries)]
    pages.sort(key=lambda page: _quality(page[1]))
    with durable_path(folder) as temporary:
        (temporary / _THUMBNAILS).mkdir(parents=True)
        thumbnail = cache(partial(_write_thumbnail, temporary, upright=upright))
        body = _index(title, pages, thumbnail)
        _write(temporary / "index.html", title, body)
        for place, (file_name, query) in enumerate(pages):
            body = _links(pages, place) + _page(query, thumbnail)
            _write(temporary / file_name, f"{query.name} – {title}", body)


def _quality(query):
    valid = [v for v in query.average_precisions.values() if not math.isnan(v)]
    return fmean(valid) if valid else math.inf


def _write_thumbnail(folder, path, box, upright):
    """Returns the relative address of a thumbnail, `None` if unreadable."""
    # TensorFlow and OpenCV take seconds to load, and pictures do without.
    import cv2

    from delf_keras.features.decoding import ImageError, read_image
    from delf_keras.features.photographs import read_query

    read = partial(read_query, box=box) if box else read_image
    try:
        image = read(path, upright=upright)
    except ImageError:
        return None
    height, width = image.shape[:2]
    scale = min(1, _THUMBNAIL_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    _, data = cv2.imencode(".jpg", image[..., ::-1], quality)
    # Photographs in different folders may have one name.
    identity = os.fsencode(path) + (repr(box).encode() if box else b"")
    name = f"{hashlib.sha256(identity).hexdigest()[:20]}.jpg"
    (folder / _THUMBNAILS / name).write_bytes(data.tobytes())
    return f"{_THUMBNAILS}/{name}"


def _write(path, title, body):
    text = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{body}</body>\n</html>\n"
    )
    # File names may hold bytes that are no text.
    path.write_text(text, encoding="utf-8", errors="replace", newline="\n")


def _index(title, pages, thumbnail):
    # As a dict, which keeps their order.
    protocols = {n: n for _, q in pages for n in q.average_precisions}
    heads = "".join(
        f'<th class="number">AP {escape(name)}</th>' for name in protocols
    )
    rows = "".join(
        f"<tr><td>{_picture(query.path, query.box, thumbnail)}</td>"
        f'<td><a href="{file_name}">{escape(query.name)}</a></td>'
        f"{_numbers(query, protocols)}</tr>\n"
        for file_name, query in pages
    )
    return (
        f"<h1>{escape(title)}</h1>\n<p>Worst first. AP in percent.</p>\n"
        "<table>\n<thead><tr><th></th><th>Query</th>"
        f"{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n"
    )


def _numbers(query, protocols):
    values = [query.average_precisions.get(n, math.nan) for n in protocols]
    return "".join(f'<td class="number">{_percent(v)}</td>' for v in values)


def _percent(value):
    return "–" if math.isnan(value) else f"{100 * value:.1f}"


def _links(pages, place):
    links = '<a href="index.html">All queries</a>'
    if place > 0:
        links += f'<a href="{pages[place - 1][0]}">Worse</a>'
    if place + 1 < len(pages):
        links += f'<a href="{pages[place + 1][0]}">Better</a>'
    return f"<nav>{links}</nav>\n"


def _page(query, thumbnail):
    values = ", ".join(
        f"AP {escape(name)} {_percent(value)}"
        for name, value in query.average_precisions.items()
    )
    body = (
        f"<h1>{escape(query.name)}</h1>\n"
        f"{_picture(query.path, query.box, thumbnail)}\n<p>{values}</p>\n"
        f"<h2>Results</h2>\n{_grid(query, query.entries, thumbnail)}"
    )
    if query.missed:
        body += f"<h2>Missed</h2>\n{_grid(query, query.missed, thumbnail)}"
    return body


def _grid(query, entries, thumbnail):
    if not entries:
        return "<p>None.</p>\n"
    figures = "".join(
        f'<figure class="{_FRAMES[entry.label]}">'
        f'<div class="frame">{_picture(entry.path, None, thumbnail)}</div>'
        f"{_caption(entry, entry is query.first_wrong)}</figure>\n"
        for entry in entries
    )
    return f'<div class="grid">\n{figures}</div>\n'


def _caption(entry, is_first_wrong):
    rank = "not returned" if entry.rank is None else entry.rank
    mark = ' <span class="mark">first wrong</span>' if is_first_wrong else ""
    note = f"<br>{escape(entry.note)}" if entry.note else ""
    return (
        f'<figcaption><span class="rank">{rank}</span> {entry.label}{mark}'
        f"<br>{escape(entry.path.name)}{note}</figcaption>"
    )


def _picture(path, box, thumbnail):
    address = thumbnail(path, box)
    name = escape(path.name)
    if address is None:
        return f'<div class="missing">{name} cannot be read</div>'
    return f'<img src="{address}" alt="{name}" loading="lazy">'
