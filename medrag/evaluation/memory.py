"""How much memory a process holds."""

import os
import sys
from pathlib import Path


def measure(memory: dict[str, int], stage: str) -> None:
    """Keep the most memory in use at the end of a stage, in bytes; on a GPU, too."""
    if resident := resident_bytes():
        memory[stage] = max(memory.get(stage, 0), resident)
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        name = f"{stage}, GPU"
        memory[name] = max(memory.get(name, 0), int(torch.cuda.max_memory_allocated()))


def resident_bytes() -> int:
    """Give the memory that this process holds, 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
