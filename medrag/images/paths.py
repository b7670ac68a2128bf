"""Paths that stay in their folder."""

from dataclasses import replace
from pathlib import Path, PureWindowsPath

from medrag.errors import UnsafePathError
from medrag.records import Passage


def within(root: Path, path: str | Path) -> Path:
    """Find a file of a folder, and refuse one that lies elsewhere.

    Symbolic links are followed before the place is judged, and a relative path is judged by the
    rules of Windows as well, so that an index made on one system is safe on another. The file need
    not exist.

    Args:
        root: the folder that must not be left.
        path: relative to `root`, or absolute.

    Returns:
        The path below `root`, without ".." and with links inside the folder resolved.

    Raises:
        UnsafePathError: if the path leaves the folder or names no place at all.
    """
    if _leaves_on_windows(path):
        raise UnsafePathError(Path(path), _leaves(root))
    try:
        real_root = root.resolve()
        real = (real_root / path).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise UnsafePathError(Path(path), f"names no place in {root} ({error})") from error
    if not real.is_relative_to(real_root):
        raise UnsafePathError(Path(path), _leaves(root))
    return root / real.relative_to(real_root)


def resolved(passage: Passage, root: Path) -> Passage:
    """Make the paths of a passage's images absolute, below the root of its corpus on this machine.

    Raises:
        UnsafePathError: if an image lies outside the corpus.
    """
    if not passage.images:
        return passage
    absolute = root.absolute()
    images = (replace(image, path=str(within(absolute, image.path))) for image in passage.images)
    return replace(passage, images=tuple(images))


def _leaves(root: Path) -> str:
    return f"leaves its folder {root}; move the file into it, or name another folder as the root"


def _leaves_on_windows(path: str | Path) -> bool:
    """Tell whether Windows would see a step up, or another drive, in a relative path."""
    if Path(path).is_absolute():
        return False
    foreign = PureWindowsPath(path)
    climbs = ".." in foreign.parts and ".." not in Path(path).parts
    return bool(foreign.drive) or climbs
