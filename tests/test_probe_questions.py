"""Questions over one mixed library, with what its sources say; read against the files by hand."""

import re
from pathlib import Path

import pytest

from medrag import Question, build_index
from medrag.config import load_pipeline
from medrag.pipeline import Pipeline

pytestmark = [pytest.mark.realdata, pytest.mark.slow]

SOURCES = (
    "textbook/anatomy_physiology/glossary.jsonl",
    "textbook/anatomy_physiology/sections.jsonl",
    "kg",
    "pathology/bccd/bccd_qa.jsonl",
    "radiology/vqa_rad/vqa_rad.json",
)
CHANNELS = ("lexical", "graph", "image")


@pytest.fixture(scope="module")
def pipeline(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    folder = tmp_path_factory.mktemp("probes") / "index"
    sources = [data / source for source in SOURCES]
    return load_pipeline("sample", index=build_index(folder, sources=sources, channels=CHANNELS))


@pytest.mark.parametrize(
    ("question", "begins"),
    [
        ("What is angiosarcoma?", "Angiosarcoma: A malignant vascular tumor"),
        ("What is gout?", "Gout: An arthritis"),
        ("What is influenza?", "Influenza: A viral infectious disease"),
        ("Define oxytocin.", "Oxytocin: hypothalamic hormone"),
        ("What is morbilli?", "Measles"),
        ("What is surfer's eye?", "Pterygium"),
        ("What are the symptoms of myocarditis?", "Myocarditis, has symptom: inflammation"),
        (
            "Which diseases have myocarditis as a symptom?",
            r"(?:Myocarditis, s\w+ of: )?trichinosis",
        ),
        ("What kind of disease is pterygium?", "Pterygium.*corneal disease"),
        ("Is fever a symptom of measles?", r"Yes \["),
        ("Is angiosarcoma a kind of sarcoma?", r"Yes \["),
        ("Is gout a kind of arthritis?", r"Yes \["),
        ("Is scurvy a nutritional deficiency disease?", r"Yes \["),
        ("Is hepatoblastoma a liver cancer?", r"Yes \["),
        ("Where is a retinoblastoma located?", "Retinoblastoma.*retina"),
        ("Where is glottis carcinoma located?", "Glottis carcinoma.*located in:? glottis"),
        ("What is another name for angiosarcoma?", "Angiosarcoma, synonyms: hemangiosarcoma"),
        ("What is another name for varicella?", "Chickenpox, synonyms: varicella"),
        ("What is the function of the pancreas?", "Pancreas: organ with both exocrine and endoc"),
        ("How do anatomy and physiology differ?", "Whereas anatomy is about structure, phys"),
    ],
)
def test_an_answer_begins_with_what_the_sources_say(
    pipeline: Pipeline, question: str, begins: str
) -> None:
    answer = pipeline.answer(Question(text=question))
    assert re.match(begins, answer.text, re.I), answer.text
    assert answer.citations
    assert answer.error is None


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ("Which imaging technique uses strong magnets?", "magnetic resonance imaging|MRI"),
        ("Which cells of the epidermis produce melanin?", "melanocyte"),
        ("Which vitamin does the skin make in sunlight?", "vitamin D"),
        ("Who discovered X-rays?", "Röntgen"),
        ("What does the adrenal medulla produce?", "epinephrine"),
        ("What are the symptoms of asthma?", "wheezing"),
        ("What are the signs of cholera?", "diarrhea"),
        ("What is the difference between CT and MRI?", "magnetic"),
    ],
)
def test_an_answer_says_what_the_sources_say_and_quotes_no_case(
    pipeline: Pipeline, question: str, says: str
) -> None:
    answer = pipeline.answer(Question(text=question))
    assert re.search(says, answer.text, re.I), answer.text
    assert "case" not in {citation.passage.kind for citation in answer.citations}


@pytest.mark.parametrize(
    "question",
    [
        "How tall is Mount Everest?",
        "What is the capital of France?",
        "What is the dose of amoxicillin for otitis media in children?",
        "Who won the football world cup in 1998?",
        "asdf qwer zxcv",
        "What did the report of John Smith say?",
        "Is Paris a sarcoma?",
        "Is sarcoma a kind of angiosarcoma?",
        "What is the price of an MRI scanner from Siemens?",
        "Which planet has the most moons?",
        "What is Zorblax syndrome?",
        "Does ibuprofen interact with warfarin?",
    ],
)
def test_it_abstains_from_what_the_library_does_not_say(pipeline: Pipeline, question: str) -> None:
    answer = pipeline.answer(Question(text=question))
    assert answer.abstained, answer.text


@pytest.mark.parametrize(
    ("picture", "question", "says"),
    [
        ("synpic54610.jpg", "What organ system is shown?", "brain|CNS"),
        ("synpic54610.jpg", "Is this an MRI of the brain?", r"^Yes \["),
        ("synpic17738.jpg", "What imaging modality was used?", "x-? ?ray|plain film"),
        ("synpic60096.jpg", "In what plane is this image?", "axial"),
        ("synpic29265.jpg", "What organ system is being imaged?", "chest"),
        ("synpic29265.jpg", "Is the image a CT scan?", r"^No \["),
        ("synpic29265.jpg", "Is there a pneumothorax?", r"^(?:Yes|No) \["),
    ],
)
def test_a_picture_is_answered_from_cases_of_other_pictures(
    pipeline: Pipeline, data: Path, picture: str, question: str, says: str
) -> None:
    path = data / "radiology/vqa_rad/images" / picture
    answer = pipeline.answer(Question(text=question, images=(path,)))
    assert re.search(says, answer.text, re.I), answer.text
    cited = [image.path for c in answer.citations for image in c.passage.images]
    assert cited
    assert not any(path.endswith(picture) for path in cited)
