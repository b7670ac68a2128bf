"""Options of backends that no search could use, found before anything is built."""

from collections.abc import Mapping
from typing import Any


def check_options(kind: str, options: Mapping[str, Any], *, of: str = "dense") -> None:
    """Refuse options of a backend that its constructor would refuse at the first search.

    Args:
        options: known keywords of the backend's class, with values of the right types.
        of: kind of the channel.

    Raises:
        ValueError: if a value is out of its range, or two exclude each other.
    """
    if kind == "exact":
        from medrag.indexing.scanning.choosing import check_choice

        check_choice(
            options.get("scan", "auto"), options.get("device"), options.get("oversample", 1)
        )
    elif kind == "faiss":
        from medrag.indexing.faiss.searching import check_effort
        from medrag.indexing.faiss.training import check_factory

        check_effort(**{k: options.get(k) for k in ("nprobe", "ef", "rescore")})
        if "factory" in options:
            check_factory(options["factory"])
    elif kind == "late_interaction":
        from medrag.indexing.maxsim.options import Options as LateOptions

        LateOptions(**options).checked()
    elif kind == "qdrant":
        from medrag.indexing.qdrant.options import Options
        from medrag.indexing.qdrant.options import check_options as check_qdrant

        check_qdrant(Options(**options), of)
