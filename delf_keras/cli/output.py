"""Standard output and error of the command, whatever they lead to."""

import contextlib
import io
import os
import sys


class _Stream(io.TextIOBase):
    """A stream that does not stop a verb, whatever it leads to.

    Attributes:
        error: `OSError`, None while there was none. `BrokenPipeError` where
            the reader went away, as `head` does. What is written after it is
            lost, so that files are written still.
    """

    def __init__(self, stream):
        self._stream = stream
        self.error = None
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")

    @property
    def encoding(self):
        """Name of the encoding of what is written."""
        return getattr(self._stream, "encoding", None)

    def write(self, text):
        """Writes and returns the length of the text."""
        self._try("write", text)
        return len(text)

    def flush(self):
        """Writes what is buffered."""
        self._try("flush")

    def isatty(self):
        """Tells whether it is a terminal."""
        return self._stream is not None and self._stream.isatty()

    def fileno(self):
        """Returns the file descriptor."""
        if self._stream is None:
            raise io.UnsupportedOperation("fileno")
        return self._stream.fileno()

    def _try(self, method, *args):
        if self._stream is None or self.error is not None:
            return
        try:
            getattr(self._stream, method)(*args)
        except OSError as error:
            self.error = error
            # Python would try again, and complain, when it exits.
            _lead_nowhere(self._stream.fileno())


@contextlib.contextmanager
def safe_streams():
    """Has `print` and logging write to streams that do not stop a verb.

    Yields:
        The stream that is `sys.stdout` meanwhile; its `error` tells whether
        the listing was written to its end.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # The next file that is opened would be taken for it.
            _lead_nowhere(descriptor)
    streams = _Stream(sys.stdout), _Stream(sys.stderr)
    with (
        contextlib.redirect_stdout(streams[0]),
        contextlib.redirect_stderr(streams[1]),
    ):
        yield streams[0]


def _lead_nowhere(descriptor):
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != descriptor:
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
