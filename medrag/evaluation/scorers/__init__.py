"""Scoring protocols by name: what "accuracy" means depends on the protocol, so each has a name.

Every protocol has two modes. "faithful" does what the released scorer does, defects included, to
reproduce published numbers; "corrected" is what medrag reports. `protocol.defects` names every
place where the two part.

In corrected mode an answer that cannot be read, or that abstains, is not right, and is counted
beside:

- "parsed": 0 where nothing of the asked form stands in the answer, else 1;
- "answered": 0 where it abstains, else 1;
- "accuracy_of_parsed": the accuracy, left out where the answer cannot be read;
- "accuracy_of_answered": the accuracy, left out where it abstains.

For "places" and "sure_vqa" the accuracy is their headline measure; "overlap" has none.

Faithful scorers see the answer's text without citation markers, which the released ones never
meet; tags and reasoning stay in. A measure that does not apply to an item is left out, one that
could not be computed is nan. Rows of a kind that a protocol does not know give no measure.
"""

from medrag.evaluation.scorers.protocol import Case, Mode, ScoringProtocol
from medrag.evaluation.scorers.registry import PROTOCOLS, scoring_protocol

__all__ = ["PROTOCOLS", "Case", "Mode", "ScoringProtocol", "scoring_protocol"]
