"""Make a world of phantoms, or teach a reader: `python corpora/phantoms/make.py --out DIR`.

See README.md beside this. Nothing is read, and the same seed and split give the same bytes.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from corpora.phantoms.making.files import write_world
from corpora.phantoms.making.teaching import Teaching, teach_reader
from corpora.phantoms.making.worlds import make_world


def main() -> None:
    parser = argparse.ArgumentParser(description="Make a world of phantoms, or teach a reader.")
    made = parser.add_mutually_exclusive_group(required=True)
    made.add_argument("--out", type=Path, help="folder to write a world to")
    made.add_argument("--reader", type=Path, help="folder to write a reader to")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--split", default="test", help="any name; each is a world of its own")
    parser.add_argument("--patients", type=int, default=100, help="three questions each and more")
    parser.add_argument("--misleading", type=float, default=0.5, help="share of the patients")
    parser.add_argument("--steps", type=int, default=Teaching().steps, help="of teaching")
    given = parser.parse_args()
    if given.reader is not None:
        teach_reader(given.reader, Teaching(steps=given.steps, seed=given.seed), say=_say)
        return
    world = make_world(
        seed=given.seed, split=given.split, patients=given.patients, misleading=given.misleading
    )
    write_world(world, given.out)


def _say(step: int, loss: float) -> None:
    sys.stderr.write(f"{step} steps, loss {loss:.3f}\n")


if __name__ == "__main__":
    main()
