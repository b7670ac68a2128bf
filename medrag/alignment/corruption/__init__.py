"""Pictures made worse on purpose: noise, noise on a lesion, another picture, none.

Every function takes and gives uint8 RGB (h, w, 3) and changes nothing in place. What is drawn
depends on a seed and on the content of the picture alone: the same bytes on every run.
"""

from medrag.alignment.corruption.applying import (
    as_corruption,
    corrupted,
    corrupted_questions,
    write_corrupted,
)
from medrag.alignment.corruption.diffusion import diffusion, lesion_mask, signal
from medrag.alignment.corruption.files import write_picture
from medrag.alignment.corruption.gaussian import GREY, add_gaussian, blank, replace_gaussian
from medrag.alignment.corruption.heat_maps import (
    heat_of_box,
    heat_of_boxes,
    read_heat_map,
    write_heat_map,
)
from medrag.alignment.corruption.swapping import (
    UnrelatedPictures,
    swap_unrelated,
    swapping,
    unrelated_noises,
)

__all__ = [
    "GREY",
    "UnrelatedPictures",
    "add_gaussian",
    "as_corruption",
    "blank",
    "corrupted",
    "corrupted_questions",
    "diffusion",
    "heat_of_box",
    "heat_of_boxes",
    "lesion_mask",
    "read_heat_map",
    "replace_gaussian",
    "signal",
    "swap_unrelated",
    "swapping",
    "unrelated_noises",
    "write_corrupted",
    "write_heat_map",
    "write_picture",
]
