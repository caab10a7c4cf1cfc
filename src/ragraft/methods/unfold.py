"""The answer inside a text that is still being written: as much of it as the rest cannot change any more.

Knows the form of answers; knows no tokens and no server.
"""

from __future__ import annotations

from ragraft.methods.answer import ANSWER_MARK, parse

WAIT = 64
"""Characters within which a text is expected to say `Answer:`; one that does not is taken for the answer itself."""


class Unfolding:
    """Tells an answer piece by piece while its text grows."""

    def __init__(self, abstention: str) -> None:
        self._abstention = abstention
        self._told = ""

    def more(self, text: str) -> str:
        """What `text`, all that is written so far, adds to what was told."""
        if not ANSWER_MARK.search(text) and len(text) < WAIT:
            return ""
        answer = parse(text, self._abstention).answer
        if not text[-1:].isspace():  # a word may go on
            answer = answer[: answer.rfind(" ") + 1].rstrip()
        open_bracket = answer.rfind("[")
        if open_bracket > answer.rfind("]"):  # `[1` may become a citation, which is no part of the answer
            answer = answer[:open_bracket].rstrip()
        return self._tell(answer)

    def rest(self, answer: str) -> str:
        """What the finished answer adds; nothing where a later `Answer:` made another one of it."""
        return self._tell(answer)

    def _tell(self, answer: str) -> str:
        if not answer.startswith(self._told):
            return ""
        new, self._told = answer[len(self._told) :], answer
        return new
