"""Who speaks, and who calls."""

from __future__ import annotations

import pytest
import requests
from hitl_django_helpdesk.events import URL_USER, UrlSecretScheme
from hitl_django_helpdesk.texts import role_of, signed

import hitl_core as hitl


@pytest.mark.parametrize("role", ["user", "agent", "system", "bot"])
@pytest.mark.parametrize("name", [None, "Ada\nLovelace", "x" * 500])
def test_a_comment_says_who_speaks(role: str, name: str | None) -> None:
    comment = signed("Hello", hitl.Author(role=hitl.Role(role), name=name))
    assert role_of(comment) == role
    assert comment.endswith("Hello")
    assert comment.count("\n") == (role != "bot")


def test_a_secret_in_the_url_arrives_as_the_header_that_is_proven() -> None:
    sent = requests.Request("POST", f"https://{URL_USER}:s3cret@bot.example/hooks").prepare()
    headers = {name.lower(): str(value) for name, value in sent.headers.items()}
    UrlSecretScheme().verify(["s3cret"], headers)
    with pytest.raises(hitl.WebhookVerificationError):
        UrlSecretScheme().verify(["another"], headers)
