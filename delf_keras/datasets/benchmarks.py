"""Benchmarks of retrieval: published ones, and folders of one's own."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from delf_keras.datasets.benchmark import (
    Benchmark,
    classic_benchmark,
    revisited_benchmark,
    with_distractors,
)
from delf_keras.datasets.benchmark_files import (
    find_ground_truth,
    find_text_ground_truth,
)
from delf_keras.datasets.published import BROKEN
from delf_keras.datasets.published_files import (
    FLICKR100K,
    provide_files,
    published_distractors,
    published_ground_truth,
    published_photographs,
)
from delf_keras.evaluation import load_oxford, load_revisited
from delf_keras.photograph_files import list_photographs


@dataclass(frozen=True)
class _Set:
    photographs: str
    learn_on: str
    revisited: bool = False
    distractors: str | None = None


_SETS = {
    "oxford5k": _Set("oxford5k", "paris6k"),
    "oxford105k": _Set("oxford5k", "paris6k", distractors=FLICKR100K),
    "paris6k": _Set("paris6k", "oxford5k"),
    "paris106k": _Set("paris6k", "oxford5k", distractors=FLICKR100K),
    "roxford5k": _Set("oxford5k", "paris6k", revisited=True),
    "rparis6k": _Set("paris6k", "oxford5k", revisited=True),
    "roxford5k+1m": _Set("oxford5k", "paris6k", True, "revisitop1m"),
    "rparis6k+1m": _Set("paris6k", "oxford5k", True, "revisitop1m"),
}

BENCHMARKS = tuple(_SETS)

__all__ = [
    "BENCHMARKS",
    "Benchmark",
    "learning_photographs",
    "open_benchmark",
]


def open_benchmark(
    name_or_folder,
    data_dir=None,
    download=False,
    progress=lambda iterable, total, label: iterable,
):
    """Opens a benchmark: one that is published, or a folder.

    The database of Oxford5k and Paris6k has all photographs, sorted by name,
    that of a revisited set those that its ground truth lists. Distractors
    come after them.

    Args:
        name_or_folder: One of `BENCHMARKS`; or str or `Path` of a folder that
            holds `jpg/` and either `gnd_*.pkl`, in the layout of Revisited
            Oxford, or a folder of text files in that of Oxford5k.
        data_dir: str or `Path` of the folder of published sets; see
            `delf_keras.datasets.published_files`.
        download: bool. Whether to download files of theirs that are missing.
        progress: Wraps an iterable, its length and a label, for a progress
            bar.

    Returns:
        `Benchmark`.

    Raises:
        ConnectionError: if files cannot be downloaded; it says which to put
            where.
        FileNotFoundError: if files are missing and not to be downloaded, which
            it says too, if there is no such folder, or if it lacks ground
            truth or photographs.
        OSError: if files cannot be written.
        ValueError: if files are not what they should be.
    """
    if name_or_folder in _SETS:
        return _open_set(name_or_folder, data_dir, download, progress)
    folder = _checked_folder(name_or_folder)
    name = folder.resolve().name
    if any(folder.glob("gnd_*.pkl")):
        truth = load_revisited(find_ground_truth(folder))
        return revisited_benchmark(name, folder, truth)
    texts = find_text_ground_truth(folder)
    if texts is None:
        raise FileNotFoundError(
            "A folder to evaluate on holds jpg/ and gnd_*.pkl, or jpg/ and a "
            f"folder with *_query.txt. Received: folder={folder}"
        )
    return classic_benchmark(name, folder, load_oxford(texts))


def learning_photographs(
    name_or_folder,
    data_dir=None,
    download=False,
    progress=lambda iterable, total, label: iterable,
):
    """Lists the photographs of a set, to learn a PCA or a codebook on.

    Args:
        name_or_folder: One of `BENCHMARKS`, whose distractors are left out;
            or str or `Path` of a folder of photographs, of which only those
            in `jpg/` are listed if it has such a folder.
        data_dir: See `open_benchmark`.
        download: See `open_benchmark`.
        progress: See `open_benchmark`.

    Returns:
        list of `Path`, sorted by name.

    Raises:
        ConnectionError, OSError, ValueError: see `open_benchmark`.
        FileNotFoundError: see there too; or if the folder has no photographs.
    """
    if name_or_folder in _SETS:
        photographs = _SETS[name_or_folder].photographs
        data_dir = _checked_data_dir(data_dir)
        provide_files(data_dir, [photographs], [], download, progress)
        return [*published_photographs(data_dir, photographs).values()]
    folder = _checked_folder(name_or_folder)
    if (folder / "jpg").is_dir():
        folder = folder / "jpg"
    names = list_photographs(folder)
    if not names:
        raise FileNotFoundError(
            "A folder of photographs to learn on is expected. "
            f"Received: folder={folder}, which has none"
        )
    return [folder / name for name in names]


def _open_set(name, data_dir, download, progress):
    published, data_dir = _SETS[name], _checked_data_dir(data_dir)
    photographs, distractors = published.photographs, published.distractors
    ground_truth = f"r{photographs}" if published.revisited else photographs
    if distractors == FLICKR100K:
        # What is missing, and not to be had, is missed first.
        published_distractors(data_dir, distractors)
        more = []
    else:
        more = [distractors] if distractors else []
    provide_files(
        data_dir,
        [photographs, *more],
        [ground_truth, *more],
        download,
        progress,
    )
    path = published_ground_truth(data_dir, ground_truth)
    folder = data_dir / photographs
    if published.revisited:
        opened = revisited_benchmark(name, folder, load_revisited(path))
    else:
        opened = classic_benchmark(
            name,
            folder,
            _without(BROKEN[photographs], load_oxford(path)),
            published_photographs(data_dir, photographs),
        )
    opened = dataclasses.replace(opened, learn_on=published.learn_on)
    if distractors is None:
        return opened
    return with_distractors(
        opened, published_distractors(data_dir, distractors)
    )


def _without(broken, truth):
    """Takes broken photographs out of what is to be found."""
    return {
        name: dataclasses.replace(
            query,
            positives=query.positives - broken,
            junk=query.junk - broken,
        )
        for name, query in truth.items()
    }


def _checked_data_dir(data_dir):
    if data_dir is None:
        raise ValueError(
            "Published sets are in data_dir, which is expected. "
            "Received: data_dir=None"
        )
    return Path(data_dir)


def _checked_folder(folder):
    if not Path(folder).is_dir():
        raise FileNotFoundError(
            f"One of {', '.join(BENCHMARKS)} is expected, or a folder. "
            f"Received: {folder}, which is neither"
        )
    return Path(folder)
