"""Classes that texts describe: the nearest description decides."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from medrag.encoding.heads.logits import sigmoid, softmax
from medrag.encoding.rows import Rows, means, unit
from medrag.records import Embeddings


class ClassPrototypes:
    """Classes as unit vectors in the space of an encoder; a picture belongs to the nearest.

    Args:
        names: of the classes.
        vectors: (n_classes, d); scaled to unit length.
        scale: factor of a cosine before it becomes a probability: the encoder's `logit_scale`, or
            one over a temperature.
        bias: of a sigmoid loss, the encoder's `logit_bias`: each class is then judged by itself.
            None for a softmax over the classes.
    """

    def __init__(
        self, *, names: Sequence[str], vectors: Rows, scale: float = 100.0,
        bias: float | None = None,
    ) -> None:  # fmt: skip
        if len(set(names)) != len(names) or not names:
            raise ValueError(f"names must be different, and at least one, got {list(names)!r}")
        if vectors.ndim != 2 or len(vectors) != len(names):
            raise ValueError(
                f"expected a vector for each of {len(names)} classes, got shape {vectors.shape}"
            )
        if not scale > 0:
            raise ValueError(f"scale must be positive, got {scale}")
        self.names = tuple(names)
        self.vectors = unit(vectors)
        self.scale = scale
        self.bias = bias

    def probabilities(self, vectors: Rows) -> NDArray[np.float64]:
        """Give (n, n_classes): rows that sum to 1, or with a bias a probability of each class.

        Args:
            vectors: (n, d) of the same encoder; scaled to unit length.
        """
        logits = self.scale * (unit(vectors).astype(np.float64) @ self.vectors.T)
        return softmax(logits) if self.bias is None else sigmoid(logits + self.bias)


def described(
    descriptions: Mapping[str, Sequence[str]],
    encode: Callable[[Sequence[str]], Rows],
    *,
    templates: Sequence[str] = ("{}",),
    scale: float = 100.0,
    bias: float | None = None,
) -> ClassPrototypes:
    """Describe classes by texts: each is the mean of the unit vectors of its descriptions.

    Every description is put into every template at "{}". One description for each class and several
    templates are the prompt ensemble of CLIP; several descriptions of a finding are that of FLAIR.

    Args:
        descriptions: of each class, at least one.
        encode: from n texts to (n, d), such as `ClipEncoder.encode_texts`; called once.
        templates: each holds "{}" once.
        scale: as in `ClassPrototypes`.
        bias: as in `ClassPrototypes`.

    Raises:
        ValueError: if a class has no description, or a template no place for one.

    Source:
        Radford et al., ICML 2021, section 3.1.4; Silva-Rodriguez et al., Medical Image Analysis 99,
        2025 (FLAIR).
    """
    _check(descriptions, templates)
    texts = [
        template.replace("{}", each)
        for several in descriptions.values()
        for each in several
        for template in templates
    ]
    lengths = [len(several) * len(templates) for several in descriptions.values()]
    each = Embeddings(unit(encode(texts)), np.array(lengths, dtype=np.int32))
    vectors = means(each, normalised=True).values
    return ClassPrototypes(names=list(descriptions), vectors=vectors, scale=scale, bias=bias)


def _check(descriptions: Mapping[str, Sequence[str]], templates: Sequence[str]) -> None:
    if isinstance(templates, str) or not templates:
        raise ValueError(f"expected a list of templates, got {templates!r}")
    for template in templates:
        if template.count("{}") != 1:
            raise ValueError(f"a template must hold {{}} once, got {template!r}")
    bare = [name for name, texts in descriptions.items() if isinstance(texts, str) or not texts]
    if bare or not descriptions:
        raise ValueError(f"expected a list of descriptions for each class; lacking: {bare}")
