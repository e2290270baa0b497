"""The files of published sets: at hand, or downloaded.

They lie in one folder, with any folders between `jpg/` and the photographs:

    DATA_DIR/oxford5k/jpg/         photographs, of roxford5k too
    DATA_DIR/oxford5k/gt_files_170407/*_query.txt, ...
    DATA_DIR/roxford5k/gnd_roxford5k.pkl
    DATA_DIR/paris6k/jpg/          photographs, of rparis6k too
    DATA_DIR/paris6k/paris_120310/*_query.txt, ...
    DATA_DIR/rparis6k/gnd_rparis6k.pkl
    DATA_DIR/revisitop1m/jpg/      a million distractors
    DATA_DIR/revisitop1m/revisitop1m.txt
    DATA_DIR/flickr100k/           a hundred thousand distractors

Archives as their authors publish them do as well, in DATA_DIR or the folder of
their set, from where they are extracted to where their content is looked for.
"""

import itertools
from dataclasses import dataclass
from pathlib import Path

from delf_keras.datasets.benchmark_files import (
    find_text_ground_truth,
    list_names,
    photograph_paths,
)
from delf_keras.datasets.downloading import download, extract, md5_path
from delf_keras.datasets.published import (
    BROKEN,
    GROUND_TRUTH,
    PHOTOGRAPH_COUNTS,
    PHOTOGRAPHS,
)
from delf_keras.photograph_files import is_hidden

FLICKR100K = "flickr100k"


@dataclass(frozen=True)
class _Needed:
    """A published file whose content is not there yet.

    Attributes:
        url: Its address.
        md5: Its checksum, or None.
        path: `Path` where it is, or where it is to be put.
        target: `Path` of the folder to extract it to, None for no archive.
    """

    url: str
    md5: str | None
    path: Path
    target: Path | None

    @property
    def substitute(self):
        """What a user may have in place of the file."""
        if self.target is None:
            return ""
        if self.target.parent.name == "jpg":
            return " (or the photographs, in jpg)"
        return f" (or the files, in {self.target.name})"


def provide_files(data_dir, photographs, ground_truth, fetch, progress):
    """Sees to it that the files of published sets are where they belong.

    Archives are extracted. Those that were downloaded are removed afterwards,
    others remain.

    Args:
        data_dir: `Path`. See the documentation of the module.
        photographs: Names of the sets whose photographs are needed.
        ground_truth: Names of the sets whose ground truth, or list, is.
        fetch: bool. Whether to download what is missing.
        progress: See `download`.

    Raises:
        FileNotFoundError: if files are missing and not to be downloaded; it
            says which to put where.
        ConnectionError, OSError, ValueError: see `download` and `extract`.
    """
    needed = []
    for name in photographs:
        needed += _needed_photographs(data_dir, name)
    for name in ground_truth:
        needed += _needed_ground_truth(data_dir, name)
    missing = [each for each in needed if not each.path.is_file()]
    if missing and not fetch:
        raise FileNotFoundError(
            f"Files are missing: put {_instructions(missing)}; or they are "
            f"downloaded with --download. Received: data_dir={data_dir}"
        )
    for each in needed:
        _provide(each, progress)


def published_ground_truth(data_dir, name):
    """Returns where the ground truth, or the list, of a published set is.

    Args:
        data_dir: `Path`. See the documentation of the module.
        name: str. Of the set, whose files are there.

    Returns:
        `Path` of a file, or of a folder of text files.
    """
    (file,) = GROUND_TRUTH[name].names
    if _is_archive(file):
        return find_text_ground_truth(data_dir / name)
    return _place(data_dir, name, file)


def published_photographs(data_dir, name):
    """Lists the photographs of Oxford5k or Paris6k, whose files are there.

    Args:
        data_dir: `Path`. See the documentation of the module.
        name: str. Of the set.

    Returns:
        dict of name to `Path`, sorted, without those that are broken.

    Raises:
        ValueError: if there are more or fewer than were published.
    """
    jpg = data_dir / name / "jpg"
    paths = {path.stem: path for path in list_names(jpg).values()}
    names = sorted(paths.keys() - BROKEN[name])
    if len(names) != PHOTOGRAPH_COUNTS[name]:
        raise ValueError(
            f"{name} has {PHOTOGRAPH_COUNTS[name]} photographs. "
            f"Received: {len(names)} in {jpg}"
        )
    return {name: paths[name] for name in names}


def published_distractors(data_dir, name):
    """Lists distractors, whose files are there.

    Args:
        data_dir: `Path`. See the documentation of the module.
        name: str. "flickr100k" or "revisitop1m".

    Returns:
        dict of name, which starts with that of the set, to `Path`, in the
        order of the list of the set, or else sorted.

    Raises:
        FileNotFoundError: if photographs are missing.
    """
    folder = data_dir / name
    if name == FLICKR100K:
        paths = list_names(folder)
        if not paths:
            raise FileNotFoundError(
                "Flickr100k is not to be downloaded without asking for it: "
                f"put its photographs into {folder}. "
                f"Received: data_dir={data_dir}"
            )
    else:
        text = published_ground_truth(data_dir, name).read_text("utf-8")
        names = [
            line.strip().removeprefix("jpg/").removesuffix(".jpg")
            for line in text.split()
        ]
        paths = dict(zip(names, photograph_paths(folder, names), strict=True))
    return {f"{name}/{each}": path for each, path in paths.items()}


def _needed_photographs(data_dir, name):
    published, jpg = PHOTOGRAPHS[name], data_dir / name / "jpg"
    targets = [jpg / _stem(archive) for archive in published.names]
    there = {*jpg.iterdir()} if jpg.is_dir() else set()
    # What comes from no archive was put there by somebody, who is right.
    if any(not is_hidden(path.name) for path in there.difference(targets)):
        return []
    return [
        _Needed(
            f"{published.url}/{file}", md5, _place(data_dir, name, file), target
        )
        for file, md5, target in zip(
            published.names, published.md5, targets, strict=True
        )
        if target not in there
    ]


def _needed_ground_truth(data_dir, name):
    published = GROUND_TRUTH[name]
    (file,), (md5,) = published.names, published.md5
    path, target = _place(data_dir, name, file), None
    if _is_archive(file):
        target = data_dir / name / _stem(file)
    found = published_ground_truth(data_dir, name)
    if found is not None and found.exists():
        return []
    return [_Needed(f"{published.url}/{file}", md5, path, target)]


def _place(data_dir, name, file):
    """Returns where a file is, or where it is to be put."""
    beside = data_dir / file
    return beside if beside.is_file() else data_dir / name / file


def _is_archive(file):
    return file.endswith((".tgz", ".tar.gz"))


def _stem(archive):
    return archive.removesuffix(".tgz").removesuffix(".tar.gz")


def _instructions(missing):
    """Says which files to put where, however many they are."""
    parts = []
    for (folder, substitute), files in itertools.groupby(
        missing, lambda each: (each.path.parent, each.substitute)
    ):
        first, *others = (each.path.name for each in files)
        if len(others) == 1:
            first = f"{first} and {others[0]}"
        elif others:
            first = f"{first} and {len(others)} more like it"
        parts.append(f"{first}{substitute} into {folder}")
    return ", ".join(parts)


def _provide(needed, progress):
    is_new = not needed.path.is_file()
    if is_new:
        download(needed.url, needed.path, needed.md5, progress)
    if needed.target is None:
        return
    try:
        extract(needed.path, needed.target)
    except ValueError:
        if is_new:
            # Neither it nor its checksum is of use to the next download.
            needed.path.unlink()
            md5_path(needed.path).unlink(missing_ok=True)
        raise
    if is_new:
        needed.path.unlink()
