"""Building an image index from photographs."""

import contextlib
import hashlib
import logging
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from delf_keras.features.decoding import ImageError
from delf_keras.features.files import names_h5, open_h5, read_h5, write_h5
from delf_keras.features.pca import load_pca, save_pca, to_descriptors
from delf_keras.features.pca_fitting import (
    PcaOptions,
    fit_pca_on_features,
    sample_photographs,
)
from delf_keras.features.photographs import find_photographs
from delf_keras.retrieval.aggregation import train_codebook
from delf_keras.retrieval.asmk import AsmkIndex, AsmkOptions, choose_words
from delf_keras.retrieval.background import background_votes
from delf_keras.retrieval.descriptor_index import DescriptorIndex
from delf_keras.retrieval.global_descriptors import GlobalDescriptors
from delf_keras.retrieval.image_index import ImageIndex
from delf_keras.retrieval.image_store import ImageStore

logger = logging.getLogger(__name__)

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
        work = _Work(work_folder, root, names, batch_size, progress)
        learning = work
        if learn_on is not None:
            sample = _sample(learn_on, seed)
            learning = _Work(work_folder, *sample, batch_size, progress)
        searcher = extractor
        if not extractor.has_pca and options.dimension:
            searcher = _with_pca(extractor, options, learning)
        if learning is not work:
            learning.extract(searcher, learning.names, "learn")
        watch.stop("learn")
        work.extract(searcher, names, "extract")
        watch.stop("extract")
        named_features = work.read(searcher, names)
        _check_usable(named_features, searcher, work.skipped)
        learned = named_features
        if learning is not work:
            learned = learning.read(searcher, learning.names)
    trainer = _Trainer(
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
        self.seconds = {}
        self._start = time.perf_counter()

    def stop(self, stage):
        now = time.perf_counter()
        self.seconds[stage] = now - self._start
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


class _Work:
    """What a build has extracted so far, in files of its work folder.

    A file is named by all that its content depends on, so that none is taken
    for another's.

    Args:
        folder: `Path`.
        root: `Path` that names are relative to.
        names: list of str. The photographs.
        batch_size: See `build_index`.
        progress: See `build_index`.
    """

    def __init__(self, folder, root, names, batch_size, progress):
        self.names = names
        self.skipped = {}
        self.extracted = 0
        self._folder = folder
        self._root = root
        self._batch_size = batch_size
        self._progress = progress

    def path(self, label, suffix, *key):
        """Returns the `Path` of the file for a key."""
        text = " ".join(map(str, (self._root, *key)))
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        return self._folder / f"{label}-{digest}{suffix}"

    def extract(self, extractor, names, label):
        """Extracts what is missing of the features of photographs."""
        with self._open(extractor) as file:
            known = {*names_h5(file), *self.skipped}
            missing = [name for name in names if name not in known]
            self.extracted += len(missing)
            results = extractor.extract_each(
                [self._root / name for name in missing], self._batch_size
            )
            results = self._progress(results, len(missing), label)
            for name, (_, result) in zip(missing, results, strict=True):
                if isinstance(result, ImageError):
                    logger.warning("Skipped: %s", result)
                    self.skipped[name] = str(result)
                else:
                    write_h5(file, name, result)

    def read(self, extractor, names):
        """Returns (name, `LocalFeatures`) of what was not skipped."""
        with self._open(extractor) as file:
            return [
                (name, read_h5(file, name))
                for name in names
                if name not in self.skipped
            ]

    def project(self, extractor, searcher):
        """Turns features without PCA into those of an extractor with one."""
        with self._open(extractor) as source, self._open(searcher) as target:
            for name in sorted({*names_h5(source)} - {*names_h5(target)}):
                features = read_h5(source, name)
                descriptors = to_descriptors(features.descriptors, searcher.pca)
                features = replace(
                    features,
                    descriptors=descriptors.numpy(),
                    fingerprint=searcher.fingerprint,
                )
                write_h5(target, name, features)
        # They are many times as large as those with PCA.
        self._features_path(extractor).unlink()

    def _open(self, extractor):
        return open_h5(self._features_path(extractor), "a")

    def _features_path(self, extractor):
        return self.path("features", ".h5", extractor.cache_key)


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


@dataclass(frozen=True, eq=False)
class _Trainer:
    """What turns features into an index.

    Attributes:
        learned: list of (name, `LocalFeatures`) to train quantizers on.
        factory: See `build_index`, as the following.
        probes: int or None.
        asmk: `AsmkOptions` or None.
        augmentation: int.
        seed: int.
        progress: Callable.
    """

    learned: list
    factory: str | None
    probes: int | None
    asmk: AsmkOptions | None
    augmentation: int
    seed: int
    progress: object

    def index(self, root, named_features, searcher):
        """Returns the `ImageIndex` of features."""
        store = ImageStore.from_features(named_features)
        descriptors = store.descriptors.astype(np.float32)
        sample = descriptors
        if self.learned is not named_features:
            sample = np.concatenate(
                [features.descriptors for _, features in self.learned]
            )
        descriptor_index = DescriptorIndex.build(
            descriptors, self.factory, self.probes, self.seed, sample
        )
        return ImageIndex(
            extractor_source=searcher,
            fingerprint=searcher.fingerprint,
            root=root,
            store=store,
            descriptor_index=descriptor_index,
            asmk=self._asmk_index(store, descriptors, sample),
            background=background_votes(
                descriptor_index, store, self.seed, self.progress
            ),
            extraction=searcher.options,
            global_descriptors=self._global_descriptors(named_features),
        )

    def _global_descriptors(self, named_features):
        vectors, sample = (
            [each.global_descriptor for _, each in features]
            for features in (named_features, self.learned)
        )
        if vectors[0] is None:
            return None
        return GlobalDescriptors.build(
            np.stack(vectors), np.stack(sample), self.augmentation
        )

    def _asmk_index(self, store, descriptors, sample):
        options = self.asmk or AsmkOptions()
        words = options.num_words or min(
            choose_words(len(descriptors)), max(len(sample) // 4, 1)
        )
        codebook = train_codebook(sample, words, self.seed)
        images = np.repeat(np.arange(len(store)), np.diff(store.offsets))
        return AsmkIndex.build(
            descriptors, images, len(store), codebook, options
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
