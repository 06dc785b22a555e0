"""Rows by any of many texts, in one statement however many there are.

``IN`` has a parameter for each value: with another number of them it is another statement, to be put together here and
to be planned by the database. A list that is one parameter makes it one statement, made once.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeDecorator

from hitl_core.bridge.store.base import Store

__all__ = ["among"]


class _Texts(TypeDecorator[Collection[str]]):
    """Texts as one parameter: JSON on SQLite, an array on PostgreSQL."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        """Return the type the database has for it."""
        return dialect.type_descriptor(sa.Text() if dialect.name == "sqlite" else postgresql.ARRAY(sa.Text()))

    def process_bind_param(self, value: Collection[str] | None, dialect: sa.Dialect) -> Any:
        """Turn texts into the parameter.

        :raises ValueError: one has a NUL: PostgreSQL has none, and SQLite's JSON ends there.
        """
        texts = list(value or ())
        if dialect.name != "sqlite":
            return texts
        if any("\0" in text for text in texts):
            msg = "a text with a NUL cannot be looked for"
            raise ValueError(msg)
        return json.dumps(texts)


def among(store: Store, column: sa.Column[str], name: str) -> sa.ColumnElement[bool]:
    """Say that a column is one of the texts that are given as the parameter ``name``, a collection."""
    texts = sa.bindparam(name, type_=_Texts())
    if store.is_sqlite:
        return column.in_(sa.select(sa.func.json_each(texts).table_valued("value").c.value))
    return column == sa.any_(texts)
