"""Progress of long work: a bar on a terminal, plain lines elsewhere."""

import sys
import time

_SECONDS_BETWEEN_LINES = 30.0


def show_progress(iterable, total, label):
    """Passes an iterable through and shows how far it is.

    Args:
        iterable: Iterable.
        total: int. Its length.
        label: str. What is being done.

    Returns:
        Iterable of the same items.
    """
    if sys.stderr.isatty():
        from tqdm import tqdm

        return tqdm(iterable, label, total)
    return _with_lines(iterable, total, label)


def _with_lines(iterable, total, label):
    start = last = time.monotonic()
    for count, item in enumerate(iterable, start=1):
        yield item
        now = time.monotonic()
        if now - last >= _SECONDS_BETWEEN_LINES or count == total:
            last = now
            print(
                f"{label}: {count} of {total} in {now - start:.0f} s",
                file=sys.stderr,
                flush=True,
            )
