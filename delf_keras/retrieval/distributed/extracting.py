"""The driver's side of extraction: what workers are to do, and have done."""

import logging
from concurrent.futures import ThreadPoolExecutor

from delf_keras.features.pca import load_pca, save_pca
from delf_keras.features.pca_fitting import (
    fit_pca_on_features,
    sample_photographs,
)
from delf_keras.retrieval.distributed import listing as listings
from delf_keras.retrieval.distributed.extraction import (
    ExtractShard,
    ExtractTask,
    read_extracted,
)
from delf_keras.retrieval.distributed.gathering import (
    positions_by_shard,
    read_features,
)
from delf_keras.retrieval.distributed.pipelines import run_pipeline
from delf_keras.retrieval.distributed.sources import describe_source
from delf_keras.retrieval.distributed.work_folder import stage_name

logger = logging.getLogger(__name__)


class Extraction:
    """Photographs whose features workers extract.

    Args:
        photographs: list of `StoredPhotograph`.
        work: `WorkFolder`.
        batch_size: See `build_index`.
        beam_options: list of str.

    Attributes:
        listing: `Listing`.
        stage: str. The folder of the features, after `extract`, as the next.
        kept: list of (shard, position) of the photographs that have any.
        digests: list of 32 bytes for each of them, the SHA-256 of its file.
        skipped: dict of name to the reason why it has none.
        extracted: Photographs that were extracted, and not found in the work
            folder.
    """

    def __init__(self, photographs, work, batch_size, beam_options):
        self.photographs = photographs
        self.listing = listings.write_listing(photographs, work)
        self.stage = None
        self.kept, self.digests, self.skipped = [], [], {}
        self.extracted = 0
        self._work = work
        self._batch_size = batch_size
        self._beam_options = beam_options
        # What was extracted to fit a PCA, without it.
        self._known, self._known_stage = {}, None

    def name(self, shard, position):
        """Returns the name of a photograph."""
        return self.photographs[shard * listings.SHARD + position].name

    def with_pca(self, extractor, options):
        """Fits a PCA on a sample of the photographs.

        Args:
            extractor: `Extractor` without one.
            options: `PcaOptions`.

        Returns:
            The extractor with the PCA, or as it is where the sample has no
            features.

        Raises:
            ValueError: if there are too few features.
        """
        model_fingerprint = extractor.model_fingerprint
        places = [
            divmod(each, listings.SHARD)
            for each in range(len(self.photographs))
        ]
        known = positions_by_shard(sample_photographs(places, options))
        stage = stage_name(
            "unprojected", self.listing.stage, extractor.cache_key, options
        )
        tasks = {
            shard: ExtractTask(shard, tuple(positions))
            for shard, positions in known.items()
        }
        self._run(stage, tasks, extractor)
        pca_file = f"{stage}.npz"
        if not self._work.has(pca_file):
            usable = {
                shard: [*read_extracted(self._work, stage, shard).digests]
                for shard in known
            }
            features = read_features(self._work, stage, usable)
            if not any(map(len, features)):
                return extractor
            pca = fit_pca_on_features(features, options, model_fingerprint)
            with self._work.new_file(pca_file) as path:
                save_pca(path, pca)
        self._known, self._known_stage = known, stage
        with self._work.file(pca_file) as path:
            return extractor.with_pca(load_pca(path))

    def extract(self, searcher):
        """Extracts the features of all photographs.

        Args:
            searcher: What `with_pca` returned, or an extractor that needs
                none.
        """
        self.stage = stage_name(
            "features", self.listing.stage, searcher.cache_key
        )
        shards = range(self.listing.num_shards)
        tasks = {
            shard: ExtractTask(shard, None, tuple(self._known.get(shard, ())))
            for shard in shards
        }
        self._run(self.stage, tasks, searcher)
        with ThreadPoolExecutor() as pool:
            results = pool.map(
                lambda shard: read_extracted(self._work, self.stage, shard),
                shards,
            )
            for shard, extracted in enumerate(results):
                self._take(shard, extracted)

    def _take(self, shard, extracted):
        for position, digest in extracted.digests.items():
            self.kept.append((shard, position))
            self.digests.append(bytes.fromhex(digest))
        for position, reason in extracted.skipped.items():
            logger.warning("Skipped: %s", reason)
            self.skipped[self.name(shard, position)] = reason

    def _run(self, stage, tasks, extractor):
        do_extract = ExtractShard(
            self.listing,
            stage,
            describe_source(extractor, self._work),
            self._batch_size,
            self._known_stage,
        )
        done = run_pipeline(
            self._work, stage, ".json", tasks, do_extract, self._beam_options
        )
        for shard in done:
            self.extracted += self._count(tasks[shard])

    def _count(self, task):
        if task.positions is not None:
            return len(task.positions)
        start = task.shard * listings.SHARD
        shard = self.photographs[start : start + listings.SHARD]
        return len(shard) - len(task.known)
