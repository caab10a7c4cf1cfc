from __future__ import annotations

from ragraft.methods.domain_words import DomainWords

KNOWN = {"lighthouse", "reflection"}


def count(text: str) -> int:
    """A vocabulary of whole words that knows two long ones."""
    assert text.startswith(" ")
    return 1 if text[1:] in KNOWN or len(text) < 8 else 3


def test_words_of_the_field_are_long_frequent_and_in_pieces() -> None:
    text = "The Fresnel-lens, a catadioptric lighthouse lens, has catoptric rings. Catadioptric prisms __refraction__."
    terms = DomainWords([text, text, text.replace("catoptric", "glass")], count)
    # Catoptric was met twice, lens is short, the vocabulary knows lighthouse.
    assert terms.of("A catadioptric Fresnel-lens of the lighthouse, or a Catadioptric catoptric one") == [
        "catadioptric",
        "Fresnel-lens",
    ]
    assert terms.of("Use __refraction__ here") == ["__refraction__"]


def test_capitals_make_no_word_of_the_field() -> None:
    terms = DomainWords(["LIGHTHOUSE Lighthouse lighthouse REFLECTION Reflection reflection"] * 3, count)
    assert terms.of("LIGHTHOUSE and Reflection") == []
