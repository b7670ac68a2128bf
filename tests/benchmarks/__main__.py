"""Run the benchmarks: `python -m tests.benchmarks [INDEX]`. Prints; asserts nothing about time.

INDEX is a built index folder, for a cold `medrag ask`. The memory benchmark takes minutes and runs
by itself: `python -m tests.benchmarks.memory`.
"""

import subprocess
import sys


def main(arguments: list[str]) -> None:
    for module, its_arguments in (("pdf_ingest", []), ("command_line", arguments)):
        command = [sys.executable, "-m", f"tests.benchmarks.{module}", *its_arguments]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
