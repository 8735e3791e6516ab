"""The files of the pages, read once and kept ready to send. Knows no addresses."""

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

from fastapi import Request, Response

FOLDER = Path(__file__).with_name("static")
HTML = "text/html; charset=utf-8"
# Spelled out, because the tables of `mimetypes` differ from one machine to the next, and a browser
# runs no module of another type.
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent; both encodings share one weak tag."""

    body: bytes
    compressed: bytes
    headers: dict[str, str]

    def answer(self, request: Request) -> Response:
        """Return the file, or 304 where the browser has it already."""
        if self.headers["ETag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=self.headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(self.compressed, headers=self.headers | {"Content-Encoding": "gzip"})
        return Response(self.body, headers=self.headers)


def load_files() -> dict[str, Asset]:
    """Read what pages load: style sheet, modules and pictures, by their names."""
    files = (path for path in FOLDER.iterdir() if path.suffix in MEDIA_TYPES)
    return {path.name: _asset(path.read_bytes(), MEDIA_TYPES[path.suffix]) for path in files}


def load_page(name: str) -> Asset:
    """Read a page: its own part in the frame that all have, with the module of its name.

    The owner's pages share a table.
    """
    frame, main, table = (
        (FOLDER / f"{part}.html").read_text("utf-8") for part in ("frame", name, "table")
    )
    page = frame.replace("{page}", name).replace("{main}", main).replace("{table}", table)
    return _asset(page.encode(), HTML)


def _asset(body: bytes, media_type: str) -> Asset:
    headers = {
        "Content-Type": media_type,
        "ETag": f'W/"{hashlib.sha256(body).hexdigest()[:16]}"',
        # Asked for anew each time, and mostly answered 304: a page never runs with modules of
        # another version.
        "Cache-Control": "no-cache",
        "Vary": "Accept-Encoding",
    }
    # Without a time in it, every replica sends the same bytes.
    return Asset(body, gzip.compress(body, mtime=0), headers)
