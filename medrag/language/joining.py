"""Parts of a prompt put together."""

from collections.abc import Sequence

from medrag.records import ImageRef


def joined_parts(parts: Sequence[str | ImageRef], *more: str) -> tuple[str | ImageRef, ...]:
    """Join neighbouring texts by an empty line."""
    joined: list[str | ImageRef] = []
    for part in (*parts, *more):
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] = f"{joined[-1]}\n\n{part}"
        else:
            joined.append(part)
    return tuple(joined)
