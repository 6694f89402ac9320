"""Specifications: the YAML that a user writes, read into frozen, validated records."""

from typing import TYPE_CHECKING

from fxsim.faces import face

if TYPE_CHECKING:
    from fxsim.spec.specification import load_spec, parse_spec
else:
    __getattr__, __dir__ = face(
        __name__,
        {
            "load_spec": "fxsim.spec.specification",
            "parse_spec": "fxsim.spec.specification",
        },
    )

__all__ = ["load_spec", "parse_spec"]
