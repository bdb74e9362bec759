"""What a page of ours must hold to, checked by a parser that shares no code with the writer."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "br", "hr", "img", "input", "link"}
LEAF = {"rect"}  # of SVG, which may close themselves
ALLOWED_HREF = ("#", "https://github.com/")


class Page(HTMLParser):
    """Collects faults; also ids, links, and all text that is shown."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.faults: list[str] = []
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.text: list[str] = []
        self.tags: set[str] = set()
        self.policy = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._attributes(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._attributes(tag, attrs)
        if tag not in LEAF | VOID:
            self.faults.append(f"<{tag}/> closes itself")

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> closes what is not open")

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["script"], ["style"]):
            self.text.append(data)

    def _attributes(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        told = {name: value or "" for name, value in attrs}
        if len(set(names)) != len(names):
            self.faults.append(f"<{tag}> has an attribute twice")
        for name in names:
            if name.startswith("on") or name in ("style", "src", "srcset", "action", "formaction", "background"):
                self.faults.append(f"<{tag} {name}>")
        if "id" in told:
            if told["id"] in self.ids:
                self.faults.append(f"id {told['id']} twice")
            self.ids.add(told["id"])
        if "href" in told:
            self.links.append(told["href"])
            if not told["href"].startswith(ALLOWED_HREF):
                self.faults.append(f"link to {told['href']}")
        if tag == "meta" and told.get("http-equiv") == "Content-Security-Policy":
            self.policy = told["content"]
        if tag == "svg" and not told.get("aria-label"):
            self.faults.append("an svg that says nothing to who cannot see it")


def read_page(text: str) -> Page:
    page = Page()
    page.feed(text)
    page.close()
    page.faults += [f"<{tag}> is not closed" for tag in page.open]
    page.faults += [f"link to nothing: {to}" for to in page.links if to.startswith("#") and to[1:] not in page.ids]
    return page


def contrast(one: str, other: str) -> float:
    """WCAG's contrast ratio of two colours written #rrggbb."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
