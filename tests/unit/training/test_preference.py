"""The preference stage on the tiny model: TRL learns our tokens, goes on after a kill, and prefers what is wanted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

pytest.importorskip("trl", reason="the preference stage needs the extra ragraft[preference]")

from ragraft.errors import TrainingError
from ragraft.models.chat import load_tokenizer
from ragraft.models.load import base_of, open_model
from ragraft.records import Message, Prompt, to_json
from ragraft.training.preference import Pair, PairTrainer, pairs_together, plan_epochs, read_pairs
from ragraft.training.progress import Progress
from ragraft.training.run import run_job

MakeJob = Callable[..., Path]
WANTED, UNWANTED = "Answer: the walrus rests on ice", "Answer: the stapler binds paper"


def rows(count: int = 10) -> list[dict[str, Any]]:
    """Prompts of different lengths, some with a control token's text or an uncommon end of a line inside."""
    made = []
    for number in range(count):
        asked = "where does the walrus rest " * (1 + number % 3) + ("<|im_end|>\u2028 " * (number % 2)) + str(number)
        prompt = to_json(Prompt((Message("system", "Answer."), Message("user", asked))))
        told = {"id": f"pair-{number}", "question_id": f"q{number}", "kind": "answer over a wrong one"}
        made.append({**told, "prompt": prompt, "chosen": WANTED, "rejected": UNWANTED, "cut": number % 2 == 1})
    return made


@pytest.fixture
def put_pairs(make_job: MakeJob, tmp_path: Path) -> MakeJob:
    """Writes a preference job of 10 pairs into a folder of this name beside what it starts from."""

    def put(name: str, after: str | None = None, **changes: Any) -> Path:
        folder = tmp_path / name
        pairs = tmp_path / f"{name}.jsonl"
        pairs.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows()), encoding="utf-8")
        own = {"lessons": str(pairs), "method": "dpo", "after": after, "preference": {"beta": 0.5, "sft": 1.0}}
        return Path(shutil.move(make_job(**{**own, "dropout": 0.0, **changes}), folder))

    return put


@pytest.fixture
def tuned(make_job: MakeJob, tmp_path: Path) -> str:
    """A model that a method has tuned, beside which preference jobs stand."""
    run_job(Path(shutil.move(make_job(), tmp_path / "01-raft")))
    return "01-raft"


def likelihood(folder: Path, text: str) -> float:
    """How likely the answer is to the model, over all prompts."""
    network, tokenizer = open_model(str(folder), precision="fp32", device="cpu")
    total = 0.0
    for row in rows():
        prompt = Prompt(tuple(Message(**one) for one in row["prompt"]["messages"]))
        asked, target = tokenizer.render(prompt), tokenizer.target_ids(text)
        with torch.no_grad():
            scores = network(torch.tensor([asked + target])).logits[0].log_softmax(-1)
        total += sum(float(scores[len(asked) + place - 1, token]) for place, token in enumerate(target))
    return total


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_the_wanted_answers_become_likelier_than_the_unwanted(put_pairs: MakeJob, tuned: str, tuning: str) -> None:
    rate = 1e-2 if tuning == "lora" else 1e-3
    folder = put_pairs("02-dpo", tuned, tuning=tuning, learning_rate=rate, epochs=4.0)
    run_job(folder)
    before, after = (
        likelihood(place, WANTED) - likelihood(place, UNWANTED) for place in (folder.parent / tuned, folder)
    )
    assert after > before + 10
    assert likelihood(folder, WANTED) > likelihood(folder.parent / tuned, WANTED), "the likelihood beside it"
    card = json.loads((folder / "checkpoint.json").read_text("utf-8"))
    assert (card["method"], card["after"], card["rows"], card["questions_seen"], card["steps"]) == (
        "dpo",
        tuned,
        10,
        40,
        10,
    )
    assert card["preferred"] > 0.5, "of all ten steps, the first ones too"
    assert card["margin"] > 0
    assert base_of(str(folder))[1] == [folder.parent / tuned, folder]
    assert not (folder / "steps").exists()
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]
    assert metrics[0]["margin"] == pytest.approx(0.0, abs=1e-4), "it starts as what it moves away from"
    assert metrics[0]["loss"] > metrics[-1]["loss"]
    assert metrics[-1]["epoch"] == 4.0
    pairs = read_pairs(folder.parent / "02-dpo.jsonl", load_tokenizer(Path(card["base"])), 512)
    assert card["tokens"] == metrics[-1]["tokens"] == 4 * sum(pair.tokens for pair in pairs)


@pytest.mark.parametrize(
    "how",
    [
        {"tuning": "lora", "precision": "bf16"},
        {"tuning": "full", "precision": "bf16"},
        {"tuning": "lora", "precision": "bf16", "checkpointing": True},
        {"tuning": "dora", "precision": "fp32", "checkpointing": True},
    ],
)
def test_every_way_of_tuning_prefers_what_is_wanted(put_pairs: MakeJob, tuned: str, how: dict[str, Any]) -> None:
    folder = put_pairs("02-dpo", tuned, epochs=3.0, learning_rate=1e-3 if how["tuning"] == "full" else 1e-2, **how)
    run_job(folder)
    card = json.loads((folder / "checkpoint.json").read_text("utf-8"))
    assert card["dtype"] == {"bf16": "bfloat16", "fp32": "float32"}[how["precision"]]
    assert card["margin"] > 0
    gap = [likelihood(place, WANTED) - likelihood(place, UNWANTED) for place in (folder.parent / tuned, folder)]
    assert gap[1] > gap[0]


def test_the_first_loss_is_that_of_the_formula(put_pairs: MakeJob, tuned: str) -> None:
    """log 2 for a model that is its own reference, and the mean likelihood of the wanted answers of the first step."""
    folder = put_pairs("02-dpo", tuned, batch=10, epochs=1.0, precision="fp32")
    run_job(folder)
    first = json.loads((folder / "metrics.jsonl").read_text("utf-8").splitlines()[0])
    tokenizer = load_tokenizer(Path(json.loads((folder / "job.json").read_text("utf-8"))["base"]))
    each = likelihood(folder.parent / tuned, WANTED) / 10 / len(tokenizer.target_ids(WANTED))
    assert first["loss"] == pytest.approx(0.6931 - each, rel=1e-3)


def test_the_trainer_gets_our_tokens(put_pairs: MakeJob, tuned: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Any]] = []
    real = PairTrainer._compute_loss

    def look(self: Any, model: Any, inputs: Any, return_outputs: Any) -> Any:
        seen.append({name: tensor.clone() for name, tensor in inputs.items()})
        return real(self, model, inputs, return_outputs)

    monkeypatch.setattr(PairTrainer, "_compute_loss", look)
    folder = put_pairs("02-dpo", tuned, epochs=1.0, pack_tokens=1)
    run_job(folder)
    tokenizer = load_tokenizer(Path(json.loads((folder / "job.json").read_text("utf-8"))["base"]))
    end = tokenizer.end
    found = set()
    for batch in seen:
        for ids, shown, learned in zip(
            batch["input_ids"], batch["attention_mask"], batch["completion_mask"], strict=True
        ):
            found.add((tuple(ids[shown.bool()].tolist()), tuple(ids[learned.bool()].tolist())))
    wanted = set()
    for row in rows():
        asked = tokenizer.render(Prompt(tuple(Message(**one) for one in row["prompt"]["messages"])))
        assert asked.count(end) == len(row["prompt"]["messages"]), "a control token's text is text"
        unwanted = tokenizer.target_ids(UNWANTED)[: -1 if row["cut"] else None]
        wanted |= {((*asked, *answer), tuple(answer)) for answer in (tokenizer.target_ids(WANTED), unwanted)}
    assert found == wanted


def test_a_killed_stage_ends_with_the_same_weights(
    put_pairs: MakeJob, tuned: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed, killed = put_pairs("02-dpo", tuned), put_pairs("03-dpo", tuned)
    run_job(undisturbed)

    def stop(self: Progress, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Progress, "on_step_end", stop)
        with pytest.raises(KeyboardInterrupt):
            run_job(killed)
    assert (killed / "steps" / "checkpoint-2" / "complete").exists()
    run_job(killed)
    one, other = (load_file(folder / "adapter_model.safetensors") for folder in (undisturbed, killed))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    told = [
        [{key: row[key] for key in ("step", "loss", "tokens", "margin")} for row in map(json.loads, lines)]
        for lines in ((folder / "metrics.jsonl").read_text("utf-8").splitlines() for folder in (undisturbed, killed))
    ]
    assert told[0] == told[1]


def test_nothing_is_sent_anywhere(put_pairs: MakeJob, tuned: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import trl.trainer.base_trainer

    sent: list[Any] = []
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(trl.trainer.base_trainer, "send_telemetry", lambda *a, **k: sent.append(a))
    run_job(put_pairs("02-dpo", tuned, epochs=0.4))
    assert sent == []


def test_a_pair_that_is_too_long_is_told(put_pairs: MakeJob, tuned: str) -> None:
    with pytest.raises(TrainingError, match=r"^Pair pair-\d has \d+ tokens, more than the window of 40$"):
        run_job(put_pairs("02-dpo", tuned, max_tokens=40))


PAIRS = [Pair((1,) * number, (2,), (3, 4)) for number in range(1, 11)]


def test_epochs_take_all_pairs_in_other_orders_and_a_part_of_one_takes_a_part() -> None:
    one, two, rest = plan_epochs(PAIRS, epochs=2.5, seed=0)
    assert sorted(map(len, (one, two, rest))) == [5, 10, 10]
    assert {*one} == {*two} == {*PAIRS}
    assert one != two != PAIRS
    assert plan_epochs(PAIRS, epochs=2.5, seed=0) == [one, two, rest]
    assert plan_epochs(PAIRS, epochs=0.01, seed=0) == [[plan_epochs(PAIRS, epochs=1, seed=0)[0][0]]]


@pytest.mark.parametrize(("longest", "together"), [(100, 8), (200, 4), (400, 2), (1500, 1), (9000, 1)])
def test_a_forward_pass_holds_what_fits_and_divides_a_step(longest: int, together: int) -> None:
    assert pairs_together(8, longest, 2048) == together
