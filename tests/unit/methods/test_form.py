from __future__ import annotations

from ragraft.methods.form import form_validity
from ragraft.records import Answer


def row(name: str, text: str, *, cited: bool = True, abstained: bool = False, ended: bool = True) -> Answer:
    return Answer(
        name, "base", "retrieved", "", text, ("a",) if cited else (), (), abstained, ("a",), True, 0, 0, {},
        "stop" if ended else "length",
    )  # fmt: skip


def test_an_answer_in_form_names_itself_ends_and_cites() -> None:
    rows = [
        row("q1", 'Answer: mill\n"The mill." [1]'),
        row("q2", "It is the mill [1]"),
        row("q3", "Answer: mill", cited=False),
        row("q4", "Answer: not in the documents.", cited=False, abstained=True),
        row("q5", "Answer: mill [1]", ended=False),
        row("q6", '"The Answer: a book." [1]'),
    ]
    found = form_validity(rows, {f"q{n}": f"c{n}" for n in range(1, 7)}, resamples=100, seed=0)
    shares = {name: round(6 * figure["value"]) for name, figure in found.items()}
    assert shares == {"named": 4, "ended": 5, "cited": 5, "valid": 2}
