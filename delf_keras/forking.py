"""What a process that was forked can still do."""

import os
import threading

_used_tensorflow = False
_lost_tensorflow = False


def lock_across_forks():
    """Returns a lock that no fork leaves locked by a thread that is gone."""
    lock = threading.Lock()
    at_fork(lock.release, before=lock.acquire, in_parent=lock.release)
    return lock


def at_fork(in_child, before=lambda: None, in_parent=lambda: None):
    """Registers functions that every fork of this process calls.

    Args:
        in_child: Called in the new process.
        before: Called before it is there.
        in_parent: Called in this process, when it is there.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=before, after_in_parent=in_parent, after_in_child=in_child
        )


def use_tensorflow():
    """Notes that this process uses TensorFlow, whose threads no fork has.

    Raises:
        RuntimeError: if it is the fork of a process that has used it, in which
            TensorFlow would wait for these threads for ever.
    """
    global _used_tensorflow
    if _lost_tensorflow:
        raise RuntimeError(
            "Photographs are extracted in a process of its own, not in the "
            "fork of one that has used TensorFlow: start it by spawn. "
            f"Received: process {os.getpid()}, a fork of {os.getppid()}"
        )
    _used_tensorflow = True


def _lose_tensorflow():
    global _lost_tensorflow
    _lost_tensorflow = _used_tensorflow


at_fork(_lose_tensorflow)
