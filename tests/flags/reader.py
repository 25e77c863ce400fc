"""What a reader sees of a page."""

from html.parser import HTMLParser

__all__ = ["Text"]


class Text(HTMLParser):
    """What is to be read on a page, and the tags and attributes that it is made of."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.texts.append("" if tag == "wbr" else " ")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def __str__(self) -> str:
        return " ".join("".join(self.texts).split())
