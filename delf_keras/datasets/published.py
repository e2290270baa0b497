"""Where the authors of the benchmarks of retrieval publish their files."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """Files as the authors of a data set publish them.

    Attributes:
        url: Address of the folder of the files.
        names: Names of the files.
        folder: Name of a folder of the manual directory that the files may
            lie in, or that holds what was extracted from them.
        md5: MD5 checksum of each file, None where it is not known; none at
            all where no file's is.
    """

    url: str
    names: tuple[str, ...]
    folder: str
    md5: tuple[str | None, ...] = ()

    def __post_init__(self):
        md5 = self.md5 or (None,) * len(self.names)
        if len(md5) != len(self.names):
            raise ValueError(
                f"md5 must have a checksum, or None, for each of "
                f"{len(self.names)} files. Received: len(md5)={len(md5)}"
            )
        object.__setattr__(self, "md5", md5)


_OXFORD = "https://www.robots.ox.ac.uk/~vgg/data/oxbuildings"
_PARIS = "https://www.robots.ox.ac.uk/~vgg/data/parisbuildings"
_REVISITED = "http://cmp.felk.cvut.cz/revisitop/data/datasets"
_DISTRACTORS = "http://ptak.felk.cvut.cz/revisitop/revisitop1m"

# Archives of photographs, by the set that they are of.
PHOTOGRAPHS = {
    "oxford5k": Published(
        _OXFORD,
        ("oxbuild_images-v1.tgz",),
        folder="jpg",
        md5=("8f0017cc5d671f35011d6968269fbf47",),
    ),
    "paris6k": Published(
        _PARIS, ("paris_1-v1.tgz", "paris_2-v1.tgz"), folder="jpg"
    ),
    "revisitop1m": Published(
        f"{_DISTRACTORS}/jpg",
        tuple(f"revisitop1m.{part}.tar.gz" for part in range(1, 101)),
        folder="jpg",
    ),
}

# What is to be found: text files in an archive, or a pickle. Of distractors,
# of which nothing is to be found, the list.
GROUND_TRUTH = {
    "oxford5k": Published(
        _OXFORD,
        ("gt_files_170407.tgz",),
        folder="gt_files_170407",
        md5=("06c4dee0ad954f6ee122c82390548537",),
    ),
    "paris6k": Published(_PARIS, ("paris_120310.tgz",), folder="paris_120310"),
    "roxford5k": Published(
        f"{_REVISITED}/roxford5k", ("gnd_roxford5k.pkl",), folder="roxford5k"
    ),
    "rparis6k": Published(
        f"{_REVISITED}/rparis6k", ("gnd_rparis6k.pkl",), folder="rparis6k"
    ),
    "revisitop1m": Published(
        _DISTRACTORS, ("revisitop1m.txt",), folder="revisitop1m"
    ),
}

# The authors of Paris6k list these files of its archives as corrupt.
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
BROKEN = {
    "oxford5k": frozenset(),
    "paris6k": frozenset(
        f"paris_{landmark}_{number}"
        for landmark, numbers in _BROKEN.items()
        for number in numbers.split()
    ),
}

# How many photographs there are without the broken ones. A figure that was
# measured on fewer is no figure of the benchmark.
PHOTOGRAPH_COUNTS = {"oxford5k": 5063, "paris6k": 6392}
