"""Run the table: skip what is unchanged, go on with what was killed, rerun what changed and all below it."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ragraft.config import Config, load_config
from ragraft.disk import disk_faults_told
from ragraft.errors import ConfigError, WorkspaceError, or_meant
from ragraft.pipeline.backends import ConfiguredBackends
from ragraft.pipeline.checks import check_stage_inputs
from ragraft.pipeline.estimates import Foresight
from ragraft.pipeline.events import Event, Tell
from ragraft.pipeline.table import ROWS, TABLE, Stage
from ragraft.pipeline.wiring import At
from ragraft.workspace import Folder, Manifest, Run, clocked, hash_json, read_since

SYNCED = "sync"
"""In an index's history: what made this version current was `ragraft sync`."""
CONFIG = "config.json"
FACTS = "facts.json"
"""Where a stage keeps what it warns of."""
AFTERWARDS = ("report.", "promote.", "serve.", "sync.", "watch.", "refresh.")
"""Settings of what is done with finished results."""


@dataclass(frozen=True, slots=True)
class Session:
    """A config with its run and backends."""

    config: Config
    origins: dict[str, str]
    run: Run
    backends: ConfiguredBackends

    def at(self, made: dict[str, Folder] | None = None) -> At:
        """The table's view: given artifacts, or those that the run uses now."""
        if made is None:
            current = {stage.name: self.run.current(stage.place) for stage in TABLE}
            made = {name: folder for name, folder in current.items() if folder is not None}
        return At(self.config, self.backends, made, since=read_since(self.run))


def open_session(file: Path, overrides: Sequence[str] = (), run: str | None = None) -> Session:
    """Read the config and open its run."""
    config, origins = load_config(file, [*overrides, *([f"name={json.dumps(run)}"] if run else [])])
    place = Run(file.resolve().parent / "runs", config.name)
    return Session(config, origins, place, ConfiguredBackends(config, place.runs / ".answers"))


def run_table(
    session: Session, tell: Tell, *, first: str | None = None, last: str | None = None, dry: bool = False
) -> dict[str, Folder]:
    """Bring every stage up to date, down to `last`; `first` and all below it run even if unchanged.

    A stage that runs apart is brought only where it is `first` or `last`; else its results stand beside the others' as
    long as they are of these settings.
    """
    for name in (first, last):
        if name is not None and name not in ROWS:
            raise ConfigError(f"{name} is no stage{or_meant(name, ROWS)}")
    if first and last and list(ROWS).index(first) > list(ROWS).index(last):
        raise ConfigError(f"--from {first} comes after --until {last}, so that nothing would run; name them in order")
    brought = _brought(first, last)
    forced = tuple(ROWS)[tuple(ROWS).index(first) :] if first else ()
    with disk_faults_told(session.run.path), session.run.locked():
        kept = {} if first in ("ingest", "index") else taught(session)
        check_stage_inputs(session.config, session.backends, brought, fetch=not dry)
        if not dry:
            _save_config(session)
        made: dict[str, Folder] = {}
        for stage in TABLE[: list(ROWS).index(brought[-1]) + 1]:
            if stage.name in kept:
                made[stage.name] = kept[stage.name]
                newest = session.run.current(stage.place) == kept[stage.name]
                tell(Event(stage.name, "unchanged" if newest else "taught", folder=made[stage.name].path))
                continue
            if stage.name not in brought:
                made |= _beside(stage, session.at(made), session.run, tell)
                continue
            folder = bring(stage, session.at(made), session.run, tell, forced=stage.name in forced, dry=dry)
            if folder is None:  # a dry run knows no fingerprint below a stage that would run
                rest = brought[brought.index(stage.name) :]
                _tell_rest(rest, Foresight(session.at(made), session.run.runs), tell)
                break
            made[stage.name] = folder
    return made


def taught(session: Session) -> dict[str, Folder]:
    """Corpus and index that the tuned model learned from, where `ragraft sync` has put newer ones in their place.

    Facts that changed are answered from the newer index; they are no reason to tune again. Nothing where the model is
    of the current ones, or where these settings would make another index. A refreshed run keeps those that it is of.
    """
    run, index = session.run, ROWS["index"].place
    since = read_since(run)
    if since is not None:
        own = {name: run.pinned(ROWS[name].place, mark[:12]) for name, mark in since.now.items()}
        if all(one.manifest() for one in own.values()) and not made_otherwise(session, "index", own["index"]):
            return own
    stood = run.history(index)
    lessons, checkpoint = (run.current(ROWS[name].place) for name in ("synthesize", "train"))
    if not stood or lessons is None or checkpoint is None or stood[-1].note.get("by") != SYNCED:
        return {}
    manifest = lessons.manifest()
    if manifest is None or stood[-1].note.get("ingest") != hash_json(session.config.ingest.model_dump(mode="json")):
        return {}
    found = {name: run.pinned(ROWS[name].place, manifest.inputs[name][:12]) for name in ("ingest", "index")}
    if found["index"].path.name == stood[-1].version or any(one.manifest() is None for one in found.values()):
        return {}
    return {} if made_otherwise(session, "index") else found


def _brought(first: str | None, last: str | None) -> tuple[str, ...]:
    """Names of the stages to bring, in order."""
    names = [stage.name for stage in TABLE if not stage.apart or stage.name in (first, last)]
    return tuple(names[: names.index(last) + 1] if last else names)


def _beside(stage: Stage, at: At, run: Run, tell: Tell) -> dict[str, Folder]:
    """What a stage that is not asked for once made, where it is still true of this run."""
    folder = run.current(stage.place)
    if folder is None or any(name not in at.made for name in stage.needs):
        return {}
    true = _fingerprint(stage, at, _inputs(stage, at)) == fingerprint_of(folder)
    tell(Event(stage.name, "unchanged" if true else "outdated", folder=folder.path))
    return {stage.name: folder} if true else {}


def _inputs(stage: Stage, at: At) -> dict[str, str]:
    names = [*stage.needs, *(name for name in stage.also if name in at.made)]
    return {name: fingerprint_of(at.made[name]) for name in names}


def bring(
    stage: Stage, at: At, run: Run, tell: Tell, *, forced: bool = False, dry: bool = False, current: bool = True
) -> Folder | None:
    """The stage's finished folder: as it is, taken from elsewhere, or made now; None where a dry run would make it.

    Without `current` it waits for `Run.switch`.
    """
    inputs = _inputs(stage, at)
    fingerprint = _fingerprint(stage, at, inputs)
    if not forced:
        used = run.current(stage.place)
        if used and fingerprint_of(used) == fingerprint:
            tell(Event(stage.name, "unchanged", folder=used.path))
            return used
        place = stage.place
        taken = run.find(place, fingerprint) if dry else run.take(place, fingerprint, current=current)
        if taken:
            tell(Event(stage.name, "to take" if dry else "taken", source=taken[1], folder=taken[0].path))
            return taken[0]
    if dry:
        return None
    planned = _Planned(fingerprint, inputs, current)
    return _make(stage, replace(at, forced=forced, tell=tell), run, tell, planned=planned)


@dataclass(frozen=True, slots=True)
class _Planned:
    """What is known of a result before it is made."""

    fingerprint: str
    inputs: dict[str, str]
    current: bool
    """Whether it is used at once."""


def _make(stage: Stage, at: At, run: Run, tell: Tell, *, planned: _Planned) -> Folder:
    foresight = Foresight(at, run.runs)
    # What takes over most of an earlier index tells nothing of a whole one's pace, nor the other way round.
    plan = None if at.before else foresight.plan(stage.name)
    folder, resumed = run.begin(stage.place, planned.fingerprint)
    expected = str(plan.expected) if plan else ""
    tell(Event(stage.name, "resumed" if resumed else "begun", folder=folder.path, expected=expected))
    with clocked(folder) as clock:
        stage.run(at, folder)
    seconds = round(clock.seconds(), 2)
    summary = folder.read_json("summary.json")
    manifest = Manifest(
        stage=stage.name,
        version=stage.version,
        fingerprint=planned.fingerprint,
        inputs=planned.inputs,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=seconds,
        software={"ragraft": version("ragraft"), "python": platform.python_version()},
        summary=summary,
        estimate=plan.record(foresight.workload.asked if stage.name == "evaluate" else "") if plan else None,
    )
    run.finish(stage.place, folder, manifest, current=planned.current)
    if plan and not resumed:
        foresight.learn(plan, folder, seconds)
    notes = tuple(folder.read_json(FACTS)["warnings"]) if folder.has(FACTS) else ()
    tell(Event(stage.name, "done", seconds, summary=summary, folder=folder.path, expected=expected, notes=notes))
    return folder


def _tell_rest(stages: Sequence[str], foresight: Foresight, tell: Tell) -> None:
    """All of these would run; what is not made yet is expected from the user's own files."""
    for name in stages:
        plan = foresight.plan(name)
        tell(Event(name, "to run", expected=str(plan.expected) if plan else ""))


def _fingerprint(stage: Stage, at: At, inputs: dict[str, str]) -> str:
    settings = stage.settings(at.config)
    parts = settings if isinstance(settings, list) else [settings]
    return hash_json(
        {
            "stage": stage.name,
            "version": stage.version,
            "settings": [p.model_dump(mode="json") if hasattr(p, "model_dump") else p for p in parts],
            "identity": stage.identity(at),
            "inputs": inputs,
        }
    )


def fingerprint_of(folder: Folder) -> str:
    """The fingerprint of finished results."""
    manifest = folder.manifest()
    if manifest is None:
        raise WorkspaceError(f"{folder.path} lost its manifest while in use; run again")
    return manifest.fingerprint


def _save_config(session: Session) -> None:
    Folder(session.run.path).write_json(CONFIG, session.config.model_dump(mode="json"))


def changed_keys(session: Session) -> list[str]:
    """What differs from the config that the run was last made with, as `key: old → new`."""
    saved = Folder(session.run.path)
    if not saved.has(CONFIG):
        return []
    try:
        before = flat_settings(saved.read_json(CONFIG))
    except WorkspaceError:
        return [f"not known: {saved.file(CONFIG)} is damaged"]
    now = flat_settings(session.config.model_dump(mode="json"))
    keys = dict.fromkeys((*now, *before))
    return [f"{key}: {before.get(key)} → {now.get(key)}" for key in keys if before.get(key) != now.get(key)]


def changes_told(session: Session) -> str:
    """The changed keys in brackets, as a sentence goes on after `other settings`; empty where there are none.

    Without those that decide no result.
    """
    changed = [one for one in changed_keys(session) if not one.startswith(AFTERWARDS)]
    return f" ({'; '.join(changed)})" if changed else ""


def made_otherwise(session: Session, name: str, folder: Folder | None = None) -> bool:
    """Whether a finished stage, or this version of it, was made under other settings or models than hold now."""
    stage = ROWS[name]
    folder = folder or session.run.current(stage.place)
    manifest = folder.manifest() if folder else None
    return manifest is not None and manifest.fingerprint != _fingerprint(stage, session.at(), manifest.inputs)


def flat_settings(data: Any, prefix: str = "") -> dict[str, Any]:
    """Nested settings as `section.key`: value."""
    if not isinstance(data, dict):
        return {prefix: data}
    flat: dict[str, Any] = {}
    for name, inner in data.items():
        flat |= flat_settings(inner, f"{prefix}.{name}".strip("."))
    return flat
