"""A known secret is found, and taken out, in every spelling it may travel in."""

import base64
import html
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hitl_core.testing.cassettes import Scrubber
from hitl_core.testing.cassettes.secret_text import PLACEHOLDER, SecretText

SECRET = 'p~w/o+r=d "ü"\\€&9'


def inside(alphabet, before):
    """Put the secret into Base64, that many bytes from its beginning."""
    return lambda secret: alphabet(b"u" * before + secret.encode() + b":rest").decode()


SPELLINGS = {
    "plain": lambda secret: secret,
    "percent-encoded": lambda secret: quote(secret, safe=""),
    "percent-encoded in lower case": lambda secret: quote(secret, safe="/").replace("%2B", "%2b"),
    "percent-encoded throughout": lambda secret: "".join(f"%{byte:02X}" for byte in secret.encode()),
    "percent-encoded as a form": quote_plus,
    "percent-encoded twice": lambda secret: quote(quote(secret, safe=""), safe=""),
    "in JSON": lambda secret: json.dumps(secret)[1:-1],
    "in JSON, not ASCII": lambda secret: json.dumps(secret, ensure_ascii=False)[1:-1],
    "in JSON, with escaped slashes": lambda secret: json.dumps(secret)[1:-1].replace("/", "\\/"),
    "in JSON in JSON": lambda secret: json.dumps(json.dumps(secret))[3:-3],
    "in JSON throughout": lambda secret: "".join(f"\\u{ord(letter):04X}" for letter in secret),
    "in HTML": html.escape,
    "in a query in HTML": lambda secret: html.escape(quote(secret, safe="")),
    "hexadecimal": lambda secret: secret.encode().hex(),
    "hexadecimal in capitals": lambda secret: secret.encode().hex().upper(),
    **{f"Base64 at {n}": inside(base64.b64encode, n) for n in range(4)},
    **{f"Base64 for URLs at {n}": inside(base64.urlsafe_b64encode, n) for n in range(4)},
    "Base64 without padding": lambda secret: base64.b64encode(secret.encode()).decode().rstrip("="),
    "Base64 in mail": lambda secret: base64.encodebytes(b"x" * 40 + secret.encode() + b"x" * 40).decode(),
    "Base64, percent-encoded": lambda secret: quote(base64.b64encode(b">>?" + secret.encode()), safe=""),
    "Base64 in JSON": lambda secret: base64.b64encode(b"?" + secret.encode()).decode().replace("/", "\\/"),
    "as bytes": lambda secret: secret.encode().decode("latin-1"),
}

secrets = st.text(st.characters(exclude_categories=["Cs"]), min_size=6, max_size=40).filter(
    lambda text: text.strip() == text and text.lower() not in f"{PLACEHOLDER} {PLACEHOLDER.encode().hex()} cmvkywn0zwq"
)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_secret_is_found_and_replaced_in_every_spelling(spelling):
    text = f"before {SPELLINGS[spelling](SECRET)} after"
    finder = SecretText([SECRET])
    assert finder.is_in(text)
    cleaned = finder.replaced(text)
    assert not finder.is_in(cleaned)
    assert cleaned.startswith("before ")
    assert cleaned.endswith(" after")


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_another_secret_is_not_found(spelling):
    text = f"before {SPELLINGS[spelling](SECRET)} after"
    assert not SecretText(["p~w/o+r=d 'ü'", "unrelated", "0123456789"]).is_in(text)


@settings(deadline=None)
@given(secrets, st.sampled_from(sorted(SPELLINGS)), st.text(max_size=10), st.text(max_size=10))
@example("000000", "Base64 at 1", "", "")
@example("'''&''", "in HTML", "", "")
@example("\\\\\\\\\\\\", "in JSON", "", "")
def test_no_secret_survives(secret, spelling, before, after):
    if spelling == "in JSON throughout" and any(ord(letter) > 0xFFFF for letter in secret):
        secret = "secret" + secret.encode("ascii", "ignore").decode()
    finder = SecretText([secret])
    text = f"{before} {SPELLINGS[spelling](secret)} {after}"
    assert finder.is_in(text)
    cleaned = finder.replaced(text)
    assert not finder.is_in(cleaned)
    assert finder.replaced(cleaned) == cleaned


def test_a_secret_that_is_part_of_another_leaves_nothing_standing():
    assert SecretText(["hunter2", "hunter2-and-more"]).replaced("hunter2-and-more hunter2") == "redacted redacted"


def test_a_secret_that_is_too_short_is_refused_and_an_empty_one_passed_over():
    with pytest.raises(ValueError, match="of 5 characters") as caught:
        Scrubber(secrets=["abcde"])
    assert "abcde" not in str(caught.value)
    with pytest.raises(ValueError, match="part of the word"):
        Scrubber(secrets=["redact"])
    assert not SecretText(["", ""])


def test_a_secret_does_not_show_in_the_scrubber():
    assert "hunter2" not in repr(Scrubber(secrets=["hunter2"], names=["hunter2"], replace={"hunter2": "x"}))
