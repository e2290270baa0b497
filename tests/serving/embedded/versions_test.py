"""Versions of a folder: which are loaded, served and unloaded, and when."""

import gc
import shutil
import threading
import weakref

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from delf_keras.serving.embedded.errors import RequestError
from delf_keras.serving.embedded.versions import VersionManager, VersionPolicy
from delf_keras.serving.warmup import WARMUP_FILE


@pytest.fixture
def manager(base):
    """A `VersionManager` that serves version 1."""
    manager = VersionManager(base)
    manager.refresh()
    return manager


def states(manager):
    return {version: s.state for version, s in manager.states.items()}


def answers(manager, **choice):
    """Returns the version that answers, by its own account."""
    with manager.use(**choice) as (version, servable):
        outputs = servable.predict("", {"x": np.ones((1, 2), np.float32)})
    assert outputs["version"] == [version]
    return version


def test_newest(base, publish):
    for version in (10, 9):
        publish(base, version)
    manager = VersionManager(base)
    manager.refresh()

    assert manager.available() == [10] and states(manager) == {10: "AVAILABLE"}
    assert answers(manager) == answers(manager, version=10) == 10


def test_no_versions(tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        manager = VersionManager(folder)
        manager.refresh()
        assert manager.available() == []
        with pytest.raises(RequestError, match=r"served are \[\]"):
            answers(manager)


def test_what_is_no_version(base, publish, manager):
    publish(base, 2).rename(base / "2-unfinished")
    (base / "3").mkdir()
    (base / "4").write_text("a file")
    for name in ("9" * 20, "٣", "²", "-1"):
        publish(base, 5).rename(base / name)
    manager.refresh()

    assert manager.present() == {1: base / "1"}
    assert manager.available() == [1]


def test_new_version_takes_over(base, publish, manager):
    publish(base, 2)
    manager.refresh()

    assert states(manager) == {1: "END", 2: "AVAILABLE"}
    assert answers(manager) == 2
    with pytest.raises(RequestError, match=r"\[2\]. Received: 1") as error:
        answers(manager, version=1)
    assert error.value.code == grpc.StatusCode.NOT_FOUND


def test_old_version_goes_after_its_last_request(base, publish, manager, until):
    publish(base, 2)
    with manager.use() as (version, servable):
        refresh = threading.Thread(target=manager.refresh)
        refresh.start()
        until(lambda: states(manager).get(1) == "UNLOADING")

        assert version == 1
        # New requests go elsewhere, and this one still has its model.
        assert manager.available() == [2] and answers(manager) == 2
        outputs = servable.predict("scalar", {"x": np.float32(5)})
        assert outputs["y"] == 5
        assert refresh.is_alive()
        servable = weakref.ref(servable)
    refresh.join(20)

    assert states(manager) == {1: "END", 2: "AVAILABLE"}
    gc.collect()
    assert servable() is None


def test_roll_back(base, publish, manager):
    """Without the newer version, the older one is served again."""
    newer = publish(base, 2)
    manager.refresh()
    shutil.rmtree(newer)
    manager.refresh()

    assert states(manager) == {1: "AVAILABLE", 2: "END"}
    assert answers(manager) == 1


def test_folder_with_zeros_before_its_number(base, publish):
    publish(base, 123).rename(base / "00000123")
    manager = VersionManager(base)
    manager.refresh()
    assert manager.available() == [123] and answers(manager) == 123


def test_version_that_is_copied_still(base, publish, manager):
    """It is tried again when its files have changed, and not before."""
    newer = publish(base, 2)
    variables = newer / "variables"
    variables.rename(base / "later")
    for _ in range(2):
        manager.refresh()
        assert states(manager) == {1: "AVAILABLE", 2: "END"}
    (base / "later").rename(variables)
    manager.refresh()
    assert states(manager) == {1: "END", 2: "AVAILABLE"}
    assert answers(manager) == 2


def test_an_empty_folder_ends_nothing(base, manager):
    shutil.rmtree(base)
    manager.refresh()
    assert answers(manager) == 1


def damage(folder):
    (folder / "saved_model.pb").write_bytes(b"damaged")


def refuse_warmup(folder):
    """Adds a request that asks for a signature which is not there."""
    path = folder / WARMUP_FILE
    path.parent.mkdir()
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.model_spec.signature_name = "none"
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(log.SerializeToString())


def lose_variables(folder):
    """TensorFlow misses them when it comes to load them."""
    shutil.rmtree(folder / "variables")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (damage, "is damaged"),
        (lose_variables, "is damaged"),
        (refuse_warmup, "warm-up request must be answered"),
    ],
)
def test_version_that_cannot_be_loaded(
    base, publish, manager, spoil, message, caplog
):
    """The old one goes on, until there is one that can."""
    newer = publish(base, 2)
    spoil(newer)
    for _ in range(2):
        manager.refresh()
        assert states(manager) == {1: "AVAILABLE", 2: "END"}
        assert message in manager.states[2].error
        assert answers(manager) == 1
    # It was tried once.
    (record,) = caplog.records
    assert "Version 2 is not served" in record.getMessage()

    shutil.rmtree(newer)
    manager.refresh()
    publish(base, 2)
    manager.refresh()
    assert states(manager) == {1: "END", 2: "AVAILABLE"}
    assert manager.states[2].error == ""
    assert answers(manager) == 2


def test_chosen_versions(base, publish):
    publish(base, 3)
    publish(base, 4)
    manager = VersionManager(base, VersionPolicy(versions=(1, 2, 3)))
    manager.refresh()

    assert manager.available() == [1, 3] and answers(manager) == 3
    assert answers(manager, version=1) == 1
    publish(base, 2)
    manager.refresh()
    assert manager.available() == [1, 2, 3]
    shutil.rmtree(base / "3")
    manager.refresh()
    assert manager.available() == [1, 2] and answers(manager) == 2


def test_labels(base, publish):
    publish(base, 2)
    policy = VersionPolicy((1, 2, 3), {"stable": 1, "canary": 2, "next": 3})
    manager = VersionManager(base, policy)
    manager.refresh()

    assert answers(manager, label="stable") == 1
    assert answers(manager, label="canary") == 2
    for label, message, code in (
        ("next", r"\[1, 2\]. Received: 3", grpc.StatusCode.NOT_FOUND),
        (
            "old",
            r"Labels are .*'stable'.*Received: old",
            grpc.StatusCode.INVALID_ARGUMENT,
        ),
    ):
        with pytest.raises(RequestError, match=message) as error:
            answers(manager, label=label)
        assert error.value.code == code


def test_label_of_a_version_that_is_not_chosen():
    for versions in ((), (1,)):
        with pytest.raises(ValueError, match="Received: stable:2"):
            VersionPolicy(versions, {"stable": 2})
