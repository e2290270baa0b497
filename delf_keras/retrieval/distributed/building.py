"""Building an image index with Apache Beam."""

from dataclasses import dataclass, replace
from pathlib import Path

from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from delf_keras.atomic import durable_path
from delf_keras.datasets.tfrecords import RecordKeys
from delf_keras.features.pca_fitting import PcaOptions
from delf_keras.retrieval import building as local_building
from delf_keras.retrieval.build_report import BuildReport, Copies, Stopwatch
from delf_keras.retrieval.distributed.coding import (
    CodeSegment,
    CodeTask,
    get_learned,
    put_learned,
)
from delf_keras.retrieval.distributed.extracting import Extraction
from delf_keras.retrieval.distributed.gathering import (
    gather_features,
    positions_by_shard,
)
from delf_keras.retrieval.distributed.listing import list_records
from delf_keras.retrieval.distributed.pipelines import run_pipeline, shard_file
from delf_keras.retrieval.distributed.stored_photographs import list_folder
from delf_keras.retrieval.distributed.work_folder import (
    WorkFolder,
    is_local,
    stage_name,
)
from delf_keras.retrieval.image_index import ImageIndex
from delf_keras.retrieval.index_files import create_index
from delf_keras.retrieval.index_filling import finish_index
from delf_keras.retrieval.index_writer import IndexWriter
from delf_keras.retrieval.learning_sample import (
    check_sample,
    draw_sample,
    learn_from_sample,
)
from delf_keras.retrieval.roots import describe_root


@dataclass(frozen=True)
class TfRecords:
    """Photographs in files of TFRecords.

    Attributes:
        pattern: str. Which files: wildcards are those of Beam, as in
            gs://bucket/folder/train-*.
        keys: `RecordKeys`, of which the label is not read.
    """

    pattern: str
    keys: RecordKeys = RecordKeys()


def build_index_with_beam(
    photographs,
    extractor,
    *,
    output,
    work_folder,
    root=None,
    beam_options=None,
    pca=None,
    factory=None,
    probes=None,
    asmk=None,
    descriptor_type="int8",
    augmentation=0,
    seed=0,
    recall=0.95,
    batch_size=1,
    progress=lambda iterable, total, label: iterable,
):
    """Extracts the features of photographs and indexes them, on many machines.

    The index is that of `build_index`, to the last bit, where the workers
    compute as this machine does. Extraction and coding are pipelines; what an
    index learns is fitted here, and segments are merged here.

    Args:
        photographs: str or `Path`, the folder of the photographs, with its
            subfolders; or `TfRecords`. Paths are local ones that workers
            reach too, or of a file system that Beam knows.
        extractor: `Extractor`, `SavedModelExtractor`, or a `Client` of one
            that is served where workers reach it. Where it has no PCA, one is
            fitted on a sample of the photographs.
        output: str or `Path`. The index folder to write, on this machine,
            which does not exist yet.
        work_folder: str or `Path`. A folder that workers reach too, local or
            of a file system that Beam knows. An interrupted build goes on
            from what is there.
        root: str or `Path`. The folder that names of photographs are relative
            to when the index is searched. Defaults to that of the
            photographs, or of the TFRecords.
        beam_options: list of str. What is given to Beam's `PipelineOptions`,
            such as "--runner=DataflowRunner".
        pca: See `build_index`, as all that follow.
        factory: str.
        probes: int.
        asmk: `AsmkOptions`.
        descriptor_type: str.
        augmentation: int.
        seed: int.
        recall: float.
        batch_size: int.
        progress: Wraps an iterable, its length and a label.

    Returns:
        `BuildReport`.

    Raises:
        FileExistsError: if the output exists.
        FileNotFoundError: if the photographs are not there.
        ValueError: if no photograph could be used.
    """
    if Path(output).exists():
        raise FileExistsError(
            f"The index folder exists already. Received: {output}"
        )
    beam_options = list(beam_options or ())
    # File systems take theirs from here, before there is a pipeline.
    FileSystems.set_options(PipelineOptions(beam_options))
    watch = Stopwatch()
    work = WorkFolder(_absolute(work_folder))
    default_root, stored = _find(photographs, work, beam_options)
    extraction = Extraction(stored, work, batch_size, beam_options)
    searcher = extractor
    options = pca or PcaOptions()
    if not extractor.has_pca and options.dimension:
        searcher = extraction.with_pca(extractor, options)
    extraction.extract(searcher)
    watch.stop("extract")
    name, learned = _learn(
        extraction,
        searcher,
        work,
        beam_options,
        seed=seed,
        factory=factory,
        probes=probes,
        recall=recall,
        asmk=asmk,
        descriptor_type=descriptor_type,
    )
    watch.stop("learn")
    segments = _code(extraction, work, name, beam_options)
    with durable_path(output) as folder:
        manifest = create_index(
            folder,
            searcher,
            searcher.fingerprint,
            describe_root(root or default_root, output),
            searcher.options,
            learned,
            augmentation,
        )
        writer = IndexWriter(folder, manifest)
        for write in segments:
            writer.take(write)
            writer.merge_many()
        finish_index(writer, seed, progress)
    index = replace(ImageIndex.load(output), extractor_source=searcher)
    watch.stop("index")
    return BuildReport(
        index,
        extraction.skipped,
        copies=_copies(extraction),
        extracted=extraction.extracted,
        seconds=watch.seconds,
    )


def _find(photographs, work, beam_options):
    """Returns the root of photographs, and a list of `StoredPhotograph`."""
    if isinstance(photographs, TfRecords):
        pattern = _absolute(photographs.pattern)
        stored = list_records(pattern, work, photographs.keys, beam_options)
        return stored[0].path.rpartition("/")[0], stored
    folder = _absolute(photographs)
    return folder, list_folder(folder)


def _absolute(path):
    path = str(path)
    return str(Path(path).absolute()) if is_local(path) else path


def _learn(extraction, searcher, work, beam_options, *, seed, **options):
    """Returns the name of what was learned in the work folder, and that."""
    key = extraction.stage, seed, *options.values()
    name = stage_name("learned", *key)
    if work.has(f"{name}.json"):
        return name, get_learned(work, name)
    sample = gather_features(
        work,
        extraction.stage,
        draw_sample(extraction.kept, seed),
        beam_options,
    )
    check_sample(
        sample,
        len(extraction.photographs),
        extraction.skipped,
        searcher.options,
    )
    learned = learn_from_sample(
        sample, len(extraction.kept), seed=seed, **options
    )
    put_learned(work, name, learned)
    return name, learned


def _code(extraction, work, learned, beam_options):
    """Codes all photographs; returns functions that write the segments."""
    stage = stage_name("segments", learned, local_building.SHARD)
    tasks = {
        task.segment: task
        for task in _code_tasks(extraction.kept, local_building.SHARD)
    }
    run_pipeline(
        work,
        stage,
        ".tar",
        tasks,
        CodeSegment(extraction.listing, extraction.stage, stage, learned),
        beam_options,
    )

    def writer(name):
        return lambda folder: work.fetch_folder(name, folder)

    return [writer(shard_file(stage, segment, ".tar")) for segment in tasks]


def _code_tasks(kept, size):
    taken = {}
    for segment, first in enumerate(range(0, len(kept), size)):
        parts = {}
        chosen = positions_by_shard(kept[first : first + size])
        for shard, positions in chosen.items():
            start = taken.get(shard, 0)
            taken[shard] = start + len(positions)
            parts[shard] = start, taken[shard]
        yield CodeTask(segment, first, parts)


def _copies(extraction):
    copies = Copies()
    for place, digest in zip(extraction.kept, extraction.digests, strict=True):
        copies.add(extraction.name(*place), digest)
    return copies.names
