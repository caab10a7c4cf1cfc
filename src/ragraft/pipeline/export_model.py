"""Write a run's tuned model for other programs, with a card that says what is known of it.

Knows runs and which program wants what; the writing itself is `models`', the card's text `methods.model_card`'s.
"""

from __future__ import annotations

from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragraft.methods.model_card import About, Asking, model_card
from ragraft.pipeline.runner import Session, taught
from ragraft.pipeline.table import ROWS
from ragraft.pipeline.wiring import builder
from ragraft.records import Passage
from ragraft.workspace import Checkpoint, Corpus, Folder, Lessons, Report

if TYPE_CHECKING:
    from ragraft.models.gguf_file import Kind

MODELS = ("merged", "adapter", "gguf", "ollama", "hub-folder")
TYPES = ("f16", "q8_0")
CARD = "README.md"
FORMS = {
    "merged": "This folder holds the whole model in float32; transformers opens it by itself.",
    "hub-folder": "This folder holds the whole model in its base's precision; transformers opens it by itself.",
    "adapter": "This folder holds a LoRA adapter alone; PEFT opens it over its base model.",
    "gguf": "This folder holds the model as one GGUF file, which llama.cpp opens.",
    "ollama": "This folder holds the model as a GGUF file with a Modelfile: `ollama create NAME -f Modelfile`.",
}
ROUNDED = {
    "f16": "The weights are rounded to 16 bits; the figures are of the model before that.",
    "q8_0": "The weights are rounded to 8 bits (q8_0); the figures are of the model before that.",
}
# Places on a machine, and what decides nothing of the model.
PRIVATE = ("documents", "questions", "instructions", "endpoint", "serve", "promote", "diagnose")
LICENCE = ("licence", "license")
"""Keys of a document's metadata that name one."""
LIBRARIES = {"adapter": "peft", "gguf": "gguf", "ollama": "gguf"}


def export_model(session: Session, kind: str, out: Path, weights: str) -> tuple[str, ...]:
    """Write it in this form; what is to be told of it."""
    checkpoint = Checkpoint(session.at().made["train"])
    final = str(checkpoint.final())
    notes: list[str] = []
    limits: list[str] = []
    if kind == "adapter":
        from ragraft.models.adapters import save_adapter

        notes += save_adapter(final, out)
    elif kind in ("gguf", "ollama"):
        notes += _write_gguf(session, kind, out, weights)
        limits.append(ROUNDED[weights])
    else:
        from ragraft.models.load import save_merged

        save_merged(final, out, like_base=kind == "hub-folder")
    Folder(out).write_text(CARD, model_card(_about(session, checkpoint, kind, (*limits, *notes))))
    return tuple(notes)


def _write_gguf(session: Session, kind: str, out: Path, weights: str) -> list[str]:
    from ragraft.models.gguf_file import refuse_unwritable, write_gguf
    from ragraft.models.gguf_tokenizer import shipped_template
    from ragraft.models.load import base_of, open_model
    from ragraft.models.ollama import modelfile
    from ragraft.models.sources import resolve

    final = str(Checkpoint(session.at().made["train"]).final())
    refuse_unwritable(resolve(base_of(final)[0]).path)
    network, tokenizer = open_model(final, precision="fp32", device="cpu")
    name = f"{session.run.name}-{weights}.gguf"
    form: Kind = "q8_0" if weights == "q8_0" else "f16"
    write_gguf(network, tokenizer, out / name, form, name=session.run.name)
    if kind == "ollama":
        asking = _asking(session)
        text = modelfile(
            tokenizer, name, system=asking.system, window=asking.max_tokens, answer_tokens=asking.answer_tokens
        )
        Folder(out).write_text("Modelfile", text)
    thinks = shipped_template(tokenizer) != tokenizer.tokenizer.chat_template and tokenizer.tokenizer.chat_template
    return ["its chat template is set not to think, as the model was taught"] if thinks else []


def _about(session: Session, checkpoint: Checkpoint, kind: str, notes: tuple[str, ...]) -> About:
    from ragraft.models.origins import origin_of

    made = session.at().made
    cards = checkpoint.cards()
    source = str(checkpoint.card()["base"])
    origin = origin_of(source)
    report = _report(session)
    return About(
        name=f"{session.run.name}-{'-'.join(name.partition('-')[2] for name in cards)}",
        form=FORMS[kind],
        base=origin.name,
        hub=origin.hub,
        licence=origin.licence,
        asking=_asking(session),
        report=report,
        cards=cards,
        lessons=Lessons(made["synthesize"]).counts() if "synthesize" in made else {},
        documents=_documents(session),
        document_licences=_document_licences(session),
        library=LIBRARIES.get(kind, "transformers"),
        settings=_settings(report.get("settings") or session.config.model_dump(mode="json")),
        made_with=_made_with(session, checkpoint),
        notes=tuple(f"{note[:1].upper()}{note[1:].rstrip('.')}." for note in notes),
    )


def _asking(session: Session) -> Asking:
    prompts, config = builder(session.at(), "tuned"), session.config
    shown = prompts.build("QUESTION", [Passage("p", "d", "TITLE", "TEXT")])
    return Asking(
        system=shown.messages[0].content,
        k=config.retrieve.k,
        max_tokens=prompts.max_tokens,
        answer_tokens=prompts.answer_tokens,
        abstain_above=prompts.abstain_above,
        rereads=prompts.rereads,
        copy_quotes=prompts.copy_quotes,
    )


def _report(session: Session) -> dict[str, Any]:
    """report.json, where it is of the very model that is written; else nothing."""
    folders = {name: session.run.current(ROWS[name].place) for name in ("train", "evaluate", "report")}
    made = {name: folder.manifest() if folder else None for name, folder in folders.items()}
    train, scores, report, folder = made["train"], made["evaluate"], made["report"], folders["report"]
    if train is None or scores is None or report is None or folder is None:
        return {}
    same = scores.inputs["train"] == train.fingerprint and report.inputs["evaluate"] == scores.fingerprint
    return Report(folder).data() if same else {}


def _documents(session: Session) -> dict[str, Any]:
    """How many documents and chunks there are."""
    found: dict[str, Any] = {}
    for stage, keys in (("ingest", ("documents",)), ("index", ("chunks", "tokens"))):
        folder = session.run.current(ROWS[stage].place)
        manifest = folder.manifest() if folder else None
        summary = manifest.summary if manifest else {}
        found |= {("tokens of documents" if key == "tokens" else key): summary[key] for key in keys if key in summary}
    return found


def _document_licences(session: Session) -> Counter[str | None]:
    """How many documents are under which licence, by their metadata or else by the YAML."""
    folder = taught(session).get("ingest") or session.run.current(ROWS["ingest"].place)
    found: Counter[str | None] = Counter()
    for document in Corpus(folder).documents() if folder else ():
        named = next((document.metadata[key] for key in LICENCE if document.metadata.get(key)), None)
        found[str(named).strip() if named is not None else session.config.documents_licence] += 1
    return found


def _settings(settings: dict[str, Any]) -> dict[str, Any]:
    """The config that made it, without places of this machine: of a model in a folder, the folder's name alone."""
    kept = {key: value for key, value in settings.items() if key not in PRIVATE}
    evaluate = {key: value for key, value in kept.get("evaluate", {}).items() if key != "general_text"}
    models = {key: kept[key] if ":" in kept[key] else Path(kept[key]).name for key in ("model", "embedder")}
    return {**kept, **models, "evaluate": evaluate}


def _made_with(session: Session, checkpoint: Checkpoint) -> dict[str, str]:
    card = checkpoint.card()
    found = {name: str(number) for name, number in (card.get("versions") or {}).items()} or {
        "ragraft": version("ragraft")
    }
    for stage, word in (("train", "training"), ("evaluate", "examination")):
        folder = session.run.current(ROWS[stage].place)
        manifest = folder.manifest() if folder else None
        if manifest:
            found |= {f"fingerprint of the {word}": manifest.fingerprint}
    return found
