"""What --json prints, held to the schema that describes it."""

import json
from importlib import resources
from typing import Any

import jsonschema

SCHEMA: dict[str, Any] = json.loads(
    resources.files("powerstage").joinpath("display", "result.schema.json").read_bytes()
)


def require_described(document: object) -> None:
    """Raise ``ValidationError`` where a document has a key that the schema does not describe."""
    schema = _closed(SCHEMA) | {"unevaluatedProperties": False}
    del schema["additionalProperties"]
    jsonschema.Draft202012Validator(schema).validate(document)


def _closed(schema: Any) -> Any:
    """A schema whose objects have no other keys than those described."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(part) for name, part in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        closed.setdefault("additionalProperties", False)
    return closed
