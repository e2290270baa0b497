"""What the verbs that use Milvus share."""

import os

COLLECTION = "delf"


def milvus_token():
    """Returns what a Milvus server asks for, of the environment.

    A flag would be seen by every user of the machine.
    """
    return os.environ.get("MILVUS_TOKEN", "")
