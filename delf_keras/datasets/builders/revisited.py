"""Oxford5k and Paris6k with the revisited ground truth."""

from delf_keras.datasets.builders.files import find_files
from delf_keras.datasets.builders.retrieval import (
    Photograph,
    RetrievalBuilder,
)
from delf_keras.datasets.published import Published
from delf_keras.evaluation import load_revisited


class RevisitedBuilder(RetrievalBuilder, skip_registration=True):
    """A benchmark whose ground truth is a gnd_*.pkl.

    Attributes:
        GROUND_TRUTH: `Published` pickle, of which nothing is run.
    """

    GROUND_TRUTH: Published
    LABELS = ("easy", "hard", "junk")
    HOMEPAGE = "http://cmp.felk.cvut.cz/revisitop/"
    CITATION = """@inproceedings{radenovic2018revisiting,
  author = {Radenovic, Filip and Iscen, Ahmet and Tolias, Giorgos and
            Avrithis, Yannis and Chum, Ondrej},
  title = {Revisiting Oxford and Paris: Large-Scale Image Retrieval
           Benchmarking},
  booktitle = {CVPR},
  year = {2018},
}"""

    def read_ground_truth(self, dl_manager, names):
        """See `RetrievalBuilder`: queries are not in the database."""
        (path,) = find_files(dl_manager, self.GROUND_TRUTH, self)
        truth = load_revisited(path)
        queries = [
            Photograph(
                name=name,
                query=name,
                box=tuple(truth.boxes[index]),
                labels={
                    label: [
                        truth.image_names[image]
                        for image in getattr(truth, label)[index]
                    ]
                    for label in self.LABELS
                },
            )
            for index, name in enumerate(truth.query_names)
        ]
        return truth.image_names, queries
