"""Write a run's lessons as other trainers read them. Knows runs; the forms are `methods.peer_files`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from ragraft.config import StepConfig
from ragraft.errors import WorkspaceError
from ragraft.methods import peer_files
from ragraft.methods.peer_files import Learning, Pair
from ragraft.pipeline.runner import Session
from ragraft.records import Lesson, to_json
from ragraft.workspace import Folder, LessonSet

if TYPE_CHECKING:
    from ragraft.models.chat import ChatTokenizer

FILES = ("lessons.jsonl", "validation.jsonl")
MIXED = (
    "hybrid's mix in every step: ragraft's train.batch counts the lessons with documents, and the other parts are "
    "dealt over those steps by learned tokens; here all rows count alike and fall as they are shuffled"
)
ONCE = "documents that lessons share are read anew for each of them, and an epoch takes all copies of a question"


def export_lessons(session: Session, steps: Mapping[str, LessonSet], kind: str, target: Path) -> tuple[str, ...]:
    """Write them in this form, a folder a method where there are several; what the form could not carry."""
    _refuse_other_methods(session, steps)
    notes: list[str] = []
    chain = session.config.train.chain().values()
    for (name, lessons), settings in zip(steps.items(), chain, strict=True):
        out = Folder(target / name if len(steps) > 1 else target)
        found = WRITERS[kind](session, lessons, settings, out)
        notes += [f"{name}: {note}" if len(steps) > 1 else note for note in found]
    if len(steps) > 1:
        notes.append("each method begins from what the one before made: merge it, and name it as the next one's model")
    return tuple(notes)


def _refuse_other_methods(session: Session, steps: Mapping[str, LessonSet]) -> None:
    made, named = ([name.partition("-")[2] for name in steps], list(session.config.train.method))
    if made != named:
        raise WorkspaceError(
            f"The lessons in {session.run.path} are of {', '.join(made)}, and train.method is {', '.join(named)}. "
            "Run: ragraft synthesize, or take the change back"
        )


def _chat(session: Session, lessons: LessonSet, settings: StepConfig, out: Folder) -> list[str]:
    texts = 0
    for file, rows in _read(lessons):
        asking = [lesson for lesson in rows if lesson.prompt.messages]
        texts += len(rows) - len(asking)
        out.write_jsonl(file, map(peer_files.chat_row, asking))
        if len(asking) < len(rows):
            out.write_jsonl(f"texts-{file}", ({"text": one.target} for one in rows if not one.prompt.messages))
    aside = [f"{texts} plain texts have no turns and stand in texts-*.jsonl"] if texts else []
    return [f"not carried: settings; {ONCE}", *_mixed(lessons), *aside]


def _prompt_completion(session: Session, lessons: LessonSet, settings: StepConfig, out: Folder) -> list[str]:
    tokenizer = _tokenizer(session)
    begins = tokenizer.added_text
    for file, rows in _read(lessons):
        pairs = (_pair(lesson, tokenizer) for lesson in rows)
        # TRL has the tokenizer add what opens a text; with a template that writes it too there would be two.
        out.write_jsonl(
            file, (peer_files.pair_row(Pair(one.prompt.removeprefix(begins), one.completion)) for one in pairs)
        )
    return [
        f"not carried: settings; {ONCE}",
        *_mixed(lessons),
        *_inexact(lessons, tokenizer, "TRL", together=True),
        *_ended(lessons, "TRL"),
    ]


def _axolotl(session: Session, lessons: LessonSet, settings: StepConfig, out: Folder) -> list[str]:
    tokenizer = _tokenizer(session)
    for file, rows in _read(lessons):
        out.write_jsonl(file, (peer_files.segment_row(_pair(lesson, tokenizer)) for lesson in rows))
    config = peer_files.axolotl_config(_learning(session, lessons, settings), validates=bool(lessons.validation()))
    _write_yaml(out, "axolotl.yaml", config, "axolotl train axolotl.yaml")
    return [f"not carried: {ONCE}", *_mixed(lessons), *_inexact(lessons, tokenizer, "Axolotl")]


def _llamafactory(session: Session, lessons: LessonSet, settings: StepConfig, out: Folder) -> list[str]:
    tokenizer = _tokenizer(session)
    for file, rows in _read(lessons):
        out.write_jsonl(file, (peer_files.pair_row(_pair(lesson, tokenizer)) for lesson in rows))
    validates = bool(lessons.validation())
    names = {Path(file).stem: file for file in FILES[: 1 + validates]}
    out.write_json("dataset_info.json", peer_files.dataset_info(names))
    config = peer_files.llamafactory_config(_learning(session, lessons, settings), validates=validates)
    _write_yaml(out, "llamafactory.yaml", config, "llamafactory-cli train llamafactory.yaml")
    return [f"not carried: {ONCE}", *_mixed(lessons), *_inexact(lessons, tokenizer, "LLaMA-Factory")]


WRITERS: Mapping[str, Callable[[Session, LessonSet, StepConfig, Folder], list[str]]] = {
    "chat": _chat,
    "prompt-completion": _prompt_completion,
    "axolotl": _axolotl,
    "llama-factory": _llamafactory,
}


def _read(lessons: LessonSet) -> list[tuple[str, list[Lesson]]]:
    """Each file with its lessons, the validation's where there are any."""
    read = zip(FILES, (lessons.train(), lessons.validation()), strict=True)
    return [(file, rows) for file, rows in read if rows]


def _tokenizer(session: Session) -> ChatTokenizer:
    from ragraft.models.chat import load_tokenizer

    return load_tokenizer(Path(session.backends.model_facts()["path"]))


def _pair(lesson: Lesson, tokenizer: ChatTokenizer) -> Pair:
    if lesson.prompt.messages:
        return Pair(tokenizer.prompt_text(lesson.prompt), lesson.target + tokenizer.end_text)
    return Pair(tokenizer.opening_text, lesson.target)


def _inexact(lessons: LessonSet, tokenizer: ChatTokenizer, peer: str, *, together: bool = False) -> list[str]:
    """How many lessons the peer would read as other tokens than ragraft, `together` or prompt and answer apart."""
    from ragraft.training.trees import render_lesson

    def differs(lesson: Lesson) -> bool:
        data: dict[str, Any] = to_json(lesson)
        pair = _pair(lesson, tokenizer)
        parts = (pair.prompt + pair.completion,) if together else (pair.prompt, pair.completion)
        read = [token for part in parts for token in tokenizer.plain_ids(part)]
        return read != list(render_lesson(data, tokenizer)[0])

    count = sum(map(differs, lessons.train()))
    why = "a control token's text in them, or a token that reaches over the answer's beginning"
    return [f"{peer} reads {count} lessons as other tokens than ragraft ({why})"] if count else []


def _mixed(lessons: LessonSet) -> list[str]:
    return [f"not carried: {MIXED}"] if any(lesson.part for lesson in lessons.train()) else []


def _ended(lessons: LessonSet, peer: str) -> list[str]:
    texts = sum(not lesson.prompt.messages for lesson in lessons.train())
    return [f"{peer} adds an end token to {texts} plain texts that have none"] if texts else []


def _learning(session: Session, lessons: LessonSet, settings: StepConfig) -> Learning:
    from ragraft.stages.train import settled

    facts, method = session.backends.model_facts(), lessons.path.name.partition("-")[2]
    found = settled(settings, method, facts["parameters"])
    copies = len({lesson.copy for lesson in lessons.train()})
    return Learning(
        base=str(facts["path"]),
        tuning=found["tuning"],
        rank=settings.rank,
        alpha=found["alpha"],
        dropout=settings.dropout,
        learning_rate=found["learning_rate"],
        epochs=settings.epochs / copies,
        batch=settings.batch,
        warmup=settings.warmup,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        checkpointing=settings.checkpointing,
        max_tokens=min(session.config.prompt.max_tokens, facts["window"]),
        seed=settings.seed,
        bf16=settings.precision != "fp32",
    )


def _write_yaml(out: Folder, name: str, config: Mapping[str, Any], command: str) -> None:
    text = yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True)
    out.write_text(name, f"# In this folder: {command}\n{text}")
