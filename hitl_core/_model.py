"""The base every HITL model stands on."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["Model"]


class Model(BaseModel):
    """Frozen, tolerant of unknown fields, and discreet.

    Unknown fields are ignored, so that an older worker survives a newer one's rows. Fields that may hold a
    customer's words or a secret are declared with ``Field(repr=False)``; validation errors do not quote input.
    Validators are built at first use, which keeps ``import hitl_core`` fast.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
        defer_build=True,
        use_attribute_docstrings=False,
        ser_json_bytes="base64",
        val_json_bytes="base64",
    )
