"""Make the sample corpus: `python corpora/sample/make.py`. See README.md beside this file.

Nothing is read and nothing is random: the same libraries give the same bytes.
"""

import argparse
from pathlib import Path

from making.book import write_book
from making.pictures import BOOK, draw_pictures
from making.scans import write_scans
from making.sums import write_sums
from making.tables import write_graph, write_questions, write_tables, write_truth

HERE = Path(__file__).resolve().parent


def make(folder: Path) -> None:
    """Write library, questions and checksums below a folder."""
    library = folder / "library"
    draw_pictures(library, folder)
    pictures = {name: library / path for name, path in BOOK.items()}
    placed = write_book(library / "textbook.pdf", pictures)
    write_tables(library)
    write_graph(library)
    write_scans(library)
    write_questions(folder)
    write_truth(folder, placed)
    write_sums(folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the sample corpus.")
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to")
    make(parser.parse_args().out)
