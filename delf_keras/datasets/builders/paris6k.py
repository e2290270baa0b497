"""`paris6k`: the Paris buildings."""

import tensorflow_datasets as tfds

from delf_keras.datasets.builders.files import Published
from delf_keras.datasets.builders.oxford import OxfordBuilder

URL = "https://www.robots.ox.ac.uk/~vgg/data/parisbuildings"
PHOTOGRAPHS = Published(URL, ("paris_1-v1.tgz", "paris_2-v1.tgz"), folder="jpg")

# The authors list these files of the archives as corrupt.
_BROKEN = {
    "louvre": "000136 000146",
    "moulinrouge": "000422",
    "museedorsay": "001059",
    "notredame": "000188",
    "pantheon": "000284 000960 000974",
    "pompidou": "000195 000196 000201 000467 000640",
    "sacrecoeur": "000299 000330 000353",
    "triomphe": "000662 000833 000863 000867",
}


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
    PHOTOGRAPHS = PHOTOGRAPHS
    GROUND_TRUTH = Published(URL, ("paris_120310.tgz",), folder="paris_120310")
    BROKEN = frozenset(
        f"paris_{landmark}_{number}"
        for landmark, numbers in _BROKEN.items()
        for number in numbers.split()
    )
    HOMEPAGE = URL
    CITATION = """@inproceedings{philbin2008lost,
  author = {Philbin, James and Chum, Ondrej and Isard, Michael and
            Sivic, Josef and Zisserman, Andrew},
  title = {Lost in Quantization: Improving Particular Object Retrieval in
           Large Scale Image Databases},
  booktitle = {CVPR},
  year = {2008},
}"""
