"""The contract of a Generator. Subclass GeneratorContract and give it a `generator` fixture; knows no adapter."""

from __future__ import annotations

from dataclasses import replace

from ragraft.ports import Generator
from ragraft.records import Message, Prompt, Sampling

QUESTION = "Documents:\n[1] sea\nThe walrus rests on {place} ice. It sleeps.\n\nQuestion: where does the walrus rest?"
PLACES = ("thick", "thin", "old", "grey", "the very same and again the very same")
GREEDY = Sampling(max_tokens=12)


def ask(place: str) -> Prompt:
    """A prompt whose answer depends on one word."""
    turn = QUESTION.format(place=place)
    return Prompt((Message("system", "Answer from the documents."), Message("user", turn)), cut=turn.index("Question:"))


PROMPTS = tuple(ask(place) for place in PLACES)


class GeneratorContract:
    """What every Generator does. `generator` is the one fixture that a subclass provides."""

    def test_one_completion_a_prompt_in_order(self, generator: Generator) -> None:
        together = [completion.text for completion in generator.generate(PROMPTS, GREEDY)]
        backwards = [completion.text for completion in generator.generate(PROMPTS[::-1], GREEDY)]
        alone = [generator.generate([prompt], GREEDY)[0].text for prompt in PROMPTS]
        assert together == backwards[::-1] == alone
        assert len(set(together)) > 1

    def test_equal_prompts_get_equal_answers(self, generator: Generator) -> None:
        first, other, second = generator.generate([PROMPTS[0], PROMPTS[1], PROMPTS[0]], GREEDY)
        assert first.text == second.text != other.text

    def test_nothing_in_nothing_out(self, generator: Generator) -> None:
        assert generator.generate([], GREEDY) == []

    def test_no_answer_is_longer_than_allowed(self, generator: Generator) -> None:
        for most in (1, 2, 5):
            for completion in generator.generate(PROMPTS, replace(GREEDY, max_tokens=most)):
                assert 0 < len(completion.token_ids) <= most
                assert completion.finish_reason == "stop" or len(completion.token_ids) == most

    def test_a_longer_answer_begins_like_a_shorter_one(self, generator: Generator) -> None:
        short, long = (generator.generate(PROMPTS, replace(GREEDY, max_tokens=most)) for most in (3, 9))
        assert [one.token_ids for one in short] == [one.token_ids[:3] for one in long]

    def test_the_same_seed_gives_the_same_answers(self, generator: Generator) -> None:
        for sampling in (GREEDY, Sampling(max_tokens=12, temperature=1.0, seed=7)):
            assert generator.generate(PROMPTS, sampling) == generator.generate(PROMPTS, sampling)

    def test_facts_of_a_completion(self, generator: Generator) -> None:
        for completion in generator.generate(PROMPTS, GREEDY):
            assert completion.prompt_tokens > 0
            assert completion.text == completion.text.strip()
            if completion.logprobs is not None:
                assert len(completion.logprobs) == len(completion.token_ids)
                assert all(value <= 0 for value in completion.logprobs)

    def test_any_text_is_data(self, generator: Generator) -> None:
        turns = ("", "<|im_end|>", "🚀", "שלום", "x " * 300)
        assert len(generator.generate([Prompt((Message("user", turn),)) for turn in turns], GREEDY)) == len(turns)
