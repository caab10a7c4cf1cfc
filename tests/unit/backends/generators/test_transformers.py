from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoConfig, AutoModelForCausalLM, LlamaForCausalLM

from ragraft.backends.generators import transformers as backend
from ragraft.backends.generators.decoding import forward
from ragraft.backends.generators.side_by_side import side_by_side
from ragraft.backends.generators.transformers import SHORTEST_PREFIX, TransformersGenerator
from ragraft.models import load
from ragraft.records import Completion, Message, Prompt, Sampling

LONG = "the walrus rests on ice and the penguin swims under the same ice again. " * 3
WORDS = st.lists(st.sampled_from(["walrus", "ice", "stapler", "where", "🚀", "[1]"]), max_size=8).map(" ".join)


@pytest.fixture(autouse=True)
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """float32 on a CPU: two ways to the same answer then differ by less than two tokens ever do."""
    monkeypatch.setattr(load, "pick_dtype", lambda precision, device: torch.float32)
    monkeypatch.setattr(load, "pick_device", lambda: "cpu")


@pytest.fixture(scope="module")
def talker(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with many tokens that end an answer: rows finish at different times."""
    folder = tmp_path_factory.mktemp("talker") / "model"
    shutil.copytree(tiny_model, folder)
    settings_file = folder / "generation_config.json"
    ends = [2, *range(5, 350, 15)]
    settings_file.write_text(json.dumps({**json.loads(settings_file.read_text()), "eos_token_id": ends}))
    return folder


def save_beside(tiny_model: Path, folder: Path, kind: str, **changes: Any) -> Path:
    """A model of another kind, of the tiny model's sizes and with its tokenizer."""
    shutil.copytree(tiny_model, folder)
    config = LlamaForCausalLM.from_pretrained(tiny_model).config
    same = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    control = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    sizes = {**{name: getattr(config, name) for name in same}, "num_key_value_heads": 2, "initializer_range": 0.2}
    torch.manual_seed(1)
    network = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **{**sizes, **control, **changes}))
    network.save_pretrained(folder)
    return folder


def prompts(*turns: str, system: str = "Answer.") -> list[Prompt]:
    return [Prompt((Message("system", system), Message("user", turn))) for turn in turns]


def reference(model: Path, generator: TransformersGenerator, asked: Sequence[Prompt], most: int) -> list[list[int]]:
    """What transformers' own loop answers, one row at a time."""
    network = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
    answers = []
    for prompt in asked:
        ids = torch.tensor([generator.tokenizer.render(prompt)])
        whole: Any = network.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=most, do_sample=False, pad_token_id=0
        )
        answers.append(whole[0, ids.shape[1] :].tolist())
    return answers


def ids_of(completions: Sequence[Completion]) -> list[list[int]]:
    return [list(completion.token_ids) for completion in completions]


def test_a_batch_equals_transformers_own_loop_row_by_row(talker: Path) -> None:
    generator = TransformersGenerator(str(talker))
    asked = prompts("where?", "penguin " * 20, "ice", "the stapler binds paper", "a\n\nb", "where?")
    found = generator.generate(asked, Sampling(max_tokens=40))
    assert ids_of(found) == reference(talker, generator, asked, 40)
    assert len({len(one.token_ids) for one in found}) > 2, "the rows should finish at different times"


def test_a_common_beginning_changes_nothing_but_the_work(talker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = TransformersGenerator(str(talker))
    asked = prompts("where?", "penguin " * 20, "ice", "who", system=LONG)
    rows = [generator.tokenizer.render(prompt) for prompt in asked]
    common = backend._common_prefix(rows)
    assert common >= SHORTEST_PREFIX
    read: list[int] = []

    def counting(network: Any, ids: list[int], start: int) -> Any:
        read.append(len(ids))
        return forward(network, ids, start)

    monkeypatch.setattr(backend, "forward", counting)
    found = generator.generate(asked, Sampling(max_tokens=40))
    assert ids_of(found) == reference(talker, generator, asked, 40)
    assert read == [common, *(len(row) - common for row in rows)], "the beginning should be read once"
    read.clear()
    monkeypatch.setattr(backend, "SHORTEST_PREFIX", 10**6)
    assert ids_of(generator.generate(asked, Sampling(max_tokens=40))) == ids_of(found)
    assert read == [len(row) for row in rows]


def test_equal_prompts_share_all_but_their_last_token(talker: Path) -> None:
    generator = TransformersGenerator(str(talker))
    asked = prompts("where?", "where?", system=LONG)
    assert ids_of(generator.generate(asked, Sampling(max_tokens=8))) == reference(talker, generator, asked, 8)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(turns=st.lists(WORDS, min_size=1, max_size=4), system=st.sampled_from(["", "Answer.", LONG]), data=st.data())
def test_any_batch_in_any_order(talker: Path, turns: list[str], system: str, data: st.DataObject) -> None:
    generator = TransformersGenerator(str(talker))
    asked = prompts(*turns, system=system)
    order = data.draw(st.permutations(range(len(asked))))
    expected = reference(talker, generator, asked, 12)
    found = generator.generate([asked[place] for place in order], Sampling(max_tokens=12))
    assert ids_of(found) == [expected[place] for place in order]


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("mistral", {"sliding_window": 16}),
        ("gemma3_text", {"sliding_window": 16, "head_dim": 12, "tie_word_embeddings": False}),
        ("lfm2", {"layer_types": ["conv", "full_attention"]}),
    ],
    ids=["window", "windows and full layers", "states"],
)
def test_a_cache_that_cannot_be_stacked(tiny_model: Path, tmp_path: Path, kind: str, changes: dict[str, Any]) -> None:
    folder = save_beside(tiny_model, tmp_path / "model", kind, **changes)
    generator = TransformersGenerator(str(folder))
    asked = prompts("where?", "penguin " * 20, "ice", system=LONG)
    found = generator.generate(asked, Sampling(max_tokens=20))
    assert ids_of(found) == reference(folder, generator, asked, 20)
    assert len({one.token_ids for one in found}) > 1


def test_prompts_are_read_side_by_side_but_where_one_would_turn_the_others(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []

    def noting(work: Any, given: Sequence[Any]) -> list[Any]:
        read.append(len(given))
        return side_by_side(work, given)

    monkeypatch.setattr(backend, "side_by_side", noting)
    asked = prompts("where?", "penguin " * 20, "ice")
    TransformersGenerator(str(tiny_model)).generate(asked, Sampling(max_tokens=4))
    assert read == [3]
    rope = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}
    turning = save_beside(tiny_model, tmp_path / "dynamic", "llama", rope_parameters=rope)
    generator = TransformersGenerator(str(turning))
    found = generator.generate(asked, Sampling(max_tokens=4))
    assert read == [3], "its angles are the network's own"
    assert ids_of(found) == reference(turning, generator, asked, 4)


def test_a_window_that_matters(tiny_model: Path, tmp_path: Path) -> None:
    # Without this, the law above could hold of a generator that knows no windows.
    windowed, whole = (
        save_beside(tiny_model, tmp_path / str(window), "mistral", sliding_window=window) for window in (16, None)
    )
    asked = prompts("where?", system=LONG)
    one, other = (
        TransformersGenerator(str(place)).generate(asked, Sampling(max_tokens=20)) for place in (windowed, whole)
    )
    assert ids_of(one) != ids_of(other)


def test_why_an_answer_ended(talker: Path) -> None:
    generator = TransformersGenerator(str(talker))
    ends = set(generator._network.generation_config.eos_token_id)
    asked = prompts("where?", "penguin " * 20, "ice", "the stapler binds paper", "a\n\nb")
    reasons = set()
    for prompt, found in zip(asked, generator.generate(asked, Sampling(max_tokens=10)), strict=True):
        *before, last = found.token_ids
        assert not ends & set(before)
        assert found.finish_reason == ("stop" if last in ends else "length")
        assert found.prompt_tokens == generator.tokenizer.count_prompt(prompt)
        kept = before if last in ends else [*before, last]
        assert found.text == generator.tokenizer.decode(kept).strip()
        reasons.add(found.finish_reason)
    assert reasons == {"stop", "length"}


def test_the_tokenizers_end_token_ends_an_answer_too(tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    first = TransformersGenerator(str(folder)).generate(prompts("where?"), Sampling(max_tokens=4))[0].token_ids
    word = TransformersGenerator(str(folder)).tokenizer.tokenizer.convert_ids_to_tokens(first[1])
    data = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**data, "eos_token": word}))
    (folder / "generation_config.json").unlink()
    found = TransformersGenerator(str(folder)).generate(prompts("where?"), Sampling(max_tokens=4))[0]
    assert (found.token_ids, found.finish_reason) == (first[:2], "stop")


@pytest.mark.parametrize("system", ["", LONG], ids=["no prefix", "prefix"])
@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_logprobs_are_those_of_one_forward(talker: Path, system: str, temperature: float) -> None:
    generator = TransformersGenerator(str(talker))
    network = AutoModelForCausalLM.from_pretrained(talker, dtype=torch.float32).eval()
    asked = prompts("where?", "penguin " * 20, "ice", system=system)
    sampling = Sampling(max_tokens=12, temperature=temperature, seed=3)
    for prompt, found in zip(asked, generator.generate(asked, sampling), strict=True):
        row = generator.tokenizer.render(prompt)
        with torch.no_grad():
            scores = network(torch.tensor([[*row, *found.token_ids]])).logits[0].log_softmax(-1)
        places = range(len(row) - 1, len(row) - 1 + len(found.token_ids))
        expected = [float(scores[place, token]) for place, token in zip(places, found.token_ids, strict=True)]
        assert found.logprobs == pytest.approx(expected, abs=1e-4)


def test_sampling_follows_its_seed(tiny_model: Path) -> None:
    generator = TransformersGenerator(str(tiny_model))
    asked = prompts("where?", "ice")
    first, again, other = (
        ids_of(generator.generate(asked, Sampling(max_tokens=12, temperature=1.0, seed=seed))) for seed in (1, 1, 2)
    )
    assert first == again != other


@given(rows=st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=6), min_size=1, max_size=4))
def test_the_common_prefix_is_the_longest_that_leaves_each_row_a_token(rows: list[list[int]]) -> None:
    length = backend._common_prefix(rows)
    shared = [len({tuple(row[:n]) for row in rows}) == 1 and all(len(row) > n for row in rows) for n in range(7)]
    assert length == max(n for n, holds in enumerate(shared) if holds)
