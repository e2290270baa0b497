"""Keeping what a benchmark measured, with where it measured it."""

import csv
import datetime
import io
import json
import os
import platform
from pathlib import Path

import delf_keras
from delf_keras.atomic import atomic_path


def record(benchmark, figures, results, json_file=None):
    """Adds a row to the results of a benchmark, and writes a JSON file.

    Args:
        benchmark: str. Its name, that of the CSV file.
        figures: dict of numbers, strings and such dicts.
        results: str or `Path`. Folder of the CSV files, None for no row.
        json_file: str or None. File to write the figures to as they are.
    """
    if json_file:
        with atomic_path(json_file) as temporary:
            temporary.write_text(json.dumps(figures, indent=2))
    if results is None:
        return
    path = Path(results) / f"{benchmark}.csv"
    rows = []
    if path.exists():
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    rows.append(_circumstances() | dict(_flat(figures)))
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with atomic_path(path) as temporary:
        # The name of a folder may be no UTF-8.
        contents = text.getvalue().encode("utf-8", "backslashreplace")
        temporary.write_bytes(contents)


def _circumstances():
    return {
        "date": datetime.date.today().isoformat(),
        "version": delf_keras.__version__,
        "processor": _processor(),
        "cores": os.cpu_count(),
    }


def _processor():
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _flat(figures, prefix=""):
    """Yields (name, value) with the names of nested figures joined by dots."""
    for name, value in figures.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, float):
            yield prefix + name, f"{value:.4g}"
        else:
            yield prefix + name, value
