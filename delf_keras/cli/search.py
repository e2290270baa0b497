"""Searches an index for the place that a photograph shows.

    delf-keras search --index=my_index --query=photograph.jpg --top=10 \\
        --picture=result.png

Prints the ranked photographs; --json also writes them to a file, with the
transform and the inlier matches, and --picture draws them. --server=host:port
has a server extract the query, --tfhub=URL a TF-Hub module. --milvus=URI has
Milvus find the nearest descriptors: `delf-keras milvus-fill` copies them there.
"""

import contextlib
import json
import logging
from pathlib import Path

from absl import flags as absl_flags

from delf_keras.atomic import atomic_path
from delf_keras.cli.extraction_flags import define_other_sources
from delf_keras.cli.milvus_flags import COLLECTION, milvus_token
from delf_keras.cli.search_flags import define_search_flags, search_options

logger = logging.getLogger(__name__)


def define_flags(flags):
    """Defines the flags of this verb."""
    strings = {
        "index": "Index folder.",
        "query": "Photograph to search for.",
        "root": "Folder of the photographs of the index, if it has moved.",
        "json": "File to write the results to.",
        "picture": "File to draw the results to: .png, .jpg or .pdf.",
        "milvus": "Milvus to search with: http(s)://host:port or a .db file.",
    }
    for name, text in strings.items():
        absl_flags.DEFINE_string(name, None, text, flag_values=flags)
    absl_flags.mark_flags_as_required(["index", "query"], flag_values=flags)
    define_other_sources(flags)
    absl_flags.DEFINE_integer(
        "top", 10, "Photographs to return at most.", 1, flag_values=flags
    )
    absl_flags.DEFINE_string(
        "milvus_collection",
        COLLECTION,
        "Collection of Milvus.",
        flag_values=flags,
    )
    define_search_flags(flags)


def run(flags, args):
    """Searches and shows the results."""
    from delf_keras.retrieval import ImageIndex

    if args:
        raise ValueError(f"search takes no arguments. Received: {args}")
    with _searchable(ImageIndex.load(flags.index, flags.root), flags) as index:
        results = index.search(
            _query(flags, index.extraction), flags.top, search_options(flags)
        )
    if flags.json:
        _write_json(flags.json, flags.query, results)
    if flags.picture:
        upright = index.extraction.upright
        _draw(flags.picture, flags.query, results, upright)
    print("rank      score  inliers  photograph")
    for rank, result in enumerate(results, start=1):
        print(
            f"{rank:4} {result.score:10.3f} {result.num_inliers:8}  "
            f"{result.path}"
        )
    return 0


@contextlib.contextmanager
def _searchable(index, flags):
    """Yields the index, searched with Milvus where the flags say so."""
    if flags.milvus is None:
        yield index
        return
    from delf_keras.retrieval.milvus import MilvusIndex

    with MilvusIndex.open(
        flags.milvus,
        flags.milvus_collection,
        index.fingerprint,
        token=milvus_token(),
    ) as engine:
        yield index.with_engine(engine)


def _query(flags, extraction):
    """Returns the query, or its features where another source has them."""
    if flags.server is not None and flags.tfhub is not None:
        raise ValueError(
            "Either --server or --tfhub extracts the query. "
            f"Received: {flags.server} and {flags.tfhub}"
        )
    if flags.server is not None:
        from delf_keras.serving.client import Client

        with Client(flags.server) as client:
            return client.extract(flags.query)
    if flags.tfhub is not None:
        from delf_keras.features.extractor import Extractor

        module = Extractor.from_tfhub(flags.tfhub, **vars(extraction))
        return module.extract(flags.query)
    return flags.query


def _write_json(path, query, results):
    content = {
        "query": str(query),
        "results": [_as_json(result) for result in results],
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1))


def _as_json(result):
    matches = result.matches
    return {
        "path": str(result.path),
        "score": result.score,
        "votes": result.votes,
        "inliers": result.num_inliers,
        "verified": result.verified,
        "transform": None
        if matches.transform is None
        else matches.transform.tolist(),
        "query_locations": matches.query_locations.tolist(),
        "image_locations": matches.image_locations.tolist(),
    }


def _draw(path, query, results, upright):
    from delf_keras.features.decoding import read_image
    from delf_keras.visualization import RankedImage, draw_ranking

    images, errors = _read_images([result.path for result in results], upright)
    shown = [
        RankedImage(
            image=image,
            title=Path(result.name).name,
            score=result.score,
            query_locations=result.matches.query_locations,
            image_locations=result.matches.image_locations,
            verified=result.verified,
        )
        for image, result in zip(images, results, strict=True)
    ]
    draw_ranking(path, read_image(query, upright), shown)
    if errors:
        logger.warning(
            "%s has grey cells for %d of %d photographs. The first: %s",
            path,
            len(errors),
            len(results),
            errors[0],
        )


def _read_images(paths, upright):
    """Returns the photographs, None for the unreadable, and their errors."""
    from delf_keras.features.decoding import ImageError, read_image

    images, errors = [], []
    for path in paths:
        try:
            images.append(read_image(path, upright))
        except ImageError as error:
            images.append(None)
            errors.append(error)
    return images, errors
