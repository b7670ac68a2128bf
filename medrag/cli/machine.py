"""What this machine has, found without importing a heavy library."""

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

# What tells a fast processor for the arithmetic of encoders, as /proc/cpuinfo writes it.
_INSTRUCTIONS = {
    "avx2": "AVX2", "avx512f": "AVX-512", "avx512_bf16": "AVX-512 BF16", "amx_bf16": "AMX",
    "asimd": "NEON",
}  # fmt: skip
# Extras that a user installs; the others are collections of them, or for developers.
_EXTRAS = ("clip", "dicom", "ocr", "qdrant", "faiss", "gpu", "eval", "align", "serve", "ray")


def examined() -> dict[str, Any]:
    """Look at the machine; every value is JSON."""
    from medrag import __version__

    return {
        "medrag": __version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "instructions": _instructions(),
        "memory": _memory(),
        "gpus": _gpus(),
        "disk_free": shutil.disk_usage(Path.cwd()).free,
        "key": _key(),
        "extras": [_extra(name) for name in _EXTRAS],
    }


def _instructions() -> list[str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    flags = set(found.group(1).split()) if found else set()
    return [name for flag, name in _INSTRUCTIONS.items() if flag in flags]


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _gpus() -> list[str]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    asked = [program, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        answered = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [each.strip() for each in answered.stdout.splitlines() if each.strip()]


def _key() -> dict[str, str]:
    from medrag.errors import MedragError
    from medrag.identity import KEY_VARIABLE, key_file

    if os.environ.get(KEY_VARIABLE):
        return {"source": KEY_VARIABLE, "state": f"from the variable {KEY_VARIABLE}"}
    try:
        path = key_file(os.environ, sys.platform)
    except MedragError as error:
        return {"source": "", "state": str(error)}
    if not path.exists():
        return {"source": str(path), "state": f"{path}, made at first use"}
    open_to = "" if os.name == "nt" else _others(path)
    return {"source": str(path), "state": f"{path}{open_to}"}


def _others(path: Path) -> str:
    loose = path.stat().st_mode & 0o077
    return f", which others may read: chmod 600 {path}" if loose else ""


def _extra(name: str) -> dict[str, Any]:
    missing = [each for each in _distributions(name) if not _installed(each)]
    return {
        "name": name,
        "installed": not missing,
        "missing": missing,
        "install": f"pip install 'medrag[{name}]'",
    }


def _distributions(extra: str) -> Iterator[str]:
    """Name what an extra installs, as the package's own metadata says."""
    wanted = re.compile(rf"extra\s*==\s*['\"]{extra}['\"]")
    try:
        listed = requires("medrag") or []
    except PackageNotFoundError:
        return
    for each in listed:
        if wanted.search(each):
            yield re.split(r"[\s\[;<>=!~(]", each, maxsplit=1)[0]


def _installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True
