"""Extracting with an exported model in this process."""

from pathlib import Path

from delf_keras.serving import contract
from delf_keras.serving.exported_source import ExportedSource
from delf_keras.serving.servable import Servable


class SavedModelExtractor(ExportedSource):
    """Extracts local features with a SavedModel, without a server.

    It can stand in for an `Extractor`. What is extracted was fixed when the
    model was exported.

    Args:
        folder: str or `Path`. The folder of a version, as
            `delf_keras.serving.export` writes it.
        concurrency: int. Photographs under way at a time.

    Raises:
        FileNotFoundError: if it holds no SavedModel.
        ValueError: if the SavedModel is damaged, or not an extractor.
    """

    def __init__(self, folder, concurrency=4):
        self.folder = Path(folder).absolute()
        self._servable = Servable(self.folder)
        super().__init__(str(self.folder), concurrency)

    def predict(self, inputs, signature=contract.EXTRACT):
        """Calls a signature of the model; see `ExportedSource.predict`."""
        return self._servable.predict(signature, inputs)
