"""What the embedded server adds to extraction, and what it withstands.

Exports a preset, serves it with `delf-keras serve`, and loads it over gRPC and
REST from more and more clients with photographs of several sizes: requests
per second and latencies, against calling the same SavedModel directly in a
process of its own, from one thread and from two. The rounds alternate and the
best of each counts, so that other work on the machine disturbs all alike.
Then the memory of the server over many requests, and what befalls it: clients
that vanish, photographs that are corrupt, kill -9.

    python benchmarks/serving_load.py --json=load.json
"""

import multiprocessing
import subprocess
import tempfile
from pathlib import Path

from absl import app, flags
from serving_clients import Photograph, run_clients
from serving_faults import corrupt_tenth, killed_server, vanishing_clients
from serving_process import COMMAND, ServerProcess

from delf_keras.benchmarking.recording import record
from delf_keras.datasets.synthetic import write_photographs

RESULTS = Path(__file__).parent / "results"
FLAGS = flags.FLAGS
flags.DEFINE_string("preset", "delf_tiny", "Preset.")
flags.DEFINE_string("weights", None, "ImageNet weights for the preset.")
flags.DEFINE_string("data", None, "Folder with jpg/; rendered if not given.")
flags.DEFINE_integer("max_image_size", 640, "Pixels of the longer side.")
flags.DEFINE_integer("photographs", 12, "Photographs that are sent in turn.")
flags.DEFINE_integer("requests", 200, "Requests of a setting in a round.")
flags.DEFINE_integer("rounds", 3, "Rounds, of which the best counts.")
flags.DEFINE_list("clients", ["1", "4", "16", "64"], "Clients at a time.")
flags.DEFINE_list("protocols", ["grpc", "rest"], "What the clients speak.")
flags.DEFINE_integer("soak_requests", 2000, "Requests while memory is seen.")
flags.DEFINE_list("server_flags", [], "Further flags of `delf-keras serve`.")
flags.DEFINE_string("json", None, "File to write the figures to.")

DIRECT_THREADS = (1, 2)
SIZES = ((240, 320), (320, 240), (480, 640), (600, 450))
SOAK_CLIENTS = 16
SOAK_PARTS = 10


def main(_):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        paths = photograph_files(folder / "jpg")
        photographs = [Photograph(path.read_bytes()) for path in paths]
        model = folder / "delf"
        export(model)
        server = ServerProcess(model, folder / "server.log", FLAGS.server_flags)
        with server:
            figures = {
                "preset": FLAGS.preset,
                "max_image_size": FLAGS.max_image_size,
                **rates(server, model, photographs),
                "memory": memory(server, photographs),
                "vanishing": vanishing_clients(
                    server, photographs, FLAGS.requests
                ),
                "corrupt": corrupt_tenth(server, photographs, FLAGS.requests),
                "killed": killed_server(server, paths, FLAGS.requests),
            }
            for name in ("memory", "vanishing", "corrupt", "killed"):
                print(f"{name}: {figures[name]}")
    record("serving_load", figures, RESULTS, FLAGS.json)


def photograph_files(folder):
    """Returns the paths of the photographs that are sent."""
    if FLAGS.data:
        paths = sorted((Path(FLAGS.data) / "jpg").glob("*.jpg"))
        step = max(1, len(paths) // FLAGS.photographs)
        return paths[::step][: FLAGS.photographs]
    each = -(-FLAGS.photographs // len(SIZES))
    return [
        path
        for number, size in enumerate(SIZES)
        for path in write_photographs(
            folder / str(number),
            num_landmarks=each,
            views_per_landmark=1,
            num_distractors=0,
            size=size,
            seed=number,
        )
    ][: FLAGS.photographs]


def export(model):
    """Writes the preset as version 1 of a folder."""
    command = [
        *COMMAND,
        "export",
        f"--preset={FLAGS.preset}",
        f"--output={model}",
        f"--max_image_size={FLAGS.max_image_size}",
    ]
    if FLAGS.weights:
        command.append(f"--weights={FLAGS.weights}")
    subprocess.run(command, check=True)


def rates(server, model, photographs):
    """Measures requests per second and latencies of every setting."""
    settings = [("direct", threads) for threads in DIRECT_THREADS] + [
        (protocol, int(clients))
        for clients in FLAGS.clients
        for protocol in FLAGS.protocols
    ]
    best = {}
    with direct_process() as process:

        def load(call, clients, count):
            if call == "direct":
                address, run = str(model / "1"), process.apply
            else:
                address, run = server.addresses[call], _here
            return run(
                run_clients, (call, address, photographs, clients, count)
            )

        for call in {call for call, _ in settings}:
            load(call, 1, len(photographs))
        for _ in range(FLAGS.rounds):
            for setting in settings:
                seen = load(*setting, max(FLAGS.requests, 2 * setting[1]))
                show(setting, seen)
                if setting not in best or seen.rate > best[setting].rate:
                    best[setting] = seen
    return summary(best)


def direct_process():
    """Returns a process that calls the SavedModel, without a server."""
    return multiprocessing.get_context("spawn").Pool(1)


def _here(function, arguments):
    return function(*arguments)


def show(setting, seen):
    call, clients = setting
    figures = seen.figures()
    latencies = " ".join(
        f"{name} {figures[name]:.0f}" for name in figures if "ms" in name
    )
    print(
        f"{call} x {clients}: {seen.rate:.1f}/s, {latencies}, "
        f"{len(seen.errors)} failed {seen.errors[:1]}",
        flush=True,
    )


def summary(best):
    """Returns figures of all settings, and the share that a server keeps.

    Args:
        best: dict of (way of calling, clients) to `Load`.
    """
    figures, highest = {}, {}
    for (call, clients), seen in best.items():
        figures.setdefault(call, {})[str(clients)] = seen.figures()
        highest[call] = max(highest.get(call, 0), seen.rate)
    share = {
        protocol: highest[protocol] / highest["direct"]
        for protocol in FLAGS.protocols
    }
    for protocol, value in share.items():
        print(f"{protocol} keeps {value:.1%} of the direct rate", flush=True)
    return figures | {"share_of_direct": share}


def memory(server, photographs):
    """Watches the server's memory over many requests of mixed sizes."""
    seen_mb, failed = [server.resident_mb()], 0
    for part in range(SOAK_PARTS):
        protocol = FLAGS.protocols[part % len(FLAGS.protocols)]
        load = run_clients(
            protocol,
            server.addresses[protocol],
            photographs,
            SOAK_CLIENTS,
            FLAGS.soak_requests // SOAK_PARTS,
        )
        seen_mb.append(server.resident_mb())
        failed += len(load.errors)
    print("Memory of the server:", " ".join(f"{mb:.0f}" for mb in seen_mb))
    return {
        "requests": FLAGS.soak_requests // SOAK_PARTS * SOAK_PARTS,
        "failed": failed,
        "first_mb": seen_mb[0],
        "half_mb": seen_mb[SOAK_PARTS // 2],
        "last_mb": seen_mb[-1],
    }


if __name__ == "__main__":
    app.run(main)
