"""Running text is shown without what it quotes of private bytes: six of them or more in a row."""

from __future__ import annotations

from random import Random

import pytest

from inspector.leaks import LEAST
from inspector.redact import without_quotes

PRIVATE = b"qzxjkvwy-xkqzvjyw"


@pytest.mark.parametrize("seed", range(40))
def test_text_that_shares_less_than_six_bytes_in_a_row_stays_as_it_is(seed: int) -> None:
    rng = Random(seed)
    text = "".join(rng.choice("qzxjkvwy-") for _ in range(rng.randrange(80)))
    alike = any(text[i : i + LEAST].encode() in PRIVATE for i in range(len(text) - LEAST + 1))
    assert alike or without_quotes(text, PRIVATE) == text


@pytest.mark.parametrize("around", ["", "ü"])
@pytest.mark.parametrize("at", range(len(PRIVATE) - LEAST + 1))
@pytest.mark.parametrize("count", [LEAST - 1, LEAST, LEAST + 3])
def test_a_quote_is_counted_and_not_shown_from_six_bytes_on(at: int, count: int, around: str) -> None:
    quote = PRIVATE[at : at + count].decode()
    shown = without_quotes(f"key {quote}{around} ends", PRIVATE)
    hidden = f"({len(quote)} private characters)" if len(quote) >= LEAST else quote
    assert shown == f"key {hidden}{around} ends"


@pytest.mark.parametrize("before", ["", "x", "xy", "at 12345: "])
@pytest.mark.parametrize("behind", ["", "!", "!?", "é"])
def test_six_bytes_are_hidden_at_every_offset_and_five_are_not(before: str, behind: str) -> None:
    raw = b"\0\0zqjvkw\0\0"
    assert without_quotes(f"{before}zqjvkw{behind}", raw) == f"{before}(6 private characters){behind}"
    assert without_quotes(f"{before}zqjvk{behind}", raw) == f"{before}zqjvk{behind}"
    assert without_quotes(f"{before}zqjvk_w{behind}", raw) == f"{before}zqjvk_w{behind}"
