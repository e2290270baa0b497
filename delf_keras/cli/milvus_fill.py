"""Copies the descriptors of an index into a collection of Milvus.

    delf-keras milvus-fill --index=my_index --uri=http://localhost:19530 \\
        --collection=delf

`delf-keras search --milvus=URI` then has Milvus find the nearest descriptors;
all the rest of a search needs the index folder. --uri=file.db is a file of
Milvus Lite. A token is read from the environment variable MILVUS_TOKEN. The
same command again completes a copy that was interrupted, and adds what the
index has gained. What was compacted away stays: copy into a new collection
then.
"""

from absl import flags as absl_flags

from delf_keras.cli.milvus_flags import COLLECTION, milvus_token
from delf_keras.cli.progress import show_progress


def define_flags(flags):
    """Defines the flags of this verb."""
    texts = {
        "index": "Index folder.",
        "uri": "Milvus: http(s)://host:port, or a path that ends in .db.",
    }
    for name, text in texts.items():
        absl_flags.DEFINE_string(name, None, text, flag_values=flags)
    absl_flags.mark_flags_as_required([*texts], flag_values=flags)
    absl_flags.DEFINE_string(
        "collection", COLLECTION, "Its collection.", flag_values=flags
    )
    absl_flags.DEFINE_enum(
        "index_type",
        None,
        ["FLAT", "IVF_FLAT", "IVF_SQ8", "IVF_PQ"],
        "Index of a new collection; IVF_PQ if not given, IVF_SQ8 in a file.",
        flag_values=flags,
    )
    integers = {
        "lists": (1024, "Inverted lists of a new collection's segments."),
        "subvectors": (
            None,
            "Parts of a descriptor that IVF_PQ codes; half of its dimension "
            "if not given.",
        ),
        "bits": (8, "Length of the code of each part."),
    }
    for name, (default, text) in integers.items():
        absl_flags.DEFINE_integer(name, default, text, 1, flag_values=flags)


def run(flags, args):
    """Makes the collection where there is none, and copies."""
    from delf_keras.retrieval import ImageIndex
    from delf_keras.retrieval.milvus import MilvusIndex, copy_descriptors
    from delf_keras.retrieval.milvus_collections import CollectionOptions

    if args:
        raise ValueError(f"milvus-fill takes no arguments. Received: {args}")
    index = ImageIndex.load(flags.index)
    options = CollectionOptions(
        flags.index_type, flags.lists, flags.subvectors, flags.bits
    )
    with MilvusIndex.create(
        flags.uri,
        flags.collection,
        index.database.dimension,
        index.fingerprint,
        options,
        token=milvus_token(),
    ) as target:
        copied = copy_descriptors(index.database, target, show_progress)
        print(
            f"{flags.uri}: {copied} descriptors of {len(index)} photographs "
            f"copied; the collection {flags.collection} has {len(target)}."
        )
    return 0
