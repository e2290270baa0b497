"""Oxford5k and Paris6k with the ground truth of their authors."""

from delf_keras.datasets.builders.files import find_contents
from delf_keras.datasets.builders.retrieval import (
    Photograph,
    RetrievalBuilder,
)
from delf_keras.datasets.published import Published
from delf_keras.evaluation import load_oxford


class OxfordBuilder(RetrievalBuilder, skip_registration=True):
    """A benchmark whose ground truth is text files, four for a query.

    Attributes:
        GROUND_TRUTH: `Published` archive of the text files.
        BROKEN: Names of photographs that are not to be used.
    """

    GROUND_TRUTH: Published
    BROKEN: frozenset[str] = frozenset()
    LABELS = ("positives", "junk")

    def read_ground_truth(self, dl_manager, names):
        """See `RetrievalBuilder`: queries are in the database too."""
        (folder,) = find_contents(dl_manager, self.GROUND_TRUTH, self)
        # The archive of Paris6k has a folder in it, that of Oxford5k has not.
        file = next(folder.rglob("*_query.txt"), folder / "none")
        queries = [
            Photograph(
                name=query.image_name,
                query=name,
                box=query.box,
                labels={
                    "positives": sorted(query.positives),
                    "junk": sorted(query.junk),
                },
            )
            for name, query in load_oxford(file.parent).items()
        ]
        return [name for name in names if name not in self.BROKEN], queries
