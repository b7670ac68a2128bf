"""Preference pairs: mined from answers, read from published files, written to JSON lines."""

from medrag.alignment.pairs.checking import check_pair, pictures_of, shows_other_pictures
from medrag.alignment.pairs.files import located, read_pairs, write_pairs
from medrag.alignment.pairs.leakage import Leak, Separated, check_leakage, separated
from medrag.alignment.pairs.making import reference_text
from medrag.alignment.pairs.mining import RAG_PT, Mined, mine_pairs
from medrag.alignment.pairs.outcomes import Outcome, families
from medrag.alignment.pairs.pair import FAMILIES, Family, Parts, PreferencePair
from medrag.alignment.pairs.released import read_mmed_rag, read_mmedpo, read_rule
from medrag.alignment.pairs.runs import FourRuns, four_runs

__all__ = [
    "FAMILIES",
    "RAG_PT",
    "Family",
    "FourRuns",
    "Leak",
    "Mined",
    "Outcome",
    "Parts",
    "PreferencePair",
    "Separated",
    "check_leakage",
    "check_pair",
    "families",
    "four_runs",
    "located",
    "mine_pairs",
    "pictures_of",
    "read_mmed_rag",
    "read_mmedpo",
    "read_pairs",
    "read_rule",
    "reference_text",
    "separated",
    "shows_other_pictures",
    "write_pairs",
]
