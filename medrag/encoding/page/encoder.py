"""Pages as pictures, by late interaction: a vector for each patch, each word meets its best."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from medrag.checkpoints.batching import Halving, check_sizes
from medrag.checkpoints.files import content_name
from medrag.checkpoints.numerics import Dtype, check_dtype, chosen_device, numerics_of
from medrag.encoding.ahead import ahead
from medrag.encoding.page.models import PageModel, image_backend, load_model
from medrag.encoding.page.patches import PatchGrid, patch_grid
from medrag.encoding.page.pooling import (
    Pooling,
    check_pooling,
    pooled_by_likeness,
    pooled_by_place,
)
from medrag.encoding.page.similarity import SimilarityMap, asked_tokens, frame_of, similarities
from medrag.encoding.page.tokens import Prepared, TokenVectors, encoded
from medrag.encoding.pictures import different_pictures
from medrag.encoding.rows import Rows, different
from medrag.encoding.text.sentence_transformers import Task
from medrag.encoding.text.texts import Text, passage_texts, question_text, question_texts
from medrag.encoding.weights import chosen_folder
from medrag.errors import InputFileError, RecipeError
from medrag.extras import require
from medrag.images import kept_open, read_image
from medrag.protocols import Side
from medrag.records import PICTURED, Embeddings, ImageRef, Passage, Question

Reads = Literal["pages", "pictures", "texts"]
# Part of the encoder's name: raise it when what is encoded for a passage changes.
_RULE = "page-1"


class PageEncoder:
    """Pages, or other pictures, in the space of one late-interaction model.

    Reads the checkpoints of transformers' ColPali, ColQwen2 and ColModernVBERT, and whatever
    sentence-transformers' MultiVectorEncoder saves or reads (PyLate, Stanford's ColBERT). A page
    is rendered straight to pixels, in a thread ahead of the model, and becomes one vector for each
    token that the model makes of it: its patches, and the few of the instruction around them. A
    question becomes one for each token of its text and its options. A text that is longer than the
    model reads has the vectors of all its windows. Inputs of one shape are
    encoded together and nothing is padded, so that vectors do not depend on the batch.

    Args:
        model: a preset such as "colqwen2", a hub id, or a folder.
        device: of torch; None for the GPU if there is one, else the CPU.
        dtype: "auto" is bfloat16 where the device computes in it natively, else float32.
        pool: keep one patch vector for so many; the instruction's are kept. 3 costs little.
        pooling: "hierarchical" joins patches that are alike, "grid" those that are neighbours.
        dpi: pixels per inch of a rendered PDF page.
        batch_tokens: tokens in one pass through the model.
        reads: "pages" encodes whole pages; "pictures" also figures, images, and pictures of
            reports and cases; "texts" the words of passages, by a model of texts.
        revision: of a hub id.
        trust_remote_code: run Python code that comes with the model.

    Raises:
        RecipeError: (at first use) if the model is not found, or is no late-interaction model.
    """

    late_interaction = True
    normalised = True

    def __init__(
        self,
        *,
        model: str,
        device: str | None = None,
        dtype: Dtype = "auto",
        pool: int = 1,
        pooling: Pooling = "hierarchical",
        dpi: int = 144,
        batch_tokens: int = 8192,
        reads: Reads = "pages",
        revision: str | None = None,
        trust_remote_code: bool = False,
    ) -> None:
        check_dtype(dtype)
        check_sizes(batch_tokens=batch_tokens)
        check_pooling(pooling, pool)
        if not 18 <= dpi <= 1200:
            raise ValueError(f"dpi must be 18 to 1200, got {dpi}")
        if reads not in get_args(Reads):
            raise ValueError(f"reads must be one of {', '.join(get_args(Reads))}, got {reads!r}")
        if reads == "texts" and pool != 1:
            raise ValueError(f"pool joins patches of pictures; with texts it must be 1, got {pool}")
        self.model = model
        self.device = device
        self.dtype = dtype
        self.pool = pool
        self.pooling = pooling
        self.dpi = dpi
        self.reads = reads
        self.revision = revision
        self.trust_remote_code = trust_remote_code
        self._halving = Halving(budget=batch_tokens)
        self._grids: dict[tuple[int, int], PatchGrid] = {}

    @cached_property
    def name(self) -> str:
        """Content of weights, processor and prompts, image backend, pooling, and resolution."""
        pooled = f"{self.pooling}{self.pool}" if self.pool > 1 else "every patch"
        backend = image_backend(self._folder)
        parts = [content_name(self._folder), _RULE, backend, pooled, f"dpi{self.dpi}"]
        # A model of texts alone has no back end of pictures, which tells it already.
        if self.reads == "texts" and backend != "none":
            parts.append("texts")
        return "/".join(parts)

    @property
    def numerics(self) -> str:
        """Device and dtype in use, such as "cpu bfloat16"; loads the model."""
        return numerics_of(self._loaded.module)

    def encodes(self, passage: Passage) -> bool:
        """Tell whether a passage has what the encoder reads."""
        if self.reads == "texts":
            return bool(passage.text.strip())
        wanted = passage.kind == "page" or (self.reads == "pictures" and passage.kind in PICTURED)
        return wanted and bool(passage.images)

    def encode_passages(self, passages: Sequence[Passage]) -> Embeddings:
        """Encode what the encoder reads of each passage, its pictures one after another.

        Raises:
            InputFileError: naming the first picture that cannot be read.
            ValueError: if a passage has nothing to encode.
        """
        for passage in passages:
            if not (passage.text.strip() if self.reads == "texts" else passage.images):
                raise ValueError(f"passage {passage.id} has nothing to encode of {self.reads}")
        if self.reads == "texts":
            self._check_modality("text")
            return self._packed(self._texts(passage_texts(passages), "document"))
        rows = iter(self._pages([image for passage in passages for image in passage.images]))
        return self._packed(
            [np.concatenate([next(rows) for _ in passage.images]) for passage in passages]
        )

    def encode_questions(self, questions: Sequence[Question], side: Side) -> Embeddings:
        """Encode texts with their options, token by token.

        Raises:
            ValueError: if the images of the questions are asked for.
        """
        return self._packed(self._texts(question_texts(questions, side), "query"))

    def similarity_map(
        self, question: Question, passage: Passage, *, image: int = 0
    ) -> SimilarityMap:
        """Compare the tokens of a question with the patches of a page, encoded anew.

        All of the page's patches count, whatever was pooled in the index.

        Args:
            question: whose text and options count.
            passage: with absolute paths of its images.
            image: which of the passage's.

        Raises:
            InputFileError: if the picture cannot be read.
            ValueError: if the passage has no such picture, or it cannot be told which token of
                the model sees which patch.
        """
        if not 0 <= image < len(passage.images):
            raise ValueError(
                f"passage {passage.id} has {len(passage.images)} pictures, and none at {image}"
            )
        ref = passage.images[image]
        pixels = read_image(ref, dpi=self.dpi)
        grid = self._grid(*pixels.shape[:2])
        [page] = self._vectors([self._of_pixels(ref, pixels)], "document")
        patches = page.values[self._patches(page, grid.n_tokens)]
        [windows] = self._loaded.windows([question_text(question)], "query")
        asked = self._vectors([self._loaded.of_text(each, "query") for each in windows], "query")
        [nothing] = self._vectors([self._loaded.of_text("", "query")], "query")
        tokenizer, around = self._loaded.tokenizer, nothing.identities
        of_question = [
            asked_tokens(each.identities, around, tokenizer.all_special_ids) for each in asked
        ]
        identities = np.concatenate([each.identities for each in asked])
        return SimilarityMap(
            tuple(tokenizer.convert_ids_to_tokens(identities.tolist())),
            np.concatenate(of_question),
            similarities(np.concatenate([each.values for each in asked]), patches, grid),
            frame_of(ref, pixels),
        )

    def _pages(self, images: Sequence[ImageRef]) -> list[Rows]:
        """Encode pictures, each different one once; in their order."""
        self._check_modality("image")
        once, order = different_pictures(images)
        sizes: list[tuple[int, int]] = []

        def prepared() -> Iterator[Prepared]:
            for _, (size, page) in ahead(self._read, once, n=4):
                sizes.append(size)
                yield page

        with kept_open():
            found = self._vectors(prepared(), "document")
        pooled = [self._pooled(*each) for each in zip(found, sizes, strict=True)]
        return [pooled[place] for place in order]

    def _texts(self, texts: Sequence[Text], task: Task) -> list[Rows]:
        """Encode texts, each different one once; a long one has the vectors of all its windows."""
        model = self._loaded
        once, order = different(texts)
        several = model.windows(once, task)
        inputs = (model.of_text(window, task) for each in several for window in each)
        found = iter(self._vectors(inputs, task))
        rows = [np.concatenate([next(found).values for _ in each]) for each in several]
        return [rows[place] for place in order]

    def _vectors(self, inputs: Iterable[Prepared], task: Task) -> list[TokenVectors]:
        model = self._loaded
        return encoded(lambda batch: model.vectors(batch, task), inputs, self._halving)

    def _read(self, ref: ImageRef) -> tuple[tuple[int, int], Prepared]:
        pixels = read_image(ref, dpi=self.dpi)
        return (pixels.shape[0], pixels.shape[1]), self._of_pixels(ref, pixels)

    def _of_pixels(self, ref: ImageRef, pixels: NDArray[np.uint8]) -> Prepared:
        picture = require("PIL.Image").fromarray(pixels)
        try:
            return self._loaded.of_picture(picture)
        except ValueError as error:
            problem = f"the model takes no picture of {picture.width} x {picture.height}: {error}"
            raise InputFileError(Path(ref.path), problem) from error

    def _pooled(self, page: TokenVectors, size: tuple[int, int]) -> Rows:
        """Join the patches of a page; the tokens around them stay as they are, and come first."""
        if self.pool == 1:
            return page.values
        grid = self._grid(*size) if self.pooling == "grid" else None
        patches = self._patches(page, grid.n_tokens if grid else None)
        values = page.values[patches]
        fewer = (
            pooled_by_place(values, grid, self.pool)
            if grid
            else pooled_by_likeness(values, self.pool)
        )
        return np.concatenate((np.delete(page.values, patches, axis=0), fewer))

    def _patches(self, page: TokenVectors, wanted: int | None) -> NDArray[np.int64]:
        """Find the vectors of patches among those of a page, and check their number."""
        mark = getattr(self._loaded.processor, "image_token", None)
        token = self._loaded.tokenizer.convert_tokens_to_ids(mark)
        found = np.flatnonzero(page.identities == token)
        if not len(found) or wanted not in (None, len(found)):
            raise ValueError(
                f"{self.model} gives {len(page.values)} vectors for a picture, {len(found)} of "
                f"them of patches, where {wanted or 'some'} were expected; its patches cannot be "
                "told (does the model pool them by itself?): use pool 1, and no similarity map"
            )
        return found

    def _grid(self, height: int, width: int) -> PatchGrid:
        """Find the patches of a picture; pages of a book are of one size, and ask once."""
        if (height, width) not in self._grids:
            self._grids[height, width] = patch_grid(self._loaded.processor, height, width)
        return self._grids[height, width]

    def _packed(self, rows: Sequence[Rows]) -> Embeddings:
        none = np.zeros((0, self._loaded.d), dtype=np.float32)
        values = np.concatenate([none, *rows])
        return Embeddings(values, np.array([len(each) for each in rows], dtype=np.int32))

    def _check_modality(self, modality: str) -> None:
        if modality not in self._loaded.modalities:
            raise RecipeError(
                f"{self.model} takes {' and '.join(self._loaded.modalities)}, not {modality}; "
                f"set 'reads' to what it takes (it is {self.reads!r}), or use another model"
            )

    @cached_property
    def _folder(self) -> Path:
        return chosen_folder(self.model, self.revision, "page")

    @cached_property
    def _loaded(self) -> PageModel:
        return load_model(
            self._folder,
            device=chosen_device(self.device),
            dtype=self.dtype,
            trust_remote_code=self.trust_remote_code,
        )
