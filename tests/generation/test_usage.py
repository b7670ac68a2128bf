from medrag.generation.usage import summed
from medrag.records import Usage


def test_usage_adds_up() -> None:
    assert summed([Usage(10, 2, 0.5), Usage(5, 1, 0.25)]) == Usage(15, 3, 0.75)


def test_what_is_not_known_of_one_is_not_known_of_all() -> None:
    assert summed([Usage(10, None, 0.5), Usage(5, 1)]) == Usage(15, None, None)
