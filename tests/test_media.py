"""The bytes of a file come from its URL, from the URL itself, or not at all."""

import pytest

import hitl_core as hitl
from hitl_core.download import Download
from hitl_core.media import is_data_url, load_media

pytestmark = pytest.mark.anyio


async def never(url, *, max_bytes=None):
    pytest.fail("nothing is to be fetched")


async def test_a_data_url_is_decoded_without_fetching():
    image = hitl.Image(url="data:image/png;base64,iVBORw0KGgo=")
    loaded = await load_media(image, never, max_bytes=100)
    assert (loaded.content, loaded.content_type, loaded.name) == (b"\x89PNG\r\n\x1a\n", "image/png", "image.png")


async def test_a_percent_encoded_data_url_is_plain_text_by_default():
    loaded = await load_media(hitl.File(url="data:,caf%C3%A9", name="note.txt"), never, max_bytes=None)
    assert (loaded.content.decode(), loaded.content_type, loaded.name) == ("café", "text/plain", "note.txt")


@pytest.mark.parametrize("url", ["data:image/png;base64,@@@", "data:nothing", "data:image/png;base64,iVBO Rw0="])
async def test_a_broken_data_url_is_refused_without_quoting_it(url):
    with pytest.raises(hitl.InvalidRequestError, match="data: URL is broken") as caught:
        await load_media(hitl.Image(url=url), never, max_bytes=None)
    assert url not in str(caught.value)


async def test_a_file_beyond_the_limit_is_refused_with_both_sizes():
    with pytest.raises(hitl.InvalidRequestError, match="has 8 bytes, more than the 4"):
        await load_media(hitl.Image(url="data:image/png;base64,iVBORw0KGgo="), never, max_bytes=4)


async def test_an_ordinary_url_is_fetched_within_the_limit_and_the_message_names_it_best():
    asked = []

    async def fetch(url, *, max_bytes=None):
        asked.append((url, max_bytes))
        return Download(content=b"abc", content_type="image/webp", filename="server.webp")

    url = "https://files.test/a"
    assert (await load_media(hitl.Image(url=url), fetch, max_bytes=9)).name == "server.webp"
    assert (await load_media(hitl.Image(url=url, name="mine.webp"), fetch, max_bytes=9)).name == "mine.webp"
    assert asked == [(url, 9)] * 2


async def test_a_file_known_by_ref_only_is_left_to_the_provider():
    assert await load_media(hitl.File(ref=hitl.AttachmentRef(id="1")), never, max_bytes=1) is None


async def test_the_bytes_never_show():
    loaded = await load_media(hitl.File(url="data:,secret", name="secret.txt"), never, max_bytes=None)
    assert "secret" not in repr(loaded)


def test_data_urls_are_told_apart_whatever_their_case():
    assert is_data_url("DATA:,x")
    assert not is_data_url("https://data:,x")
