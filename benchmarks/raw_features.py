"""Features of a benchmark without PCA, extracted once and kept."""

from pathlib import Path

from tqdm import tqdm

from delf_keras.features.files import names_h5, open_h5, read_h5, write_h5
from delf_keras.features.photographs import read_query


def raw_features(benchmark, extractor, work_dir):
    """Extracts the database and the queries of a benchmark, where missing.

    Args:
        benchmark: `Benchmark`.
        extractor: `Extractor` without PCA.
        work_dir: str or `Path`. Where features are kept between runs.

    Returns:
        A pair of lists of `LocalFeatures`, of the database and the queries.
    """
    path = Path(work_dir) / f"raw-{benchmark.name}-{extractor.cache_key}.h5"
    readers = {
        f"database/{name}": (lambda path=path: path)
        for name, path in zip(
            benchmark.image_names, benchmark.image_paths, strict=True
        )
    } | {
        f"query/{name}": (lambda path=path, box=box: read_query(path, box))
        for name, path, box in zip(
            benchmark.query_names,
            benchmark.query_paths,
            benchmark.boxes,
            strict=True,
        )
    }
    with open_h5(path, "a") as file:
        missing = sorted({*readers} - {*names_h5(file)})
        for name in tqdm(missing, "extract", disable=None):
            write_h5(file, name, extractor.extract(readers[name]()))
        features = [read_h5(file, name) for name in readers]
    count = len(benchmark.image_names)
    return features[:count], features[count:]
