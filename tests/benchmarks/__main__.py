"""Run the benchmarks, one process each: `python -m tests.benchmarks [NAME ...]`.

They print Markdown tables and assert results, never times. Without names, all of `SUITE` run, which
takes about twenty minutes; each can be run by itself, with options of its own:
`python -m tests.benchmarks.exact --rows 50000`. `memory` (a million passages), `device` (a GPU),
`best`, `fusion`, `rerank` and `alignment_retriever` (real data), `router_grpo`, `phantoms` and
`phantoms_grpo` (training) run only when named.
"""

import subprocess
import sys

SUITE = (
    "pdf_ingest", "command_line", "exact", "late_interaction", "text_encoding", "image_encoding",
    "page", "lexical", "hybrid", "graph", "qdrant", "build", "evaluation", "generation",
    "verification",
)  # fmt: skip


def main(names: list[str]) -> None:
    for name in names or SUITE:
        print(f"\n## {name}\n", flush=True)
        subprocess.run([sys.executable, "-m", f"tests.benchmarks.{name}"], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
