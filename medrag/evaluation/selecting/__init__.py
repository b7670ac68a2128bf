"""What selectors keep, what that is worth beside a fixed number, and which k controls a risk."""

from medrag.evaluation.selecting.calibrating import calibrate_k, save_k_calibration
from medrag.evaluation.selecting.choosing import Choices, Setting, choose
from medrag.evaluation.selecting.reporting import SelectionReport, SettingScores, report_on
from medrag.evaluation.selecting.running import answer_choices
from medrag.evaluation.selecting.scoring import Scored, score_choices

__all__ = [
    "Choices",
    "Scored",
    "SelectionReport",
    "Setting",
    "SettingScores",
    "answer_choices",
    "calibrate_k",
    "choose",
    "report_on",
    "save_k_calibration",
    "score_choices",
]
