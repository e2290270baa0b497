"""Which photographs of an addition enter an index, and in place of which."""

from dataclasses import dataclass, field

from delf_keras.features.decoding import ImageError, reading
from delf_keras.retrieval.manifest import digest_of
from delf_keras.retrieval.roots import path_in

# Photographs that are published together: an interruption loses no more.
_SHARD = 1000


@dataclass(frozen=True, eq=False)
class ChangeReport:
    """What became of the photographs of a change.

    Attributes:
        version: int. The version of the index after it.
        added: list of str, names that were added.
        removed: list of str, names that were removed or replaced.
        known: dict of name to the name under which the same bytes are in the
            index already.
        skipped: dict of name to the reason why it was not added.
    """

    version: int
    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    known: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


class Catalog:
    """The photographs of an index.

    Attributes:
        numbers: dict of name to number.
        digests: dict of name to the SHA-256 of the file, in hexadecimal.
        names: dict of that to a name.
    """

    def __init__(self, writer):
        self.numbers = {}
        self.digests = {}
        for store in writer.stores:
            for image, number in enumerate(store.numbers.tolist()):
                if number not in writer.removed:
                    name = store.names[image]
                    self.numbers[name] = number
                    self.digests[name] = store.digests[image].tobytes().hex()
        self.names = {digest: name for name, digest in self.digests.items()}

    def forget(self, digests):
        """Forgets the names of contents that others are to replace.

        Args:
            digests: dict of name to the digest of what it has now.
        """
        self.names = {
            digest: name
            for name, digest in self.digests.items()
            if digests.get(name, digest) == digest
        }


class Addition:
    """Photographs on their way into an index.

    Args:
        writer: `IndexWriter`.
        root: `Path` that names are relative to.
        replace: See `add_photographs`.
    """

    def __init__(self, writer, root, replace):
        self._writer = writer
        self._root = root
        self._replace = replace
        self._catalog = Catalog(writer)
        # Of this addition: the name of each content, and of what it replaces.
        self._first = {}
        self._renamed = {}
        self._shard = []
        self._added = []
        self._removed = []
        self._known = {}
        self._skipped = {}

    def choose(self, named, progress):
        """Returns the names of the photographs that are to be extracted.

        Args:
            named: dict of name to `Path`.
            progress: See `add_photographs`.
        """
        digests = {}
        for name in progress(named, len(named), "check"):
            try:
                with reading(named[name]):
                    digests[name] = digest_of(named[name])
            except ImageError as error:
                self._skipped[name] = str(error)
        if self._replace:
            self._catalog.forget(digests)
        return [name for name in digests if self._wants(name, digests[name])]

    def _wants(self, name, digest):
        if name in self._catalog.numbers:
            if self._catalog.digests[name] == digest:
                self._known[name] = name
            elif self._replace:
                # Whoever else has its content: the old one has to go.
                self._first.setdefault(digest, name)
                return True
            else:
                self._skipped[name] = (
                    f"{name} is in the index with other content: replace it"
                )
            return False
        present = self._catalog.names.get(digest)
        if present is None:
            return self._is_first(name, digest)
        if self._is_gone(present):
            self._renamed[name] = present
            return self._is_first(name, digest)
        self._known[name] = present
        return False

    def take(self, name, digest, result):
        """Takes the features of a photograph, or why it has none."""
        if isinstance(result, ImageError):
            self._skipped[name] = str(result)
            return
        self._shard.append((name, result, bytes.fromhex(digest)))
        if len(self._shard) == _SHARD:
            self.publish()

    def publish(self):
        """Makes a version of the index of what was taken."""
        if not self._shard:
            return
        names = [name for name, _, _ in self._shard]
        before = [self._renamed.get(name, name) for name in names]
        replaced = [name for name in before if name in self._catalog.numbers]
        self._writer.remove(self._catalog.numbers[name] for name in replaced)
        self._writer.add(
            [(name, features) for name, features, _ in self._shard],
            [digest for _, _, digest in self._shard],
        )
        self._writer.merge_alike()
        self._writer.publish()
        self._removed += replaced
        self._added += names
        self._shard = []

    def _is_first(self, name, digest):
        """Whether no other photograph of the addition has a content."""
        first = self._first.setdefault(digest, name)
        if first != name:
            self._known[name] = first
        return first == name

    def _is_gone(self, name):
        """Whether a photograph is no longer where it was indexed."""
        return self._root.is_dir() and not path_in(self._root, name).exists()

    def report(self):
        """Returns the `ChangeReport`, when all is published."""
        for name, first in [*self._known.items()]:
            if first in self._skipped:
                del self._known[name]
                self._skipped[name] = self._skipped[first]
        return ChangeReport(
            self._writer.manifest.version,
            self._added,
            self._removed,
            self._known,
            self._skipped,
        )
