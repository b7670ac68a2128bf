"""Runs for ragas: its data set, and its metrics under bounds of time, tries and concurrency.

ragas reports its use to a server of its makers unless told not to; it is told so here, before it
is imported.

Source:
    ragas 0.4, `ragas.metrics.collections` (each metric an object with an asynchronous `ascore`)
    and `EvaluationDataset`.
"""

import asyncio
import logging
import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import numpy as np
from numpy.typing import NDArray

from medrag.endpoint import Endpoint, completed, read_key
from medrag.evaluation.runs import Run
from medrag.extras import Library, require
from medrag.hosts import is_this_machine
from medrag.integrations.ragas_samples import Sample, lacking, samples_of

_LOGGER = logging.getLogger(__name__)
DO_NOT_TRACK = "RAGAS_DO_NOT_TRACK"
# What ragas compares with a reference, word by word.
WORDS = (
    "ExactMatch", "StringPresence", "NonLLMStringSimilarity", "RougeScore", "BleuScore",
    "CHRFScore",
)  # fmt: skip
# Of words as well, but only asked for by name: an answer that quotes nothing gets the top score.
QUOTES = ("QuotedSpansAlignment",)
# What needs a chat model.
JUDGED = (
    "Faithfulness", "ResponseGroundedness", "ContextPrecision", "ContextUtilization",
    "ContextRecall", "ContextRelevance", "ContextEntityRecall", "FactualCorrectness",
    "AnswerAccuracy", "NoiseSensitivity",
)  # fmt: skip
# What needs an embedding model, and all but the first a chat model as well.
EMBEDDED = ("SemanticSimilarity", "AnswerRelevancy", "AnswerCorrectness")
# Libraries that ragas itself does not install.
_NEEDED = {
    "NonLLMStringSimilarity": "rapidfuzz",
    "RougeScore": "rouge_score",
    "BleuScore": "sacrebleu",
    "CHRFScore": "sacrebleu",
}
_FIELDS = ("user_input", "response", "retrieved_contexts", "reference")
# Failures in a row after which a metric asks its server no more.
_GIVEN_UP = 20
_NOT_ASKED = f"not asked: {_GIVEN_UP} before it had failed in a row"
# A metric makes several requests, and asks anew where a reply is not in its form.
_REQUESTS = 10
_TOLD = 200


@dataclass(frozen=True, slots=True)
class RagasScores:
    """What ragas says of a run.

    Attributes:
        items: ids of the items that were scored, in the order of their answers.
        values: (n_items,) by metric; nan where there is none.
        n_nan: by metric, how many values are nan.
        reasons: by metric, why, and how often.
        unscored: the metrics that gave no score at all; all of them where a server is gone.
    """

    items: tuple[str, ...]
    values: Mapping[str, NDArray[np.float64]]
    n_nan: Mapping[str, int]
    reasons: Mapping[str, Mapping[str, int]]
    unscored: tuple[str, ...] = ()


def ragas_dataset(run: Run, *, arm: str = "context", limit: int | None = None) -> Any:
    """Turn the answers of one arm into a ragas `EvaluationDataset`.

    `response` is what was written, without markers; `reference` is the first right answer, or all
    that must be chosen; a picture without text is told as such among `retrieved_contexts`, so that
    these match `retrieved_context_ids`.

    Args:
        limit: answers to take, from the first; None for all.

    Raises:
        EvaluationError: if the run has no answer of the arm.
        MissingExtraError: if ragas is not installed.
    """
    rows = [sample.fields for sample in samples_of(run, arm, limit)]
    return _ragas("ragas").EvaluationDataset.from_list(rows)


def ragas_scores(
    run: Run,
    metrics: Sequence[str] = WORDS,
    *,
    arm: str = "context",
    url: str | None = None,
    model: str | None = None,
    embedding_model: str | None = None,
    key_variable: str | None = None,
    concurrency: int = 4,
    tries: int = 3,
    timeout: float = 60.0,
    limit: int | None = None,
    allow_http: bool = False,
) -> RagasScores:
    """Score the answers of one arm.

    The metrics of WORDS compare an answer with its reference as `medrag.evaluation.parsing` reads
    it: to a yes or no question "yes" or "no", of a choice the text of the option, and otherwise the
    words; one that abstains is not scored. All other metrics get the words as they were written,
    also of an answer that abstains.

    Args:
        metrics: names of classes of `ragas.metrics.collections`: see WORDS, QUOTES, JUDGED and
            EMBEDDED.
        url: of an OpenAI-compatible server, with or without "/v1"; answers and evidence are sent
            to it. Needed for judged metrics, with `model`.
        embedding_model: as the server calls it.
        key_variable: the environment variable that holds the key; by default none is sent.
        concurrency: scores that are computed at a time.
        tries: of a request that fails in passing, with growing waits or the server's
            `Retry-After`; a reply out of form is asked for anew by ragas itself.
        timeout: seconds for one request; a whole metric gets ten times as long for an answer.
        limit: answers to score, from the first; None for all.
        allow_http: send to other machines without encryption.

    Raises:
        ValueError: for an unknown metric, a missing model, or a number out of range.
        RecipeError: if the address is malformed or not encrypted, or the key is missing; nothing
            is sent then.
        EvaluationError: if the run has no answer of the arm.
        MissingExtraError: if ragas or a library of a metric is not installed.
    """
    _check(metrics, url=url, model=model, embedding_model=embedding_model)
    if concurrency < 1 or tries < 1 or timeout <= 0:
        raise ValueError(
            "concurrency and tries must be at least 1, timeout positive; "
            f"got {concurrency}, {tries}, {timeout}"
        )
    server = None if url is None else _server(url, key_variable, allow_http=allow_http)
    samples = samples_of(run, arm, limit)
    scoring = _Scoring(
        server=server,
        model=model,
        embedding_model=embedding_model,
        concurrency=concurrency,
        tries=tries,
        timeout=timeout,
    )
    with _quiet():
        outcomes = _run_now(scoring, metrics, samples)
    return _gathered(samples, outcomes)


class _Outcome(NamedTuple):
    value: float
    reason: str = ""


class _Server(NamedTuple):
    base: str
    query: dict[str, str]
    key: str | None
    local: bool


class _Scoring:
    """Metrics and the server that they ask."""

    def __init__(
        self,
        *,
        server: _Server | None,
        model: str | None,
        embedding_model: str | None,
        concurrency: int,
        tries: int,
        timeout: float,
    ) -> None:
        self.server = server
        self.model = model
        self.embedding_model = embedding_model
        self.concurrency = concurrency
        self.tries = tries
        self.timeout = timeout

    async def all(
        self, metrics: Sequence[str], samples: Sequence[Sample]
    ) -> dict[str, list[_Outcome]]:
        """Score metric by metric."""
        client = self._client()
        try:
            return {name: await self._metric(name, client, samples) for name in metrics}
        finally:
            if client is not None:
                await client.close()

    async def _metric(self, name: str, client: Any, samples: Sequence[Sample]) -> list[_Outcome]:
        metric, wanted = self._made(name, client), _inputs(name)
        free = asyncio.Semaphore(self.concurrency)
        failed = 0

        async def one(sample: Sample) -> _Outcome:
            nonlocal failed
            if reason := lacking(sample, wanted, compared=name in WORDS):
                return _Outcome(math.nan, reason)
            fields = sample.fields | (sample.compared if name in WORDS else {})
            async with free:
                if failed >= _GIVEN_UP and name in JUDGED + EMBEDDED:
                    return _Outcome(math.nan, _NOT_ASKED)
                outcome = await self._score(metric, {field: fields[field] for field in wanted})
                failed = failed + 1 if math.isnan(outcome.value) else 0
                return outcome

        return list(await asyncio.gather(*map(one, samples)))

    async def _score(self, metric: Any, fields: dict[str, Any]) -> _Outcome:
        whole = _REQUESTS * self.timeout
        try:
            result = await asyncio.wait_for(metric.ascore(**fields), whole)
            value = float(result.value)
        except TimeoutError:
            return _Outcome(math.nan, f"no score within {whole:g} s")
        except Exception as error:  # noqa: BLE001 - whatever a metric or a server does is counted
            return _Outcome(math.nan, self._reason(error))
        if math.isnan(value):
            said = f": {result.reason}" if result.reason else ""
            return _Outcome(value, self._without_key(f"ragas gave no number{said}")[:_TOLD])
        return _Outcome(value)

    def _reason(self, error: Exception) -> str:
        attempts = getattr(error, "failed_attempts", None)
        cause = attempts[-1].exception if attempts else error
        text = self._without_key(" ".join(str(cause).split()))
        return f"{type(cause).__name__}: {text}"[:_TOLD]

    def _without_key(self, text: str) -> str:
        key = None if self.server is None else self.server.key
        return text.replace(key, "[key]") if key else text

    def _client(self) -> Any:
        if self.server is None:
            return None
        openai = require("openai", extra="eval")
        return openai.AsyncOpenAI(
            base_url=self.server.base,
            # Given in any case: else the key of another service would be taken from OPENAI_API_KEY.
            api_key=self.server.key or "none",
            default_query=self.server.query,
            max_retries=self.tries - 1,
            timeout=self.timeout,
            # A redirect would send the evidence elsewhere; a proxy has another local machine.
            http_client=openai.DefaultAsyncHttpxClient(
                follow_redirects=False,
                trust_env=not self.server.local,
                event_hooks={} if self.server.key else {"request": [_anonymous]},
            ),
        )

    def _made(self, name: str, client: Any) -> Any:
        if name in _NEEDED:
            require(_NEEDED[name], extra="eval")
        parts: dict[str, Any] = {}
        if name in JUDGED or name in EMBEDDED[1:]:
            llms = _ragas("ragas.llms")
            parts["llm"] = llms.llm_factory(self.model, client=client, temperature=0.0)
        if name in EMBEDDED:
            made = _ragas("ragas.embeddings").OpenAIEmbeddings
            parts["embeddings"] = made(client=client, model=self.embedding_model)
        return getattr(_ragas("ragas.metrics.collections"), name)(**parts)


async def _anonymous(request: Any) -> None:
    request.headers.pop("Authorization", None)


def _inputs(name: str) -> list[str]:
    """List the fields that a metric asks for, as its `ascore` names them."""
    made = getattr(_ragas("ragas.metrics.collections"), name)
    code = made.ascore.__code__
    return [each for each in code.co_varnames[1 : code.co_argcount] if each in _FIELDS]


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the library that sends the requests: it logs what a server sent, the key included.

    Why a score is missing stands in the reasons.
    """
    logger = logging.getLogger("instructor")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


def _gathered(samples: Sequence[Sample], outcomes: Mapping[str, Sequence[_Outcome]]) -> RagasScores:
    values = {name: np.array([each.value for each in found]) for name, found in outcomes.items()}
    reasons = {
        name: Counter(each.reason for each in found if math.isnan(each.value))
        for name, found in outcomes.items()
    }
    unscored = tuple(name for name, found in values.items() if np.isnan(found).all())
    for name in unscored:
        [(reason, n)] = reasons[name].most_common(1)
        _LOGGER.warning("%s scored no answer, %d of %d: %s", name, n, len(samples), reason)
    return RagasScores(
        items=tuple(sample.item for sample in samples),
        values=values,
        n_nan={name: int(np.isnan(found).sum()) for name, found in values.items()},
        reasons=reasons,
        unscored=unscored,
    )


def _run_now(
    scoring: _Scoring, metrics: Sequence[str], samples: Sequence[Sample]
) -> dict[str, list[_Outcome]]:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(scoring.all(metrics, samples))
    # In a notebook a loop runs already, and another needs a thread of its own.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(scoring.all(metrics, samples))).result()


def _ragas(module: str) -> Library:
    os.environ[DO_NOT_TRACK] = "true"
    return require(module, extra="eval")


def _check(
    metrics: Sequence[str], *, url: str | None, model: str | None, embedding_model: str | None
) -> None:
    known = (*WORDS, *QUOTES, *JUDGED, *EMBEDDED)
    for name in metrics:
        if name not in known:
            raise ValueError(f"unknown metric {name!r}; known are {', '.join(known)}")
        if name in JUDGED + EMBEDDED[1:] and not (url and model):
            raise ValueError(
                f"{name} needs a chat model: give url and model (--judge-url and --judge-model of "
                "the command)"
            )
        if name in EMBEDDED and not (url and embedding_model):
            raise ValueError(
                f"{name} needs an embedding model: give url and embedding_model (--judge-url and "
                "--embedding-model of the command)"
            )


def _server(url: str, key_variable: str | None, *, allow_http: bool) -> _Server:
    checked = Endpoint(url=completed(url, "chat/completions"), allow_http=allow_http)
    parts = urlsplit(checked.url)
    bare = parts._replace(path=parts.path.removesuffix("/chat/completions"), query="")
    return _Server(
        base=urlunsplit(bare),
        query=dict(parse_qsl(parts.query)),
        key=None if key_variable is None else read_key(key_variable, checked.shown),
        local=is_this_machine(parts.hostname),
    )
