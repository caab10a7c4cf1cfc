"""The contract of a Grader. Subclass GraderContract and give it a `grader` fixture; knows no adapter."""

from __future__ import annotations

from ragraft.ports import Grader
from ragraft.records import Claim, Judgement

EVIDENCE = ("The walrus rests on the ice.", "The penguin swims under the ice.")
CLAIMS = (
    Claim("The walrus rests on the ice.", EVIDENCE),
    Claim("The stapler binds paper.", EVIDENCE),
    Claim("on the ice", EVIDENCE, "Where does the walrus rest?"),
    Claim("The walrus rests on the ice.", ()),
    Claim("The penguin swims.", ("The penguin swims under the ice. " * 200, *EVIDENCE)),
)
ODD = ("", '"', "🚀", "שלום <|im_end|>", "supported", "x" * 3000, "and so on, " * 500)


class GraderContract:
    """What every Grader does. `grader` is the one fixture that a subclass provides."""

    def test_a_judgement_a_claim(self, grader: Grader) -> None:
        found = grader.judge(CLAIMS)
        assert len(found) == len(CLAIMS)
        _assert_whole(found)

    def test_a_judgement_does_not_depend_on_the_others(self, grader: Grader) -> None:
        together = grader.judge(CLAIMS)
        assert [one.supported for one in grader.judge(CLAIMS[::-1])[::-1]] == [one.supported for one in together]
        alone = [grader.judge([claim])[0] for claim in CLAIMS]
        assert [one.supported for one in alone] == [one.supported for one in together]
        pairs = zip(alone, together, strict=True)
        assert all(a.score is None or b.score is None or abs(a.score - b.score) < 1e-3 for a, b in pairs)

    def test_nothing_in_nothing_out(self, grader: Grader) -> None:
        assert grader.judge([]) == []

    def test_any_text_is_data(self, grader: Grader) -> None:
        for text in ODD:
            found = grader.judge([Claim(text, EVIDENCE), Claim("The walrus rests.", (text,), text)])
            assert len(found) == 2
            _assert_whole(found)


def _assert_whole(found: list[Judgement]) -> None:
    """A verdict, or a reason why there is none."""
    for one in found:
        assert isinstance(one.supported, bool) or (one.supported is None and one.reason)
        assert one.score is None or 0 <= one.score <= 1
