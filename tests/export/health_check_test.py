"""The health check of docker-compose.yml tells when a model is served."""

import json
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

pytestmark = pytest.mark.skipif(
    not shutil.which("bash"), reason="The health check is one of bash"
)


def status(state, error_code="OK"):
    """Returns TensorFlow Serving's answer for a model of one version."""
    version = {
        "version": "1",
        "state": state,
        "status": {"error_code": error_code, "error_message": ""},
    }
    return 200, json.dumps({"model_version_status": [version]}, indent=1)


@pytest.fixture
def answering():
    """A function that starts a server with one answer, and returns its port."""
    servers = []

    def answering(code, body):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                found = self.path == "/v1/models/delf"
                self.send_response(code if found else 400)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *arguments):
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        servers.append((server, thread))
        return server.server_port

    yield answering
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def is_healthy(compose):
    """A function that runs the check against a port of this machine."""
    kind, *command = compose["serving"]["healthcheck"]["test"]
    assert kind == "CMD"

    def is_healthy(port):
        here = [part.replace("/8501", f"/{port}") for part in command]
        assert here != command
        finished = subprocess.run(here, capture_output=True, timeout=30)
        return finished.returncode == 0

    return is_healthy


def test_a_served_model_is_healthy(answering, is_healthy):
    assert is_healthy(answering(*status("AVAILABLE")))


@pytest.mark.parametrize(
    "answer",
    [
        status("LOADING"),
        status("END", "UNAVAILABLE"),
        (404, '{"error": "Could not find any versions of model delf"}'),
    ],
)
def test_a_model_that_is_not_served_is_not(answering, is_healthy, answer):
    assert not is_healthy(answering(*answer))


def test_a_server_that_is_not_there_is_not(is_healthy):
    # A port that was free a moment ago, with nobody behind it.
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as closed:
        port = closed.server_port
    assert not is_healthy(port)
