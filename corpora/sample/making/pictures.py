"""Which phantoms the sample corpus holds, and what each shows."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from making.chest import Chest, radiograph
from making.fundus import Fundus, photograph
from making.raster import save
from making.smear import Smear, micrograph

Draw = Callable[[], NDArray[np.uint8]]


def _chest(**shown: float) -> Draw:
    return partial(radiograph, Chest(**shown))  # type: ignore[arg-type]


def _fundus(**shown: float) -> Draw:
    return partial(photograph, Fundus(**shown))  # type: ignore[arg-type]


LIBRARY: Mapping[str, Draw] = {
    "radiographs/s01.jpg": _chest(seed=11),
    "radiographs/s02.jpg": _chest(seed=12, heart=0.43),
    "radiographs/s03.jpg": _chest(seed=13, fluid_left=0.24),
    "radiographs/s04.jpg": _chest(seed=13, fluid_left=0.10),
    "radiographs/s05.jpg": _chest(seed=15, fluid_right=0.16),
    "radiographs/s06.jpg": _chest(seed=16, air_right=0.34),
    "radiographs/s07.jpg": _chest(seed=17, air_left=0.30),
    "radiographs/s08.jpg": _chest(seed=18, heart=0.60),
    "radiographs/s09.jpg": _chest(
        seed=19, heart=0.58, fluid_left=0.12, fluid_right=0.15, congestion=0.9
    ),
    "radiographs/s10.jpg": _chest(seed=20, patch_right=0.9),
    "fundus/f01.jpg": _fundus(seed=31),
    "fundus/f02.jpg": _fundus(seed=32, cup=0.80),
    "fundus/f03.jpg": _fundus(seed=33, aneurysms=14, blots=12, flames=3, exudates=34, spots=2),
    "fundus/f04.jpg": _fundus(seed=34, swollen=1.0, flames=3),
    "fundus/f05.jpg": _fundus(seed=35, aneurysms=9),
    "fundus/f06.jpg": _fundus(seed=36, aneurysms=8, blots=9, new_vessels=True),
    "smears/b01.png": partial(micrograph, Smear(seed=51, white=("neutrophil",))),
    "smears/b02.jpg": partial(
        micrograph, Smear(seed=52, red="pale", share=0.9, white=("lymphocyte",))
    ),
    "smears/b03.jpg": partial(micrograph, Smear(seed=53, red="sickle", share=0.4)),
    "smears/b04.jpg": partial(micrograph, Smear(seed=54, red="spherocyte", share=0.6)),
    "smears/b05.jpg": partial(micrograph, Smear(seed=55, white=("neutrophil",), platelets=1)),
    "smears/b06.jpg": partial(micrograph, Smear(seed=56, white=("eosinophil",))),
    "smears/b07.jpg": partial(
        micrograph,
        Smear(seed=57, white=("lymphocyte", "lymphocyte", "lymphocyte", "smudge"), platelets=6),
    ),
}

QUESTIONS: Mapping[str, Draw] = {
    "questions/q-effusion.jpg": _chest(seed=71, fluid_left=0.22),
    "questions/q-pneumothorax.jpg": _chest(seed=72, air_right=0.32),
    "questions/q-fundus.jpg": _fundus(
        seed=73, aneurysms=12, blots=10, flames=2, exudates=30, spots=2
    ),
    "questions/q-smear.jpg": partial(micrograph, Smear(seed=74, red="sickle", share=0.45)),
}

BOOK: Mapping[str, str] = {
    "normal chest": "radiographs/s01.jpg",
    "cardiomegaly": "radiographs/s08.jpg",
    "heart failure": "radiographs/s09.jpg",
    "effusion": "radiographs/s03.jpg",
    "pneumothorax": "radiographs/s06.jpg",
    "normal fundus": "fundus/f01.jpg",
    "glaucoma": "fundus/f02.jpg",
    "papilloedema": "fundus/f04.jpg",
    "diabetic retinopathy": "fundus/f03.jpg",
    "normal smear": "smears/b01.png",
    "iron deficiency": "smears/b02.jpg",
    "sickle cells": "smears/b03.jpg",
    "spherocytes": "smears/b04.jpg",
    "thrombocytopenia": "smears/b05.jpg",
}


def draw_pictures(library: Path, folder: Path) -> None:
    """Draw the pictures of the library and those of the questions, which it does not hold."""
    for name, draw in LIBRARY.items():
        save(draw(), library / name)
    for name, draw in QUESTIONS.items():
        save(draw(), folder / name)
