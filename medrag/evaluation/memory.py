"""How much memory a process holds."""

import os
import sys
from pathlib import Path


def measure(memory: dict[str, int], stage: str) -> None:
    """Keep the most memory seen at the end of a stage, in bytes.

    Resident memory is what the process holds at that moment; on a GPU it is the peak of what
    tensors took since the last call.
    """
    if resident := resident_bytes():
        memory[stage] = max(memory.get(stage, 0), resident)
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        name = f"{stage}, GPU"
        memory[name] = max(memory.get(name, 0), int(torch.cuda.max_memory_allocated()))
        torch.cuda.reset_peak_memory_stats()


def resident_bytes() -> int:
    """Give the memory that this process holds, 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
