"""An index that is built with Beam is that of a build on one machine."""

import re
from dataclasses import replace

import pytest

pytest.importorskip("apache_beam")

from delf_keras.features.extractor import Extractor
from delf_keras.features.photographs import find_photographs
from delf_keras.retrieval import (
    AsmkOptions,
    PcaOptions,
    build_index,
    verify_index,
)
from delf_keras.retrieval.distributed import TfRecords, build_index_with_beam
from delf_keras.retrieval.distributed.pipelines import PipelineError
from delf_keras.retrieval.manifest import read_manifest
from delf_keras.retrieval.roots import describe_root
from delf_keras.serving import Client, EmbeddedServer, export
from delf_keras.serving.embedded.server import ServerOptions
from delf_keras.serving.saved_model_extractor import SavedModelExtractor

PCA = PcaOptions(16)


@pytest.fixture(scope="module")
def local(folder, tiny_extractor, tmp_path_factory):
    """`BuildReport` of an index of `folder` with a PCA, and its manifest."""
    output = tmp_path_factory.mktemp("local") / "index"
    report = build_index(folder, tiny_extractor, pca=PCA, output=output)
    return report, read_manifest(output)


@pytest.fixture(scope="module")
def fitted(local):
    """`tiny_extractor` with the PCA of `local`."""
    return local[0].index.extractor


@pytest.fixture(scope="module")
def local_fitted(folder, fitted, tmp_path_factory):
    """As `local`, built with `fitted`.

    Not the same: photographs that a PCA is fitted on are projected later.
    """
    output = tmp_path_factory.mktemp("local") / "index"
    report = build_index(folder, fitted, output=output)
    return report, read_manifest(output)


@pytest.fixture(scope="module")
def exported(fitted, tmp_path_factory):
    """The folder of the versions of `fitted`."""
    base = tmp_path_factory.mktemp("exported") / "delf"
    export(fitted, base, 1)
    return base


@pytest.fixture
def build(tmp_path):
    """A function that builds with Beam, and returns report and manifest."""

    def build(photographs, extractor, name="index", **options):
        report = build_index_with_beam(
            photographs,
            extractor,
            output=tmp_path / name,
            work_folder=tmp_path / "work",
            **options,
        )
        return report, read_manifest(tmp_path / name)

    return build


@pytest.fixture
def extracted(monkeypatch):
    """The names of the photographs that are extracted, as they come."""
    names = []
    extract_each = Extractor.extract_each

    def counted(self, photographs, batch_size=1):
        for photograph, result in extract_each(self, photographs, batch_size):
            names.append(str(photograph).rsplit("/", 1)[1])
            yield photograph, result

    monkeypatch.setattr(Extractor, "extract_each", counted)
    return names


def assert_same_report(received, expected):
    assert received.skipped == expected.skipped
    assert received.copies == expected.copies
    assert received.extracted == expected.extracted


def test_pca_is_fitted(local, folder, tiny_extractor, build):
    """Bit for bit."""
    report, manifest = build(folder, tiny_extractor, pca=PCA)

    assert manifest == local[1]
    assert_same_report(report, local[0])
    assert report.copies == {"sub/copy.jpg": "distractor_01.jpg"}
    assert [*report.skipped] == ["broken.jpg"]
    assert len(report.index) == 7


def test_segments_need_few_open_files(
    folder, fitted, build, few_open_files, monkeypatch, tmp_path
):
    """Each photograph one, when they are merged."""
    from delf_keras.retrieval import building

    monkeypatch.setattr(building, "SHARD", 1)
    with few_open_files():
        report, manifest = build(folder, fitted)
    assert manifest.segments == ["000008"] and len(report.index) == 7
    assert verify_index(tmp_path / "index") == {}


def test_global_descriptors_without_pca(
    folder, tiny_extractor, build, tmp_path
):
    options = {"pca": PcaOptions(0), "augmentation": 2, "factory": "exact"}
    extractor = Extractor(
        tiny_extractor.model,
        options=replace(tiny_extractor.options, global_power=3.0),
    )
    build_index(folder, extractor, output=tmp_path / "local", **options)
    report, manifest = build(folder, extractor, **options)

    assert manifest == read_manifest(tmp_path / "local")
    assert manifest.augmentation == 2
    assert "segments/000004/global_descriptors.npy" in manifest.files


def test_inverted_lists(folder, fitted, build, tmp_path):
    options = {"factory": "IVF4,PQ8x4", "asmk": AsmkOptions(binary=True)}
    build_index(folder, fitted, output=tmp_path / "local", **options)
    _, manifest = build(folder, fitted, **options)
    expected = read_manifest(tmp_path / "local")

    # faiss writes into it where its lists were written to.
    name = "segments/000004/descriptors.faiss"
    received, local = (
        re.sub(rb"\.writing-[\w-]+/\w+/", b"", path.read_bytes())
        for path in (tmp_path / "index" / name, tmp_path / "local" / name)
    )
    assert received == local
    del manifest.files[name], expected.files[name]
    assert manifest == expected
    assert "segments/000004/descriptors.ivfdata" in manifest.files


def test_tfrecords(
    local_fitted, folder, fitted, build, write_records, tmp_path
):
    names = find_photographs(folder)
    records = tmp_path / "records"
    records.mkdir()
    write_records(records / "photographs-0-of-2", folder, names[:5])
    write_records(records / "photographs-1-of-2", folder, names[5:])
    report, manifest = build(TfRecords(f"{records}/photographs-*"), fitted)

    roots = describe_root(records, tmp_path / "index")
    assert manifest == replace(local_fitted[1], roots=roots)
    assert report.copies == local_fitted[0].copies
    (reason,) = report.skipped.values()
    assert "broken.jpg in " in reason and "photographs-0-of-2" in reason

    _, manifest = build(
        TfRecords(f"{records}/photographs-*"), fitted, "other", root=folder
    )
    assert manifest == local_fitted[1]


def test_server(local_fitted, folder, exported, build):
    options = ServerOptions(grpc_port=0, rest_port=0)
    with EmbeddedServer(exported, options) as server:
        address = server.grpc_address
        report, manifest = build(folder, Client(address))

    assert [*report.skipped] == ["broken.jpg"]
    assert manifest.server == address
    _assert_same_photographs(manifest, local_fitted[1])


def test_saved_model(local_fitted, folder, exported, build):
    report, manifest = build(folder, SavedModelExtractor(exported / "1"))

    assert [*report.skipped] == ["broken.jpg"]
    assert manifest.server == str(exported / "1")
    _assert_same_photographs(manifest, local_fitted[1])


def _assert_same_photographs(received, expected):
    """All but the preset, which does not come from a server."""
    assert received.files == {
        name: described
        for name, described in expected.files.items()
        if not name.startswith("preset/")
    }
    assert received.fingerprint == expected.fingerprint
    assert received.extraction == expected.extraction


def test_goes_on_from_the_work_folder(
    local,
    folder,
    tiny_extractor,
    fitted,
    build,
    tmp_path,
    extracted,
):
    build(folder, tiny_extractor, pca=PCA)
    assert len(extracted) == 8
    extracted.clear()
    # As if the build had been interrupted before they were written.
    for pattern in (
        "unprojected-*/000001.json",
        "features-*/000001.json",
        "learned-*.json",
        "segments-*/000001.tar",
    ):
        (path,) = (tmp_path / "work").glob(pattern)
        path.unlink()

    report, manifest = build(folder, tiny_extractor, "again", pca=PCA)
    assert manifest == local[1]
    assert sorted(extracted) == ["distractor_01.jpg", "landmark_00_view_0.jpg"]
    assert report.extracted == 2

    # Files of other descriptors are not taken for those of this extractor.
    extracted.clear()
    other = Extractor(fitted.model, options=fitted.options)
    report, manifest = build(folder, other, "other", pca=PcaOptions(0))
    assert len(extracted) == report.extracted == 8
    assert manifest.fingerprint == other.fingerprint


def test_nothing_to_index(fitted, build, tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder of photographs"):
        build(tmp_path / "missing", fitted)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="which has none"):
        build(tmp_path / "empty", fitted)
    with pytest.raises(FileNotFoundError, match="which matches none"):
        build(TfRecords(str(tmp_path / "train-*")), fitted)
    (tmp_path / "empty" / "a.jpg").write_bytes(b"no image")
    with pytest.raises(ValueError, match="1 photographs, none of use"):
        build(tmp_path / "empty", fitted)


def test_records_of_one_name(folder, fitted, build, write_records, tmp_path):
    write_records(tmp_path / "train-0", folder, ["distractor_00.jpg"] * 2)
    with pytest.raises(ValueError, match="'distractor_00.jpg' twice"):
        build(TfRecords(str(tmp_path / "train-*")), fitted)


def test_output_exists(folder, fitted, build, tmp_path):
    (tmp_path / "index").mkdir()
    with pytest.raises(FileExistsError, match=f"Received: {tmp_path}"):
        build(folder, fitted)


def test_pipeline_that_fails(folder, fitted, build, monkeypatch):
    def fail(self, photographs, batch_size):
        raise RuntimeError("no memory")

    with monkeypatch.context() as patch:
        patch.setattr(Extractor, "extract_each", fail)
        with pytest.raises(PipelineError, match="goes on.*Received: no mem"):
            build(folder, fitted)
    with pytest.raises(ValueError, match="Unexpected pipeline runner"):
        build(folder, fitted, beam_options=["--runner=Fortran"])
