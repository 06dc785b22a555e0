"""Uses a Zendesk account through zenpy, a client that knows nothing of us; runs where zenpy is installed.

Reads one request from standard input, ``{"url", "public_url", "email", "api_token", "step", ...}``, and prints as JSON
what zenpy made of the answers. Nothing goes anywhere but to ``url``, whatever host an answer names.
"""

import hashlib
import json
import sys
from datetime import UTC, datetime
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from zenpy import Zenpy
from zenpy.lib.api_objects import Comment, Ticket, Trigger, User, Webhook
from zenpy.lib.exception import APIException, RecordNotFoundException


class Redirected(HTTPAdapter):
    """Carries what is meant for ``public_url`` to ``url``, as a local proxy would, and nothing else."""

    def __init__(self, public_url, url):
        super().__init__(**Zenpy.http_adapter_kwargs())
        self._public_url, self._url = public_url, url

    def send(self, request, **options):
        if not request.url.startswith(f"{self._public_url}/"):
            raise requests.exceptions.InvalidURL(f"{urlsplit(request.url).hostname} is not the account's host")
        carried = request.copy()
        carried.url = self._url + request.url.removeprefix(self._public_url)
        response = super().send(carried, **options)
        response.request, response.url = request, request.url
        return response


def client(asked):
    """Make a zenpy client the way its documentation says, with a session of our own."""
    session = requests.Session()
    session.trust_env = False
    session.adapters.clear()
    session.mount("https://", Redirected(asked["public_url"], asked["url"]))
    subdomain, _, domain = urlsplit(asked["public_url"]).hostname.partition(".")
    return Zenpy(
        subdomain=subdomain,
        domain=domain,
        email=asked["email"],
        token=asked["api_token"],
        session=session,
        disable_cache=True,
        ratelimit_budget=5,
    )


def write(zenpy, asked):
    """Make customers, upload a file, open a ticket with it, write into it."""
    first = zenpy.users.create(User(name=asked["name"], external_id="zp-1", role="end-user"))
    second = zenpy.users.create_or_update(User(name="Bo", email="bo@customer.example", external_id="zp-2"))
    again = zenpy.users.create_or_update(User(name="Bo Berg", external_id="ZP-2"))
    upload = zenpy.attachments.upload(
        asked["file"].encode(), target_name=asked["file_name"], content_type="text/plain; charset=utf-8"
    )
    opened = zenpy.tickets.create(
        Ticket(
            subject=asked["subject"],
            comment=Comment(html_body=asked["opening"], public=True),
            requester_id=first.id,
            submitter_id=zenpy.users.me().id,
            external_id="zp-ticket",
            tags=["hitl", "zenpy"],
            priority="high",
            type="question",
        )
    )
    ticket = opened.ticket
    ticket.comment = Comment(html_body=asked["question"], public=True, author_id=first.id, uploads=[upload.token])
    said = zenpy.tickets.update(ticket)
    ticket = said.ticket
    ticket.comment = Comment(html_body=asked["note"], public=False)
    noted = zenpy.tickets.update(ticket)
    return {
        "me": zenpy.users.me().id,
        "customers": [first.id, second.id, again.id],
        "ticket": ticket.id,
        "comments": [comment_id(audit) for audit in (opened, said, noted)],
        "upload": {"token": upload.token, "name": upload.attachment.file_name, "size": upload.attachment.size},
    }


def comment_id(answer):
    """Return the id of the comment that an update of a ticket made."""
    events = [event if isinstance(event, dict) else event.to_dict() for event in answer.audit.events]
    return next(event["id"] for event in events if event["type"] == "Comment")


def read(zenpy, asked):
    """Read a ticket, its comments with their files, its audits and its people, by every way there is."""
    ticket = zenpy.tickets(id=asked["ticket"])
    start = datetime.fromtimestamp(asked["since"], UTC)
    return {
        "ticket": {
            name: getattr(ticket, name) for name in ("id", "subject", "status", "priority", "external_id", "tags")
        },
        "requester": {name: getattr(ticket.requester, name) for name in ("name", "email", "external_id", "role")},
        "assignee": ticket.assignee and ticket.assignee.name,
        "created_at": ticket.created.timestamp(),
        "comments": [told(zenpy, comment) for comment in zenpy.tickets.comments(ticket=ticket.id)],
        "audited": [
            event["id"]
            for audit in zenpy.tickets.audits(ticket.id)
            for event in audit.events
            if event["type"] == "Comment"
        ],
        "by_external_id": [each.id for each in zenpy.tickets(external_id="zp-ticket")],
        "shown_many": [each.id for each in zenpy.tickets(ids=[ticket.id])],
        "listed": [each.id for each in zenpy.tickets()],
        "paged": [each.id for each in zenpy.tickets(cursor_pagination=1)],
        "changed": [each.id for each in zenpy.tickets.incremental(start_time=start)],
        "by_email": [each.id for each in zenpy.users.search(query="bo@customer.example")],
        "with_external_id": [each.id for each in zenpy.users.search(external_id="zp-1")],
    }


def told(zenpy, comment):
    """Return what a comment says, and who says it."""
    return {
        "id": comment.id,
        "author": comment.author.name,
        "public": comment.public,
        "body": comment.body,
        "html_body": comment.html_body,
        "files": [
            {
                "name": file.file_name,
                "type": file.content_type,
                "size": file.size,
                "sha256": hashlib.sha256(zenpy.attachments.download(file.id).getvalue()).hexdigest(),
            }
            for file in comment.attachments
        ],
    }


def register(zenpy, asked):
    """Make a webhook and a trigger, read them back, change them and take them away."""
    hook = zenpy.webhooks.create(
        Webhook(
            name="zenpy",
            endpoint=asked["endpoint"],
            status="active",
            http_method="POST",
            request_format="json",
            subscriptions=["conditional_ticket_events"],
        )
    )
    secret = zenpy.webhooks.show_secret(hook.id)
    trigger = zenpy.triggers.create(
        Trigger(
            title="zenpy",
            all=[{"field": "current_tags", "operator": "includes", "value": "hitl"}],
            actions=[{"field": "notification_webhook", "value": [hook.id, '{"ticket": "{{ticket.id}}"}']}],
        )
    )
    seen = {
        "webhook": hook.id,
        "subscriptions": hook.subscriptions,
        "webhooks": [each.name for each in zenpy.webhooks.list()],
        "secret": secret.secret,
        "trigger": trigger.id,
        "triggers": [each.title for each in zenpy.triggers()],
        "conditions": trigger.conditions if isinstance(trigger.conditions, dict) else trigger.conditions.to_dict(),
    }
    zenpy.webhooks.patch(Webhook(id=hook.id, status="inactive"))
    seen["status"] = zenpy.webhooks(id=hook.id).status
    zenpy.triggers.delete(trigger)
    zenpy.webhooks.delete(hook)
    seen["left"] = [len(list(zenpy.triggers())), len(list(zenpy.webhooks.list()))]
    return seen


def fail(zenpy, asked):
    """Ask for what is refused; return how zenpy takes each refusal."""
    closed = Ticket(id=asked["ticket"], comment=Comment(body="too late"))
    return {
        "missing": refusal(lambda: zenpy.tickets(id=999999)),
        "closed": refusal(lambda: zenpy.tickets.update(closed)),
        "taken": refusal(lambda: zenpy.users.create(User(name="Cy", email="bo@customer.example"))),
        "no comment": refusal(lambda: zenpy.tickets.create(Ticket(subject="Nothing said"))),
    }


def refusal(call):
    """Return the class and the body of what a call is refused with."""
    try:
        call()
    except (APIException, RecordNotFoundException) as refused:
        return {"as": type(refused).__name__, "status": refused.response.status_code, **refused.response.json()}
    return None


if __name__ == "__main__":
    request = json.load(sys.stdin)
    steps = {"write": write, "read": read, "register": register, "fail": fail}
    json.dump(steps[request["step"]](client(request), request), sys.stdout)
