"""What lessons take from elsewhere, as the config says: general instructions, the base model's answers, a teacher's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ragraft.config import Config
from ragraft.errors import InputError, SourceError
from ragraft.methods.instructions import Instruction, instruction_from_row, read_instructions
from ragraft.methods.teaching.table import METHODS, probe_size
from ragraft.workspace import hash_file


def uses_instructions(config: Config) -> bool:
    """Whether the chain mixes in general instructions, and the user named some."""
    return config.instructions is not None and any(METHODS[name].uses_instructions for name in config.train.method)


def asks_base(config: Config) -> bool:
    """Whether lessons depend on what the base model answers: as something to learn, or to tell what it knows."""
    return any(METHODS[name].asks_base for name in config.train.method) or probed(config) > 0


def probed(config: Config) -> int:
    """How many questions the base model is asked first to tell what it knows."""
    grounded_only = config.prompt.grounded_only
    return probe_size(config.synthesize.probe, grounded_only=grounded_only, methods=config.train.method)


def teacher_model(config: Config) -> str | None:
    """Who writes reasonings for lessons; None where nobody does."""
    wanted = config.synthesize.reasoning == "teacher" and any(METHODS[name].designed for name in config.train.method)
    return config.synthesize.teacher.model or config.model if wanted else None


def read_general(config: Config) -> list[Instruction]:
    """The instructions that the chain mixes in; none where it uses none. Raises InputError with the faulty line."""
    source = config.instructions
    if source is None or not uses_instructions(config):
        return []
    found = list(_from_hub(source) if source.startswith("hf:") else _from_file(Path(source)))
    if not found:
        raise InputError(f"instructions: {source} holds no instruction; name another source")
    return found


def fetch_general(config: Config) -> None:
    """Fetch the hub's set that the chain mixes in, where it is not here yet; raises SourceError where that fails."""
    source = config.instructions
    if source and source.startswith("hf:") and uses_instructions(config):
        from ragraft.models.sources import resolve_rows

        try:
            resolve_rows(source)
        except SourceError as error:
            raise SourceError(f"instructions: {error}") from None


def general_identity(config: Config) -> str | None:
    """Changes when the instructions would: a file's digest, or the set's own name."""
    source = config.instructions
    if source is None or not uses_instructions(config):
        return None
    return source if source.startswith("hf:") else hash_file(existing(Path(source), "instructions"))


def _from_file(file: Path) -> Iterator[Instruction]:
    with existing(file, "instructions").open(encoding="utf-8") as lines:
        try:
            yield from read_instructions(lines, str(file))
        except UnicodeDecodeError:
            raise InputError(f"instructions: {file} is no UTF-8 text; save it as JSON lines in UTF-8") from None


def _from_hub(source: str) -> Iterator[Instruction]:
    from ragraft.models.sources import resolve_rows

    for file in resolve_rows(source):
        if file.suffix == ".parquet":
            yield from _from_parquet(file)
        else:
            yield from _from_file(file)


def _from_parquet(file: Path) -> Iterator[Instruction]:
    import pyarrow.parquet as pq

    number = 0
    with pq.ParquetFile(file) as table:
        for batch in table.iter_batches(batch_size=1024):
            for row in batch.to_pylist():
                number += 1
                yield instruction_from_row(row, f"{file.name} row {number}", default_id=f"{file.stem}-{number}")


def existing(file: Path, key: str) -> Path:
    if not file.is_file():
        raise InputError(f"{key}: no file {file}; check the path, which is relative to the YAML")
    return file
