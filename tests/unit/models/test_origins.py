from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ragraft.config import DEFAULT_MODEL
from ragraft.models import origins
from ragraft.models.origins import Origin, origin_of
from ragraft.models.sources import ModelFolder


def test_the_embedded_model_is_known() -> None:
    found = origin_of(DEFAULT_MODEL)
    assert (found.hub, found.licence) == ("HuggingFaceTB/SmolLM2-135M-Instruct", "apache-2.0")
    assert DEFAULT_MODEL in found.name, "its weights are those of that file, and not the hub's"


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: mit\ntags: [a]\n---\n# Model\n", "mit"),
        ("# Model\n\nlicense: mit\n", None),
        ("---\nlicense: [mit\n---\n", None),
        ("---\nlicense:\n- mit\n---\n", None),
        (None, None),
    ],
)
def test_a_licence_is_what_the_models_own_card_names(
    tiny_model: Path, tmp_path: Path, card: str | None, licence: str | None
) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    if card is not None:
        (folder / "README.md").write_text(card, encoding="utf-8")
    assert origin_of(str(folder)) == Origin("model", None, licence), "and no place on this machine is told"


def test_a_hub_source_is_named_without_its_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origins, "resolve", lambda source: ModelFolder(tmp_path, "x"))
    assert origin_of("hf:org/name@abc") == Origin("org/name", "org/name", None)
