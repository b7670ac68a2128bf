"""Claims that rest on records of other patients alone: true of them, and of nobody else."""

from medrag.records import Answer, Passage, Question, is_of_a_patient


def of_another_patient(passage: Passage, question: Question) -> bool:
    """Tell whether a passage is a record of another patient than the one in question."""
    same = bool(question.subject) and passage.source.subject == question.subject
    return is_of_a_patient(passage) and not same


def resting_on_others(answer: Answer) -> frozenset[int]:
    """Find the supported claims that cite nothing but records of other patients, by their place.

    None where the question is of no patient: it has neither picture nor subject.
    """
    if not (answer.question.images or answer.question.subject):
        return frozenset()
    others = {
        each.marker: of_another_patient(each.passage, answer.question) for each in answer.citations
    }
    return frozenset(
        place
        for place, claim in enumerate(answer.claims)
        if claim.support == "supported"
        and claim.markers
        and all(others.get(marker, False) for marker in claim.markers)
    )
