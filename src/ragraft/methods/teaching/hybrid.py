"""Hybrid: RAFT's lessons, the same questions without documents, and general instructions, in a ratio of learned tokens.

RAFT's lessons and their groups stay as they are, and so do the optimizer steps that they fill; what is mixed in is of a
named part, which training deals over those steps (`training.packing`). Instructions are the user's or, where none are
named, the base model's own answers; some on documents stand beside either. Knows lessons, and the base model as a port.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ragraft.methods.deck import Deck
from ragraft.methods.instructions import Instruction
from ragraft.methods.own_answers import Answered, answer_on_passages, answer_seeds
from ragraft.methods.prompt import PromptBuilder
from ragraft.methods.raft import Made
from ragraft.methods.teaching import raft
from ragraft.methods.teaching.answers import answer_lesson
from ragraft.methods.teaching.materials import Group, Lot, Materials, general, in_copy
from ragraft.ports import Generator, Tokenizer
from ragraft.records import ExamQuestion, Prompt, Rejected

CONTEXT, DOMAIN, GENERAL = "context", "domain", "general"
SHORT = 0.9
"""Share of what is wanted of a part below which the user is told."""
MENDS = {
    DOMAIN: "each question is asked once a copy, so that only more questions or a lower hybrid.ratio change it",
    GENERAL: "name more under instructions",
}


def make(
    materials: Materials, questions: Sequence[ExamQuestion], *, side: Literal["train", "validation"], copies: int
) -> Lot:
    """RAFT's lessons and, copy by copy, the parts beside them; the validation side is RAFT's own."""
    context = raft.make(materials, questions, side=side, copies=copies)
    if side == "validation":
        return context
    settings = materials.own["hybrid"]
    size = _Size(materials.builder.tokenizer)
    tokens = [size.of(one for one in context.made if one.lesson.copy == copy) for copy in range(copies)]
    first, *others = settings["ratio"]
    domain_share, general_share = (other / first for other in others)
    closed, refused = _closed_book(materials, questions)
    domain = Deck(closed, size, f"{settings['seed']}|{DOMAIN}")
    pool = _Pool(materials, settings, size, general_share * max(tokens, default=0))
    parts: dict[str, list[Made]] = {CONTEXT: list(context.made), DOMAIN: [], GENERAL: []}
    for copy, learned in enumerate(tokens):
        parts[DOMAIN] += (in_copy(one, copy, part=DOMAIN) for one in domain.take(domain_share * learned))
        parts[GENERAL] += (in_copy(one, copy, part=GENERAL) for one in pool.take(general_share * learned))
    known = {row.id for row in context.rejected}
    rejected = [*context.rejected, *(row for row in refused if row.id not in known), *pool.rejected]
    mixed = _mix(parts, size, settings["ratio"])
    warnings = [facts["warning"] for facts in (context.facts, mixed) if "warning" in facts]
    told = {"warning": "; ".join(warnings)} if warnings else {}
    made = [one for rows in parts.values() for one in rows]
    return Lot(made, rejected, {**context.facts, **pool.facts, **mixed, **told}, context.reasonings)


@dataclass(frozen=True, slots=True)
class _Size:
    """Counts what is learned of lessons: the target and the token that ends it."""

    tokenizer: Tokenizer

    def __call__(self, made: Made) -> int:
        return self.tokenizer.count(made.lesson.target) + 1

    def of(self, rows: Iterable[Made]) -> int:
        return sum(map(self, rows))


class _Pool:
    """General instructions: plain ones, and ones on documents, which also make up for plain ones that are too few."""

    def __init__(self, materials: Materials, settings: Mapping[str, Any], size: _Size, wanted: float) -> None:
        """`wanted` is the most learned tokens that a copy will take."""
        self._share: float = settings["with_documents"]
        self._size = size
        self.rejected: list[Rejected] = []
        self.facts: dict[str, int] = {}
        named = materials.instructions
        plain = Answered(list(named)) if named or not wanted else answer_seeds(_base(materials))
        self._plain = self._deck("plain", plain, materials.builder, settings["seed"])
        answered = _on_passages(materials, size, self._wanted_shown(wanted), f"{settings['seed']}")
        self._shown = self._deck("with documents", answered, materials.builder, settings["seed"])
        self.facts["general instructions, the base model's own answers"] = len(answered.kept) + (
            0 if named else len(plain.kept)
        )

    def take(self, wanted: float) -> list[Made]:
        """Lessons of so many learned tokens, or of all instructions once."""
        shown = self._shown.take(self._wanted_shown(wanted))
        return [*self._plain.take(wanted - self._size.of(shown)), *shown]

    def _wanted_shown(self, wanted: float) -> float:
        return max(self._share * wanted, wanted - self._plain.total) if self._share else 0.0

    def _deck(self, name: str, answered: Answered, builder: PromptBuilder, seed: int) -> Deck[Made]:
        rows = [general(one, builder) for one in answered.kept]
        made = [row for row in rows if isinstance(row, Made)]
        self.rejected += [*answered.rejected, *(row for row in rows if isinstance(row, Rejected))]
        self.facts[f"general instructions, {name}"] = len(made)
        return Deck(made, self._size, f"{seed}|{GENERAL}|{name}")


def _base(materials: Materials) -> Generator:
    if materials.base is None:
        raise ValueError("hybrid asks the base model, and was given none")
    return materials.base


def _on_passages(materials: Materials, size: _Size, wanted: float, seed: str) -> Answered:
    """Instructions on passages of the index, of about `wanted` learned tokens."""
    if not wanted:
        return Answered()
    builder = materials.builder

    def fits(prompt: Prompt, answer_tokens: int) -> bool:
        return builder.tokenizer.count_prompt(prompt) + answer_tokens <= builder.max_tokens

    def enough(kept: Sequence[Instruction]) -> bool:
        return sum(size.tokenizer.count(one.answer) + 1 for one in kept) >= wanted

    passages = list(materials.chunks.values())
    return answer_on_passages(_base(materials), passages, fits=fits, enough=enough, seed=seed)


def _closed_book(materials: Materials, questions: Sequence[ExamQuestion]) -> tuple[list[Made], list[Rejected]]:
    """Each question without documents, as `sft` asks it."""
    alone = Group((), "closed-book", 0)
    rows = [answer_lesson(one, (), kind="closed-book", group=alone, materials=materials) for one in questions]
    return [row for row in rows if isinstance(row, Made)], [row for row in rows if isinstance(row, Rejected)]


def _mix(parts: Mapping[str, Sequence[Made]], size: _Size, ratio: Sequence[float]) -> dict[str, Any]:
    """What each part brings, and a warning where one brings less than it should."""
    learned = {name: size.of(made) for name, made in parts.items()}
    shares = {name: tokens / max(sum(learned.values()), 1) for name, tokens in learned.items()}
    facts: dict[str, Any] = {}
    for name, made in parts.items():
        facts |= {
            f"{name}, rows": len(made),
            f"{name}, learned tokens": learned[name],
            f"{name}, share of learned tokens": round(shares[name], 4),
        }
    wanted = {name: learned[CONTEXT] * part / ratio[0] for name, part in zip(parts, ratio, strict=True)}
    short = [name for name in parts if learned[name] < SHORT * wanted[name]]
    if short:
        what = "; ".join(
            f"{learned[name]:,} of {round(wanted[name]):,} wanted learned tokens are there for {name} ({MENDS[name]})"
            for name in short
        )
        meant = "/".join(f"{100 * part / sum(ratio):.0f}" for part in ratio)
        found = "/".join(f"{100 * share:.0f}" for share in shares.values())
        facts["warning"] = f"hybrid mixes {found} (context/domain/general) and not {meant}: only {what}"
    return facts
