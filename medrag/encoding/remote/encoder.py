"""Texts and pictures in the space of a model that a server runs."""

import base64
import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from medrag.checkpoints.batching import check_sizes
from medrag.encoding.pictures import (
    DPI,
    asked_pictures,
    different_pictures,
    encodes_pictures,
    pictures_of,
)
from medrag.encoding.remote.answers import vectors_of
from medrag.encoding.rows import Rows, different, means, repeated, unit
from medrag.encoding.text.texts import Text, joined, passage_texts, question_text
from medrag.encoding.text.windows import LEAST_ROOM, windows, words
from medrag.endpoint import Endpoint, completed
from medrag.errors import MedragError
from medrag.extras import require
from medrag.images import read_image
from medrag.protocols import Side
from medrag.records import Embeddings, ImageRef, Passage, Question

ImageShape = Literal["messages", "strings", "objects"]
_Input = TypeVar("_Input", str, ImageRef)
_PROBE = "The heart pumps blood."
# Pixels on the longer side of a picture by default, which most models reduce further.
_SIDE = 1024
_REFUSED = "if an input is too long, lower window_words; if a batch is, lower batch_size"


class RemoteEncoder:
    """A model behind an OpenAI-compatible address for embeddings, POST {url}/v1/embeddings.

    For models that need an environment of their own, and for services. A passage is its title and
    its text, or its pictures, one vector each (`passages`). A question is its text with its
    options, or the mean of its pictures. Texts are {"model": ..., "input": [text, ...]}; how
    pictures are written differs between servers (`image_shape`), always as PNG in a data URL:

    - "messages": {"model": ..., "messages": [{"role": "user", "content": [{"type": "image_url",
      "image_url": {"url": ...}}]}]}, one picture per request. vLLM.
    - "strings": {"model": ..., "input": [url, ...], "modality": "image"}. Infinity.
    - "objects": {"model": ..., "input": [{"image": url}, ...]}. Jina.

    What is sent leaves this machine: passages, questions, pictures. The server cuts texts that are
    too long for it, or refuses them; `window_words` splits them here, where nothing is lost.

    Args:
        url: of the server, with or without "/v1/embeddings".
        model: as the server calls it.
        key_variable: the environment variable that holds the key, such as "OPENAI_API_KEY"; by
            default none is sent, so that the key of one service does not reach another.
        d: dimension that is expected; None for what the server gives.
        shorten: ask the server for vectors of `d` numbers ("dimensions").
        passages: "text" or "image", the side of passages that is encoded.
        image_shape: how pictures are written.
        image_side: pictures are reduced to so many pixels on their longer side; None for never.
        question_prompt: written before each question.
        passage_prompt: written before each passage.
        window_words: a longer text becomes several windows under its title: of a passage each is
            a vector, of a question their mean counts. None for no limit.
        normalise: False for a model made for inner products.
        batch_size: inputs in one request.
        parallel: requests at a time.
        timeout: seconds for one request until its answer is there whole; another try has as many
            again.
        tries: of one request that fails in passing.
        wait: seconds before the second try; doubled each time.
        allow_http: speak to other machines without encryption.

    Raises:
        RecipeError: if the address is none, or not encrypted.
        MedragError: (at first use) if the server cannot be reached, refuses, or gives something
            else than it was asked for.

    Source:
        OpenAI API reference, "Create embeddings"; documentation of vLLM, Infinity and Jina.
    """

    numerics = "remote"

    def __init__(
        self,
        *,
        url: str,
        model: str,
        key_variable: str | None = None,
        d: int | None = None,
        shorten: bool = False,
        passages: Side = "text",
        image_shape: ImageShape = "messages",
        image_side: int | None = _SIDE,
        question_prompt: str = "",
        passage_prompt: str = "",
        window_words: int | None = None,
        normalise: bool = True,
        batch_size: int = 32,
        parallel: int = 4,
        timeout: float = 120.0,
        tries: int = 6,
        wait: float = 1.0,
        allow_http: bool = False,
    ) -> None:
        if passages not in get_args(Side):
            raise ValueError(f"passages must be 'text' or 'image', got {passages!r}")
        if image_shape not in get_args(ImageShape):
            known = ", ".join(get_args(ImageShape))
            raise ValueError(f"image_shape must be one of {known}, got {image_shape!r}")
        check_sizes(d=d, image_side=image_side, batch_size=batch_size, parallel=parallel)
        if window_words is not None and window_words < LEAST_ROOM:
            raise ValueError(f"window_words must be at least {LEAST_ROOM}, got {window_words}")
        if shorten and d is None:
            raise ValueError("shorten needs d, the dimension to ask for")
        self.model = model
        self.expected_d = d
        self.shorten = shorten
        self.passages: Side = passages
        self.image_shape = image_shape
        self.image_side = image_side
        self.question_prompt = question_prompt
        self.passage_prompt = passage_prompt
        self.window_words = window_words
        self.normalised = normalise
        self.batch_size = batch_size
        self.parallel = parallel
        self.endpoint = Endpoint(
            url=completed(url, "embeddings"),
            key_variable=key_variable,
            timeout=timeout,
            tries=tries,
            wait=wait,
            allow_http=allow_http,
            refused=_REFUSED,
        )

    @cached_property
    def name(self) -> str:
        """The model as asked for and as the server calls it, dimension, and what is sent.

        Asks the server. Other weights under the same name cannot be seen; the probes of an index
        notice them.
        """
        said, d = self._said
        model = self.model if said in (None, self.model) else f"{self.model}={said}"
        if self.passages == "image":
            sent = f"pictures-dpi{DPI}-{self.image_side or 'full'}-{self.image_shape}"
            # Of questions that are texts.
            sent += f"-{self.window_words}" if self.window_words else ""
        else:
            sent = f"title+text-{self.window_words or 'whole'}"
            # Of questions that are pictures; indexes were built without the defaults in the name.
            if (self.image_shape, self.image_side) != ("messages", _SIDE):
                sent += f"/pictures-{self.image_side or 'full'}-{self.image_shape}"
        prompts = f"{self.question_prompt!r}+{self.passage_prompt!r}"
        return f"remote/{model}/{d}/{sent}/{prompts}/{'unit' if self.normalised else 'raw'}"

    def encodes(self, passage: Passage) -> bool:
        """Tell whether a passage has a text, or is about its pictures."""
        if self.passages == "image":
            return encodes_pictures(passage)
        return bool(passage.text.strip())

    def encode_passages(self, passages: Sequence[Passage]) -> Embeddings:
        """Encode texts, one vector per window, or pictures, one vector each.

        Raises:
            InputFileError: naming the first picture that cannot be read.
            MedragError: if the server fails.
        """
        if self.passages == "image":
            return self._pictures([pictures_of(passage) for passage in passages])
        return self._texts(passage_texts(passages), self.passage_prompt)

    def encode_questions(self, questions: Sequence[Question], side: Side) -> Embeddings:
        """Encode texts with their options, or the pictures: one vector per question.

        Raises:
            InputFileError: naming the first picture that cannot be read.
            ValueError: if a question lacks the pictures that are asked for.
            MedragError: if the server fails.
        """
        if side == "image":
            found = self._pictures([asked_pictures(question) for question in questions])
        else:
            found = self._texts([question_text(each) for each in questions], self.question_prompt)
        return means(found, normalised=self.normalised)

    def _texts(self, texts: Sequence[Text], prompt: str) -> Embeddings:
        once, order = different(texts)
        titles, bodies = [title for title, _ in once], [body for _, body in once]
        cut = windows(titles, bodies, words, self.window_words)
        flat = [prompt + joined(*window) for several in cut for window in several]
        rows = self._rows(flat, self._text_body, self.batch_size)
        lengths = np.array([len(several) for several in cut], dtype=np.int32)
        return repeated(Embeddings(rows, lengths), order)

    def _pictures(self, refs: Sequence[Sequence[ImageRef]]) -> Embeddings:
        once, order = different_pictures([ref for several in refs for ref in several])
        # A message holds one picture.
        size = 1 if self.image_shape == "messages" else self.batch_size
        rows = self._rows(once, self._image_body, size)
        return Embeddings(rows[order], np.array([len(each) for each in refs], dtype=np.int32))

    def _rows(
        self,
        inputs: Sequence[_Input],
        body: Callable[[Sequence[_Input]], dict[str, Any]],
        size: int,
    ) -> Rows:
        """Give (len(inputs), d), asking for several batches of a size at a time."""
        if not inputs:
            return np.zeros((0, self._said[1]), dtype=np.float32)
        batches = [inputs[start : start + size] for start in range(0, len(inputs), size)]
        with ThreadPoolExecutor(min(self.parallel, len(batches))) as pool:
            waiting = [pool.submit(self._asked, body, batch) for batch in batches]
            try:
                rows = [each.result() for each in waiting]
            finally:
                # After a failure the batches that wait would only fail as well.
                pool.shutdown(wait=True, cancel_futures=True)
        values = np.concatenate(rows)
        self._check_d(values.shape[1], self.expected_d or self._said[1])
        return unit(values) if self.normalised else values

    def _asked(
        self, body: Callable[[Sequence[_Input]], dict[str, Any]], batch: Sequence[_Input]
    ) -> Rows:
        answer = self.endpoint.post(body(batch))
        return vectors_of(answer, len(batch), self.endpoint.shown)[0]

    def _check_d(self, d: int, expected: int | None) -> None:
        if expected not in (None, d):
            raise MedragError(
                f"{self.endpoint.shown} gave vectors of {d} numbers for {self.model!r}, expected "
                f"{expected}; check the model's name, and d"
            )

    @cached_property
    def _said(self) -> tuple[str | None, int]:
        """What the server calls the model, and its dimension."""
        if self.passages == "image":
            grey = require("PIL.Image").new("RGB", (32, 32), (128, 128, 128))
            body = self._written([_data_url(grey)])
        else:
            body = self._text_body([_PROBE])
        values, model = vectors_of(self.endpoint.post(body), 1, self.endpoint.shown)
        d = int(values.shape[1])
        self._check_d(d, self.expected_d)
        return model, d

    def _text_body(self, texts: Sequence[str]) -> dict[str, Any]:
        return {**self._common(), "input": list(texts)}

    def _image_body(self, refs: Sequence[ImageRef]) -> dict[str, Any]:
        return self._written([_data_url(self._reduced(read_image(ref, dpi=DPI))) for ref in refs])

    def _written(self, urls: Sequence[str]) -> dict[str, Any]:
        if self.image_shape == "messages":
            content = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
            return {**self._common(), "messages": [{"role": "user", "content": content}]}
        if self.image_shape == "strings":
            return {**self._common(), "input": list(urls), "modality": "image"}
        return {**self._common(), "input": [{"image": url} for url in urls]}

    def _common(self) -> dict[str, Any]:
        common: dict[str, Any] = {"model": self.model, "encoding_format": "float"}
        if self.shorten:
            common["dimensions"] = self.expected_d
        return common

    def _reduced(self, pixels: NDArray[np.uint8]) -> Any:
        pillow = require("PIL.Image")
        image = pillow.fromarray(pixels)
        longer = max(image.size)
        if self.image_side is None or longer <= self.image_side:
            return image
        scale = self.image_side / longer
        size = [max(round(side * scale), 1) for side in image.size]
        return image.resize(size, pillow.Resampling.BICUBIC, reducing_gap=3.0)


def _data_url(image: Any) -> str:
    stream = io.BytesIO()
    # The server is near or the line is slow; either way level 1 is nearly as small as level 9.
    image.save(stream, format="PNG", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
