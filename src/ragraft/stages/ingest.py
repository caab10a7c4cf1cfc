"""Read the user's documents, reject what can't be used, drop what others hold. Writes Corpus.

Knows folders and ids; knows no file format.
"""

from __future__ import annotations

import dataclasses
import hashlib
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from ragraft.config import IngestConfig
from ragraft.errors import InputError
from ragraft.methods.duplicates import Duplicate, Fingerprint, find_duplicates, fingerprint
from ragraft.methods.exam_facts import count, some
from ragraft.ports import Backends, Reader
from ragraft.records import Document, Rejected, to_json
from ragraft.workspace import Corpus, Folder, hash_file

READ = ".read.jsonl"
"""All readable documents, until it is known which ones others hold."""
SHOWN = 3
"""Reasons that an error message names; all of them lie in rejected.jsonl."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file to read, and its name relative to the configured folder."""

    path: Path
    name: str


@dataclass(slots=True)
class Intake:
    """What reading has met so far."""

    files: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    unknown: list[Rejected] = field(default_factory=list)
    """Files that no reader knows: reported, but no failures."""
    origins: dict[str, str] = field(default_factory=dict)
    """Document id → the file that it came from, in the order read."""
    fingerprints: list[Fingerprint] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    """Documents with pages of which no text could be taken."""


def ingest(*, documents: Sequence[Path], settings: IngestConfig, backends: Backends, out: Folder) -> Corpus:
    """Read `documents` (files and folders) into documents.jsonl; the rest lies, with reasons, in rejected.jsonl.

    A file's id is its path relative to the configured folder, with slashes; a row's id is its own. Hidden files and
    folders are passed over. Raises InputError for a missing path, for no document at all, and when more than
    `settings.max_rejected` of the files and rows can't be used.
    """
    _refuse_own_results(documents, out)
    sources = list(_sources(documents))
    intake = Intake()
    out.write_jsonl(READ, _read(sources, backends, intake))
    out.write_jsonl("rejected.jsonl", map(to_json, intake.rejected + intake.unknown))
    _refuse_bad_intake(intake, settings.max_rejected, out.file("rejected.jsonl"))
    ids = list(intake.origins)
    pairs = find_duplicates(intake.fingerprints, near=settings.near_duplicate, contained=settings.contained)
    same = {ids[pair.document]: ids[pair.kept] for pair in pairs} if settings.drop_duplicates else {}
    out.write_jsonl("duplicates.jsonl", (_pair_row(pair, ids) for pair in pairs))
    out.write_json("same.json", same)
    kept = out.write_jsonl("documents.jsonl", (row for row in out.read_jsonl(READ) if row["id"] not in same))
    out.file(READ).unlink()
    out.write_json("facts.json", {"warnings": _warnings(intake)})
    out.write_json("summary.json", _summary(intake, pairs, kept, len(same)))
    return Corpus(out)


def fingerprint_documents(documents: Sequence[Path]) -> str:
    """A digest of the names and contents of all files that `ingest` would meet.

    Raises InputError for a missing path or when there is no file at all.
    """
    digest = hashlib.blake2b(digest_size=16)
    for source in _sources(documents):
        try:
            content = hash_file(source.path)
        except OSError:
            # Reading it will tell why; until then it counts as a file without content.
            content = ""
        digest.update(f"{source.name}\0{content}\0".encode())
    return digest.hexdigest()


def _sources(documents: Sequence[Path]) -> Iterator[Source]:
    """Files in the order of the config, within a folder by name; a file reached twice counts once."""
    seen: set[Path] = set()
    for place in documents:
        if not place.exists():
            raise InputError(f"No documents at {place}; correct documents: in the YAML")
        folder = place if place.is_dir() else place.parent
        for path in _files(place) if place.is_dir() else [place]:
            if path.resolve() not in seen:
                seen.add(path.resolve())
                name = path.relative_to(folder).as_posix()
                # A name that is no Unicode could not be written into any row.
                yield Source(path, name.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
    if not seen:
        raise InputError(f"No file in {', '.join(map(str, documents))}; put documents there or correct documents:")


def _files(folder: Path) -> list[Path]:
    """All files below, through links too; hidden ones are passed over."""
    found: list[Path] = []
    visited: set[Path] = set()
    waiting = [folder]
    while waiting:
        inner = waiting.pop()
        if inner.resolve() in visited:  # a link back up
            continue
        visited.add(inner.resolve())
        try:
            entries = sorted(inner.iterdir())
        except OSError as error:
            raise InputError(f"Cannot open the folder {inner}: {error.strerror}; allow it or move it away") from None
        for path in entries:
            if path.name.startswith("."):
                continue
            if path.is_dir():
                waiting.append(path)
            elif path.is_file() or path.is_symlink():  # a broken link is a file that can't be opened
                found.append(path)
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def _refuse_own_results(documents: Sequence[Path], out: Folder) -> None:
    for place in documents:
        if place.resolve() in out.path.resolve().parents:
            raise InputError(f"{place} also holds ragraft's results; name a folder below it in documents:")


def _read(sources: Sequence[Source], backends: Backends, intake: Intake) -> Iterator[dict[str, Any]]:
    """The usable documents as rows; the rest goes into `intake`."""
    vocabulary: dict[str, int] = {}
    quiet = not sys.stderr.isatty()
    for source in track(sources, "Reading", console=Console(stderr=True), transient=True, disable=quiet):
        intake.files += 1
        reader = backends.reader(source.path)
        if reader is None:
            suffix = source.path.suffix.lower() or "files without a suffix"
            intake.unknown.append(Rejected(source.name, f"no reader for {suffix}"))
            continue
        for row in _read_file(source, reader):
            if isinstance(row, Rejected):
                intake.rejected.append(row)
            elif row.id in intake.origins:
                detail = f"in {source.name}; the first is in {intake.origins[row.id]}"
                intake.rejected.append(Rejected(row.id, "another document has this id", detail))
            else:
                intake.origins[row.id] = source.name
                intake.fingerprints.append(fingerprint(row.text, vocabulary))
                intake.pictures += [row.id] if row.metadata.get("pages_without_text") else []
                yield to_json(row)


def _read_file(source: Source, reader: Reader) -> Iterator[Document | Rejected]:
    """The file's rows under the names that they have in the corpus."""
    empty = True
    try:
        for row in reader.read(source.path):
            empty = False
            if isinstance(row, Rejected):
                yield dataclasses.replace(row, id=f"{source.name} {row.id}")
            else:
                yield dataclasses.replace(row, id=row.id or source.name)
    except InputError as error:
        yield Rejected(source.name, str(error))
    else:
        if empty:
            yield Rejected(source.name, "holds no documents")


def _refuse_bad_intake(intake: Intake, limit: float, listing: Path) -> None:
    used, failed = len(intake.origins), len(intake.rejected)
    shown = "; ".join(f"{row.id}: {row.reason}" for row in (intake.rejected + intake.unknown)[:SHOWN])
    if not used:
        raise InputError(f"No document to use in {intake.files} files ({shown}); all reasons: {listing}")
    if failed > limit * (used + failed):
        raise InputError(
            f"{failed} of {used + failed} files and rows cannot be used (limit {100 * limit:g} %): {shown}; "
            f"all reasons: {listing}. Correct or remove them, or raise ingest.max_rejected"
        )


def _warnings(intake: Intake) -> list[str]:
    """What was not read, in words; rejected.jsonl has all of it but the pages."""
    told = []
    if intake.unknown:
        names = some([row.id for row in intake.unknown])
        told.append(f"{count(intake.unknown, 'file')} passed over, no reader: {names}")
    if intake.rejected:
        reasons = some([f"{row.id}: {row.reason}" for row in intake.rejected], "; ")
        told.append(f"{len(intake.rejected)} of the files and rows rejected: {reasons}")
    if intake.pictures:
        pages = f"{count(intake.pictures, 'document')} with pages that hold no text (scanned? run OCR on them)"
        told.append(f"{pages}: {some(intake.pictures)}")
    return told


def _pair_row(pair: Duplicate, ids: Sequence[str]) -> dict[str, Any]:
    return {
        "id": ids[pair.document],
        "other": ids[pair.other],
        "kind": pair.kind,
        "share": round(pair.share, 4),
        "kept": ids[pair.kept],
    }


def _summary(intake: Intake, pairs: Sequence[Duplicate], kept: int, dropped: int) -> dict[str, int]:
    kinds = {pair.document: pair.kind for pair in pairs if pair.kind == "exact" or pair.other == pair.kept}
    counts = Counter(kinds.values())
    return {
        "files": intake.files,
        "documents": kept,
        "rejected": len(intake.rejected),
        "files without a reader": len(intake.unknown),
        "exact duplicates": counts["exact"],
        "near-duplicates": counts["near-duplicate"],
        "contained in another": counts["contained"],
        "dropped": dropped,
    }
