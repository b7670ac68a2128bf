"""How a chain of questions is put to a model, so that its reply can be read."""

from medrag.alignment.rewards.chains.rules import Condition, RuleTree


def chain_question(tree: RuleTree) -> str:
    """Ask all questions of a chain at once, each to be answered on a line of its own.

    The answers that are offered are the names of the rule file; phrases that also say them are not
    told, and neither are the rules.
    """
    lines = [
        "Answer each question on a line of its own: its name, a colon, and one of its answers."
    ]
    for name, asked in tree.questions.items():
        answers = ", ".join(each.replace("_", " ") for each in asked.answers)
        when = " and ".join(_told(each) for each in asked.when)
        lines.append(f"{name}: {asked.ask} ({answers}{'; only if ' + when if when else ''})")
    return "\n".join(lines)


def _told(condition: Condition) -> str:
    answers = " or ".join(each.replace("_", " ") for each in condition.answers)
    return f"{condition.question} is {answers}"
