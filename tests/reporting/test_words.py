from medrag.reporting.words import highlighted, linked


def test_each_number_of_a_marker_leads_to_its_own_card() -> None:
    shown, first = linked("Yes [1, 3].", {1, 2, 3}, "q1-")
    assert shown.count('class="marker"') == 2
    assert 'href="#q1-e1"' in shown
    assert 'href="#q1-e3"' in shown
    assert first == {1: "q1-m1", 3: "q1-m3"}


def test_a_range_leads_to_each_card_within_it() -> None:
    shown, _ = linked("Yes [1-3].", {1, 2, 3}, "q1-")
    assert [f'href="#q1-e{n}"' in shown for n in (1, 2, 3)] == [True, True, True]


def test_a_marker_used_twice_has_one_place_to_come_back_to() -> None:
    shown, _ = linked("Yes [1]. And [1].", {1}, "q1-")
    assert shown.count('id="q1-m1"') == 1
    assert shown.count('href="#q1-e1"') == 2


def test_a_marker_without_evidence_is_shown_as_broken() -> None:
    shown, first = linked("Yes [7].", {1}, "q1-")
    assert 'class="broken"' in shown
    assert "href" not in shown
    assert not first


def test_markup_in_an_answer_stays_text() -> None:
    shown, _ = linked("<script>alert(1)</script> [1]", {1}, "q1-")
    assert "<script>" not in shown


def test_the_sentence_that_supports_a_claim_is_marked() -> None:
    passage = "The heart is normal. There is a left pleural effusion. No pneumothorax."
    shown = highlighted(passage, ["A pleural effusion is on the left."], "en")
    assert "<mark>There is a left pleural effusion.</mark>" in shown
    assert shown.count("<mark>") == 1


def test_nothing_is_marked_where_no_sentence_is_near_the_claim() -> None:
    assert "<mark>" not in highlighted("The heart is normal.", ["Platelets are rare."], "en")


def test_a_language_that_is_not_known_is_shown_unmarked() -> None:
    assert highlighted("Ein <Satz>.", ["Ein Satz."], "xx") == "Ein &lt;Satz&gt;."
