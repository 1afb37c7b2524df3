"""The endpoints as one plain page, out of their OpenAPI document; it fetches nothing."""

from __future__ import annotations

import html
import json
from typing import Any

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }}
body {{ max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}
summary {{ cursor: pointer }} pre {{ overflow: auto }} code {{ font-weight: 600 }}
</style><h1>{title}</h1><p>{text}</p><p><a href="openapi.json">openapi.json</a></p>
<h2>Endpoints</h2>{endpoints}<h2>What goes in and comes out</h2>{schemas}</html>"""
_ITEM = "<details><summary><code>{head}</code> {text}</summary><pre>{content}</pre></details>"


def describe_endpoints(document: dict[str, Any]) -> str:
    """Return the page of an OpenAPI document."""
    endpoints = [
        _item(f"{method.upper()} {path}", operation.get("description", ""), _used(operation))
        for path, ways in document["paths"].items()
        for method, operation in ways.items()
    ]
    schemas = [
        _item(name, schema.get("description", ""), schema)
        for name, schema in document.get("components", {}).get("schemas", {}).items()
    ]
    about = document["info"]
    return _PAGE.format(
        title=html.escape(f"{about['title']} {about['version']}"),
        text=html.escape(about.get("description", "")),
        endpoints="\n".join(endpoints),
        schemas="\n".join(schemas),
    )


def _used(operation: dict[str, Any]) -> dict[str, Any]:
    """Return what is needed to call an endpoint."""
    names = ("parameters", "requestBody", "responses")
    return {name: operation[name] for name in names if name in operation}


def _item(head: str, text: str, content: dict[str, Any]) -> str:
    shown = json.dumps(content, indent=2, ensure_ascii=False)
    return _ITEM.format(
        head=html.escape(head), text=html.escape(text), content=html.escape(shown, quote=False)
    )
