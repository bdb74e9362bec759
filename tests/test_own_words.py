"""The words of inspector's own texts, which a redaction leaves as they are."""

from __future__ import annotations

import pytest

from inspector import redact


def test_a_word_is_known_the_same_way_whether_it_is_searched_for_or_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("root", "redactor", "gossip_store", "redac", "no_such_word", "ro", "SHELTERED")
    searched = [redact.speaks_for_itself(word) for word in words]
    monkeypatch.setattr(redact, "SOUGHT", 0)
    assert [redact.speaks_for_itself(word) for word in words] == searched
    assert searched == [True, True, True, False, False, False, False]
