"""What scoring costs: a run of many answers, intervals, and texts beside the field's libraries.

    python -m tests.benchmarks.evaluation [--answers 10000] [--reports 1000] [--rounds 3]

The run has answers with ten passages each. The share of the limit is the time of reading the same
lines as JSON, without which nothing can be scored. Texts are compared with rouge-score and
sacrebleu, intervals with scipy's bootstrap of the same mean; results are asserted to agree.
"""

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from medrag.evaluation.memory import resident_bytes
from medrag.evaluation.runs import open_run
from medrag.evaluation.scorers import scoring_protocol
from medrag.evaluation.scoring import score_run
from medrag.evaluation.statistics import Resamples, mean_of
from medrag.evaluation.text_measures import counted, rouge_l, sacrebleu, tokens
from medrag.records import Answer, Citation, Claim, Hit, Item, Passage, Question, Selection, Source
from tests.benchmarks.measuring import Row, interleaved, machine, ratio, table
from tests.evaluation.library import written_run

WORDS = """
    the left right lung lower upper lobe opacity effusion no small large normal heart size mild
    pleural acute bone fracture chest focal of in and with there is seen
"""
SCORED, READ = "answers scored", "the same lines read as JSON"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--answers", type=int, default=10_000)
    parser.add_argument("--reports", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    rows = [*_texts(given.reports, given.rounds), *_intervals(given.answers, given.rounds)]
    with tempfile.TemporaryDirectory() as folder:
        rows += _run(Path(folder) / "run", given.answers, given.rounds)
    print(table(rows))
    print(f"\n{machine()}; memory in use at the end {resident_bytes() / 1e6:.0f} MB")


def _sentence(draw: random.Random, n: int) -> str:
    return " ".join(draw.choices(WORDS.split(), k=n))


def _run(folder: Path, n: int, rounds: int) -> list[Row]:
    draw = random.Random(0)
    passages = [
        Passage(f"p{i}", "text", _sentence(draw, 120), Source("c", "d", "0")) for i in range(1000)
    ]
    items, answers = [], []
    for i in range(n):
        question = Question(_sentence(draw, 9), id=str(i))
        closed = i % 2 == 0
        reference, kind = (
            (draw.choice(("yes", "no")), "yes_no") if closed else ("left lung", "text")
        )
        items.append(Item(str(i), question, (reference,), kind, closed, cluster=f"c{i // 3}"))  # type: ignore[arg-type]
        hits = [Hit(p, 1.0, r) for r, p in enumerate(draw.sample(passages, 10), start=1)]
        text = f"{draw.choice(('Yes', 'No'))} [1]. {hits[0].passage.text[:200]} [1]."
        answers.append(
            Answer(
                question,
                text,
                claims=(Claim(text, (1,)),),
                citations=(Citation(1, hits[0].passage, 1.0),),
                selection=Selection(tuple(hits), fired=True),
                confidence=draw.random(),
                timings={"retrieve": 0.1, "answer": 0.2},
            )
        )
    written_run(folder, items, {"context": answers})
    protocol = scoring_protocol("llava_med")

    def read() -> None:
        with (folder / "answers.jsonl").open("rb") as stream:
            for line in stream:
                json.loads(line)

    calls: dict[str, Callable[[], object]] = {
        SCORED: lambda: score_run(open_run(folder), protocol),
        READ: read,
    }
    times = interleaved(calls, rounds=rounds, warm=0)
    share = statistics.median(times[READ]) / statistics.median(times[SCORED])
    what = f"{n} answers with ten passages each"
    seconds = statistics.median(times[SCORED])
    return [
        Row(what, "medrag, every measure and interval", times[SCORED], share=share,
            limit="reading the JSON", note=f"{n / seconds:.0f} answers/s"),
    ]  # fmt: skip


def _texts(n: int, rounds: int) -> list[Row]:
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu.metrics import BLEU

    draw = random.Random(1)
    answers = [_sentence(draw, 60) for _ in range(n)]
    references = [_sentence(draw, 60) for _ in range(n)]
    given, wanted = [tokens(a) for a in answers], [[tokens(r)] for r in references]
    scorer, bleu = RougeScorer(["rougeL"]), BLEU()
    pairs = list(zip(references, answers, strict=True))
    found: dict[str, object] = {}

    def keep(name: str, call: Callable[[], object]) -> Callable[[], object]:
        def run() -> object:
            found[name] = call()
            return found[name]

        return run

    rouge = {
        "medrag": keep("ours", lambda: float(np.mean(rouge_l(given, wanted)))),
        "rouge-score": keep(
            "theirs",
            lambda: float(np.mean([scorer.score(r, a)["rougeL"].fmeasure for r, a in pairs])),
        ),
    }
    times = interleaved(rouge, rounds=rounds)
    np.testing.assert_allclose(found["ours"], found["theirs"], rtol=1e-9)
    rows = _both(f"ROUGE-L of {n} reports of 60 words", times, "rouge-score")
    corpus = {
        "medrag": keep("ours", lambda: _bleu(answers, references)),
        "sacrebleu": keep("theirs", lambda: bleu.corpus_score(answers, [references]).score / 100),
    }
    times = interleaved(corpus, rounds=rounds)
    np.testing.assert_allclose(found["ours"], found["theirs"], rtol=1e-9)
    return [*rows, *_both(f"BLEU of the same {n}", times, "sacrebleu")]


def _bleu(answers: list[str], references: list[str]) -> float:
    statistic = sacrebleu(
        counted([tokens(a, "13a") for a in answers], [[tokens(r, "13a")] for r in references])
    )
    return float(statistic.value(statistic.sums.sum(axis=0)))


def _intervals(n: int, rounds: int) -> list[Row]:
    from scipy.stats import bootstrap

    values = np.random.default_rng(0).integers(0, 2, n).astype(float)
    clusters = [str(i) for i in range(n)]
    found: dict[str, tuple[float, float]] = {}

    def ours() -> None:
        estimate = Resamples(clusters).estimate(mean_of(values))
        found["ours"] = (estimate.low, estimate.high)

    def theirs() -> None:
        drawn = bootstrap((values,), np.mean, n_resamples=2000, method="percentile", batch=100,
                          rng=np.random.default_rng(0))  # fmt: skip
        found["theirs"] = tuple(drawn.confidence_interval)

    times = interleaved({"medrag": ours, "scipy": theirs}, rounds=rounds)
    # Two sets of 2,000 draws: their ends differ by a tenth of the standard error or so.
    np.testing.assert_allclose(found["ours"], found["theirs"], atol=0.3 * 0.5 / n**0.5)
    return _both(f"interval of a mean of {n}, 2,000 resamples", times, "scipy")


def _both(what: str, times: dict[str, list[float]], peer: str) -> list[Row]:
    return [
        Row(what, "medrag", times["medrag"]),
        Row("", peer, times[peer], ratio=ratio(times, "medrag", peer)),
    ]


if __name__ == "__main__":
    started = time.perf_counter()
    main()
    print(f"{time.perf_counter() - started:.0f} s in all")
