"""Med-MAT: what each subset's number stands for."""

import re
from collections.abc import Iterable
from pathlib import Path

from medrag.evaluation.benchmarks.adapters_text import options_in_question
from medrag.evaluation.benchmarks.adapting import Rows, each_row, with_values
from medrag.ingestion.lines import Record

_COLUMNS = ("modality", "area", "task")
_NUMBER = re.compile(r"\d+")
# The other folder, of single data sets, is numbered otherwise.
_AGGREGATED = "agg"
# Of the aggregated subsets from 1, by the table of the owner's page.
_TRIPLES = (
    "Co | Cervix | Cervical Picture Quality Evaluation",
    "CT | Kidney | Kidney Diseases Classification",
    "CT | Lung | COVID-19 Classification",
    "CT | Lung | Lung Cancer Classification",
    "CT | Brain | Brain Hemorrhage Classification",
    "CT | Brain | Brain Cancer Classification",
    "Der | Skin | Melanoma Type Classification",
    "Der | Skin | Skin Diseases Classification",
    "DP | Mouth | Teeth Condition Classification",
    "DP | Mouth | Oral Cancer Classification",
    "End | Intestine | Intestine Cleanliness Level",
    "End | Bladder | Cancer Degree Classification",
    "End | Intestine | Intestine Diseases Classification",
    "FP | Fundus | Eye Diseases Classification",
    "FP | Fundus | Multiple-labels Eye Diseases Classification",
    "FP | Fundus | Blindness Level",
    "FP | Fundus | Retinal Images Quality Evaluation",
    "Mic | Cell | Cell Type Classification",
    "Mic | Cell | Prostate Cancer Degree Classification",
    "Mic | Cell | Multiple-labels Blood Cell Classification",
    "Mic | Cell | Cancer Classification",
    "MRI | Brain | Head Diseases Classification",
    "OCT | Retina | Retina Diseases Classification",
    "US | Breast | Breast Cancer Classification",
    "X-ray | Bones | Degree Classification of Knee",
    "X-ray | Bones | Fractured Classification",
    "X-ray | Bones | Vertebrae Diseases Classification",
    "X-ray | Lung | COVID-19 and Pneumonia Classification",
    "X-ray | Breast | Breast Diseases Classification",
    "X-ray | Lung | Tuberculosis Classification",
    "X-ray | Chest | Multiple-labels Chest Classification",
    "X-ray | Brain | Tumor Classification",
    "Mic | Cell | Multi-labels Diseases",
    "FP | Fundus | Level Identification",
    "X-ray | Bones | Level Identification",
    "X-ray | Bones | Spinal lesion Classification",
    "X-ray | Breast | Multi-labels Diseases",
    "Der | Skin | Lesion Det/Seg",
    "End | Intestine | PolyP Det/Seg",
    "End | Intestine | Surgical Procedures Det/Seg",
    "End | Intestine | Multi-labels Det/Seg",
    "Mic | Cell | Cancer Cell Det/Seg",
    "US | Chest | Cancer Det/Seg",
    "US | Thyroid | Thyroid Nodule Region Det/Seg",
    "MRI | Intestine | Multi-labels Det/Seg",
    "MRI | Liver | Liver Det/Seg",
    "X-ray | Lung | Lung Det/Seg",
    "X-ray | Lung | Pneumothorax Det/Seg",
    "X-ray | Bones | Spinal Anomaly Det",
    "X-ray | Chest | Multi-labels Det",
    "FP | Fundus | Vessel Seg",
    "FP | Fundus | Optic Disc and Cup Seg",
    "FP | Fundus | Optic Disc Seg",
)


def med_mat(rows: Rows, path: Path) -> Rows:
    """Cut options out of questions, and name modality, area and task of an aggregated subset.

    What a row says itself in columns of these names stays.

    Source:
        The table "Aggregated_Subsets" of FreedomIntelligence/Med-MAT.
    """
    triple = _triple(path)

    def named(row: Record) -> Iterable[Record]:
        lacking = {name: text for name, text in triple.items() if not row.values.get(name)}
        return [with_values(row, **lacking)]

    return each_row(options_in_question(rows, path), named)


def _triple(path: Path) -> dict[str, str]:
    number = _NUMBER.search(path.stem)
    if number is None or not path.parent.name.lower().startswith(_AGGREGATED):
        return {}
    if not 1 <= int(number.group()) <= len(_TRIPLES):
        return {}
    return dict(zip(_COLUMNS, _TRIPLES[int(number.group()) - 1].split(" | "), strict=True))
