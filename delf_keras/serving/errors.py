"""What goes wrong between a client and a server."""

UNAVAILABLE = "UNAVAILABLE"
TOO_LARGE = "RESOURCE_EXHAUSTED"


class ServerError(OSError):
    """A server that cannot be reached, or refuses a request.

    Args:
        code: str. The name of the gRPC status, such as "NOT_FOUND", whatever
            the protocol.
        message: str.
    """

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code
