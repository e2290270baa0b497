"""What goes wrong between a client and a server."""

DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
INTERNAL = "INTERNAL"
UNAVAILABLE = "UNAVAILABLE"
# A server that has too much to do; what it refuses may be sent again.
EXHAUSTED = "RESOURCE_EXHAUSTED"
# No gRPC status: a request that is larger than the server takes any.
TOO_LARGE = "TOO_LARGE"


class ServerError(OSError):
    """A server that cannot be reached, or refuses a request.

    Args:
        code: str. The name of the gRPC status, such as "NOT_FOUND", whatever
            the protocol; or `TOO_LARGE`.
        message: str.
    """

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code

    def advised(self, address):
        """Returns this error with the server's address and what to do.

        Args:
            address: str.
        """
        advice = _ADVICE.get(
            self.code, f"The server refuses the request with {self.code}"
        )
        return ServerError(self.code, f"{advice}. Received: {address} ({self})")


_ADVICE = {
    UNAVAILABLE: "The server does not answer: start it with `delf-keras "
    "serve` or TensorFlow Serving",
    DEADLINE_EXCEEDED: "The server takes longer than the deadline: have fewer "
    "photographs under way, or a later deadline",
    EXHAUSTED: "The server has too much to do: have fewer photographs under "
    "way",
    TOO_LARGE: "The server takes no request that is so large: see "
    "`delf-keras serve --max_message_mb`",
    INTERNAL: "The server fails with INTERNAL, or is no TensorFlow Serving: "
    "see its log",
}
