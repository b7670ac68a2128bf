"""Prompts that must fit: what goes first, what is told of it, and what never changes."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.generation.extractive import ExtractiveGenerator
from medrag.language import markers
from medrag.prompting.fitting import Fitted, fit, limits_of
from medrag.prompting.templates import build_prompt, sentence_ends
from medrag.records import (
    Generation,
    Hit,
    ImageRef,
    Omission,
    Passage,
    Prompt,
    Question,
    Selection,
    Source,
    Turn,
)

FULL = 4096


class Counter:
    """A generator that takes a token per word, and one for 8 x 8 pixels."""

    def __init__(
        self,
        room: int | None,
        *,
        max_images: int | None = None,
        trained_multi_image: bool = True,
        context_pixels: int | None = FULL,
        least_pixels: int = 512,
    ) -> None:
        self.room = room
        self.max_images = max_images
        self.trained_multi_image = trained_multi_image
        self.context_pixels = context_pixels
        self.least_pixels = least_pixels
        self.counted = 0

    def count_tokens(self, prompt: Prompt) -> int:
        self.counted += 1
        return took(prompt)


def took(prompt: Prompt) -> int:
    words = sum(len(part.split()) for part in prompt.parts if isinstance(part, str))
    asked = set(prompt.question.images)
    pixels = [
        FULL if part in asked else min(FULL, prompt.context_pixels or FULL)
        for part in prompt.parts
        if isinstance(part, ImageRef)
    ]
    return words + sum(each // 64 for each in pixels)


def passage(number: int, n_sentences: int, n_images: int) -> Passage:
    words = " ".join(f"Passage {number} says thing {i} of many." for i in range(n_sentences))
    images = tuple(ImageRef(path=f"{number}-{i}.png") for i in range(n_images))
    return Passage(
        f"p{number}",
        "figure",
        words,
        Source("c", f"d{number}.pdf", "0"),
        images,
        {"caption": f"Caption of {number}."},
    )


def selection(*sizes: tuple[int, int]) -> Selection:
    hits = [Hit(passage(number, *size), 1 / number, number) for number, size in enumerate(sizes, 1)]
    return Selection(tuple(hits))


ASKED = Question(text="What do the passages say?", images=(ImageRef(path="/asked.png"),))
ALONE = took(build_prompt(ASKED, Selection(())))
BIG = selection((6, 2), (8, 1), (5, 0), (9, 1))


def images(prompt: Prompt) -> list[str]:
    return [part.path for part in prompt.parts if isinstance(part, ImageRef)]


def words(prompt: Prompt) -> str:
    return "\n".join(part for part in prompt.parts if isinstance(part, str))


def kinds(fitted: Fitted) -> list[tuple[int, str]]:
    return [(each.marker, each.kind) for each in fitted.left_out]


def fitted_where(wanted: Callable[[Fitted], bool]) -> Fitted:
    """Give the fullest prompt of which something holds."""
    whole = took(build_prompt(ASKED, BIG))
    for room in range(whole, 0, -1):
        if wanted(found := fit(ASKED, BIG, generator=Counter(room))):
            return found
    raise AssertionError("no room gives such a prompt")


def test_a_prompt_that_fits_is_whole_and_counted_once() -> None:
    generator = Counter(10_000)
    fitted = fit(ASKED, BIG, generator=generator)
    assert fitted.left_out == ()
    assert fitted.prompt.parts == build_prompt(ASKED, BIG).parts
    assert fitted.prompt.context_pixels == FULL
    assert generator.counted == 1


@pytest.mark.parametrize("generator", [None, Counter(None, context_pixels=None)])
def test_without_a_bound_the_prompt_is_whole(generator: Counter | None) -> None:
    assert fit(ASKED, BIG, generator=generator) == Fitted(build_prompt(ASKED, BIG))


def test_only_a_generator_that_counts_has_limits() -> None:
    class Local(Counter):
        name = "local"

        def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
            return [Generation("So.") for _ in prompts]

    assert limits_of(ExtractiveGenerator()) is None
    assert limits_of(local := Local(9)) is local


def test_images_are_shrunk_before_anything_is_left_out() -> None:
    fitted = fit(ASKED, BIG, generator=Counter(took(build_prompt(ASKED, BIG)) - 1))
    assert fitted.prompt.context_pixels == FULL // 2
    assert kinds(fitted) == [(1, "shrunk"), (2, "shrunk"), (4, "shrunk")]
    assert fitted.left_out[0].detail == "at most 2048 pixels in the place of 4096"
    assert fitted.prompt.parts == build_prompt(ASKED, BIG).parts


def test_images_of_no_bound_are_shrunk_from_a_multiple_of_the_least() -> None:
    whole = took(build_prompt(ASKED, BIG))
    fitted = fit(ASKED, BIG, generator=Counter(whole - 1, context_pixels=None))
    assert fitted.prompt.context_pixels == FULL // 2
    assert fitted.left_out[0].detail == "at most 2048 pixels"


def test_images_told_in_words_are_those_of_the_lowest_rank_first() -> None:
    fitted = fitted_where(lambda each: (4, "image") in kinds(each))
    assert images(fitted.prompt) == ["1-0.png", "1-1.png", "2-0.png", "/asked.png"]
    assert fitted.prompt.context_pixels == 512
    told = words(fitted.prompt)
    assert "Caption: Caption of 4." in told
    assert "Image [4]: not shown." in told
    assert Omission(4, "image", "1 of 1 image told in words: for want of room") in fitted.left_out


def test_texts_are_cut_at_the_end_of_a_sentence_from_the_lowest_rank() -> None:
    fitted = fitted_where(lambda each: "text" in [kind for _, kind in kinds(each)])
    assert images(fitted.prompt) == ["/asked.png"]
    assert (4, "text") in kinds(fitted)
    assert fitted.left_out[-1].detail == "8 of 9 sentences kept"
    assert "Passage 4 says thing 7 of many. …" in words(fitted.prompt)
    assert "thing 8" not in words(fitted.prompt)


def test_whole_passages_are_left_out_last_and_the_other_markers_stay() -> None:
    fitted = fitted_where(lambda each: (4, "passage") in kinds(each))
    assert fitted.prompt.evidence == BIG.kept[:3]
    assert "[4]" not in words(fitted.prompt)
    assert "Passage 3 says thing 4" in words(fitted.prompt)


def test_a_prompt_without_room_for_evidence_asks_for_no_marker() -> None:
    fitted = fit(ASKED, BIG, generator=Counter(ALONE))
    assert fitted.prompt.evidence == ()
    assert fitted.prompt.parts == build_prompt(ASKED, Selection(())).parts
    assert kinds(fitted) == [(n, "passage") for n in (1, 2, 3, 4)]


def test_a_question_that_does_not_fit_alone_is_refused_with_both_numbers() -> None:
    with pytest.raises(ValueError, match=rf"alone takes {ALONE} tokens, .* room for {ALONE - 1};"):
        fit(ASKED, BIG, generator=Counter(ALONE - 1))


@pytest.mark.parametrize("trained", [True, False])
def test_a_question_with_more_images_than_are_taken_is_refused(trained: bool) -> None:
    with pytest.raises(ValueError, match="has 1 image, but the generator takes 0 at most"):
        fit(ASKED, BIG, generator=Counter(None, max_images=0, trained_multi_image=trained))


def test_a_generator_of_single_images_is_told_the_evidence_in_words() -> None:
    fitted = fit(ASKED, BIG, generator=Counter(None, trained_multi_image=False))
    assert images(fitted.prompt) == ["/asked.png"]
    assert "2 of the 2 images [1]: not shown." in words(fitted.prompt)
    assert kinds(fitted) == [(1, "image"), (2, "image"), (4, "image")]
    assert "was not trained on several" in fitted.left_out[0].detail


def test_the_images_of_the_question_count_first_among_those_taken() -> None:
    fitted = fit(ASKED, BIG, generator=Counter(None, max_images=3))
    assert images(fitted.prompt) == ["1-0.png", "1-1.png", "/asked.png"]
    assert [each.detail for each in fitted.left_out] == [
        "1 of 1 image told in words: the generator takes 3 images"
    ] * 2


def test_an_early_turn_goes_before_the_first_passage_is_cut() -> None:
    turns = tuple(Turn(f"Question {i} of a long talk?", "So it is. " * 5) for i in range(4))
    question = Question(text="Why?", history=turns)
    hits = selection((3, 0), (3, 0))
    alone = Selection(hits.kept[:1])
    room = took(build_prompt(Question(text="Why?", history=turns[1:]), alone))
    fitted = fit(question, hits, generator=Counter(room))
    assert kinds(fitted) == [(0, "text"), (2, "passage")]
    assert fitted.left_out[0].detail == "1 of 4 earlier turns left out"
    assert "Question 0" not in words(fitted.prompt)
    assert "Question 3" in words(fitted.prompt)
    assert "Passage 1 says thing 2" in words(fitted.prompt)


def test_a_long_text_in_an_unknown_language_is_cut_too() -> None:
    hindi = Passage(
        "h", "text", "एक बात है. Dusri baat hai.\n" * 40, Source("c", "d", "0", language="hi")
    )
    kept = Selection((Hit(hindi, 1, 1),))
    fitted = fit(Question(text="Why?"), kept, generator=Counter(150))
    assert kinds(fitted) == [(1, "text")]


SIZES = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 3)).filter(lambda size: size != (0, 0)),
    max_size=8,
)
TURNS = st.integers(0, 3)
GENERATOR = st.fixed_dictionaries(
    {
        "max_images": st.one_of(st.none(), st.integers(1, 6)),
        "trained_multi_image": st.booleans(),
        "context_pixels": st.one_of(st.none(), st.sampled_from([512, 4096, 2048])),
        "least_pixels": st.sampled_from([256, 512, 1024]),
    }
)


def conversation(n_turns: int) -> Question:
    turns = tuple(Turn(f"Asked {i}?", f"Told {i}.") for i in range(n_turns))
    return Question(text=ASKED.text, images=ASKED.images, history=turns)


@given(SIZES, TURNS, GENERATOR, st.integers(0, 1500))
def test_a_prompt_always_fits_if_the_question_alone_does(
    sizes: list[tuple[int, int]], n_turns: int, settings: dict[str, int], room: int
) -> None:
    generator = Counter(room, **settings)  # type: ignore[arg-type]
    kept = selection(*sizes)
    if room < ALONE:
        with pytest.raises(ValueError, match="the question alone takes"):
            fit(conversation(n_turns), kept, generator=generator)
    else:
        assert took(fit(conversation(n_turns), kept, generator=generator).prompt) <= room
    assert generator.counted <= 12


@given(SIZES, TURNS, GENERATOR, st.integers(0, 1500))
def test_nothing_is_lost_in_silence_and_markers_keep_their_meaning(
    sizes: list[tuple[int, int]], n_turns: int, settings: dict[str, int], room: int
) -> None:
    question, kept = conversation(n_turns), selection(*sizes).kept
    generator = Counter(ALONE + room, **settings)  # type: ignore[arg-type]
    fitted = fit(question, Selection(kept), generator=generator)
    prompt, told = fitted.prompt, words(fitted.prompt)
    assert prompt.evidence == kept[: len(prompt.evidence)]
    left = kinds(fitted)
    assert len(left) == len(set(left))
    for marker, hit in enumerate(kept, start=1):
        gone = marker > len(prompt.evidence)
        assert gone == ((marker, "passage") in left)
        if gone:
            continue
        assert f"[{marker}]\n<<<\nfigure from d{marker}.pdf\n" in told
        ends = sentence_ends(hit.passage)
        whole = all(f"Passage {marker} says thing {i} of" in told for i in range(len(ends)))
        assert whole != ((marker, "text") in left)
        lacking = [i for i in hit.passage.images if i.path not in images(prompt)]
        assert bool(lacking) == ((marker, "image") in left)
    first = settings["context_pixels"]
    assert any(kind == "shrunk" for _, kind in left) == (
        prompt.context_pixels != first and images(prompt) != ["/asked.png"]
    )
    assert ((0, "text") in left) == any(f"Asked {i}?" not in told for i in range(n_turns))
    numbers = markers(told.split("Picture 1 of the question")[0], 99).numbers
    assert numbers == tuple(range(1, len(prompt.evidence) + 1))


@given(SIZES, TURNS, GENERATOR, st.integers(0, 1500), st.integers(1, 200))
def test_more_room_never_gives_less(
    sizes: list[tuple[int, int]], n_turns: int, settings: dict[str, int], room: int, more: int
) -> None:
    def shown(space: int) -> tuple[int, ...]:
        generator = Counter(ALONE + space, **settings)  # type: ignore[arg-type]
        prompt = fit(conversation(n_turns), selection(*sizes), generator=generator).prompt
        told = words(prompt)
        return (
            len(prompt.evidence),
            len(images(prompt)),
            sum(f"Asked {i}?" in told for i in range(n_turns)),
            told.count("says thing"),
            prompt.context_pixels or 10**9,
        )

    less, greater = shown(room), shown(room + more)
    assert all(a <= b for a, b in zip(less, greater, strict=True))


def case(number: int) -> Hit:
    said = {"question": f"Is there sign {number}?", "answer": "Yes"}
    text = f"Question: {said['question']}\nAnswer: Yes"
    image = ImageRef(path=f"{number}.png")
    one = Passage(f"c{number}", "case", text, Source("cases", "c.json", "0"), (image,), said)
    return Hit(one, 1 / number, number)


def test_a_model_of_one_picture_is_told_worked_examples_in_words() -> None:
    question = Question(text="Is there a sign?", images=(ImageRef(path="/asked.png"),))
    kept = Selection((case(1), case(2)))
    one = Counter(None, max_images=1, trained_multi_image=False)
    fitted = fit(question, kept, template="few_shot", generator=one)
    shown = [part for part in fitted.prompt.parts if isinstance(part, ImageRef)]
    told = "\n".join(part for part in fitted.prompt.parts if isinstance(part, str))
    assert [image.path for image in shown] == ["/asked.png"]
    assert "[2] of another patient, a worked example\nImage [2]: not shown.\n\n<<<" in told
    assert "Question: Is there sign 2?\nAnswer: Yes" in told
    assert [(each.marker, each.kind) for each in fitted.left_out] == [(1, "image"), (2, "image")]
    assert fitted.prompt.evidence == kept.kept
