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

# A file of a kilobyte that takes longer, or more, is a fault. The first waits
# for imports.
_FIRST_SECONDS = 600
_SECONDS = 60
_MEMORY = 12 << 30

_ODD_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**32 - 1)
_ODD_VALUES = (
    *(None, True, -1, 0, 2**31, 2**63, 10**400, 1e308, float("nan"), ""),
    *("..", "/etc", "../../x", "\0", "\ud800", [], {}, [[]], [None]),
)


def damaged(contents, others, rng):
    """Returns bytes that are changed in one to four ways."""
    data = bytearray(contents)
    for _ in range(rng.choice((1, 1, 2, 4))):
        start = rng.randrange(len(data) + 1)
        end = min(start + rng.randrange(1, 32), len(data))
        size = rng.choice((1, 2, 4))
        number = rng.choice(_ODD_NUMBERS) % 256**size
        other = rng.choice(others)
        cut = rng.randrange(len(other))
        change = rng.randrange(8)
        if change < 3 and start < len(data):
            data[start] ^= 1 << rng.randrange(8)
        elif change == 3:
            order = rng.choice(("little", "big"))
            data[start : start + size] = number.to_bytes(size, order)
        elif change == 4:
            del data[start:]
        elif change == 5:
            del data[start:end]
        elif change == 6:
            data[start:start] = data[start:end] * rng.randrange(1, 9)
        else:
            data[start:end] = other[cut : cut + rng.randrange(1, 64)]
    return bytes(data)


def damaged_json(content, rng):
    """Returns an object of JSON of which one value is another."""
    content = json.loads(json.dumps(content))
    place = content
    while True:
        keys = list(place) if isinstance(place, dict) else range(len(place))
        key = rng.choice(keys)
        inner = place[key]
        if isinstance(inner, dict | list) and inner and rng.random() < 0.8:
            place = inner
            continue
        change = rng.randrange(8)
        if change == 0:
            del place[key]
        elif change == 1 and isinstance(place, dict):
            place[str(rng.choice(_ODD_VALUES))] = place.pop(key)
        else:
            place[key] = rng.choice(_ODD_VALUES)
        return content


class Samples:
    """Files to damage, all those of a folder; one is read at a time."""

    def __init__(self, samples, work):
        self.contents = {
            path.name: path.read_bytes() for path in sorted(samples.iterdir())
        }
        self.work = work

    def write(self, rng):
        """Writes a damaged file, and returns its path."""
        name = rng.choice(list(self.contents))
        others = list(self.contents.values())
        path = self.work / f"read{Path(name).suffix}"
        path.write_bytes(damaged(self.contents[name], others, rng))
        return path


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
