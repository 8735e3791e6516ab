"""The pages as they are sent: whole, small, safe under their policy, and in two languages."""

import gzip
import re
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest

from serve_app import assets
from serve_app.assets import FOLDER, load_files
from serve_app.routes.pages import PAGES

FILES = sorted(path for path in FOLDER.iterdir() if path.suffix != ".html")
SOURCES = [path.read_text("utf-8") for path in sorted(FOLDER.iterdir()) if path.name != "texts.js"]
MOST = 100 * 1024
ADDRESSES = {re.sub(r"\{\w+:id\}", "some-id", page): name for page, (name, *_) in PAGES.items()}
# Families of texts that are named by a state or a code, and not one by one.
FAMILIES = (
    r"age|button|by|card|event|money|headline|live|name|order|payment|problem|reason|status|step"
    r"|wait"
)


@pytest.fixture(scope="module")
def client(shared_client: httpx.AsyncClient) -> httpx.AsyncClient:
    """Nothing here leaves a trace that another test could see."""
    return shared_client


class Elements(HTMLParser):
    """What a page is made of: each element's name and attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def texts() -> dict[str, list[str]]:
    read: dict[str, list[str]] = {}
    group = ""
    table = (FOLDER / "texts.js").read_text("utf-8").split("TABLE = `")[1].split("`;")[0]
    for row in table.strip().split("\n"):
        key, *translations = row.split(" | ")
        if translations:
            read[f"{group}.{key}"] = translations
        else:
            group = key
    return read


@pytest.mark.parametrize("address", ADDRESSES)
async def test_a_page_is_html_that_its_policy_lets_live(
    client: httpx.AsyncClient, address: str
) -> None:
    """No script or style in it, no handler, and nothing from another host."""
    page = await client.get(address)

    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "unsafe-inline" not in page.headers["content-security-policy"]
    for tag, attributes in Elements(page.text).found:
        assert tag != "style"
        assert tag != "script" or attributes.get("src")
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
        for name in ("src", "href", "action"):
            assert (attributes.get(name) or "/").startswith(("/", "#"))


@pytest.mark.parametrize("address", ADDRESSES)
async def test_whatever_a_page_loads_is_there_with_its_type(
    client: httpx.AsyncClient, address: str
) -> None:
    """A browser runs no module of another type."""
    elements = Elements((await client.get(address)).text).found
    wanted = {a["href"] for tag, a in elements if tag == "link"}
    wanted |= {a["src"] for tag, a in elements if tag == "script"}
    assert [p for p in wanted if p and re.fullmatch(rf"/static/{ADDRESSES[address]}\.\w+\.js", p)]
    named = set(wanted)
    seen: set[str] = set()
    while wanted - seen:
        path = str((wanted - seen).pop())
        seen.add(path)
        file = await client.get(path)
        assert file.status_code == 200, path
        if path.endswith(".js"):
            assert file.headers["content-type"] == "text/javascript; charset=utf-8"
            imports = re.findall(r'from "\./([\w.-]+\.js)"', file.text)
            wanted |= {f"/static/{name}" for name in imports}
        assert file.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert wanted == named, "the page names all of it, so that nothing waits for a script"


async def test_an_element_that_a_module_asks_for_is_in_its_page(client: httpx.AsyncClient) -> None:
    """Its own page, or one that uses the module together with it."""
    pages = [Elements((await client.get(address)).text).found for address in ADDRESSES]
    ids = {a["id"] for elements in pages for _, a in elements if "id" in a}
    made = {id_ for source in SOURCES for id_ in re.findall(r'\bid: "([\w-]+)"', source)}
    asking = re.compile(r'\b(?:byId|say|onSubmit|fillSelect)\("([\w-]+)"')
    asked = {id_ for source in SOURCES for id_ in asking.findall(source)}
    assert asked <= ids | made


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("language", ["ko", "en"])
async def test_a_page_can_be_read_before_its_script_has_come(
    client: httpx.AsyncClient, address: str, language: str
) -> None:
    page = await client.get(address, headers={"Accept-Language": f"fr, {language};q=0.8"})
    assert f'<html lang="{language}">' in page.text
    assert "Accept-Language" in page.headers["vary"]
    column = ("ko", "en").index(language)
    elements = re.findall(r'data-t="([\w.-]+)"[^>]*>([^<]*)</', page.text)
    labels = re.findall(r'data-t-label="([\w.-]+)" aria-label="([^"]*)"', page.text)
    assert elements
    for key, text in elements + labels:
        assert text == texts()[key][column]
    assert not re.search(r"\{\w+\}", page.text)


@pytest.mark.parametrize(
    ("wish", "language"),
    [
        ("ko-KR,ko;q=0.9,en;q=0.8", "ko"),
        ("en-US,en;q=0.9,ko;q=0.8", "en"),
        ("en;q=0.2, ko;q=0.7", "ko"),
        ("ko;q=0, fr", "en"),
        ("ko;q=x", "en"),
        ("", "en"),
    ],
)
async def test_a_page_is_in_the_language_that_its_reader_likes_best(
    client: httpx.AsyncClient, wish: str, language: str
) -> None:
    page = await client.get("/", headers={"Accept-Language": wish})
    assert f'<html lang="{language}">' in page.text


def test_a_file_that_changes_gets_another_name_and_so_does_what_imports_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in FOLDER.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    before = {name for name in load_files() if name.count(".") > 1}
    (tmp_path / "follow.js").write_text((FOLDER / "follow.js").read_text() + "\nlet more = 1;\n")
    monkeypatch.setattr(assets, "FOLDER", tmp_path)
    assets.source_of.cache_clear()
    after = {name for name in load_files() if name.count(".") > 1}
    assets.source_of.cache_clear()
    assert {name.split(".")[0] for name in after - before} == {"follow", "one"}


async def test_what_a_browser_has_already_is_not_sent_again(client: httpx.AsyncClient) -> None:
    for path in ("/", "/static/style.css"):
        first = await client.get(path)
        assert first.headers["cache-control"] == "no-cache"

        again = await client.get(path, headers={"If-None-Match": first.headers["etag"]})
        other = await client.get(path, headers={"If-None-Match": 'W/"another"'})

        assert (again.status_code, again.content) == (304, b"")
        assert (other.status_code, other.content) == (200, first.content)


async def test_a_browser_that_cannot_unzip_gets_the_same_file(client: httpx.AsyncClient) -> None:
    packed = await client.get("/static/order.js")
    plain = await client.get("/static/order.js", headers={"Accept-Encoding": "identity"})

    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert plain.content == packed.content
    assert b"placing.start(" in plain.content


@pytest.mark.parametrize("name", ["nothing.js", "order.html", "%2e%2e%2fapp.py", ".hidden"])
async def test_nothing_else_is_sent(client: httpx.AsyncClient, name: str) -> None:
    assert (await client.get(f"/static/{name}")).status_code == 404


async def test_all_of_it_weighs_less_than_a_picture(client: httpx.AsyncClient) -> None:
    """All pages and files as they are sent, and what the largest page loads where nothing packs."""
    files = {name: file for name, file in load_files().items() if name.count(".") > 1}
    packed, largest = sum(len(file.compressed) for file in files.values()), 0
    for address in ADDRESSES:
        page = (await client.get(address)).text
        loaded = [len(file.body) for name, file in files.items() if f"/static/{name}" in page]
        largest = max(largest, len(page.encode()) + sum(loaded))
        packed += len(gzip.compress(page.encode()))
    assert (packed < 0.6 * MOST, largest < MOST) == (True, True), (packed, largest)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_file_asks_another_host(path: Path) -> None:
    source = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|@import|url\(", source)


def test_what_people_typed_never_becomes_markup() -> None:
    dangerous = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"
    assert not [source for source in SOURCES if re.search(dangerous, source)]


def test_every_text_is_there_in_both_languages() -> None:
    for key, translations in texts().items():
        if key.startswith("name."):
            continue  # its English is what the store calls it
        korean, english = translations
        assert korean, key
        assert english, key
        places = [sorted(re.findall(r"\{\w+\}", text)) for text in (korean, english)]
        assert places[0] == places[1], key


def test_every_text_that_is_used_is_known_and_the_other_way_round() -> None:
    sources = "\n".join(SOURCES)
    used = set(re.findall(r'\bt\("([\w.-]+)"', sources))
    used |= set(re.findall(r'data-t(?:-label)?="([\w.-]+)"', sources))
    assert used <= set(texts())
    unused = [key for key in texts() if f'"{key}"' not in sources]
    assert [key for key in unused if not re.match(rf"({FAMILIES})\.", key)] == []
