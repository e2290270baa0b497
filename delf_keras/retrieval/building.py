"""Building an image index from photographs."""

import contextlib
import hashlib
import itertools
import logging
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from delf_keras.features.decoding import ImageError
from delf_keras.features.files import names_h5, open_h5, read_h5, write_h5
from delf_keras.features.local_features import LocalFeatures
from delf_keras.features.pca import load_pca, save_pca, to_descriptors
from delf_keras.features.pca_fitting import (
    PcaOptions,
    fit_pca_on_features,
    sample_photographs,
)
from delf_keras.features.photographs import find_photographs
from delf_keras.retrieval.descriptor_index import DescriptorIndex
from delf_keras.retrieval.image_index import ImageIndex
from delf_keras.retrieval.image_store import ImageStore

logger = logging.getLogger(__name__)


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
    """

    index: ImageIndex
    skipped: dict[str, str] = field(default_factory=dict)
    copies: dict[str, str] = field(default_factory=dict)
    extracted: int = 0


def build_index(
    photographs,
    extractor,
    *,
    pca=None,
    factory=None,
    probes=None,
    work_folder=None,
    batch_size=1,
    progress=lambda iterable, total, label: iterable,
):
    """Extracts the features of photographs and indexes them.

    Args:
        photographs: The folder of the photographs, with its subfolders, or a
            list of paths.
        extractor: `Extractor`. Where it has no PCA, one is fitted on a sample
            of the photographs.
        pca: `PcaOptions` of that PCA.
        factory: str. See `DescriptorIndex.build`.
        probes: int. See `DescriptorIndex.build`.
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

    def extract(names, label):
        paths = [root / name for name in names]
        results = extractor.extract_each(paths, batch_size)
        named = zip(names, (result for _, result in results), strict=True)
        return progress(named, len(names), label)

    with contextlib.ExitStack() as stack:
        if work_folder is None:
            work_folder = stack.enter_context(tempfile.TemporaryDirectory())
        folder = Path(work_folder)
        folder.mkdir(parents=True, exist_ok=True)
        searcher, sampled = _with_pca(
            extractor, names, pca or PcaOptions(), folder, extract
        )
        file = stack.enter_context(
            open_h5(folder / f"features-{searcher.cache_key}.h5", "a")
        )
        known = {*names_h5(file), *sampled}
        missing = [name for name in names if name not in known]
        skipped = _write_features(
            file,
            searcher,
            itertools.chain(sampled.items(), extract(missing, "extract")),
        )
        indexed = [name for name in names if name not in skipped]
        named_features = [(name, read_h5(file, name)) for name in indexed]
    return BuildReport(
        _index(root, named_features, searcher, factory, probes, skipped),
        skipped,
        copies=_copies(root, indexed),
        extracted=len(sampled) + len(missing),
    )


def _root_and_names(photographs):
    if isinstance(photographs, (str, Path)):
        return Path(photographs).absolute(), find_photographs(photographs)
    paths = (Path(path).absolute().as_posix() for path in photographs)
    return Path("/"), [path[1:] for path in dict.fromkeys(paths)]


def _with_pca(extractor, names, options, folder, extract):
    """Returns the extractor with a PCA, and what that was fitted on.

    The latter is a dict of name to features without PCA, or `ImageError`.
    """
    if extractor.pca is not None or not options.dimension:
        return extractor, {}
    path = folder / (
        f"pca-{extractor.model_fingerprint}-{options.dimension}"
        f"{'-whitened' if options.whiten else ''}.npz"
    )
    if path.is_file():
        return extractor.with_pca(load_pca(path)), {}
    sampled = dict(extract(sample_photographs(names, options), "fit PCA"))
    features = [
        each for each in sampled.values() if isinstance(each, LocalFeatures)
    ]
    if not features:
        return extractor, sampled
    pca = fit_pca_on_features(features, options, extractor.model_fingerprint)
    save_pca(path, pca)
    return extractor.with_pca(pca), sampled


def _write_features(file, searcher, named_results):
    """Writes features to a file; returns why others have none, by name."""
    skipped = {}
    for name, result in named_results:
        if isinstance(result, ImageError):
            logger.warning("Skipped: %s", result)
            skipped[name] = str(result)
        else:
            write_h5(file, name, _in_space_of(searcher, result))
    return skipped


def _in_space_of(searcher, features):
    """Projects features where they are those of the model without PCA."""
    if features.fingerprint == searcher.fingerprint:
        return features
    descriptors = to_descriptors(features.descriptors, searcher.pca)
    return replace(
        features,
        descriptors=descriptors.numpy(),
        fingerprint=searcher.fingerprint,
    )


def _index(root, named_features, searcher, factory, probes, skipped):
    if not any(len(features) for _, features in named_features):
        reason = next(iter(skipped.values()), "no feature was found")
        raise ValueError(
            "An index needs at least one photograph with features. Received: "
            f"{len(named_features) + len(skipped)} photographs, none of use; "
            f"the first: {reason}"
        )
    store = ImageStore.from_features(named_features)
    return ImageIndex(
        extractor_source=searcher,
        fingerprint=searcher.fingerprint,
        root=root,
        store=store,
        descriptor_index=DescriptorIndex.build(
            store.descriptors.astype(np.float32), factory, probes
        ),
        extraction=searcher.options,
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
