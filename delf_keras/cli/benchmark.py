"""Runs a published benchmark of retrieval, or your own.

    delf-keras benchmark --dataset=roxford5k --data_dir=datasets --download \\
        --preset=delf_resnet50_imagenet --work_dir=work --json=figures.json
    delf-keras benchmark --dataset=my_folder --preset=my_preset --pages=pages

The data sets are oxford5k, oxford105k, paris6k, paris106k, roxford5k,
rparis6k, roxford5k+1m and rparis6k+1m; or a folder with jpg/ and a ground
truth: gnd_*.pkl in the layout of Revisited Oxford, or the text files of
Oxford5k. Queries are cropped to their boxes; PCA and codebooks are learned on
the other city for the published sets, on the database for a folder, or on
--learn_on. Prints mAP and mP@k as the reference evaluators do, beside what
others have published.

Every stage is kept in --work_dir: an interrupted run goes on when the same
command is given again, and another option does again only what it changes.
The methods and what each adds are in docs/retrieval.md.
"""

from pathlib import Path

from absl import flags as absl_flags

from delf_keras.cli.extraction_flags import (
    define_batch_flag,
    define_extraction_flags,
    make_extractor,
)
from delf_keras.cli.index_flags import build_options, define_index_flags
from delf_keras.cli.progress import show_progress
from delf_keras.cli.search_flags import define_search_flags, search_options

_RESULTS = Path("benchmarks/results")


def define_flags(flags):
    """Defines the flags of this verb."""
    define_extraction_flags(flags)
    define_batch_flag(flags)
    define_search_flags(flags)
    define_index_flags(flags)
    strings = {
        "dataset": "Name of a benchmark, or a folder of one.",
        "data_dir": "Folder of the published data sets.",
        "learn_on": "Data set or folder of photographs that PCA and codebooks "
        "are learned on; the other city, or the database, if not given.",
        "work_dir": "Folder in which every stage is kept.",
        "json": "File to write the figures to.",
        "ranks": "File (.npy) to write the rankings to, for `evaluate`.",
        "pages": "Folder to write a page for each query to.",
        "curves": "File (.png, .jpg, .pdf) to draw precision and recall to.",
        "results": "Folder of the CSV file that a row is added to; "
        "benchmarks/results if it is there, else --work_dir, if not given.",
    }
    for name, text in strings.items():
        absl_flags.DEFINE_string(name, None, text, flag_values=flags)
    absl_flags.mark_flag_as_required("dataset", flag_values=flags)
    absl_flags.DEFINE_bool(
        "download",
        False,
        "Whether to download what is missing in --data_dir.",
        flag_values=flags,
    )


def run(flags, args):
    """Runs the benchmark and shows what it found."""
    from delf_keras.benchmarking.running import run_benchmark
    from delf_keras.datasets.benchmarks import (
        learning_photographs,
        open_benchmark,
    )

    if args:
        raise ValueError(f"benchmark takes no arguments. Received: {args}")
    _check_outputs(flags)
    source = (flags.data_dir, flags.download, show_progress)
    benchmark = open_benchmark(flags.dataset, *source)
    learn_on = flags.learn_on or benchmark.learn_on
    outcome = run_benchmark(
        benchmark,
        make_extractor(flags),
        _options(flags),
        learn_on=learn_on and learning_photographs(learn_on, *source),
        work_folder=flags.work_dir,
        batch_size=flags.batch_size,
        progress=show_progress,
    )
    _report(flags, outcome)
    return 0


def _options(flags):
    from delf_keras.benchmarking.running import BenchmarkOptions

    return BenchmarkOptions(
        search=search_options(flags), **build_options(flags)
    )


def _check_outputs(flags):
    """Refuses at once what would be refused after hours."""
    if flags.pages and Path(flags.pages).exists():
        raise FileExistsError(
            f"The folder of pages exists already. Received: {flags.pages}"
        )
    if flags.ranks and Path(flags.ranks).suffix != ".npy":
        raise ValueError(
            f"Rankings are written to a .npy file. Received: {flags.ranks}"
        )
    if flags.curves:
        from delf_keras.visualization.sheet import picture_format

        picture_format(flags.curves)


def _report(flags, outcome):
    """Prints the figures; files come first, whoever reads the listing."""
    from delf_keras.benchmarking import report
    from delf_keras.benchmarking.published import published_table

    settings = {"preset": flags.preset} | report.settings_of(
        _options(flags), outcome.extraction
    )
    _write_files(flags, outcome, settings)
    print(report.result_lines(outcome))
    table = published_table(
        outcome.benchmark.name, f"delf_keras, {flags.preset}", outcome.results
    )
    print("\n".join(filter(None, [table, *_seconds(outcome)])))
    for reason in outcome.skipped.values():
        print(f"Skipped: {reason}")
    if outcome.skipped:
        print(f"{len(outcome.skipped)} photographs skipped.")


def _write_files(flags, outcome, settings):
    import numpy as np

    from delf_keras.atomic import atomic_path
    from delf_keras.benchmarking import report
    from delf_keras.benchmarking.recording import record

    results = _RESULTS if _RESULTS.is_dir() else flags.work_dir
    figures = report.figures_of(outcome, settings)
    record("benchmark", figures, flags.results or results, flags.json)
    if flags.ranks:
        with atomic_path(flags.ranks) as temporary:
            np.save(temporary, outcome.ranks)
    if flags.pages:
        from delf_keras.visualization import write_ranking_pages

        title = f"{outcome.benchmark.name}, {flags.preset}"
        write_ranking_pages(
            flags.pages,
            title,
            report.ranked_pages(outcome),
            upright=outcome.extraction.upright,
        )
    if flags.curves:
        from delf_keras.visualization import draw_precision_recall

        curve = report.precision_recall(outcome)
        draw_precision_recall(flags.curves, {flags.preset: curve})


def _seconds(outcome):
    """Yields lines of what each stage took."""
    for stage, seconds in outcome.seconds.items():
        kept = " (kept from an earlier run)" if stage in outcome.kept else ""
        yield f"{stage:9}{seconds:10.1f} s{kept}"
