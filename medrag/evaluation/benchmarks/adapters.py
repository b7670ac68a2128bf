"""Functions for shapes that a table of columns cannot say: the rows of a file in, others out."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from medrag.evaluation.benchmarks.adapters_images import mediconfusion, mimic_nle, rad_restruct
from medrag.evaluation.benchmarks.adapters_mat import med_mat
from medrag.evaluation.benchmarks.adapters_places import (
    medmultipoints,
    medmultipoints_counts,
    medvision,
    ms_cxr,
)
from medrag.evaluation.benchmarks.adapters_temmed import (
    temmed_report,
    temmed_selection,
    temmed_vqa,
)
from medrag.evaluation.benchmarks.adapters_text import medthink, options_in_question
from medrag.ingestion.lines import BadLine, Record

Rows = Iterator[Record | BadLine]
# Given the rows of a file and its path. Rows that it cannot use become `BadLine`.
Adapter = Callable[[Rows, Path], Rows]

ADAPTERS: Mapping[str, Adapter] = {
    "med_mat": med_mat,
    "mediconfusion": mediconfusion,
    "medmultipoints": medmultipoints,
    "medmultipoints_counts": medmultipoints_counts,
    "medthink": medthink,
    "medvision": medvision,
    "mimic_nle": mimic_nle,
    "ms_cxr": ms_cxr,
    "options_in_question": options_in_question,
    "rad_restruct": rad_restruct,
    "temmed_report": temmed_report,
    "temmed_selection": temmed_selection,
    "temmed_vqa": temmed_vqa,
}
