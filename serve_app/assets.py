"""The files of the pages, made ready to send when the application starts. Knows no addresses.

A file's name tells its content: `order.3f9a…js` changes with it and with what it imports, so that a
browser keeps it for ever and asks again for the page alone. A page has its texts in it, in the
reader's language, and names all that it will load: it can be read before any script has come.
"""

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path

from fastapi import Request, Response

from serve_app.contract.negotiation import GZIP, accepts, coding
from serve_app.contract.problem_types import not_acceptable
from serve_app.contract.problems import Refused, problem
from serve_app.contract.validators import is_known

FOLDER = Path(__file__).with_name("static")
HTML = "text/html; charset=utf-8"
# Spelled out, because the tables of `mimetypes` differ from one machine to the next, and a browser
# runs no module of another type.
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
LANGUAGES = {"ko": "한국어", "en": "English"}
FOR_EVER = "public, max-age=31536000, immutable"
ASKED_ANEW = "no-cache"

_IMPORT = re.compile(r'(?<=from "\./)[\w-]+\.js(?=")')
_COMMENT = {
    ".js": re.compile(r"^\s*/\*\*.*?\*/$|^\s*//[^\n]*$", re.DOTALL | re.MULTILINE),
    ".css": re.compile(r"/\*.*?\*/", re.DOTALL),
}
_STYLE_SPACE = re.compile(r"\s*([{};])\s*|(?<=[:,])\s+")
_INDENTATION = re.compile(r"^[ \t]+|^\n", re.MULTILINE)
_TEXT = re.compile(r'data-t="([\w.-]+)"([^>]*)>(?=</)')
_LABEL = re.compile(r'data-t-label="([\w.-]+)"')


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent; both encodings share one weak tag."""

    body: bytes
    compressed: bytes
    headers: dict[str, str]

    def answer(self, request: Request) -> Response:
        """Return the file, or 304 where the browser has it already.

        Raises `Refused` (406) where the client takes nothing of the kind.
        """
        media_type = self.headers["Content-Type"].partition(";")[0]
        if not accepts(request.scope, (media_type,)) or coding(request.scope) is None:
            raise Refused(problem(not_acceptable(media_type)))
        if is_known(request.scope, self.headers["ETag"].encode()):
            return Response(status_code=304, headers=self.headers)
        return self._coded(request, 200, self.headers)

    def failure(self, request: Request, status: int) -> Response:
        """Return the page as what is wrong: with this status, and not to be kept."""
        kept = {"ETag", "Cache-Control"}
        headers = {name: value for name, value in self.headers.items() if name not in kept}
        return self._coded(request, status, headers)

    def _coded(self, request: Request, status: int, headers: dict[str, str]) -> Response:
        if coding(request.scope) == GZIP:
            return Response(self.compressed, status, headers | {"Content-Encoding": GZIP})
        return Response(self.body, status, headers)


def load_files() -> dict[str, Asset]:
    """Return what pages load: style sheet, modules and pictures.

    Each by the name that tells its content, to be kept for ever, and by its own, for whoever
    cannot know that one.
    """
    files = {}
    for path in FOLDER.iterdir():
        if media_type := MEDIA_TYPES.get(path.suffix):
            body = source_of(path.name).encode()
            files[path.name] = _asset(body, media_type, ASKED_ANEW)
            files[fingerprinted(path.name)] = _asset(body, media_type, FOR_EVER)
    return files


def load_folder(folder: Path) -> dict[str, Asset]:
    """Return the files of a page that is not one of the shop's, by their names, as they are."""
    return {
        path.name: _asset(path.read_bytes(), MEDIA_TYPES[path.suffix], ASKED_ANEW)
        for path in folder.iterdir()
        if path.suffix in MEDIA_TYPES
    }


def ready_page(html: str, language: str) -> Asset:
    """Return a page that was made elsewhere, in a language."""
    asset = _asset(html.encode(), HTML, ASKED_ANEW)
    asset.headers["Content-Language"] = language
    return asset


def load_page(
    name: str, language: str, *, title: str, links: dict[str, str], banner: bool
) -> Asset:
    """Return a page in a language: its own part in the frame that all have.

    `title` is the name of a text, and `links` are those of its navigation, by address. The banner
    says that whoever sees the page is the owner.
    """
    other = next(tag for tag in LANGUAGES if tag != language)
    parts = {
        "main": _part(name),
        "table": _part("table"),
        "unanswered": _part("unanswered"),
        "banner": _part("banner") if banner else "",
        "nav": "".join(f'<a href="{href}" data-t="{key}"></a>' for href, key in links.items()),
        "preload": "\n".join(map(_preload, sorted(_imports(f"{name}.js")))),
        "script": fingerprinted(f"{name}.js"),
        "style": fingerprinted("style.css"),
        "icon": fingerprinted("icon.svg"),
        "page": name,
        "title": escape(texts(language)[title]),
        "language": language,
        "other": other,
        "other_name": LANGUAGES[other],
    }
    page = _part("frame")
    for part, content in parts.items():
        page = page.replace(f"{{{part}}}", content)
    known = texts(language)
    page = _TEXT.sub(lambda found: found[0] + escape(known[found[1]]), page)
    page = _LABEL.sub(lambda found: f'{found[0]} aria-label="{escape(known[found[1]])}"', page)
    return ready_page(page, language)


def fingerprinted(name: str) -> str:
    """Return the name under which a file may be kept for ever."""
    path = Path(name)
    return f"{path.stem}.{_digest(source_of(name).encode())}{path.suffix}"


@cache
def texts(language: str) -> dict[str, str]:
    """Return the texts of the pages, by `group.key`, as `texts.js` has them."""
    column = list(LANGUAGES).index(language)
    found, group = {}, ""
    source = (FOLDER / "texts.js").read_text("utf-8")
    for row in source.split("TABLE = `")[1].split("`")[0].strip().split("\n"):
        key, *translations = row.split(" | ")
        if not translations:
            group = key
        elif len(translations) == len(LANGUAGES):
            found[f"{group}.{key}"] = translations[column]
    return found


@cache
def source_of(name: str) -> str:
    """Return a file without what is for its readers, and its imports by their lasting names."""
    path = FOLDER / name
    source = path.read_text("utf-8")
    if comment := _COMMENT.get(path.suffix):
        source = _INDENTATION.sub("", _INDENTATION.sub("", comment.sub("", source)))
    if path.suffix == ".css":
        source = _STYLE_SPACE.sub(lambda found: found[1] or "", source).replace(";}", "}")
    return _IMPORT.sub(lambda found: fingerprinted(found[0]), source)


def _imports(name: str) -> set[str]:
    """Return the modules that a module needs, also those of others."""
    own = set(_IMPORT.findall((FOLDER / name).read_text("utf-8")))
    return own.union(*map(_imports, own))


def _preload(name: str) -> str:
    return f'<link rel="modulepreload" href="/static/{fingerprinted(name)}">'


def _part(name: str) -> str:
    return (FOLDER / f"{name}.html").read_text("utf-8")


def _asset(body: bytes, media_type: str, caching: str) -> Asset:
    headers = {
        "Content-Type": media_type,
        "ETag": f'W/"{_digest(body)}"',
        "Cache-Control": caching,
        "Vary": "Accept-Encoding, Accept-Language, Cookie"
        if media_type == HTML
        else "Accept-Encoding",
    }
    # Without a time in it, every replica sends the same bytes.
    return Asset(body, gzip.compress(body, mtime=0), headers)


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:12]
