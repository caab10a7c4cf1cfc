"""Laws of lessons over corpora that nobody would write: quotation marks, brackets, prompt markers anywhere."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ragraft.methods.answer import bare_answer, parse
from ragraft.methods.prompt import PromptBuilder, question_part
from ragraft.methods.raft import Made, Recipe, make_lesson
from ragraft.ports import Tokenizer
from ragraft.records import ExamQuestion, Passage, Question, Rejected

ABSTENTION = "not in the documents."
# What imitates the prompt's and the answer's own form, among plain words and other scripts.
SIGNS = ["[1]", "[2]", '"', "“", "”", "Answer:", "Question:", "\n\nQuestion: x", "Documents:", "<|im_end|>", "\x00"]
PLAIN = ["reef", "1890", "ash", "oak", "שלום", "\u202eold", "\u200bslow", "e.g.", "x[0]", "ends.", "Then", "it", "is"]
TEXTS = st.lists(st.sampled_from(PLAIN + SIGNS), min_size=3, max_size=40).map(" ".join)
Corpus = tuple[dict[str, Passage], ExamQuestion, Recipe]


@st.composite
def corpora(draw: st.DrawFn) -> Corpus:
    """Passages, a question whose answer is a stretch of its oracle's words, and a recipe."""
    texts = draw(st.lists(TEXTS, min_size=2, max_size=8))
    chunks = {f"c{place}": Passage(f"c{place}", f"d{place}", draw(TEXTS), text) for place, text in enumerate(texts)}
    oracle = draw(st.sampled_from(sorted(chunks)))
    words = chunks[oracle].text.split()
    start = draw(st.integers(0, len(words) - 1))
    answer = " ".join(words[start : start + draw(st.integers(1, 15))])
    question = Question("q", draw(TEXTS), (answer,), evidence=draw(st.sampled_from([(), (chunks[oracle].text,)])))
    fewest = draw(st.integers(0, 2))
    recipe = Recipe((fewest, fewest + draw(st.integers(0, 3))), 0.5, 0.25, draw(st.integers(5, 30)), ABSTENTION)
    return chunks, ExamQuestion(question, "train", "c", (oracle,)), recipe


def lesson(corpus: Corpus, builder: PromptBuilder, seed: int) -> Made | Rejected:
    chunks, question, recipe = corpus
    return make_lesson(
        question,
        with_oracle=True,
        chunks=chunks,
        ranked=[chunks[name] for name in sorted(chunks)],
        elsewhere=chunks,
        recipe=recipe,
        builder=builder,
        answers_it=lambda passage: False,
        seed=str(seed),
    )


@settings(max_examples=150, deadline=None)
@given(corpora(), st.integers(0, 9))
def test_every_citation_points_at_the_document_that_it_quotes(
    word_tokenizer: Tokenizer, corpus: Corpus, seed: int
) -> None:
    chunks, question, _ = corpus
    made = lesson(corpus, PromptBuilder(word_tokenizer, ABSTENTION, 4096, 512), seed)
    if isinstance(made, Rejected):
        assert made.reason == "the wanted answer could not be told from the form around it"
        return
    parsed = parse(made.lesson.target, ABSTENTION)
    shown = made.lesson.passages
    assert parsed.answer == bare_answer(question.question.answers[0])
    assert not parsed.abstained
    cited = {shown[number - 1] for number in parsed.citations if 1 <= number <= len(shown)}
    assert cited == set(made.lesson.oracle) == set(question.oracle)
    for text, number in parsed.quotes:
        if number is None:
            assert text in question.question.answers[0], "the answer's own quotation marks"
        else:
            assert text in chunks[shown[number - 1]].text


def test_most_of_these_lessons_are_made(word_tokenizer: Tokenizer) -> None:
    # Else the law above could hold of nothing.
    oracle = Passage("c0", "d", "Reef", 'As in "Foo" [2] and more, the reef is old. It ends.')
    other = Passage("c1", "d", "Ash", "An ash.")
    question = ExamQuestion(Question("q", "How is it?", ("old",)), "train", "c", ("c0",))
    recipe = Recipe((1, 1), 0.5, 0.25, 30, ABSTENTION)
    builder = PromptBuilder(word_tokenizer, ABSTENTION, 4096, 512)
    made = lesson(({"c0": oracle, "c1": other}, question, recipe), builder, 0)
    assert isinstance(made, Made)
    number = made.lesson.passages.index("c0") + 1
    assert made.lesson.target == f"Answer: old\n[{number}]", "its sentence would be read as a quote of document 2"


@settings(max_examples=150, deadline=None)
@given(corpora(), st.integers(0, 9), st.integers(64, 260))
def test_the_budget_cuts_neither_question_nor_oracle_nor_answer(
    word_tokenizer: Tokenizer, corpus: Corpus, seed: int, most: int
) -> None:
    chunks, question, _ = corpus
    made = lesson(corpus, PromptBuilder(word_tokenizer, ABSTENTION, most, 40), seed)
    if isinstance(made, Rejected):
        assert made.id == "q"
        assert made.reason
        return
    turn, cut = made.lesson.prompt.messages[-1].content, made.lesson.prompt.cut
    assert turn[cut:] == question_part(question.question.question), "the cut lies where the question begins"
    assert chunks[question.oracle[0]].text in turn[:cut]
    assert made.lesson.target.startswith(f"Answer: {question.question.answers[0]}")
    assert word_tokenizer.count(made.lesson.target) < 40
    assert word_tokenizer.count_prompt(made.lesson.prompt) + 40 <= most


@settings(max_examples=100, deadline=None)
@given(st.lists(TEXTS, max_size=4), TEXTS)
def test_no_text_moves_the_cut(word_tokenizer: Tokenizer, texts: list[str], question: str) -> None:
    builder = PromptBuilder(word_tokenizer, ABSTENTION, 4096, 512)
    passages = [Passage(f"c{place}", "d", text, text) for place, text in enumerate(texts)]
    prompt, other = builder.build(question, passages), builder.build("another", passages)
    turn, beside = prompt.messages[-1].content, other.messages[-1].content
    assert turn[prompt.cut :] == f"Question: {question}"
    assert turn[: prompt.cut] == beside.removesuffix("Question: another"), "what stands before it is shared"
    assert [message.role for message in prompt.messages] == ["system", "user"]
