"""`medrag demo`: the whole way from files to a cited answer, on the sample library."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medrag.cli.ask import show_answer, write_page
from medrag.cli.output import message, show, show_json
from medrag.cli.progress import Bars

if TYPE_CHECKING:
    from medrag.records import Answer, Question


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the index and the page.")] = Path(
        "medrag-demo"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Index the sample library, ask its questions, and write a page."""
    from medrag.cli.index import summary
    from medrag.cli.shapes import answer_json
    from medrag.config import load_pipeline, open_index
    from medrag.config.building import update_index
    from medrag.config.lookup import found
    from medrag.reporting import answer_page

    out.mkdir(parents=True, exist_ok=True)
    with Bars() as bars:
        report = update_index(out / "index", recipe="sample", progress=bars)
    message(summary(report))
    questions = _questions(found("corpora", "sample").parent / "sample")
    with open_index(out / "index") as index:
        answers = load_pipeline("sample", index=index).answer_all(questions)
        page = out / "answer.html"
        write_page(page, answer_page(answers, roots=index.roots))
    if as_json:
        show_json({"answers": [answer_json(answer) for answer in answers], "page": str(page)})
    else:
        _show(answers)
    message(f"wrote {page}: the same answers with pages, boxes and pictures")
    message(f'ask one of your own: medrag ask sample "..." --index {out / "index"}')


def _questions(folder: Path) -> list["Question"]:
    from medrag.records import Question

    text = (folder / "questions.jsonl").read_text(encoding="utf-8")
    asked: list[dict[str, Any]] = [json.loads(each) for each in text.splitlines() if each.strip()]
    return [
        Question(
            text=each.get("text", ""),
            images=(folder / each["image"],) if "image" in each else (),
            id=each["id"],
            options=tuple(each.get("options", ())),
        )
        for each in asked
    ]


def _show(answers: list["Answer"]) -> None:
    from medrag.prompting.templates import letter

    for answer in answers:
        question = answer.question
        show(f"Q: {question.text or '(a picture alone)'}{_with(question)}")
        for number, option in enumerate(question.options):
            show(f"   {letter(number)}. {option}")
        show("A:")
        show_answer(answer)
        show()


def _with(question: "Question") -> str:
    names = [Path(str(getattr(image, "path", image))).name for image in question.images]
    return f" [{', '.join(names)}]" if names else ""
