"""The models that the simulator has: a folder with `search.json` and `schemas/*.json`.

The bundled folder is served as any other of the same layout would be. A chat model without a schema
file gets the schema that its family has, generated; a few models have none at all, as upstream.
"""

from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import orjson

from workers_ai.simulator.models.families import (
    context_window,
    family_of,
    flag,
    properties,
    sees_images,
)
from workers_ai.simulator.models.legacy_schema import legacy_schema
from workers_ai.simulator.models.metering import price_list
from workers_ai.simulator.models.openai_schema import openai_schema
from workers_ai.simulator.models.special_schemas import gpt_oss_schema, guard_schema
from workers_ai.simulator.replies import Reply, bare, success

BUNDLED = Path(__file__).parent / "bundled"

# Upstream answers these with an empty schema.
_WITHOUT_SCHEMA = ("qwq-32b", "granite-4.0-h-micro")


class CatalogError(Exception):
    """The folder cannot be served; the text says what is wrong with it."""


class Catalog:
    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or BUNDLED
        try:
            listed = orjson.loads((self.folder / "search.json").read_bytes())
        except OSError as error:
            raise CatalogError(f"no search.json in {self.folder}: {error.strerror}") from error
        except orjson.JSONDecodeError as error:
            raise CatalogError(f"{self.folder / 'search.json'} is not JSON: {error}") from error
        if not isinstance(listed, list) or not all(_is_entry(entry) for entry in listed):
            raise CatalogError(f"{self.folder / 'search.json'} takes a list of models with names")
        self.entries: list[dict[str, Any]] = listed
        self._by_name = {entry["name"]: entry for entry in listed}
        self._schemas: dict[str, dict[str, Any]] = {}
        self._schema_replies: dict[str, Reply] = {}

    def entry(self, name: str) -> dict[str, Any] | None:
        return self._by_name.get(name)

    def schema(self, name: str) -> dict[str, Any]:
        """The model's `{"input", "output"}`, or `{}` where upstream has none either."""
        if name not in self._schemas:
            self._schemas[name] = self._load_schema(self._by_name[name])
        return self._schemas[name]

    def _load_schema(self, entry: dict[str, Any]) -> dict[str, Any]:
        file = self.folder / "schemas" / f"{entry['name'].replace('/', '__')}.json"
        if file.is_file():
            schema: dict[str, Any] = orjson.loads(file.read_bytes())
            return schema
        if entry["task"]["name"] != "Text Generation":
            return {}
        return generated_schema(entry)

    def schema_reply(self, name: str) -> Reply:
        """The answer to models/schema, encoded once: the large ones are 150 KB."""
        if name not in self._schema_replies:
            self._schema_replies[name] = success(self.schema(name))
        return self._schema_replies[name]

    def search_reply(self, query: dict[str, str]) -> Reply:
        found = [entry for entry in self.entries if _matches(entry, query)]
        if query.get("format") == "openrouter":
            chats = [entry for entry in found if entry["task"]["name"] == "Text Generation"]
            return bare({"data": [_openrouter_entry(entry) for entry in chats]})
        # per_page is ignored and the first page holds everything, so a second one is empty.
        if query.get("page", "1") not in ("", "0", "1"):
            found = []
        return bare(
            {
                "result": found,
                "success": True,
                "errors": [],
                "messages": [],
                "result_info": {"count": len(found)},
            }
        )


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("name"), str)
        and isinstance(entry.get("task"), dict)
        and isinstance(entry["task"].get("name"), str)
    )


def _matches(entry: dict[str, Any], query: dict[str, str]) -> bool:
    name = entry["name"].lower()
    searched = unquote_plus(query.get("search", "")).lower()
    if searched and searched not in name and searched not in entry.get("description", "").lower():
        return False
    task = query.get("task", "")
    if task and task.lower() != entry["task"]["name"].lower():
        return False
    author = query.get("author", "").lower()
    if author and author != name.split("/")[1]:
        return False
    source = query.get("source", "")
    if source and source != str(entry.get("source", 1)):
        return False
    if query.get("hide_experimental", "").lower() == "true" and flag(entry, "beta"):
        return False
    return query.get("include_deprecated", "").lower() == "true" or not entry.get("deprecated")


def _openrouter_entry(entry: dict[str, Any]) -> dict[str, Any]:
    prices = price_list(entry)
    return {
        "id": entry["name"],
        "hugging_face_id": entry["name"].split("/", 1)[1],
        "context_length": context_window(entry),
        "max_output_length": context_window(entry),
        "pricing": {
            "prompt": f"{prices.get('per M input tokens', 0) / 1e6:.10f}",
            "completion": f"{prices.get('per M output tokens', 0) / 1e6:.10f}",
        },
    }


def generated_schema(entry: dict[str, Any]) -> dict[str, Any]:
    """The schema of a chat model that has no file, as its family's is."""
    name = entry["name"]
    family = family_of(entry)
    if any(part in name for part in _WITHOUT_SCHEMA):
        return {}
    if "gpt-oss" in name:
        return gpt_oss_schema()
    if "guard" in name:
        return guard_schema()
    if family.openai_schema:
        return openai_schema(envelope=family.schema_envelope == "named")
    return legacy_schema(
        default_max_tokens=family.default_max_tokens or 256,
        newest="llama-3.3" in name,
        parts=sees_images(entry) and family.data_images_only,
        images=sees_images(entry) and family.data_images_only,
        guided=family.data_images_only,
        lora="lora" in properties(entry),
    )
