"""Several processes train as one does."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.alignment.training.tuned import saved
from tests.generation.local.vivid import pictures

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_two_processes_of_two_pairs_are_one_of_four(tmp_path: Path) -> None:
    model = saved("llava", tmp_path)
    pictures(tmp_path)
    curves = []
    for n_processes, batch in ((1, 4), (2, 2)):
        folder = tmp_path / str(n_processes)
        launched = [
            sys.executable, "-m", "torch.distributed.run", "--standalone",
            f"--nproc-per-node={n_processes}", "-m", "tests.alignment.training.several",
            str(model), str(tmp_path), str(folder), str(batch),
        ]  # fmt: skip
        done = subprocess.run(launched, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        curves.append(json.loads((folder / "training.json").read_text())["losses"])
        assert (folder / "adapter_config.json").is_file()
    assert len(curves[0]) == 6
    np.testing.assert_allclose(curves[0], curves[1], atol=1e-5)
