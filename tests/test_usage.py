from medrag.records import Usage
from medrag.records.usage import summed, together


def test_usage_adds_up() -> None:
    assert summed([Usage(10, 2, 0.5), Usage(5, 1, 0.25)]) == Usage(15, 3, 0.75)


def test_what_is_not_known_of_one_is_not_known_of_all() -> None:
    assert summed([Usage(10, None, 0.5), Usage(5, 1)]) == Usage(15, None, None)


def test_who_asked_no_model_adds_nothing() -> None:
    assert together([Usage(1, 2, 0.5), None, Usage(3, 4, 0.25)]) == Usage(4, 6, 0.75)
    assert together([None, None]) is None
