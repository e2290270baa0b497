"""Building an image index from photographs."""

import contextlib
import hashlib
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from delf_keras.features.pca import load_pca, save_pca
from delf_keras.features.pca_fitting import (
    PcaOptions,
    fit_pca_on_features,
    sample_photographs,
)
from delf_keras.features.photographs import find_photographs
from delf_keras.retrieval.extraction_work import ExtractionWork
from delf_keras.retrieval.image_index import ImageIndex
from delf_keras.retrieval.index_training import IndexTrainer

# Photographs of another set that quantizers are trained on; more descriptors
# than theirs would hardly move a centroid.
_LEARNING_PHOTOGRAPHS = 1024


@dataclass(frozen=True, eq=False)
class BuildReport:
    """What became of the photographs of a build.

    Attributes:
        index: `ImageIndex`.
        skipped: dict of name to the reason why it is not in the index.
        copies: dict of name to the name of a photograph of the same bytes.
            Both are in the index.
        extracted: Photographs that were extracted by this build, and not
            taken from its work folder.
        seconds: dict of stage to the seconds that it took: "extract", "learn"
            and "index".
    """

    index: ImageIndex
    skipped: dict[str, str] = field(default_factory=dict)
    copies: dict[str, str] = field(default_factory=dict)
    extracted: int = 0
    seconds: dict[str, float] = field(default_factory=dict)


def build_index(
    photographs,
    extractor,
    *,
    pca=None,
    factory=None,
    probes=None,
    asmk=None,
    augmentation=0,
    learn_on=None,
    seed=0,
    work_folder=None,
    batch_size=1,
    progress=lambda iterable, total, label: iterable,
):
    """Extracts the features of photographs and indexes them.

    Args:
        photographs: The folder of the photographs, with its subfolders, or a
            list of paths.
        extractor: `Extractor`, or a `Client` of one that is served. Where it
            has no PCA, one is fitted on a sample of the photographs.
        pca: `PcaOptions` of that PCA.
        factory: str. See `DescriptorIndex.build`.
        probes: int. See `DescriptorIndex.build`.
        asmk: `AsmkOptions`.
        augmentation: int. See `GlobalDescriptors.build`; for photographs that
            are extracted with a global descriptor.
        learn_on: list of paths of photographs that the PCA and all codebooks
            are learned on, as benchmarks ask for. Defaults to those that are
            indexed.
        seed: int. Of the samples that codebooks are learned on.
        work_folder: str or `Path`. Where features are kept while the index is
            built: an interrupted build goes on from there. Defaults to a
            temporary folder.
        batch_size: int. Photographs of one size that run together.
        progress: Wraps an iterable, its length and a label, for a progress
            bar.

    Returns:
        `BuildReport`.

    Raises:
        ValueError: if no photograph could be used.
    """
    root, names = _root_and_names(photographs)
    options = pca or PcaOptions()
    watch = _Stopwatch()
    with contextlib.ExitStack() as stack:
        if work_folder is None:
            work_folder = stack.enter_context(tempfile.TemporaryDirectory())
        work_folder = Path(work_folder)
        work = ExtractionWork(work_folder, root, names, batch_size, progress)
        learning = work
        if learn_on is not None:
            sample = _sample(learn_on, seed)
            learning = ExtractionWork(
                work_folder, *sample, batch_size, progress
            )
        searcher = extractor
        if not extractor.has_pca and options.dimension:
            searcher = _with_pca(extractor, options, learning)
        if learning is not work:
            learning.extract(searcher, learning.names, "learn")
        # A PCA that is learned on the database is fitted on features of it.
        watch.stop("extract" if learning is work else "learn")
        work.extract(searcher, names, "extract")
        watch.stop("extract")
        named_features = work.read(searcher, names)
        _check_usable(named_features, searcher, work.skipped)
        learned = named_features
        if learning is not work:
            learned = learning.read(searcher, learning.names)
    trainer = IndexTrainer(
        learned, factory, probes, asmk, augmentation, seed, progress
    )
    index = trainer.index(root, named_features, searcher)
    watch.stop("index")
    return BuildReport(
        index,
        work.skipped,
        copies=_copies(root, [name for name, _ in named_features]),
        extracted=work.extracted,
        seconds=watch.seconds,
    )


class _Stopwatch:
    """Measures one stage after the other, in `seconds`."""

    def __init__(self):
        self.seconds = dict.fromkeys(("learn", "extract", "index"), 0.0)
        self._start = time.perf_counter()

    def stop(self, stage):
        now = time.perf_counter()
        self.seconds[stage] += now - self._start
        self._start = now


def _root_and_names(photographs):
    if isinstance(photographs, (str, Path)):
        return Path(photographs).absolute(), find_photographs(photographs)
    paths = (Path(path).absolute().as_posix() for path in photographs)
    return Path("/"), [path[1:] for path in dict.fromkeys(paths)]


def _sample(photographs, seed):
    root, names = _root_and_names(photographs)
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(names))[:_LEARNING_PHOTOGRAPHS]
    return root, [names[i] for i in sorted(chosen)]


def _with_pca(extractor, options, work):
    """Returns the extractor with a PCA that is fitted on a sample."""
    model_fingerprint = extractor.model_fingerprint
    path = work.path("pca", ".npz", extractor.cache_key, options)
    if not path.is_file():
        sample = sample_photographs(work.names, options)
        work.extract(extractor, sample, "fit PCA")
        features = [each for _, each in work.read(extractor, sample)]
        if not any(map(len, features)):
            return extractor
        pca = fit_pca_on_features(features, options, model_fingerprint)
        save_pca(path, pca)
    searcher = extractor.with_pca(load_pca(path))
    work.project(extractor, searcher)
    return searcher


def _check_usable(named_features, searcher, skipped):
    if any(len(features) for _, features in named_features):
        return
    threshold = searcher.options.score_threshold
    reason = next(
        iter(skipped.values()),
        f"no feature has an attention score of at least {threshold:g}",
    )
    raise ValueError(
        "An index needs at least one photograph with features. Received: "
        f"{len(named_features) + len(skipped)} photographs, none of use; "
        f"the first: {reason}"
    )


def _copies(root, names):
    """Finds photographs that have the same bytes as an earlier one."""
    first = {}
    copies = {}
    for name in names:
        digest = hashlib.sha256((root / name).read_bytes()).digest()
        if first.setdefault(digest, name) != name:
            copies[name] = first[digest]
    return copies
