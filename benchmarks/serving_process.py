"""The embedded server as a process that benchmarks start, watch and kill."""

import re
import subprocess
import sys
import threading
from pathlib import Path

COMMAND = [sys.executable, "-m", "delf_keras.cli.main"]
_LONGEST_START_SECONDS = 300
_LONGEST_STOP_SECONDS = 60
_READY = re.compile(r"gRPC (\S+:(\d+)), REST (http://\S+?:(\d+))/")


class ServerProcess:
    """`delf-keras serve` in a process of its own.

    Args:
        model: `Path`. Folder of the versions.
        log: `Path`. File to which its messages are added.
        flags: list of str. Further flags of the verb.
    """

    def __init__(self, model, log, flags=()):
        self._command = [*COMMAND, "serve", f"--model={model}", *flags]
        self._log = log
        self._ports = 0, 0
        self._process = None
        # Way of calling to address, see `run_clients`.
        self.addresses = {}

    def start(self):
        """Starts it, after the first time on the same ports, and waits."""
        grpc_port, rest_port = self._ports
        with open(self._log, "a") as log:
            self._process = subprocess.Popen(
                [
                    *self._command,
                    f"--grpc_port={grpc_port}",
                    f"--rest_port={rest_port}",
                ],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        timer = threading.Timer(_LONGEST_START_SECONDS, self._process.kill)
        timer.start()
        ready = _READY.search(self._process.stdout.readline())
        timer.cancel()
        if not ready:
            self.kill()
            raise RuntimeError(
                "The server is expected to say its addresses. "
                f"Received: {self._log.read_text()}"
            )
        self.addresses = {"grpc": ready[1], "rest": ready[3]}
        self._ports = int(ready[2]), int(ready[4])

    def kill(self):
        """Ends it as kill -9 does."""
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def stop(self):
        """Asks it to end, and returns its exit code."""
        self._process.terminate()
        code = self._process.wait(_LONGEST_STOP_SECONDS)
        self._process.stdout.close()
        return code

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exception):
        self.stop()

    def resident_mb(self):
        """Returns its memory in megabytes."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s*(\d+) kB", status)[1]) / 1024
