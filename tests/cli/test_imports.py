"""What a fresh interpreter loads, and how fast it is there."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "transformers", "llama_index", "sentence_transformers", "scipy", "qdrant_client")
SPY = """
import json, sys
from medrag.cli.main import main
try:
    main()
except SystemExit as end:
    code = end.code
loaded = sorted({name.split(".")[0] for name in sys.modules})
print(json.dumps({"code": code, "loaded": loaded}), file=sys.stderr)
"""


def loaded_by(*arguments: str) -> tuple[int, set[str]]:
    done = subprocess.run(
        [sys.executable, "-c", SPY, *arguments], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stderr.strip().splitlines()[-1])
    return found["code"] or 0, set(found["loaded"])


def test_importing_medrag_loads_nothing_heavy() -> None:
    code = "import sys, medrag; print(sorted({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {*HEAVY, "numpy", "yaml", "typer"} & set(eval(done.stdout))  # noqa: S307


@pytest.mark.parametrize(
    "arguments", [("--help",), ("ask", "--help"), ("index", "build", "--help")]
)
def test_help_loads_nothing_heavy(arguments: tuple[str, ...]) -> None:
    code, loaded = loaded_by(*arguments)
    assert code == 0
    assert not {*HEAVY, "numpy", "yaml"} & loaded


def test_a_lexical_ask_loads_neither_torch_nor_llama_index(index: Path) -> None:
    code, loaded = loaded_by("ask", "sample", "What causes gout?", "--index", str(index))
    assert code == 0
    assert not set(HEAVY) & loaded


def test_an_interrupted_command_exits_130(tmp_path: Path) -> None:
    code = (
        "import sys, medrag.cli.check as c, medrag.config.checking as k\n"
        "def stop(*a): raise KeyboardInterrupt\n"
        "k.checkable = stop\n"
        "sys.argv = ['medrag', 'check']\n"
        "from medrag.cli.main import main\nmain()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False,
        cwd=tmp_path, env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip
    assert done.returncode == 130
    assert "interrupted" in done.stderr
    assert "Traceback" not in done.stderr
