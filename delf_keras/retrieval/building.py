"""Building an image index from photographs."""

import contextlib
import os
import tempfile
from dataclasses import replace
from pathlib import Path

from delf_keras.atomic import TemporaryFolder, durable_path
from delf_keras.features.pca import load_pca, save_pca
from delf_keras.features.pca_fitting import (
    PcaOptions,
    fit_pca_on_features,
    sample_photographs,
)
from delf_keras.features.photographs import find_photographs
from delf_keras.retrieval.build_report import BuildReport, Copies, Stopwatch
from delf_keras.retrieval.extraction_work import ExtractionWork
from delf_keras.retrieval.image_index import ImageIndex
from delf_keras.retrieval.index_files import create_index
from delf_keras.retrieval.index_filling import fill_index
from delf_keras.retrieval.learning_sample import (
    check_sample,
    draw_sample,
    learn_from_sample,
)
from delf_keras.retrieval.roots import describe_root

# Photographs whose features are in memory at a time.
SHARD = 1000


def build_index(
    photographs,
    extractor,
    *,
    pca=None,
    factory=None,
    probes=None,
    asmk=None,
    descriptor_type="int8",
    augmentation=0,
    learn_on=None,
    seed=0,
    recall=0.95,
    output=None,
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
        factory: str. See `train_faiss_index`, as `probes` and `recall`.
        probes: int.
        asmk: `AsmkOptions`.
        descriptor_type: str. "int8", or "float16" of twice the size, to match
            candidates with.
        augmentation: int. See `GlobalDescriptors.augmented`; for photographs
            that are extracted with a global descriptor.
        learn_on: list of paths of photographs that the PCA and all codebooks
            are learned on, as benchmarks ask for. Defaults to those that are
            indexed.
        seed: int. Of the samples that codebooks are learned on.
        recall: float.
        output: str or `Path`. The index folder to write, which does not exist
            yet. Defaults to a temporary one that lasts as long as the index.
        work_folder: str or `Path`. Where features are kept while the index is
            built: an interrupted build goes on from there. Defaults to a
            temporary folder.
        batch_size: int. Photographs of one size that run together.
        progress: Wraps an iterable, its length and a label, for a progress
            bar.

    Returns:
        `BuildReport`.

    Raises:
        FileExistsError: if the output exists.
        ValueError: if no photograph could be used.
    """
    if output is not None and Path(output).exists():
        raise FileExistsError(
            f"The index folder exists already. Received: {output}"
        )
    root, names = _root_and_names(photographs)
    options = pca or PcaOptions()
    watch = Stopwatch()
    with contextlib.ExitStack() as stack:
        if work_folder is None:
            work_folder = stack.enter_context(tempfile.TemporaryDirectory())
        work_folder = Path(work_folder)
        work = ExtractionWork(work_folder, root, names, batch_size, progress)
        learning = work
        if learn_on is not None:
            other_root, others = _root_and_names(learn_on)
            learning = ExtractionWork(
                work_folder,
                other_root,
                draw_sample(others, seed),
                batch_size,
                progress,
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
        sample = _read_sample(learning, searcher, seed)
        shards = _Shards(work, searcher)
        learned = learn_from_sample(
            sample,
            len(shards.names),
            factory=factory,
            probes=probes,
            recall=recall,
            asmk=asmk,
            descriptor_type=descriptor_type,
            seed=seed,
        )

        def write(folder):
            manifest = create_index(
                folder,
                searcher,
                searcher.fingerprint,
                describe_root(root, output or folder),
                searcher.options,
                learned,
                augmentation,
            )
            fill_index(folder, manifest, shards, seed, progress)

        index = _written(write, output, searcher)
    watch.stop("index")
    return BuildReport(
        index,
        work.skipped,
        copies=shards.copies.names,
        extracted=work.extracted,
        seconds=watch.seconds,
    )


def _written(write, output, searcher):
    """Returns the `ImageIndex` of the folder that a function writes."""
    if output is not None:
        with durable_path(output) as folder:
            write(folder)
        index = ImageIndex.load(output)
        return replace(index, extractor_source=searcher)
    temporary = TemporaryFolder()
    folder = temporary.path / "index"
    write(folder)
    index = ImageIndex.load(folder).with_temporary(temporary)
    return replace(index, extractor_source=searcher)


class _Shards:
    """The features that were extracted, a part at a time.

    Attributes:
        names: The photographs that have any.
        copies: `Copies`.
    """

    def __init__(self, work, searcher):
        self.names = [name for name in work.names if name not in work.skipped]
        self.copies = Copies()
        self._work = work
        self._searcher = searcher

    def __iter__(self):
        for start in range(0, len(self.names), SHARD):
            names = self.names[start : start + SHARD]
            digests = [
                bytes.fromhex(self._work.digests[name]) for name in names
            ]
            for name, digest in zip(names, digests, strict=True):
                self.copies.add(name, digest)
            yield self._work.read(self._searcher, names), digests


def _root_and_names(photographs):
    if isinstance(photographs, (str, Path)):
        return Path(photographs).absolute(), find_photographs(photographs)
    # One photograph has one path: a/../b.jpg is b.jpg.
    paths = (Path(os.path.abspath(path)).as_posix() for path in photographs)
    return Path("/"), [path[1:] for path in dict.fromkeys(paths)]


def _read_sample(work, searcher, seed):
    """Returns the features of a sample of what was extracted."""
    names = [name for name in work.names if name not in work.skipped]
    named_features = work.read(searcher, draw_sample(names, seed))
    sample = [features for _, features in named_features]
    check_sample(sample, len(work.names), work.skipped, searcher.options)
    return sample


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
