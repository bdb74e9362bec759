"""Things as they are shown: made once, and anew when more became known."""

from __future__ import annotations

from inspector.leaks import Search
from inspector.redact import Redactor, Shown


def test_what_is_asked_for_again_is_made_once() -> None:
    asked: list[str] = []

    def show(one: str) -> str:
        asked.append(one)
        return redactor.text(one)

    redactor = Redactor()
    redactor.name("key", "first-secret-3f")
    shown, kept = Shown(redactor, show), ["a first-secret-3f", "of bb"]
    assert shown.of(kept) == shown.of(kept) == ["a key-1", "of bb"]
    assert asked == kept
    redactor.know("key", "bb")
    assert shown.of(kept) == ["a key-1", "of key-2"]
    assert shown.of(["of bb"]) == ["of key-2"]


def test_what_became_known_with_the_last_of_them_is_replaced_in_the_first_the_next_time() -> None:
    redactor = Redactor()

    def show(one: str) -> str:
        text = redactor.text(one)
        redactor.know("key", "later-secret-77")
        return text

    shown, kept = Shown(redactor, show), ["with later-secret-77", "b"]
    assert shown.of(kept)[0] == "with later-secret-77"
    assert shown.of(kept)[0] == "with key-1"


def test_a_shape_is_found_whatever_bytes_stand_beside_it_and_at_both_ends() -> None:
    heads = [b"abcdef", b"]^-\\az", b"\n\x00\xffqrs", b"aaaaaab"]
    search = Search()
    for number, head in enumerate(heads):
        search.add(number, [head])
    data = heads[1] + b"aaaaaaab" + heads[2] + b"abcdeabcdef" + b"]^-\\a" + heads[0]
    found = [(hit.start, data[hit.start : hit.end]) for hit in search.hits(data)]
    expected = [(at, head) for at in range(len(data)) for head in heads if data.startswith(head, at)]
    assert found == expected
    assert len(found) == 5
