"""Customers, each known to one bot."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_core.database import insert
from hitl_desk.server import answers, tables
from hitl_desk.server.bodies import CustomerFields
from hitl_desk.server.ids import new_id
from hitl_desk.server.problems import Problem
from hitl_desk.server.unit import Unit

__all__ = ["customer_answer", "put_customer", "require_customer"]

_t = tables.customers


async def put_customer(
    unit: Unit, bot_id: str, external_id: str, fields: CustomerFields, *, rename: bool = True
) -> tuple[answers.Customer, bool]:
    """Write what is given of a customer, and leave the rest.

    :param rename: replace a name that is there.
    :returns: the customer, and whether they are new.
    """
    given: dict[str, Any] = fields.model_dump(mode="json", exclude_unset=True)
    if "data" in given:
        given["data"] = given["data"] or {}
    created = await unit.conn.execute(
        insert(unit.conn, _t)
        .values(
            id=new_id("cus"),
            bot_id=bot_id,
            external_id=external_id,
            created_at=unit.now,
            updated_at=unit.now,
            **({"data": {}} | given),
        )
        .on_conflict_do_nothing(index_elements=[_t.c.bot_id, _t.c.external_id])
        .returning(_t)
    )
    row = created.one_or_none()
    if row is not None:
        return customer_answer(row), True
    which = sa.and_(_t.c.bot_id == bot_id, _t.c.external_id == external_id)
    if "name" in given and not rename:
        given["name"] = sa.func.coalesce(_t.c.name, given["name"])
    values = {**given, "updated_at": unit.now} if given else {"updated_at": _t.c.updated_at}
    changed = await unit.conn.execute(sa.update(_t).where(which).values(values).returning(_t))
    return customer_answer(changed.one()), False


async def require_customer(conn: AsyncConnection, bot_id: str, customer_id: str) -> sa.Row[Any]:
    """Return a bot's customer.

    :raises Problem: 422 when the bot has none of that id.
    """
    row = (await conn.execute(sa.select(_t).where(_t.c.id == customer_id, _t.c.bot_id == bot_id))).one_or_none()
    if row is None:
        message = "is no customer of this bot; PUT /v1/customers/{external_id} first and use the id it answers"
        raise Problem(
            422,
            "unknown_customer",
            f"customer_id {message}.",
            errors=[{"location": "body.customer_id", "message": message}],
        )
    return row


def customer_answer(row: sa.Row[Any]) -> answers.Customer:
    """Return a customer as bots see them."""
    return answers.Customer.model_validate(row._asdict())
