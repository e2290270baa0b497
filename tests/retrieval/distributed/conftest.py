"""Photographs, and small shards, of builds with Beam."""

import shutil

import pytest


@pytest.fixture(scope="module", autouse=True)
def small_shards():
    """Shards and segments that do not end at the same photographs.

    A PCA is fitted on 4 photographs: some shards have none of them.
    """
    pytest.importorskip("apache_beam")
    from delf_keras.features import pca_fitting
    from delf_keras.retrieval import building
    from delf_keras.retrieval.distributed import listing

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(building, "SHARD", 3)
        patch.setattr(listing, "SHARD", 2)
        patch.setattr(pca_fitting, "_PHOTOGRAPHS", 4)
        yield


@pytest.fixture(scope="session")
def folder(photographs, tmp_path_factory):
    """7 photographs, one of them a copy, and a file that is none."""
    folder = tmp_path_factory.mktemp("distributed") / "photographs"
    shutil.copytree(photographs, folder)
    (folder / "sub").mkdir()
    shutil.copy(folder / "distractor_01.jpg", folder / "sub" / "copy.jpg")
    (folder / "broken.jpg").write_bytes(b"no image")
    return folder


@pytest.fixture(scope="session")
def write_records():
    """A function that writes photographs of a folder as TFRecords."""
    import tensorflow as tf

    def feature(value):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    def write_records(path, folder, names):
        with tf.io.TFRecordWriter(str(path)) as writer:
            for name in names:
                features = {
                    "image/encoded": feature((folder / name).read_bytes()),
                    "image/filename": feature(name.encode()),
                }
                example = tf.train.Example(
                    features=tf.train.Features(feature=features)
                )
                writer.write(example.SerializeToString())

    return write_records
