"""What the models cost that several retrievers asked for one question."""

from collections.abc import Iterable

from medrag.records import Usage


def together(usages: Iterable[Usage | None]) -> Usage | None:
    """Add up usage; None where no model was asked, and a number that one does not know is None."""
    known = [usage for usage in usages if usage is not None]
    if not known:
        return None
    prompt = [each.prompt_tokens for each in known]
    completion = [each.completion_tokens for each in known]
    cost = [each.cost for each in known]
    return Usage(
        None if None in prompt else sum(each or 0 for each in prompt),
        None if None in completion else sum(each or 0 for each in completion),
        None if None in cost else sum(each or 0.0 for each in cost),
    )
