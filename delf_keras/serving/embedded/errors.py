"""Requests that cannot be answered, and why."""

import grpc

_HTTP_STATUS = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}


class RequestError(Exception):
    """A request that cannot be answered.

    Args:
        code: `grpc.StatusCode`.
        message: str.
    """

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code

    @property
    def http_status(self):
        """The HTTP status that says the same."""
        return _HTTP_STATUS.get(self.code, 500)
