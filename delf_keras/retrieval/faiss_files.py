"""Files of faiss indexes, written and read without a word on stdout."""

import errno

import faiss
import numpy as np

from delf_keras.retrieval.faiss_training import reason

INDEX_FILE = "descriptors.faiss"
# The inverted lists of an index that was merged on disk.
LISTS_FILE = "descriptors.ivfdata"


def merge_on_disk(trained, parts, folder):
    """Writes the inverted lists of several faiss indexes as one, to files.

    Args:
        trained: The faiss index that all of them were copied from.
        parts: list of faiss indexes.
        folder: `Path` of the folder to write to.

    Raises:
        OSError: if the disk is full.
    """
    sources = faiss.InvertedListsPtrVector()
    for part in parts:
        sources.push_back(part.invlists)
    stack = faiss.HStackInvertedLists(sources.size(), sources.data())
    lists = faiss.OnDiskInvertedLists(
        trained.nlist, trained.code_size, LISTS_FILE
    )
    # faiss would map the file and die of a full disk, and tells its size on
    # stdout.
    with open(folder / LISTS_FILE, "wb") as file:
        sizes = [_write_list(stack, n, file) for n in range(stack.nlist)]
        lists.totsize = file.tell()
    lists.set_all_lists_sizes(faiss.swig_ptr(np.array(sizes, np.uint64)))
    merged = faiss.clone_index(trained)
    merged.replace_invlists(lists, True)
    lists.this.disown()
    merged.ntotal = sum(sizes)
    write_faiss_index(merged, folder / INDEX_FILE)


def _write_list(lists, number, file):
    """Writes codes and keys of an inverted list; returns how many it has."""
    size = lists.list_size(number)
    if size:
        codes, keys = lists.get_codes(number), lists.get_ids(number)
        file.write(faiss.rev_swig_ptr(codes, size * lists.code_size).data)
        file.write(faiss.rev_swig_ptr(keys, size).data)
        lists.release_codes(number, codes)
        lists.release_ids(number, keys)
    return size


def read_faiss_index(path, mapped):
    """Opens an index that a function of this module wrote.

    Args:
        path: `Path`.
        mapped: bool. Whether its codes are mapped into memory and not read,
            which those beside it are anyway.

    Returns:
        A faiss index.

    Raises:
        RuntimeError: if the file is damaged, or cannot be opened.
        OSError: if the lists beside it cannot be opened.
    """
    # These tables are of a search, and larger than anything else of a segment
    # that is to be merged.
    flags = faiss.IO_FLAG_SKIP_PRECOMPUTE_TABLE
    lists_path = path.with_name(LISTS_FILE)
    # faiss 1.15 crashes on mapping lists that are on disk already.
    if not lists_path.exists():
        mapping = faiss.IO_FLAG_MMAP_IFC if mapped else 0
        return faiss.read_index(str(path), flags | mapping)
    # Asked to look for the lists beside it, faiss tells so on stdout.
    index = faiss.read_index(str(path), flags | faiss.IO_FLAG_SKIP_IVF_DATA)
    lists = faiss.downcast_InvertedLists(index.invlists)
    open(lists_path, "rb").close()
    lists.filename = str(lists_path)
    lists.read_only = True
    lists.do_mmap()
    return index


def write_faiss_index(index, path):
    """Writes a faiss index to a file.

    Raises:
        OSError: if the disk is full.
    """
    try:
        faiss.write_index(index, str(path))
    except RuntimeError as error:
        raise OSError(errno.EIO, reason(error), str(path)) from error
