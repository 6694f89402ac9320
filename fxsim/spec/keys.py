"""Keys of a specification, as its file has them, and the models that they hold."""

from __future__ import annotations

from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo


def fields_of(model: Any) -> dict[str, FieldInfo]:
    """Fields of a model by their keys; none of what is no model."""
    fields: dict[str, FieldInfo] = getattr(model, "model_fields", {})
    return {field.alias or name: field for name, field in fields.items()}


def model_in(annotation: Any) -> Any:
    """Model that a field holds, without its None; of a mapping that of the values."""
    while not hasattr(annotation, "model_fields"):
        inner = [arg for arg in get_args(annotation) if arg is not type(None)]
        if not inner:
            break
        annotation = inner[1 if get_origin(annotation) is dict else 0]
    return annotation
