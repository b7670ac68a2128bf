"""How long a person waits for the command line, whole processes, median of five.

    python -m tests.benchmarks.command_line [INDEX]

INDEX is a built index folder; with it, a cold `medrag ask` is timed too, beside the limit that the
machine sets: starting Python, and starting Python with NumPy.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

RUNS = 5
QUESTION = "What are the symptoms of myocarditis?"


def main(arguments: Sequence[str]) -> None:
    medrag = [sys.executable, "-m", "medrag"]
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "python -c 'import numpy'": [sys.executable, "-c", "import numpy"],
        "medrag --help": [*medrag, "--help"],
    }
    if arguments:
        commands["medrag ask (cold)"] = [
            *medrag, "ask", "sample", QUESTION, "--index", arguments[0],
        ]  # fmt: skip
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(RUNS):
        # Interleaved, so that a slow moment of the machine meets every command.
        for name, command in commands.items():
            times[name].append(seconds(command))
    print(f"{'command':28} {'median':>8} {'min':>8} {'max':>8}   seconds, {RUNS} runs")
    for name, runs in times.items():
        print(f"{name:28} {statistics.median(runs):8.3f} {min(runs):8.3f} {max(runs):8.3f}")


def seconds(command: Sequence[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


if __name__ == "__main__":
    main(sys.argv[1:])
