"""The documentation of every call as a page, made from the OpenAPI document. Knows no routes."""

import json
import re
from collections.abc import Iterator
from html import escape
from typing import Any

Json = dict[str, Any]

LANGUAGE = "en"
METHODS = ("get", "post", "put", "patch", "delete")
DEEPEST = 6
"""Schemas within schemas that an example is made of."""
_CODE = re.compile(r"`([^`]*)`")
_LINES = re.compile(r"\n{2,}")
_FRAME = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: every call</title>
<link rel="icon" href="/static/icon.svg">
<link rel="stylesheet" href="/docs/style.css">
<script type="module" src="/docs/try.js"></script>
</head>
<body>
<header><h1>{title}</h1>{about}
<p>The same for programs: <a href="/openapi.json">openapi.json</a>, version {version}.</p>
<label>Token to try with, where sign-in is required
<input id="token" type="password" autocomplete="off" spellcheck="false"></label></header>
<main>{groups}</main>
</body>
</html>
"""


def render(document: Json) -> str:
    """Return the page of an OpenAPI document; reading it needs no script."""
    described = {tag["name"]: tag.get("description", "") for tag in document.get("tags", ())}
    groups: dict[str, list[str]] = {name: [] for name in described}
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                tag = (methods[method].get("tags") or ["other"])[0]
                call = _Call(document, path, method, methods[method])
                groups.setdefault(tag, []).append(call.html())
    info = document["info"]
    return _FRAME.format(
        language=LANGUAGE,
        title=escape(info["title"]),
        about=_prose(info.get("description", "")),
        version=escape(info["version"]),
        groups="".join(
            f"<section><h2>{escape(name)}</h2>{_prose(described.get(name, ''))}"
            f"{''.join(calls)}</section>"
            for name, calls in groups.items()
            if calls
        ),
    )


class _Call:
    def __init__(self, document: Json, path: str, method: str, operation: Json) -> None:
        self._schemas: Json = document.get("components", {}).get("schemas", {})
        self._path = path
        self._method = method.upper()
        self._operation = operation

    def html(self) -> str:
        """Return what can be opened: description, a form to try it, and its answers."""
        operation, name = self._operation, escape(self._operation["operationId"])
        return (
            f'<details id="{name}"><summary><b class="{self._method.lower()}">{self._method}</b> '
            f"<code>{escape(self._path)}</code> {escape(operation.get('summary', ''))}</summary>"
            f"{_prose(operation.get('description', ''))}{self._form()}{self._answers()}</details>"
        )

    def _form(self) -> str:
        fields = "".join(self._field(each) for each in self._operation.get("parameters", ()))
        body = self._operation.get("requestBody")
        if body is not None:
            schema = body["content"]["application/json"]["schema"]
            example = escape(_text(_example(schema, self._schemas)))
            rows = example.count("\n") + 1
            fields += (
                f'<label>Body <textarea name="body" rows="{rows}" spellcheck="false">{example}'
                f"</textarea></label>{_fields(schema, self._schemas)}"
            )
        return (
            f'<form data-method="{self._method}" data-path="{escape(self._path)}">{fields}'
            '<button>Send</button><output role="status"></output></form>'
        )

    def _field(self, parameter: Json) -> str:
        name, place = escape(parameter["name"]), parameter["in"]
        required = " required" if parameter.get("required") else ""
        told = _inline(parameter.get("description", ""))
        kind = escape(_kind(parameter.get("schema", {}), self._schemas))
        return (
            f"<label><code>{name}</code> <small>{place}, {kind}{',' if required else ''}{required}"
            f'</small> {told}<input name="{name}" data-in="{place}"{required} autocomplete="off">'
            "</label>"
        )

    def _answers(self) -> str:
        rows = []
        for status, answer in self._operation.get("responses", {}).items():
            shown = "".join(self._contents(answer))
            told = _inline(answer.get("description", ""))
            rows.append(f"<dt>{escape(str(status))}</dt><dd>{told}{shown}</dd>")
        return f"<h3>Answers</h3><dl>{''.join(rows)}</dl>"

    def _contents(self, answer: Json) -> Iterator[str]:
        for media_type, content in answer.get("content", {}).items():
            example = content.get("example")
            if example is None and content.get("schema"):
                example = _example(content["schema"], self._schemas)
            if example is not None:
                label = f"<small>{escape(media_type)}</small>"
                yield f"<pre>{label}\n{escape(_text(example))}</pre>"


def _fields(schema: Json, schemas: Json) -> str:
    """Return a table of what a body may have in it."""
    schema = _resolved(schema, schemas)
    required = schema.get("required", ())
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(_kind(each, schemas))}"
        f"{', required' if name in required else ''}</td></tr>"
        for name, each in schema.get("properties", {}).items()
    )
    return f"<table>{rows}</table>" if rows else ""


def _kind(schema: Json, schemas: Json) -> str:
    """Return in a few words what a value may be."""
    if "$ref" in schema and "enum" not in (named := _resolved(schema, schemas)):
        return str(named.get("title", "object"))
    schema = _resolved(schema, schemas)
    if "enum" in schema:
        return " · ".join(map(str, schema["enum"]))
    if "anyOf" in schema:
        return " or ".join(_kind(each, schemas) for each in schema["anyOf"])
    kind = str(schema.get("type", "any"))
    if kind == "array":
        kind = f"list of {_kind(schema.get('items', {}), schemas)}"
    for least, most in (("minimum", "maximum"), ("minLength", "maxLength")):
        if least in schema or most in schema:
            kind += f" {schema.get(least, '')}–{schema.get(most, '')}"
    return kind


def _example(schema: Json, schemas: Json, depth: int = 0) -> Any:
    """Return a value that a schema allows: its own example, or one made up from its parts."""
    schema = _resolved(schema, schemas)
    if schema.get("examples"):
        return schema["examples"][0]
    for name in ("const", "default"):
        if schema.get(name) is not None:
            return schema[name]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return _example(schema["anyOf"][0], schemas, depth + 1)
    return _made_up(schema, schemas, depth) if depth <= DEEPEST else None


def _made_up(schema: Json, schemas: Json, depth: int) -> Any:
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            return {name: _example(each, schemas, depth + 1) for name, each in properties.items()}
        case "array":
            return [_example(schema.get("items", {}), schemas, depth + 1)]
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "string":
            return "2026-01-05T09:00:00Z" if schema.get("format") == "date-time" else "…"
    return None


def _resolved(schema: Json, schemas: Json) -> Json:
    reference = schema.get("$ref")
    found: Json = schemas[reference.rpartition("/")[2]] if reference else schema
    return found


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def _prose(text: str) -> str:
    paragraphs = (part for part in _LINES.split(text.strip()) if part)
    return "".join(f"<p>{_inline(part)}</p>" for part in paragraphs)


def _inline(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text))
