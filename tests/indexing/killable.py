"""A process that builds indexes in children of its own, to be killed in the middle of it.

It reads lines "FOLDER ROOT WORKERS EVENT" from its input, begins a build in a forked child, writes
the child's process id, waits for its end and writes its status. With an EVENT above 0 the child
kills itself just before the EVENT-th file or folder gets its final name. Children are forked here
and not by the test, because libraries may have started threads there.
"""

import itertools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from medrag.build import plan
from medrag.extras import require
from medrag.indexing import durable
from tests.indexing.library import build_lines, lexical_and_words


def main() -> None:
    require("tantivy")
    plan.SHARD_FILES = 2
    for line in sys.stdin:
        folder, root, workers, event = line.split()
        child = os.fork()
        if child == 0:
            _die_before(int(event))
            build_lines(
                Path(folder), Path(root), channels=lexical_and_words(), workers=int(workers)
            )
            os._exit(0)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _die_before(event: int) -> None:
    rename: Callable[[Path, Path], None] = durable.move
    count = itertools.count(1)

    def move(source: Path, target: Path) -> None:
        if next(count) == event:
            os.kill(os.getpid(), signal.SIGKILL)
        rename(source, target)

    durable.move = move


if __name__ == "__main__":
    main()
