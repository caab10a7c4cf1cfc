"""Fixtures for all tests: models of a few kilobytes with random weights, made where the tests run; no network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from transformers import BertConfig

WORDS = [
    "the",
    "walrus",
    "rests",
    "on",
    "ice",
    "penguin",
    "swims",
    "under",
    "stapler",
    "binds",
    "paper",
    "where",
    "does",
    "same",
    "again",
    "and",
    "words",
]


@pytest.fixture(scope="session")
def tiny_embedder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentence-transformers model of width 16 with a window of 32 tokens."""
    return save_embedder(tmp_path_factory.mktemp("embedder"))


@pytest.fixture(scope="session")
def save_cross_encoder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """Makes a cross-encoder of width 16 with a window of 64 tokens and so many labels."""

    def save(labels: int) -> Path:
        import torch
        from transformers import BertForSequenceClassification

        folder = tmp_path_factory.mktemp("cross-encoder")
        torch.manual_seed(0)
        BertForSequenceClassification(_bert_config(save_tokenizer(folder, 64), labels)).save_pretrained(folder)
        return folder

    return save


@pytest.fixture(scope="session")
def tiny_cross_encoder(save_cross_encoder: Callable[[int], Path]) -> Path:
    """A cross-encoder with one label: a reranker."""
    return save_cross_encoder(1)


def save_tokenizer(folder: Path, window: int) -> int:
    """A BERT tokenizer of letters and a few words in `folder`; returns the size of its vocabulary."""
    from transformers import BertTokenizer

    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *letters, *(f"##{letter}" for letter in letters)]
    vocabulary = list(dict.fromkeys(pieces))
    tokenizer = BertTokenizer(vocab={piece: number for number, piece in enumerate(vocabulary)}, model_max_length=window)
    tokenizer.save_pretrained(folder)
    return len(vocabulary)


def save_embedder(folder: Path) -> Path:
    """A sentence-transformers model of width 16 with a window of 32 tokens."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertModel

    inner = folder / "inner"
    torch.manual_seed(0)
    BertModel(_bert_config(save_tokenizer(inner, 32), 1)).save_pretrained(inner)
    transformer = Transformer(str(inner), max_seq_length=32)
    model = SentenceTransformer(modules=[transformer, Pooling(16)], device="cpu")
    model.save(str(folder / "model"), create_model_card=False)
    return folder / "model"


def _bert_config(vocabulary: int, labels: int) -> BertConfig:
    from transformers import BertConfig

    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        # Random weights of the usual size would map all texts to nearly one vector.
        initializer_range=0.5,
    )
    config.num_labels = labels
    return config
