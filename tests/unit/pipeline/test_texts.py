from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from ragraft.config import Config, load_config
from ragraft.errors import InputError
from ragraft.methods.general_text import general_samples
from ragraft.pipeline.texts import general_text_identity, read_general_text, text_settings

if TYPE_CHECKING:
    from tests.conftest import Site

MakeSite = Callable[..., "Site"]


def config(site: Site, *overrides: str) -> Config:
    return load_config(site.file, ["train.method=dap", *overrides])[0]


def test_general_text_is_ours_or_the_users_file_in_pieces(make_site: MakeSite) -> None:
    site = make_site()
    assert read_general_text(config(site)) == general_samples()
    (site.folder / "own.txt").write_text("\n\n".join(f"{n} ".ljust(700, "x") for n in range(7)), encoding="utf-8")
    pieces = read_general_text(config(site, "evaluate.general_text=own.txt"))
    assert [piece.text[0] for piece in pieces] == ["0", "2", "4", "6"]
    assert len({piece.cluster for piece in pieces}) == 4
    (site.folder / "none.txt").write_text(" \n\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"none\.txt is empty; "):
        read_general_text(config(site, "evaluate.general_text=none.txt"))
    with pytest.raises(InputError, match=r"^evaluate\.general_text: no file "):
        read_general_text(config(site, "evaluate.general_text=missing.txt"))


def test_only_what_is_measured_on_counts(make_site: MakeSite) -> None:
    site = make_site()
    assert text_settings(config(site)) == [0.05, 0]
    assert text_settings(config(site, "train.method=raft")) == []
    assert general_text_identity(config(site)) is None
    (site.folder / "own.txt").write_text("Some text.", encoding="utf-8")
    before = general_text_identity(config(site, "evaluate.general_text=own.txt"))
    (site.folder / "own.txt").write_text("Another text.", encoding="utf-8")
    assert before != general_text_identity(config(site, "evaluate.general_text=own.txt")) is not None
