"""`oxford5k`: the Oxford Buildings."""

import tensorflow_datasets as tfds

from delf_keras.datasets import published
from delf_keras.datasets.builders.oxford import OxfordBuilder


class Oxford5k(OxfordBuilder):
    """Oxford Buildings: 5063 photographs, 55 queries of 11 landmarks.

    The split `database` has all photographs, sorted by name; `query` has those
    to search for, which are in the database too, with a `box` (left, top,
    right, bottom in pixels) that they must be cropped to, and the names of
    the photographs to find and of those that count neither way (junk). Faces
    are blurred.
    """

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Put oxbuild_images-v1.tgz, or its photographs in a folder jpg, and "
        "gt_files_170407.tgz, or its files in a folder gt_files_170407, into "
        "a folder and give it as manual_dir."
    )
    PHOTOGRAPHS = published.PHOTOGRAPHS["oxford5k"]
    GROUND_TRUTH = published.GROUND_TRUTH["oxford5k"]
    HOMEPAGE = PHOTOGRAPHS.url
    CITATION = """@inproceedings{philbin2007object,
  author = {Philbin, James and Chum, Ondrej and Isard, Michael and
            Sivic, Josef and Zisserman, Andrew},
  title = {Object Retrieval with Large Vocabularies and Fast Spatial Matching},
  booktitle = {CVPR},
  year = {2007},
}"""
