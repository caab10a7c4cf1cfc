from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ragraft.backends.embedders.hashing import HashingEmbedder
from ragraft.backends.rerankers.overlap import OverlapReranker
from ragraft.backends.stores.memory import MemoryStore
from ragraft.errors import BackendError, SourceError
from ragraft.pipeline import backends as module
from ragraft.pipeline import open_session
from ragraft.pipeline.backends import ConfiguredBackends, load, names
from ragraft.records import Claim, Completion, Message, Passage, Prompt, Sampling

if TYPE_CHECKING:
    from tests.conftest import Site
    from tests.unit.conftest import Fakes

MakeSite = Callable[..., "Site"]


def configured(site: Site, *overrides: str) -> ConfiguredBackends:
    return open_session(site.file, overrides).backends


@pytest.mark.parametrize(
    ("port", "name", "sentence"),
    [
        ("stores", "lanse", "No backend lanse in ragraft.stores; did you mean lance?"),
        ("stores", "zzz", "No backend zzz in ragraft.stores; known: lance, memory"),
        ("nonsense", "zzz", "No backend zzz in ragraft.nonsense; known: none"),
    ],
)
def test_an_unknown_backend_is_one_sentence(port: str, name: str, sentence: str) -> None:
    with pytest.raises(BackendError) as caught:
        load(port, name)
    assert str(caught.value) == sentence


def test_a_backend_whose_library_is_missing_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("tantivy", "a_library_that_nobody_has.store:Store", "ragraft.stores")
    monkeypatch.setattr(module, "entry_points", lambda **wanted: [point])
    with pytest.raises(BackendError) as caught:
        load("stores", "tantivy")
    wanted = "tantivy needs a_library_that_nobody_has: install it, or name another of ragraft.stores"
    assert str(caught.value) == wanted


def test_each_kind_of_file_has_one_reader(make_site: MakeSite) -> None:
    claimed = Counter(suffix for name in names("readers") for suffix in load("readers", name)().suffixes)
    assert set(claimed.values()) == {1}
    assert {".md", ".txt", ".html", ".pdf", ".docx", ".jsonl"} <= set(claimed)
    found = configured(make_site())
    for suffix in claimed:
        reader = found.reader(Path(f"file{suffix.upper()}"))
        assert reader is not None
        assert suffix in reader.suffixes
    assert found.reader(Path("file.exe")) is None
    assert found.reader(Path("README")) is None


def test_named_backends_are_built_once(make_site: MakeSite) -> None:
    found = configured(make_site(retrieve={"reranker": "overlap"}))
    assert isinstance(found.embedder, HashingEmbedder)
    assert isinstance(found.store, MemoryStore)
    assert isinstance(found.reranker, OverlapReranker)
    assert type(found.trainer).__name__ == "TransformersTrainer"
    assert type(found.launcher).__name__ == "HereLauncher"
    for name in ("embedder", "store", "reranker", "trainer", "launcher", "tokenizer"):
        assert getattr(found, name) is getattr(found, name)


@pytest.mark.parametrize(
    ("override", "use"),
    [
        ("index.store=pickle", lambda found: found.store),
        ("retrieve.reranker=best", lambda found: found.reranker),
        ("evaluate.grader=best", lambda found: found.grader),
        ("train.trainer=best", lambda found: found.trainer),
        ("train.launcher=moon", lambda found: found.launcher),
        ("evaluate.generator=oracle", lambda found: found.generator(found.model_facts()["source"])),
    ],
)
def test_a_wrong_name_speaks_when_it_is_used(
    make_site: MakeSite, override: str, use: Callable[[ConfiguredBackends], Any]
) -> None:
    found = configured(make_site(), override)
    with pytest.raises(BackendError, match=rf"^No backend {override.split('=')[1]} in ragraft\.\w+; "):
        use(found)


def test_a_reranker_may_name_its_model(make_site: MakeSite, tiny_cross_encoder: Path) -> None:
    found = configured(make_site(), f"retrieve.reranker=cross-encoder@{tiny_cross_encoder}")
    passages = [Passage("a", "a", "ice", "the walrus rests"), Passage("b", "b", "ink", "stapler binds paper")]
    assert found.reranker is not None
    assert sorted(passage.id for passage in found.reranker.rerank("walrus", passages)) == ["a", "b"]
    assert configured(make_site("none")).reranker is None


def test_a_grader_is_made_of_what_its_source_names(
    make_site: MakeSite, save_cross_encoder: Callable[[int], Path]
) -> None:
    assert configured(make_site()).grader is None
    assert configured(make_site("none")).grader_identity() is None
    model = save_cross_encoder(2)
    found = configured(make_site("entailment"), f"evaluate.grader=entailment@{model}")
    assert found.grader is not None
    assert found.grader.judge([Claim("the walrus rests", ("ice",))])[0].supported is not None
    assert (found.grader_identity() or "").startswith("entailment path ")
    site = make_site("judge", endpoint={"url": "http://judge.test/v1"})
    judge = configured(site, "evaluate.grader=judge@openai:small")
    assert type(judge.grader).__name__ == "JudgeGrader"
    assert judge.grader_identity() == "judge openai:small at http://judge.test/v1 {}"
    with pytest.raises(BackendError, match=r"^evaluate.grader: judge cannot be made so; write judge@SOURCE, with a"):
        _ = configured(site, "evaluate.grader=judge").grader


def test_an_embedder_may_be_a_model(make_site: MakeSite, tiny_embedder: Path) -> None:
    site = make_site()
    found = configured(site, f"embedder={tiny_embedder}")
    assert found.embedder.embed(["the walrus"]).shape == (1, 16)
    assert configured(site).embedder_identity() == "hashing"
    assert found.embedder_identity() != "hashing"
    with pytest.raises(SourceError, match=r"^embedder: No model at nowhere"):
        configured(site, "embedder=nowhere").embedder_identity()


def test_facts_of_model_and_machine(make_site: MakeSite, tiny_llama: Path) -> None:
    found = configured(make_site())
    facts = found.model_facts()
    assert (facts["source"], facts["window"]) == (str(tiny_llama.resolve()), 4096)
    assert set(found.machine_facts()) == {"device", "threads"}
    prompt = Prompt((Message("system", "Answer."), Message("user", "Who keeps the lamp?")))
    assert found.tokenizer.count_prompt(prompt) > found.tokenizer.count("Answer.") > 0


def test_a_scorer_is_asked_for_by_ability(make_site: MakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    found = configured(make_site())
    (row,) = found.scorer(found.model_facts()["source"]).score([None], ["the lamp of the lamp"])
    assert row.values[2] > row.values[0]
    monkeypatch.setattr(module, "load", lambda port, name: object)
    with pytest.raises(BackendError, match=r"^evaluate\.generator: echo cannot score texts, "):
        found.scorer(found.model_facts()["source"])


def test_generators_of_other_names_share_no_answers(
    make_site: MakeSite, fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site()
    real = module.load
    monkeypatch.setattr(module, "load", lambda port, name: real(port, "echo" if name == "parrot" else name))
    prompt = Prompt((Message("user", "Question: who?"),))
    for _ in range(2):
        for name in ("echo", "parrot"):
            found = configured(site, f"evaluate.generator={name}")
            found.generator(found.model_facts()["source"]).generate([prompt], Sampling())
    assert len(fakes.asked) == len(site.answers()) == 2


def test_a_model_of_the_endpoint_is_asked_there_and_its_answers_kept(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site()
    made: list[tuple[Any, ...]] = []

    class Far:
        def __init__(self, *given: Any) -> None:
            made.append(given)

        def generate(self, prompts: Any, sampling: Sampling) -> list[Completion]:
            return [Completion("there", (0,), prompt_tokens=1) for _ in prompts]

    monkeypatch.setattr(module, "load", lambda port, name: Far if (port, name) == ("generators", "openai") else None)
    asked = [Prompt((Message("user", text),)) for text in ("one?", "two?")]
    for body in ('{"top_p": 1}', '{"top_p": 1}', "{}"):
        found = configured(site, "endpoint.url=http://here.test/v1", f"endpoint.body={body}")
        assert [one.text for one in found.writer("openai:big").generate(asked, Sampling())] == ["there", "there"]
        assert found.meter.answered == 0, "the meter tells of this machine"
    assert made == [("big", "http://here.test/v1", {"top_p": 1})] * 2 + [("big", "http://here.test/v1", {})]
    assert len(site.answers()) == 4, "one file an answer; another body asks anew"


def test_no_endpoint_is_asked_unless_the_yaml_names_one(make_site: MakeSite) -> None:
    with pytest.raises(BackendError, match=r"^openai:big needs endpoint.url in the YAML"):
        configured(make_site()).writer("openai:big")
