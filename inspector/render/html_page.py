"""One HTML file that loads nothing: escaping, the page around the content, its style and its one small script.

The policy in its head allows exactly this style and this script, by their digests; there is no style attribute, no
event attribute, no image, no font and no address of another host that anything would load.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable

from inspector.sanitize import clean

# one colour per field; text on them is INK, tests hold every pair to a contrast of at least 4.5
LIGHT = (
    "#ffd8a8", "#b2f2bb", "#a5d8ff", "#ffc9c9", "#d0bfff", "#ffec99",
    "#99e9f2", "#fcc2d7", "#c3fae8", "#dee2e6", "#d8f5a2", "#eebefa",
)  # fmt: skip
DARK = (
    "#7a4a12", "#1f6b35", "#1c4f80", "#8a2c2c", "#4f3a91", "#6b5a00",
    "#0b6470", "#8a2f57", "#12664f", "#495057", "#476b12", "#6d2f80",
)  # fmt: skip
INK = {"light": "#14181d", "dark": "#f4f6f8"}
PAPER = {"light": "#ffffff", "dark": "#14181d"}
MUTED = {"light": "#525c66", "dark": "#adb7c1"}
LINK = {"light": "#0b57a4", "dark": "#8cc4ff"}
# of the map and of severities: bad, warn, good, quiet
MARKS = {
    "light": {"bad": "#b3201b", "warn": "#8a5300", "good": "#1d6f3a", "quiet": "#525c66"},
    "dark": {"bad": "#ff8f87", "warn": "#f2b84b", "good": "#7ddb9b", "quiet": "#adb7c1"},
}

_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})


def esc(text: object, limit: int = 2000) -> str:
    """Text for an element or a quoted attribute: no markup, no control character, no override of direction."""
    return clean(str(text), limit).translate(_ESCAPED)


def _theme(name: str, fields: Iterable[str]) -> str:
    marks = MARKS[name]
    told = {
        "ink": INK[name],
        "paper": PAPER[name],
        "muted": MUTED[name],
        "link": LINK[name],
        "line": "#d5dae0" if name == "light" else "#3a434d",
        "soft": "#f3f5f7" if name == "light" else "#1f262d",
        "sound": "#8fb8d8" if name == "light" else "#33597a",
        "opaque": "#c9d1d9" if name == "light" else "#3f4a55",
        **marks,
        **{f"f{i}": colour for i, colour in enumerate(fields)},
    }
    return "".join(f"--{k}:{v};" for k, v in told.items())


STYLE = (
    f":root{{color-scheme:light dark;{_theme('light', LIGHT)}}}\n"
    f"@media (prefers-color-scheme:dark){{:root{{{_theme('dark', DARK)}}}}}\n"
    + """
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
p,dd,li,h1,h3,h4,td,figcaption{overflow-wrap:break-word}
dd{min-width:0}
td.m,dd,code{overflow-wrap:anywhere}
header,main,footer,nav{max-width:72rem;margin:0 auto;padding:0 1rem}
h1{font-size:1.6rem;line-height:1.25;margin:1.2rem 0 .4rem}
h2{font-size:1.25rem;margin:2rem 0 .6rem;border-bottom:1px solid var(--line);padding-bottom:.2rem}
h3{font-size:1.05rem;margin:1.4rem 0 .3rem}
h4{font-size:.95rem;margin:1rem 0 .3rem}
a{color:var(--link)}
a:focus-visible,button:focus-visible,summary:focus-visible,[tabindex]:focus-visible{
outline:3px solid var(--link);outline-offset:2px}
.skip{position:absolute;left:-999rem}
.skip:focus{position:static;display:block;padding:.5rem 1rem}
nav ul{display:flex;flex-wrap:wrap;gap:.2rem 1rem;padding:0;margin:.5rem 0;list-style:none}
dl.facts{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem;margin:.6rem 0}
dl.facts dt{font-weight:600}
dl.facts dd{margin:0}
@media (max-width:40rem){dl.facts{grid-template-columns:1fr}dl.facts dd{margin:0 0 .4rem}}
.scroll{overflow-x:auto}
table{border-collapse:collapse;margin:.5rem 0;font-size:.92rem}
caption{text-align:left;color:var(--muted);padding:.2rem 0}
th,td{text-align:left;vertical-align:top;padding:.25rem .6rem;border-bottom:1px solid var(--line)}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.m{min-width:12rem}
h1 code{font-size:1em}
code,pre,td.m{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.86rem}
pre{background:var(--soft);padding:.7rem;overflow-x:auto;line-height:1.45;margin:.5rem 0}
.bad{color:var(--bad)}.warn{color:var(--warn)}.good{color:var(--good)}.quiet{color:var(--muted)}
.tag{font-weight:600}
details{margin:.4rem 0}
summary{cursor:pointer}
article{border-top:1px solid var(--line);padding-top:.2rem}
figure{margin:.8rem 0}
figcaption{font-size:.92rem;margin-bottom:.3rem}
svg{display:block;width:100%;height:56px;background:var(--soft);border:1px solid var(--line)}
svg.strip{height:30px}
.s-sound{fill:var(--sound)}.s-opaque{fill:var(--opaque)}.s-free{fill:none}.s-bad{fill:var(--bad)}.s-gap{fill:var(--bad)}
.s-here{fill:var(--bad)}.s-beside{fill:var(--sound)}
svg a:focus .hit,svg a:hover .hit{stroke:var(--link);stroke-width:3;vector-effect:non-scaling-stroke}
.scale{display:flex;justify-content:space-between;font-size:.82rem;color:var(--muted)}
.zoom{margin:.3rem 0;display:flex;gap:.3rem;flex-wrap:wrap}
.zoom[hidden]{display:none}
button{font:inherit;font-size:.88rem;padding:.15rem .6rem;border:1px solid var(--line);border-radius:.25rem;
background:var(--soft);color:var(--ink)}
.legend{font-size:.86rem;color:var(--muted);padding:0;margin:.3rem 0;display:flex;flex-wrap:wrap;gap:.2rem 1rem;
list-style:none}
.key{display:inline-block;width:1rem;height:.8rem;border:1px solid var(--line);vertical-align:-.05rem}
.k-sound{background:var(--sound)}.k-opaque{background:var(--opaque)}.k-bad{background:var(--bad)}
@media print{nav,.skip,.zoom{display:none}details{display:block}}
"""
    + "".join(f".f{i}{{background:var(--f{i});color:var(--ink)}}\n" for i in range(len(LIGHT)))
)

# the only thing that moves: the map is drawn anew for a part of its bytes; everything is there without it, too
SCRIPT = """
"use strict";
document.querySelectorAll("figure.map").forEach(function (figure) {
  var svg = figure.querySelector("svg"), size = Number(svg.dataset.size), from = 0, to = size;
  var ends = figure.querySelectorAll(".scale span"), box = figure.querySelector(".zoom");
  var shapes = Array.prototype.slice.call(svg.querySelectorAll("rect[data-s]"));
  function draw() {
    var width = to - from;
    shapes.forEach(function (r) {
      var s = Number(r.dataset.s), e = Number(r.dataset.e), hit = r.classList.contains("hit");
      var x = (Math.max(s, from) - from) / width * 1000, y = (Math.min(e, to) - from) / width * 1000;
      var out = e < from || s > to;
      r.setAttribute("x", String(out ? 0 : Math.min(x, hit ? 998 : 1000)));
      r.setAttribute("width", String(out ? 0 : Math.max(y - x, hit ? 2 : 0)));
    });
    ends[0].textContent = "byte " + Math.round(from).toLocaleString("en");
    ends[1].textContent = "byte " + Math.round(to).toLocaleString("en");
  }
  function go(middle, width) {
    width = Math.min(size, Math.max(width, Math.min(size, 64)));
    from = Math.min(Math.max(0, middle - width / 2), size - width);
    to = from + width;
    draw();
  }
  function act(name) {
    var width = to - from, middle = (from + to) / 2;
    if (name === "in") { go(middle, width / 2); }
    if (name === "out") { go(middle, width * 2); }
    if (name === "left") { go(middle - width / 4, width); }
    if (name === "right") { go(middle + width / 4, width); }
    if (name === "all") { go(size / 2, size); }
  }
  box.hidden = false;
  box.addEventListener("click", function (event) {
    var button = event.target.closest("button");
    if (!button) { return; }
    if (button.dataset.at) { go(Number(button.dataset.at), Number(button.dataset.width)); }
    else { act(button.dataset.act); }
  });
  svg.addEventListener("dblclick", function (event) {
    var bounds = svg.getBoundingClientRect();
    go(from + (event.clientX - bounds.left) / bounds.width * (to - from), (to - from) / 4);
  });
  figure.addEventListener("keydown", function (event) {
    var names = {"+": "in", "=": "in", "-": "out", "ArrowLeft": "left", "ArrowRight": "right", "0": "all"};
    if (names[event.key]) { act(names[event.key]); event.preventDefault(); }
  });
});
"""


def _digest(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


POLICY = (
    f"default-src 'none'; style-src {_digest(STYLE)}; script-src {_digest(SCRIPT)}; base-uri 'none'; form-action 'none'"
)


def page(title: str, body: Iterable[str]) -> str:
    """The whole file around elements that are safe already."""
    return "".join(
        (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n',
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
            '<meta name="referrer" content="no-referrer">\n',
            f"<title>{esc(title, 200)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n",
            *body,
            f"<script>{SCRIPT}</script>\n</body>\n</html>\n",
        )
    )


def table(caption: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of cells that are safe already; a column whose title ends with ">" is of numbers, "#" of code."""
    titles = list(columns)
    kinds = {">": ' class="n"', "#": ' class="m"'}
    marks = [kinds.get(t[-1:], "") for t in titles]
    head = "".join(
        f'<th scope="col"{m if m == kinds[">"] else ""}>{esc(t.rstrip(">#")) or "<span></span>"}</th>'
        for t, m in zip(titles, marks, strict=True)
    )
    body = "".join(
        "<tr>" + "".join(f"<td{m}>{c}</td>" for c, m in zip(row, marks, strict=True)) + "</tr>\n" for row in rows
    )
    return (
        f'<div class="scroll"><table><caption>{esc(caption)}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>\n{body}</tbody></table></div>\n"
    )
