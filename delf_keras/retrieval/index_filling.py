"""Writing the first version of an index."""

from delf_keras.retrieval.index_writer import IndexWriter


def fill_index(
    folder,
    manifest,
    shards,
    seed=0,
    progress=lambda iterable, total, label: iterable,
):
    """Writes the first version of an index.

    Args:
        folder: `Path` of a folder that `create_index` made.
        manifest: `Manifest` of it.
        shards: Iterable of pairs of a list of (name, `LocalFeatures`) and a
            list of digests, or None; see `IndexWriter.add`. Only one shard is
            in memory at a time.
        seed: int. Of the choice of background queries.
        progress: See `build_index`.
    """
    writer = IndexWriter(folder, manifest)
    for named_features, digests in shards:
        if named_features:
            writer.add(named_features, digests)
            writer.merge_many()
    finish_index(writer, seed, progress)


def finish_index(
    writer, seed=0, progress=lambda iterable, total, label: iterable
):
    """Makes what was added to a new index its first version.

    Args:
        writer: `IndexWriter`.
        seed: See `fill_index`.
        progress: See `build_index`.
    """
    writer.merge_all()
    writer.choose_background(seed, progress)
    writer.publish()
