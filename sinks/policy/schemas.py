"""JSON Schemas of the files that people write, for their editors: generated from the models that read them."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from sinks.policy.cases import CaseFile
from sinks.policy.fields import Model
from sinks.policy.rules import PolicyFile

FILES: dict[str, type[Model]] = {"policy": PolicyFile, "policy-tests": CaseFile}


def file_schemas() -> dict[str, dict[str, Any]]:
    """The schema of each kind of file, by name."""
    return {
        name: {"$schema": GenerateJsonSchema.schema_dialect, "$id": f"urn:moderato:{name}:v1"}
        | model.model_json_schema(schema_generator=_AsWritten)
        for name, model in FILES.items()
    }


class _AsWritten(GenerateJsonSchema):
    """What is optional may be left out; it may not be null, which YAML makes of a name with nothing after it."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        found = super().default_schema(schema)
        if not isinstance(found.get("default"), str | bool):
            found.pop("default", None)
        return found

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False
