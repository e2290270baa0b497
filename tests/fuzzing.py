"""Reads files that were damaged at random, in a process that may die of it.

    python tests/fuzzing.py KIND SAMPLES WORK FIRST END

Damages a sample for each number from FIRST up to END, and prints what is
neither read nor refused by the error that its reader documents. The number
and the file that are read are in WORK, should the process end meanwhile.
"""

import contextlib
import faulthandler
import json
import random
import resource
import shutil
import sys
import traceback
from pathlib import Path

from damaging import Samples, damaged, damaged_json
from fuzzing_serving import Exported, Served

# A file of a kilobyte that takes longer, or more, is a fault. The first waits
# for imports.
_FIRST_SECONDS = 600
_SECONDS = 60
_MEMORY = 12 << 30


class Photographs(Samples):
    def read(self, rng):
        from delf_keras.features.decoding import ImageError, read_image

        try:
            image = read_image(self.write(rng), rng.random() < 0.5)
        except ImageError:
            return
        if image.dtype != "uint8" or image.shape[2:] != (3,):
            raise TypeError(f"an image of {image.dtype} {image.shape}")


class Features(Samples):
    """Files of one photograph, .delf and .npz."""

    def read(self, rng):
        from delf_keras.features.files import load_features

        try:
            load_features(self.write(rng))
        except ValueError:
            return


class Collections(Samples):
    """HDF5 files of many photographs."""

    def read(self, rng):
        from delf_keras.features import files

        try:
            with files.open_h5(self.write(rng)) as file:
                files.fingerprint_of_h5(file)
                files.made_of_h5(file)
                for name in files.names_h5(file):
                    files.read_h5(file, name)
        except ValueError:
            return


class Arrays(Samples):
    """Arrays of an index, and of rankings."""

    def read(self, rng):
        from delf_keras.cli.evaluate import _load_array
        from delf_keras.retrieval.array_folder import load_array

        path = self.write(rng)
        for load in (load_array, _load_array):
            try:
                load(path).sum()
            except (ValueError, TypeError) as error:
                # numpy does not add text.
                if type(error) is TypeError and "sum" not in str(
                    traceback.extract_tb(error.__traceback__)[-1].name
                ):
                    raise


class GroundTruths(Samples):
    def read(self, rng):
        from delf_keras.evaluation import load_revisited

        try:
            load_revisited(self.write(rng))
        except ValueError:
            return


class Indexes:
    """An index of which the manifest is damaged, or another file."""

    def __init__(self, samples, work):
        self.folder = work / "index"
        shutil.copytree(samples, self.folder, dirs_exist_ok=True)
        self.files = {
            path: path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }

    def read(self, rng):
        from delf_keras.retrieval import index_info, verify_index

        path = self.folder / "manifest.json"
        if rng.random() < 0.25:
            path = rng.choice(list(self.files))
        path.write_bytes(self._damaged(path, rng))
        try:
            for read in (verify_index, index_info, self._copied):
                with contextlib.suppress(ValueError, FileNotFoundError):
                    read(self.folder)
        finally:
            path.write_bytes(self.files[path])

    def _copied(self, folder):
        from delf_keras.retrieval import ImageIndex

        copy = folder.with_name("copy")
        shutil.rmtree(copy, ignore_errors=True)
        ImageIndex.load(folder).save(copy)

    def _damaged(self, path, rng):
        """Most manifests are signed anew, or no more would be read of them."""
        from delf_keras.retrieval import manifest

        if path.name != manifest.MANIFEST_FILE or rng.random() < 0.2:
            return damaged(self.files[path], list(self.files.values()), rng)
        content = damaged_json(json.loads(self.files[path]), rng)
        content.pop("sha256", None)
        content["sha256"] = manifest._digest(content)
        return json.dumps(content).encode()


KINDS = {
    "photographs": Photographs,
    "exported": Exported,
    "served": Served,
    "features": Features,
    "collections": Collections,
    "arrays": Arrays,
    "ground_truths": GroundTruths,
    "indexes": Indexes,
}


def main(kind, samples, work, first, end):
    """Reads damaged files, and prints the faults that come to light."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    faulthandler.enable()
    work = Path(work)
    reader = KINDS[kind](Path(samples), work)
    for number in range(int(first), int(end)):
        (work / "number").write_text(str(number))
        seconds = _SECONDS if number > int(first) else _FIRST_SECONDS
        faulthandler.dump_traceback_later(seconds, exit=True)
        try:
            reader.read(random.Random(number))
        except Exception:
            print(f"{kind} {number}: {traceback.format_exc()}", flush=True)
    faulthandler.cancel_dump_traceback_later()


if __name__ == "__main__":
    main(*sys.argv[1:])
