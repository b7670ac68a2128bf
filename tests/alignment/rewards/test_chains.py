"""Rules between the answers to a chain of questions."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from medrag.alignment.rewards import RuleReward, read_rules
from medrag.alignment.rewards.chains import chain_question, judge, rules_of, said_of
from medrag.errors import RecipeError
from tests.alignment.rewards.made import ODD, example, replies

RULES = """
name: effusion
version: 2
questions:
  quality:
    ask: Can the picture be read?
    answers: {good: [adequate, can be read], poor: [inadequate, blurred]}
  effusion:
    ask: Is there a pleural effusion?
    answers: {present: ["yes", effusion], absent: ["no", no effusion]}
    when: {quality: good}
  side:
    ask: On which side?
    answers: {left: [], right: [], both: [bilateral], none: []}
    when: {quality: good}
  diagnosis:
    ask: What is it?
    answers: {heart_failure: [CHF], pneumonia: [], normal: []}
rules:
  - {name: no_side_without_effusion, if: {effusion: absent}, then: {side: none}}
  - {name: effusion_has_a_side, if: {effusion: present}, then: {side: [left, right, both]}}
  - name: failure_is_bilateral
    if: {effusion: present, side: both}
    then: {diagnosis: heart_failure}
"""
TREE = rules_of(yaml.safe_load(RULES))
GOOD = "quality: good\neffusion: yes\nside: both\ndiagnosis: heart failure"


def _broken(reply: str) -> tuple[str, ...]:
    return judge(TREE, said_of(reply, TREE)).broken


def test_a_chain_that_keeps_all_rules_breaks_none() -> None:
    verdict = judge(TREE, said_of(GOOD, TREE))
    assert verdict.answers == {
        "quality": "good", "effusion": "present", "side": "both", "diagnosis": "heart_failure",
    }  # fmt: skip
    assert (verdict.unread, verdict.broken, verdict.consistency) == ({}, (), 1)


def test_each_broken_rule_is_named() -> None:
    assert _broken(GOOD.replace("both", "none")) == ("effusion_has_a_side",)
    assert _broken(GOOD.replace("yes", "no")) == ("no_side_without_effusion",)
    assert _broken(GOOD.replace("heart failure", "normal")) == ("failure_is_bilateral",)


def test_consistency_is_the_share_of_checks_that_hold() -> None:
    # 4 questions are asked, 2 rules fire (a side, failure), and one of them is broken: 5 of 6.
    verdict = judge(TREE, said_of(GOOD.replace("heart failure", "normal"), TREE))
    assert verdict.n_checks == 6
    assert verdict.consistency == pytest.approx(5 / 6)


def test_a_question_that_is_not_asked_is_not_missed() -> None:
    verdict = judge(TREE, said_of("quality: blurred\ndiagnosis: normal", TREE))
    assert (verdict.unread, verdict.n_checks) == ({}, 2)
    assert verdict.answers["effusion"] is None


def test_what_is_not_answered_or_not_allowed_or_two_things_is_unread_and_named() -> None:
    said = {"quality": "good", "effusion": "yes and no", "side": "upper", "diagnosis": ""}
    assert judge(TREE, said).unread == {
        "effusion": "several answers", "side": "no allowed answer", "diagnosis": "not answered",
    }  # fmt: skip


def test_silence_breaks_no_rule_and_still_is_not_consistent() -> None:
    assert judge(TREE, {}).consistency == 0


def test_a_phrase_that_is_denied_is_not_said_and_the_longest_phrase_counts() -> None:
    def read(text: str) -> str | None:
        return judge(TREE, {"quality": "good", "effusion": text}).answers["effusion"]

    assert read("no effusion") == "absent"
    assert read("There is an effusion.") == "present"
    assert judge(TREE, {"quality": "not adequate"}).answers["quality"] is None


@given(st.text(alphabet="abcdefghilmnoprstu", min_size=1, max_size=4), st.booleans())
def test_a_phrase_within_a_word_is_never_read(letters: str, before: bool) -> None:
    word = f"{letters}left" if before else f"left{letters}"
    said = {"quality": "good", "side": word}
    assert judge(TREE, said).answers["side"] is None


@given(st.sampled_from(["left", "Right", "BILATERAL"]), st.sampled_from([" ", ", ", "\n", "."]))
def test_a_phrase_is_read_as_a_whole_word_in_any_surroundings(phrase: str, gap: str) -> None:
    found = judge(TREE, {"quality": "good", "side": f"It lies{gap}{phrase}{gap}here"}).answers
    assert found["side"] == {"left": "left", "right": "right", "bilateral": "both"}[phrase.lower()]


def test_lines_are_told_apart_by_their_question_whatever_marks_stand_before() -> None:
    text = "1. **Quality**: good\n- side: left\nand so on\nOther: yes\nSIDE: right"
    assert said_of(text, TREE) == {
        "quality": "good", "side": "left\nand so on\nOther: yes\nright",
    }  # fmt: skip


@given(replies())
def test_any_reply_is_judged_and_rewarded_from_0_to_1(reply: str) -> None:
    assert 0 <= RuleReward(tree=TREE).reward([reply], [example()])[0] <= 1


@pytest.mark.parametrize("reply", ODD)
def test_odd_replies_are_judged(reply: str) -> None:
    assert 0 <= RuleReward(tree=TREE).reward([reply], [example()])[0] <= 1


@given(st.data())
def test_what_the_question_asks_for_is_what_is_read(data: st.DataObject) -> None:
    asked = chain_question(TREE).splitlines()[1:]
    assert asked[1] == (
        "effusion: Is there a pleural effusion? (present, absent; only if quality is good)"
    )
    chosen = {name: data.draw(st.sampled_from(sorted(each.answers)))
              for name, each in TREE.questions.items()}  # fmt: skip
    reply = "\n".join(f"{name}: {answer.replace('_', ' ')}" for name, answer in chosen.items())
    verdict = judge(TREE, said_of(reply, TREE))
    assert verdict.unread == {}
    assert {k: v for k, v in verdict.answers.items() if v is not None}.items() <= chosen.items()


def test_the_reward_is_the_mean_of_right_answers_and_of_kept_rules() -> None:
    asked = replace(example(), chain={"effusion": "present", "diagnosis": "pneumonia"})
    parts = RuleReward(tree=TREE).parts([GOOD], [asked])
    # Half of the two known answers are right, and all 6 checks hold: (0.5 + 1) / 2.
    assert parts["right"][0] == 0.5
    assert parts["consistent"][0] == 1
    assert parts["rules"][0] == 0.75
    assert RuleReward(tree=TREE, right=3).reward([GOOD], [asked])[0] == pytest.approx(0.625)
    without = RuleReward(tree=TREE).parts([GOOD], [example()])
    assert without["rules"][0] == 1
    assert np.isnan(without["right"][0])


def test_a_reference_that_the_rules_do_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="known are left, right, both, none"):
        RuleReward(tree=TREE).reward([GOOD], [replace(example(), chain={"side": "up"})])


def test_rules_are_read_from_yaml_and_from_json(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULES, encoding="utf-8")
    (tmp_path / "rules.json").write_text(json.dumps(yaml.safe_load(RULES)), encoding="utf-8")
    assert read_rules(tmp_path / "rules.yaml") == read_rules(tmp_path / "rules.json") == TREE
    assert TREE.label == "effusion/2"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("side: none}", "sides: none}", "no question 'sides'"),
        ("side: none}", "side: up}", "known are left, right, both, none"),
        ("when: {quality: good}\n  side", "when: {diagnosis: normal}\n  side", "no question"),
        ('["yes", effusion]', "[yes, effusion]", "put yes, no and numbers in quotes"),
        ('["no", no effusion]', '["no", "yes"]', "says both present and absent"),
        ("name: failure_is_bilateral", "name: effusion_has_a_side", "two rules are called"),
        ("version: 2", "versions: 2", "unknown key 'versions'"),
        ("left: []", '"": []', "holds no word"),
        ("questions:", "asked:", "unknown key 'asked'"),
    ],
)
def test_a_rule_file_that_makes_no_sense_is_refused_with_its_place(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert old in RULES
    (tmp_path / "rules.yaml").write_text(RULES.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(RecipeError, match=re.escape(said)) as caught:
        read_rules(tmp_path / "rules.yaml")
    assert str(tmp_path) in str(caught.value)


def test_rules_that_nothing_can_keep_are_refused() -> None:
    questions: Mapping[str, object] = {
        "a": {"answers": {"x": []}},
        "b": {"answers": {"y": [], "z": []}},
    }
    rules = [{"name": "one", "if": {"a": "x"}, "then": {"b": "y"}},
             {"name": "other", "if": {"a": "x"}, "then": {"b": "z"}}]  # fmt: skip
    with pytest.raises(RecipeError, match="no chain of answers keeps all 2 rules"):
        rules_of({"questions": questions, "rules": rules})


@pytest.mark.parametrize("content", ["", "[1, 2]", "a: [", "questions: {}", "\x00"])
def test_a_file_that_is_no_rule_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "rules.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(RecipeError):
        read_rules(tmp_path / "rules.yaml")
