"""Domains that someone said: the question, the header of its picture, its collection."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from medrag.images.modalities import dicom_domain
from medrag.records import ImageRef, Question, Routing


class StatedClassifier:
    """Tell the domain of a question by what is said of it; nothing is guessed.

    What the question itself says wins; then the modality, or body part, in the headers of its DICOM
    pictures; then the collection that its pictures lie in. Pictures vote: where they differ, none
    is known, and the domains are named in the order of their votes.

    Args:
        collections: domain of a collection, by the name of a folder that its pictures lie in, such
            as {vqa_rad: radiology}; the innermost folder counts.
        headers: read DICOM headers.
    """

    def __init__(
        self, *, collections: Mapping[str, str] | None = None, headers: bool = True
    ) -> None:
        self.collections = dict(collections or {})
        self.headers = headers

    def classify(self, questions: Sequence[Question]) -> list[Routing]:
        """Route questions.

        Raises:
            InputFileError: naming the first picture whose file cannot be read.
        """
        return [self._routed(question) for question in questions]

    def _routed(self, question: Question) -> Routing:
        if question.domain:
            return Routing((question.domain,), True, {question.domain: 1.0}, "the question says so")
        paths = [
            Path(each.path if isinstance(each, ImageRef) else each) for each in question.images
        ]
        if self.headers:
            found = [dicom_domain(path) for path in paths]
            if any(found):
                return _voted(found, "DICOM header")
        found = [self._collection(path) for path in paths]
        return _voted(found, "collection") if any(found) else Routing(reason="nothing says it")

    def _collection(self, path: Path) -> str | None:
        return next((self.collections[p.name] for p in path.parents if p.name in self.collections),
                    None)  # fmt: skip


def _voted(found: Sequence[str | None], by: str) -> Routing:
    votes = Counter(each for each in found if each)
    n = votes.total()
    order = sorted(votes, key=lambda name: (-votes[name], name))
    told = ", ".join(f"{name} of {votes[name]}" for name in order)
    return Routing(
        tuple(order),
        len(order) == 1,
        {name: votes[name] / n for name in order},
        f"{by}: {told if len(order) > 1 else order[0]}",
    )
