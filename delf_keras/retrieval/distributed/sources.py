"""What workers extract with, described so that it can be sent to them."""

import shutil
import tempfile
from dataclasses import asdict, dataclass

from delf_keras.features.extractor import Extractor
from delf_keras.features.feature_source import FeatureSource
from delf_keras.retrieval.distributed.work_folder import WorkFolder


@dataclass(frozen=True)
class Source:
    """Describes a `FeatureSource`.

    Attributes:
        cache_key: str. See `FeatureSource.cache_key`.
    """

    cache_key: str

    def open(self):
        """Makes the `FeatureSource`.

        Raises:
            ValueError: if it extracts other features than the driver's.
        """
        extractor = self._open()
        if extractor.cache_key != self.cache_key:
            raise ValueError(
                "A worker extracts the same features as the driver: begin "
                "anew, or choose a version of what is served. "
                f"Expected {self.cache_key}. Received: {extractor.cache_key}"
            )
        return extractor

    def _open(self) -> FeatureSource:
        raise NotImplementedError


@dataclass(frozen=True)
class PresetSource(Source):
    """An `Extractor` whose preset is in the work folder."""

    work: WorkFolder
    name: str
    options: dict

    def _open(self):
        with tempfile.TemporaryDirectory() as folder:
            self.work.fetch_folder(self.name, folder)
            return Extractor.from_preset(folder, **self.options)


@dataclass(frozen=True)
class SavedModelSource(Source):
    """A `SavedModelExtractor` whose model is in the work folder."""

    work: WorkFolder
    name: str

    def _open(self):
        from delf_keras.serving.saved_model_extractor import SavedModelExtractor

        with tempfile.TemporaryDirectory() as folder:
            self.work.fetch_folder(self.name, folder)
            return SavedModelExtractor(folder)


@dataclass(frozen=True)
class ServedSource(Source):
    """A `Client` of a server that workers reach."""

    address: str
    connection: dict

    def _open(self):
        from delf_keras.serving.client import Client

        return Client(self.address, **self.connection)


@dataclass(frozen=True)
class TfHubSource(Source):
    """Google's DELF of TF-Hub, which workers download or reach."""

    handle: str
    options: dict

    def _open(self):
        return Extractor.from_tfhub(self.handle, **self.options)


def describe_source(extractor, work):
    """Describes an extractor to workers; puts its model where they reach it.

    Args:
        extractor: `Extractor`, `SavedModelExtractor`, `Client` or
            `TfHubExtractor`.
        work: `WorkFolder`.

    Returns:
        `Source`.
    """
    key = extractor.cache_key
    options = asdict(extractor.options)
    if hasattr(extractor, "save_to_preset"):
        name = f"preset-{key}.tar"
        if not work.has(name):
            with work.new_folder(name) as folder:
                extractor.save_to_preset(folder)
        return PresetSource(key, work, name, options)
    if hasattr(extractor, "folder"):
        name = f"saved_model-{key}.tar"
        if not work.has(name):
            with work.new_folder(name) as folder:
                shutil.copytree(extractor.folder, folder)
        return SavedModelSource(key, work, name)
    if hasattr(extractor, "connection"):
        return ServedSource(key, extractor.address, extractor.connection)
    return TfHubSource(key, extractor.address, options)
