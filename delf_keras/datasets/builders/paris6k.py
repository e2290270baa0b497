"""`paris6k`: the Paris buildings."""

import tensorflow_datasets as tfds

from delf_keras.datasets import published
from delf_keras.datasets.builders.oxford import OxfordBuilder


class Paris6k(OxfordBuilder):
    """Paris: 6392 photographs, 55 queries of 11 landmarks.

    The split `database` has all photographs, sorted by name, but for 20 that
    are corrupt; `query` has those to search for, which are in the database
    too, with a `box` (left, top, right, bottom in pixels) that they must be
    cropped to, and the names of the photographs to find and of those that
    count neither way (junk). Faces are blurred.
    """

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Put paris_1-v1.tgz and paris_2-v1.tgz, or their photographs in a "
        "folder jpg, and paris_120310.tgz, or its files in a folder "
        "paris_120310, into a folder and give it as manual_dir."
    )
    PHOTOGRAPHS = published.PHOTOGRAPHS["paris6k"]
    GROUND_TRUTH = published.GROUND_TRUTH["paris6k"]
    BROKEN = published.BROKEN["paris6k"]
    HOMEPAGE = PHOTOGRAPHS.url
    CITATION = """@inproceedings{philbin2008lost,
  author = {Philbin, James and Chum, Ondrej and Isard, Michael and
            Sivic, Josef and Zisserman, Andrew},
  title = {Lost in Quantization: Improving Particular Object Retrieval in
           Large Scale Image Databases},
  booktitle = {CVPR},
  year = {2008},
}"""
