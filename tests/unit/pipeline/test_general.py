from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ragraft.config import Config, load_config
from ragraft.errors import InputError
from ragraft.models import sources
from ragraft.pipeline.general import general_identity, read_general

if TYPE_CHECKING:
    from tests.conftest import Site

ROWS = [
    {"messages": [{"role": "user", "content": f"Say {n}."}, {"role": "assistant", "content": str(n)}]} for n in (1, 2)
]
MakeSite = Callable[..., "Site"]


def config(site: Site, *overrides: str) -> Config:
    return load_config(site.file, ["train.method=dap", *overrides])[0]


def put(file: Path, rows: list[dict[str, Any]]) -> str:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file.name


def test_instructions_come_from_a_file_beside_the_yaml(make_site: MakeSite) -> None:
    site = make_site()
    found = config(site, f"instructions={put(site.folder / 'chat.jsonl', ROWS)}")
    assert [one.answer for one in read_general(found)] == ["1", "2"]
    before = general_identity(found)
    put(site.folder / "chat.jsonl", ROWS[:1])
    assert before != general_identity(found) is not None


def test_a_chain_without_use_for_them_reads_none(make_site: MakeSite) -> None:
    found = config(make_site(), "instructions=missing.jsonl", "train.method=raft")
    assert (read_general(found), general_identity(found)) == ([], None)
    nothing = config(make_site("other"))
    assert (read_general(nothing), general_identity(nothing)) == ([], None)


def test_faults_are_one_sentence(make_site: MakeSite) -> None:
    site = make_site()
    with pytest.raises(InputError, match=r"^instructions: no file .*missing\.jsonl; check the path"):
        read_general(config(site, "instructions=missing.jsonl"))
    with pytest.raises(InputError, match=r"^instructions: .*empty\.jsonl holds no instruction; "):
        read_general(config(site, f"instructions={put(site.folder / 'empty.jsonl', [])}"))
    with pytest.raises(InputError, match=r"odd\.jsonl line 1: no list of messages"):
        read_general(config(site, f"instructions={put(site.folder / 'odd.jsonl', [{'a': 1}])}"))
    (site.folder / "latin.jsonl").write_bytes("é".encode("latin-1"))
    with pytest.raises(InputError, match=r"latin\.jsonl is no UTF-8 text"):
        read_general(config(site, "instructions=latin.jsonl"))


def test_a_set_of_the_hub_is_its_train_rows(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "data" / "train-00000.parquet")
    put(tmp_path / "test.jsonl", ROWS)
    asked: list[dict[str, Any]] = []

    def fetch(repo: str, **told: Any) -> str:
        asked.append({"repo": repo, **told})
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    found = config(make_site(), "instructions=hf:some/chats@v1")
    assert [one.id for one in read_general(found)] == ["train-00000-1", "train-00000-2"]
    assert (asked[0]["repo"], asked[0]["repo_type"], asked[0]["revision"]) == ("some/chats", "dataset", "v1")
    assert asked[0]["allow_patterns"] == list(sources.ROWS)
    assert general_identity(found) == "hf:some/chats@v1"
