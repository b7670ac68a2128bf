"""The walls of the house: layers, heavy imports, and what a fresh interpreter loads."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import medrag

PACKAGE = Path(medrag.__file__).parent
HEAVY = {"torch", "transformers", "sentence_transformers", "llama_index", "faiss", "vllm", "trl"}
MAY_BE_HEAVY = {
    "checkpoints",
    "encoding",
    "indexing",
    "generation",
    "verification",
    "alignment",
    "ingestion",
    "integrations",
    "tools",
}
# Also slow to import, and needed by few: never at the top of a module.
SLOW = HEAVY | {"pymupdf", "pydicom", "nibabel", "skimage", "scipy", "rdflib", "obonet", "tantivy"}


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def required(tree: ast.Module) -> Iterator[str]:
    """The library names of every `require("...")` call."""
    for node in ast.walk(tree):
        named = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "require"
        if named and node.args and isinstance(node.args[0], ast.Constant):
            yield str(node.args[0].value).split(".")[0]


def imported(tree: ast.Module) -> Iterator[str]:
    """The library names of every import statement that runs when the module is imported."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.split(".")[0]


def test_heavy_libraries_are_required_in_the_folders_of_models_only() -> None:
    strays = [
        f"{path.relative_to(PACKAGE)}: {name}"
        for path, tree in modules()
        for name in required(tree)
        if name in HEAVY and path.relative_to(PACKAGE).parts[0] not in MAY_BE_HEAVY
    ]
    assert strays == []


def test_no_module_imports_a_slow_library_at_its_top() -> None:
    strays = [
        f"{path.relative_to(PACKAGE)}: {name}"
        for path, tree in modules()
        for name in imported(tree)
        if name in SLOW
    ]
    assert strays == []


def test_imports_follow_the_layers() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [str(lint), "--no-cache"], cwd=PACKAGE.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "code",
    [
        "import medrag",
        "import medrag.cli.main",
        "from medrag import Answer, Question, open_index, load_pipeline, build_index",
    ],
)
def test_importing_loads_no_heavy_library(code: str) -> None:
    assert loaded_by(code) == set()


def test_every_public_name_resolves_and_is_listed() -> None:
    for name in medrag.__all__:
        assert getattr(medrag, name) is not None
    assert dir(medrag) == list(medrag.__all__)


def test_every_module_imports_alone() -> None:
    names = [
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path, _ in modules()
    ]
    code = "import importlib\n" + "\n".join(
        f"importlib.import_module({name.removesuffix('.__init__')!r})" for name in names
    )
    assert loaded_by(code) == set()


def loaded_by(code: str) -> set[str]:
    """Run code in a fresh interpreter and name the heavy libraries that it loaded."""
    tail = "\nimport sys\nprint(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", code + tail], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split()) & HEAVY
