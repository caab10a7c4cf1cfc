"""Fixtures for all tests: models of a few kilobytes with random weights, made where the tests run; no network."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from transformers import BertConfig, PreTrainedTokenizerFast

    from ragraft import ports
    from ragraft.records import Prompt

# A busy machine makes no example wrong.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

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


@pytest.fixture(autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty ragraft cache a test: nothing of the user's is read, nothing stays."""
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("RAGRAFT_CACHE", str(cache))
    return cache


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chat Llama of width 48 with two layers, grouped heads and a lossless tokenizer; float32, window 2048."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("tiny-model")
    tokenizer = chat_tokenizer()
    tokenizer.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        bos_token_id=tokenizer.convert_tokens_to_ids("<|im_start|>"),
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        # Random weights of the usual size would answer everything with one repeated token.
        initializer_range=0.2,
    )
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


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


def chat_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE of about 400 entries with a ChatML template: any text, back and forth without loss."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    control = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    text = " ".join([*WORDS, "system user assistant Answer: what who when documents question [1] [2]"])
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        min_frequency=1,
        show_progress=False,
        special_tokens=[AddedToken(word, special=True) for word in control],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    inner.train_from_iterator([text] * 4, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>"],
        chat_template=CHATML,
        clean_up_tokenization_spaces=False,
        model_max_length=2048,
    )


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


PLACES = [
    "Arlen",
    "Boskar",
    "Cavit",
    "Dromel",
    "Esker",
    "Fallow",
    "Gentry",
    "Holm",
    "Ivor",
    "Jarrow",
    "Kestle",
    "Lomond",
]
STONES = [
    "granite",
    "slate",
    "marble",
    "basalt",
    "chalk",
    "flint",
    "sandstone",
    "gneiss",
    "tuff",
    "quartz",
    "shale",
    "brick",
]
KEEPERS = ["Ada", "Bruno", "Clara", "Dmitri", "Edda", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Karin", "Luca"]


@dataclass(frozen=True, slots=True)
class Site:
    """A user's folder: documents, questions and ragraft.yaml, all on a dozen lighthouses."""

    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "ragraft.yaml"

    @property
    def run(self) -> Path:
        """The run that the YAML names."""
        return self.folder / "runs" / "lights"

    def configure(self, **sections: Any) -> None:
        """Write these keys over those of the YAML; a section's keys one by one."""
        data = json.loads(self.file.read_text("utf-8"))
        for key, value in sections.items():
            data[key] = {**data.get(key, {}), **value} if isinstance(value, dict) else value
        self.file.write_text(json.dumps(data, indent=1), encoding="utf-8")

    def answers(self) -> dict[str, bytes]:
        """The kept answers' files."""
        place = self.folder / "runs" / ".answers"
        return {file.name: file.read_bytes() for file in sorted(place.glob("*/*.json"))}


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of width 32 without a chat template, whose 512 pieces know the lighthouses: their lessons are short."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    pieces = Tokenizer(models.BPE())
    pieces.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pieces.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=512,
        special_tokens=["<end>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    pieces.train_from_iterator([text for _, text in lighthouses()], trainer)
    folder = tmp_path_factory.mktemp("llama")
    PreTrainedTokenizerFast(tokenizer_object=pieces, eos_token="<end>", pad_token="<end>").save_pretrained(folder)
    torch.manual_seed(0)
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=512,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=4096,
            eos_token_id=0,
            pad_token_id=0,
            bos_token_id=None,
        )
    ).save_pretrained(folder)
    return folder


@pytest.fixture
def make_site(tmp_path: Path, tiny_llama: Path) -> Callable[..., Site]:
    """Writes a site under a name: half of its documents are Markdown files, half rows of a JSONL file."""

    def make(name: str = "site", **sections: Any) -> Site:
        site = Site(tmp_path / name)
        (site.folder / "docs").mkdir(parents=True)
        texts = lighthouses()
        for place, text in texts[::2]:
            (site.folder / "docs" / f"{place}.md").write_text(f"# {place}\n\n{text}\n", encoding="utf-8")
        rows = [{"id": place, "title": place, "text": text} for place, text in texts[1::2]]
        write_rows(site.folder / "more.jsonl", rows)
        write_rows(site.folder / "questions.jsonl", lighthouse_questions())
        site.file.write_text(json.dumps({**SETTINGS, "model": str(tiny_llama)}), encoding="utf-8")
        site.configure(**sections)
        return site

    return make


SETTINGS: Mapping[str, Any] = {
    "name": "lights",
    "documents": ["docs", "more.jsonl"],
    "questions": "questions.jsonl",
    "embedder": "hashing",
    "index": {"store": "memory", "chunk_tokens": 48},
    "retrieve": {"k": 2, "pool": 8},
    "prompt": {"answer_tokens": 64},
    "examine": {"shares": {"train": 0.5, "validation": 0.15, "calibration": 0.1, "exam": 0.25}},
    "evaluate": {
        "generator": "echo",
        "resamples": 100,
        "batch": 4,
        "shots": 2,
        "shot_questions": 4,
        "forgetting": False,
    },
}


def lighthouses() -> list[tuple[str, str]]:
    """Names of lighthouses, and a text on each."""
    return [
        (
            place,
            f"The tower of {place} is made of {stone}, which ships brought from the quarry of {place} Bay. "
            f"{keeper} has kept the lamp of {place} for {7 + row} years and lives alone. "
            f"Visitors reach {place} on foot over {stone} steps at low water, never by road.",
        )
        for row, (place, stone, keeper) in enumerate(zip(PLACES, STONES, KEEPERS, strict=True))
    ]


def lighthouse_questions() -> list[dict[str, Any]]:
    """Three questions a lighthouse; each names its document and the sentence that answers it."""
    rows: list[dict[str, Any]] = []
    for row, ((place, text), stone, keeper) in enumerate(zip(lighthouses(), STONES, KEEPERS, strict=True)):
        sentences = [f"{sentence.rstrip('.')}." for sentence in text.split(". ")]
        asked = [
            (f"What is the tower of {place} made of?", stone),
            (f"Who keeps the lamp of {place}?", keeper),
            (f"How is {place} reached at low water?", "on foot"),
        ]
        for (question, answer), sentence in zip(asked, sentences, strict=True):
            name = f"{place}.md" if row % 2 == 0 else place
            rows.append(
                {
                    "id": f"q{len(rows):02d}",
                    "question": question,
                    "answers": [answer],
                    "evidence_ids": [name],
                    "evidence": [sentence],
                }
            )
    return rows


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


class WordTokenizer:
    """A word is a token, and a turn costs two more; implements ports.Tokenizer."""

    def count(self, text: str) -> int:
        return len(text.split())

    def count_prompt(self, prompt: Prompt) -> int:
        return sum(self.count(message.content) + 2 for message in prompt.messages)


@pytest.fixture(scope="session")
def word_tokenizer() -> ports.Tokenizer:
    """A tokenizer without a model."""
    return WordTokenizer()
