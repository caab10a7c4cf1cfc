from __future__ import annotations

from ragraft.methods.general_text import general_samples


def test_there_is_enough_text_in_many_registers() -> None:
    found = general_samples()
    assert len({sample.cluster for sample in found}) == len(found) >= 20
    assert sum(len(sample.text.encode()) for sample in found) > 10_000
    assert all(400 < len(sample.text) < 1000 for sample in found if sample.id != "poem")
    assert all(sample.text == sample.text.strip() for sample in found)
