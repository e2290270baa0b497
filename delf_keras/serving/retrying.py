"""Trying again, when a server is unavailable or busy for a while."""

import logging
import random
import time
from dataclasses import dataclass

from delf_keras.serving.errors import EXHAUSTED, UNAVAILABLE, ServerError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RetryOptions:
    """How often and when a request is sent again.

    Attributes:
        retries: How often after the first time.
        first_seconds: Wait before the first of them; each later one waits
            twice as long.
        longest_seconds: Longest wait.
    """

    retries: int = 8
    first_seconds: float = 0.1
    longest_seconds: float = 5.0


def with_retries(call, options):
    """Calls a function, and again while the server is unavailable or busy.

    No other error is worth another try: the answer would be the same.

    Args:
        call: A function without arguments.
        options: `RetryOptions`.

    Returns:
        What `call` returned.

    Raises:
        ServerError: of the last try.
    """
    wait = options.first_seconds
    for attempt in range(options.retries):
        try:
            return call()
        except ServerError as error:
            if error.code not in (EXHAUSTED, UNAVAILABLE):
                raise
            if attempt == 0:
                logger.warning("Unavailable, trying again: %s", error)
        # Clients that were cut off together must not come back together.
        time.sleep(random.uniform(0.5, 1.0) * wait)
        wait = min(2 * wait, options.longest_seconds)
    return call()
