"""Judge by a sequence-classification model for entailment in a local folder. Knows that library; knows no questions.

Generic NLI models (entailment among their labels) and grounding checkers of two labels (not supported, supported) or of
one are read alike. Evidence longer than the model's window is read in windows, of which the best counts, as MiniCheck
does (Tang et al. 2024, 2404.10774).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ragraft.errors import BackendError, SourceError
from ragraft.models.load import pick_device
from ragraft.records import Claim, Judgement

SUPPORTED_FROM = 0.5
STRIDE = 0.25
"""Windows overlap by this share, so that a sentence at a border is read whole in one of them."""
LEAST_EVIDENCE = 16
"""Tokens of evidence that a window must have room for."""
LONGEST = 512
"""Tokens of a window where the model says nothing of its own."""
_BATCH = 16
# Padding moves a score in its last digits.
_DIGITS = 5
_NAMES = ("supported", "consistent", "factual", "grounded", "faithful")
_PAIR = 2


class EntailmentGrader:
    """A model folder as a Grader: supported where entailment has at least half of the probability."""

    def __init__(self, folder: Path) -> None:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer
        from transformers.utils import logging

        if not folder.is_dir():
            raise SourceError(f"No model folder {folder}; check evaluate.grader in your YAML")
        logging.disable_progress_bar()
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            network: Any = AutoModelForSequenceClassification.from_pretrained(
                folder, local_files_only=True, dtype=torch.float32
            )
        except (OSError, ValueError, KeyError) as error:
            reason = str(error).strip().splitlines()[0]
            raise SourceError(f"transformers cannot open the entailment model in {folder}: {reason}") from error
        self._label = entailment_label(network.config.id2label, folder)
        self._device = pick_device()
        self._network = network.to(self._device).eval()
        told = [self._tokenizer.model_max_length, getattr(network.config, "max_position_embeddings", None) or LONGEST]
        self._window = min(*told, *([] if min(told) < 100 * LONGEST else [LONGEST]))

    def judge(self, claims: Sequence[Claim]) -> list[Judgement]:
        """A judgement a claim, in order."""
        told = [f"{claim.question} {claim.text}".strip() for claim in claims]
        room = [self._window - self._length("", text) for text in told]
        windows = [
            (place, window)
            for place, claim in enumerate(claims)
            if room[place] >= LEAST_EVIDENCE
            for window in self._windows("\n".join(claim.passages), told[place], room[place])
        ]
        best: dict[int, float] = {}
        for start in range(0, len(windows), _BATCH):
            batch = windows[start : start + _BATCH]
            for (place, _), score in zip(batch, self._scores([window for _, window in batch]), strict=True):
                best[place] = max(score, best.get(place, 0.0))
        return [
            Judgement(best[place] >= SUPPORTED_FROM, best[place])
            if place in best
            else Judgement(None, reason=f"the claim leaves no room for evidence in {self._window} tokens")
            for place in range(len(claims))
        ]

    def _length(self, evidence: str, claim: str) -> int:
        return len(self._tokenizer(evidence, claim, verbose=False)["input_ids"])

    def _windows(self, evidence: str, claim: str, room: int) -> list[dict[str, Any]]:
        cut = self._tokenizer(
            evidence,
            claim,
            truncation="only_first",
            max_length=self._window,
            stride=int(room * STRIDE),
            return_overflowing_tokens=True,
        )
        keys = [key for key in cut if key in ("input_ids", "attention_mask", "token_type_ids")]
        return [{key: cut[key][row] for key in keys} for row in range(len(cut["input_ids"]))]

    def _scores(self, windows: Sequence[Mapping[str, Any]]) -> list[float]:
        import torch

        inputs = self._tokenizer.pad(list(windows), return_tensors="pt").to(self._device)
        with torch.inference_mode():
            logits = self._network(**inputs).logits.float()
        shares = torch.sigmoid(logits[:, 0]) if logits.shape[1] == 1 else logits.softmax(-1)[:, self._label]
        return [round(float(share), _DIGITS) for share in shares]


def entailment_label(labels: Mapping[int, str], folder: Path) -> int:
    """Which output says that the evidence supports the claim. Raises BackendError where the model names none."""
    named = {int(place): str(name).lower().replace("-", "_") for place, name in labels.items()}
    found = [
        place
        for place, name in named.items()
        if name in _NAMES or ("entail" in name and not name.startswith(("not", "non", "no_")))
    ]
    if len(found) == 1:
        return found[0]
    nameless = all(name == f"label_{place}" for place, name in named.items())
    if nameless and len(named) <= _PAIR:
        return len(named) - 1
    raise BackendError(
        f"The model in {folder} names no label for entailment ({', '.join(map(str, labels.values()))}); set "
        "evaluate.grader to an entailment model"
    )
