"""What checking claims costs, and how well words do on claims that others wrote.

    python -m tests.benchmarks.verification [--claims 2000] [--rounds 3]

Claims of made answers are held against passages of eleven sentences: as they are read first, and
again when the passages are known. The share of the limit is the time of splitting the same
passages into sentences and stems, without which no words can be compared. Where there is real data
(MEDRAG_DATA, or the folder beside a checkout), the agreement on SciFact's evidence sentences
follows; it is a figure, not a floor.
"""

import argparse
import os
import random
import statistics
from collections.abc import Callable
from pathlib import Path

from medrag.language import sentences, stems
from medrag.records import Answer, Citation, Claim, Passage, Question, Source
from medrag.verification import lexical, reading
from medrag.verification.lexical import LexicalVerifier
from tests.benchmarks.measuring import Row, interleaved, machine, table
from tests.conftest import DEFAULT_DATA
from tests.verification.scifact import decided, figure, scifact_verdicts

WORDS = """
    the left right lung lower upper lobe opacity effusion no small large normal heart size mild
    pleural acute bone fracture chest focal of in and with there is seen measures 8 mm 3 cm may be
    carcinoma nodule liver cyst kidney stone vessel wall thickened enlarged without evidence
"""
READ, KNOWN, FLOOR = "passages read first", "passages known", "sentences and stems alone"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--claims", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    print(table([*_speed(given.claims, given.rounds), *_scifact()]))
    print(f"\n{machine()}")


def _sentence(draw: random.Random) -> str:
    return " ".join(draw.choices(WORDS.split(), k=16)).capitalize() + "."


def _speed(n: int, rounds: int) -> list[Row]:
    draw = random.Random(0)
    texts = [" ".join(_sentence(draw) for _ in range(11)) for _ in range(max(1, n // 20))]
    passages = [Passage(str(i), "text", t, Source("c", "d", "0")) for i, t in enumerate(texts)]
    answers = []
    for _ in range(n):
        cited = draw.choice(passages)
        # Half of them quote, half say something of their own.
        said = cited.text.partition(".")[0] + "." if draw.random() < 0.5 else _sentence(draw)
        answers.append(
            Answer(
                Question("?"), said, claims=(Claim(said, (1,)),),
                citations=(Citation(1, cited, 1.0),),
            )
        )  # fmt: skip
    verifier = LexicalVerifier()

    def first() -> None:
        for cache in (reading.units, reading._units_of, lexical._grounds, lexical._share):
            cache.cache_clear()
        lexical._held.cache_clear()
        verifier.verify(answers)

    def known() -> None:
        lexical._grounds.cache_clear()
        lexical._share.cache_clear()
        verifier.verify(answers)

    def floor() -> None:
        for text in texts:
            for start, end in sentences(text):
                stems(text[start:end])

    calls: dict[str, Callable[[], object]] = {READ: first, KNOWN: known, FLOOR: floor}
    times = interleaved(calls, rounds=rounds)
    what = f"{n} claims against {len(texts)} passages"
    share = statistics.median(times[FLOOR]) / statistics.median(times[READ])
    return [
        Row(what, READ, times[READ], share=share, limit=FLOOR,
            note=f"{n / statistics.median(times[READ]):.0f} claims/s"),
        Row("", KNOWN, times[KNOWN], note=f"{n / statistics.median(times[KNOWN]):.0f} claims/s"),
    ]  # fmt: skip


def _scifact() -> list[Row]:
    folder = Path(os.environ.get("MEDRAG_DATA", DEFAULT_DATA)) / "retrieval" / "scifact"
    if not folder.is_dir():
        return []
    verdicts = scifact_verdicts(folder, "test")
    rows = []
    for name, found in (
        ("neither is a miss", figure(verdicts)),
        ("what is not contradicted is supported", figure(decided(verdicts))),
        ("all supported, for comparison", figure([v._replace(said="SUPPORT") for v in verdicts])),
    ):
        note = f"{found.value:.3f}, 95% interval {found.low:.3f} to {found.high:.3f}"
        rows.append(Row("macro-F1 on SciFact's evidence, test half", name, [], note=note))
    return rows


if __name__ == "__main__":
    main()
