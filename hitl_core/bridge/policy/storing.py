"""Reading back what was configured, though another version wrote it (an older worker survives a newer one's rows)."""

from __future__ import annotations

import json
import logging
from typing import TypeVar

from pydantic import ValidationError

from hitl_core._model import Model
from hitl_core.bridge.policy.names import STORED, explain
from hitl_core.errors import StoreError

__all__ = ["read_stored"]

logger = logging.getLogger(__name__)

ModelT = TypeVar("ModelT", bound=Model)


def read_stored(model: type[ModelT], stored: str) -> ModelT:
    """Read a stored configuration; what this version cannot read has its default, and the log is told.

    :raises StoreError: it is not one at all.
    """
    try:
        return model.model_validate_json(stored, context=STORED)
    except ValidationError as error:
        told = explain(error)
        wrong = {problem["loc"][0] for problem in error.errors(include_input=False) if problem["loc"]}
    logger.warning("a stored policy has what this version cannot read: %s", told)
    try:
        given = json.loads(stored)
        return model.model_validate({name: value for name, value in given.items() if name not in wrong}, context=STORED)
    except (AttributeError, ValueError):  # no JSON, no object, or wrong as a whole
        msg = f"a stored policy cannot be read: {told}"
        raise StoreError(msg) from None
