"""mAP on a set in the layout of Revisited Oxford, at the end of an epoch."""

import pickle
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from delf_keras.datasets.synthetic import write_photographs
from delf_keras.evaluation import evaluate_revisited, load_revisited
from delf_keras.features.decoding import ImageError
from delf_keras.features.pca_fitting import PcaOptions
from delf_keras.retrieval import build_index
from delf_keras.training.retrieval_quality import (
    RetrievalQuality,
    evaluate_retrieval,
)

DATABASE = [
    "landmark_00_view_1",
    "landmark_01_view_1",
    "landmark_00_view_2",
    "copy",
]
QUERIES = ["landmark_00_view_0", "landmark_01_view_0"]
BOXES = [(0, 0, 128, 96), (10.2, 8.0, 119.7, 90.0)]
PCA = PcaOptions(16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two landmarks; the database has a copy of the first query."""
    folder = tmp_path_factory.mktemp("retrieval")
    photographs = folder / "jpg"
    write_photographs(
        photographs,
        num_landmarks=2,
        views_per_landmark=3,
        num_distractors=0,
        size=(96, 128),
    )
    shutil.copy(photographs / f"{QUERIES[0]}.jpg", photographs / "copy.jpg")
    queries = [
        {"bbx": BOXES[0], "easy": [3], "hard": [0, 2], "junk": []},
        {"bbx": BOXES[1], "easy": [1], "hard": [], "junk": [0]},
    ]
    content = {"imlist": DATABASE, "qimlist": QUERIES, "gnd": queries}
    (folder / "gnd_two.pkl").write_bytes(pickle.dumps(content))
    return folder


@pytest.fixture
def damaged(folder, tmp_path):
    """A copy of the folder, to be damaged."""
    return shutil.copytree(folder, tmp_path / "damaged")


@pytest.fixture(scope="module")
def by_hand(folder, tiny_extractor):
    """mAP of E, M and H, by the steps that a user would take."""
    photographs = folder / "jpg"
    paths = [photographs / f"{name}.jpg" for name in DATABASE]
    index = build_index(paths, tiny_extractor, pca=PCA).index
    ranks = []
    for name, box in zip(QUERIES, BOXES, strict=True):
        with Image.open(photographs / f"{name}.jpg") as image:
            ranks.append(index.rank(np.asarray(image.crop(box))))
    results = evaluate_revisited(
        load_revisited(folder / "gnd_two.pkl"), np.stack(ranks, axis=1)
    )
    return {
        protocol: result.mean_average_precision
        for protocol, result in results.items()
    }


def test_evaluation(folder, tiny_extractor, by_hand):
    results = evaluate_retrieval(tiny_extractor, folder, pca=PCA)
    for protocol, expected in by_hand.items():
        received = results[protocol].mean_average_precision
        assert received == pytest.approx(expected)
    # Nothing is nearer to a photograph than its copy.
    assert results["E"].average_precision[0] == 1


def test_metrics_of_an_epoch(folder, tiny_extractor, tiny_model, by_hand):
    callback = RetrievalQuality(folder, tiny_extractor.options, pca=PCA)
    callback.set_model(SimpleNamespace(delf=tiny_model))
    logs = {"loss": 1.0}
    callback.on_epoch_end(0, logs)
    expected = {f"mAP_{name}": value for name, value in by_hand.items()}
    assert logs == pytest.approx({"loss": 1.0} | expected)


def test_a_protocol_without_positives_is_no_metric(
    damaged, tiny_extractor, tiny_model
):
    path = damaged / "gnd_two.pkl"
    content = pickle.loads(path.read_bytes())
    for query in content["gnd"]:
        query["hard"] = []
    path.write_bytes(pickle.dumps(content))
    callback = RetrievalQuality(damaged, tiny_extractor.options, pca=PCA)
    callback.set_model(SimpleNamespace(delf=tiny_model))
    logs = {}
    callback.on_epoch_end(0, logs)
    assert set(logs) == {"mAP_E", "mAP_M"}


def test_no_ground_truth(damaged, tiny_extractor):
    (damaged / "gnd_two.pkl").unlink()
    message = f"holds jpg/ and gnd_.*Received: folder={damaged}"
    with pytest.raises(FileNotFoundError, match=message):
        evaluate_retrieval(tiny_extractor, damaged)
    with pytest.raises(FileNotFoundError, match=message):
        RetrievalQuality(damaged)


@pytest.mark.parametrize("name", [DATABASE[1], QUERIES[1]])
def test_a_photograph_is_missing(damaged, tiny_extractor, name):
    (damaged / "jpg" / f"{name}.jpg").unlink()
    message = f"Received: .*{name}.jpg, which is missing"
    with pytest.raises(FileNotFoundError, match=message):
        evaluate_retrieval(tiny_extractor, damaged)
    with pytest.raises(FileNotFoundError, match=message):
        RetrievalQuality(damaged)


def test_a_corrupt_photograph(damaged, tiny_extractor):
    """It is found before training starts."""
    path = damaged / "jpg" / f"{DATABASE[1]}.jpg"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ImageError, match=f"Received: {path}"):
        RetrievalQuality(damaged)
    with pytest.raises(
        ValueError, match=f"photograph of the database .*{DATABASE[1]}.jpg"
    ):
        evaluate_retrieval(tiny_extractor, damaged, pca=PCA)
