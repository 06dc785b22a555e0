"""Messages to agents in Zendesk messaging, and the end of it (S200-S210, S256, S262, S263)."""

import base64

import pytest

import hitl_core as hitl
from hitl_core.download import Download
from hitl_core.testing.simulator import Fault

pytestmark = pytest.mark.anyio

PNG = "data:image/png;base64,iVBORw0KGgo="


def last(scene, session):
    return scene.conversation(session).messages[-1]


async def sent(scene, session, message, **more):
    return await scene.connection.send_message(session, message, idempotency_key=scene.key(), **more)


# Texts -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        ("a" * 4096, [4096]),
        ("a" * 4097, [4096, 1]),
        ("a" * 4094 + "🧡", [4096]),
        ("a" * 4095 + "🧡b", [4095, 3]),
        ("🧡" * 2048, [4096]),
        ("🧡" * 2049, [4096, 2]),
    ],
)
async def test_s263_a_text_is_cut_at_4096_utf_16_units_and_no_surrogate_pair_is_split(scene, text, lengths):
    session = await scene.start()
    before = len(scene.conversation(session).messages)
    await sent(scene, session, text)
    parts = scene.texts(session)[before:]
    assert [len(part.encode("utf-16-le")) // 2 for part in parts] == lengths
    assert "".join(parts) == text


async def test_s263_a_history_with_surrogate_pairs_arrives_whole(scene):
    text = "🧡" * 5000
    session = await scene.start(history=[hitl.HistoryEntry.of(hitl.Author.bot("Robin"), text)])
    assert "".join(scene.texts(session)).count("🧡") == 5000


async def test_s206_markdown_of_the_bot_is_shown_as_such(scene):
    session = await scene.start()
    await sent(scene, session, hitl.Markdown(markdown="**now**"))
    assert last(scene, session)["content"]["htmlText"]
    assert last(scene, session)["content"]["text"] == "now"


async def test_s206_markdown_of_the_customer_is_plain_text(scene):
    session = await scene.start()
    await sent(scene, session, hitl.Markdown(markdown="**now**"), author=hitl.Author.user(await scene.user()))
    assert last(scene, session)["content"] == {"type": "text", "text": "now"}


async def test_s206_markdown_that_is_too_long_as_html_is_sent_as_text(scene):
    session = await scene.start()
    markdown = "& " * 2000
    await sent(scene, session, hitl.Markdown(markdown=markdown))
    assert "htmlText" not in last(scene, session)["content"]
    assert last(scene, session)["content"]["text"].split() == markdown.split()


async def test_s207_a_location_names_title_address_and_degrees(scene):
    session = await scene.start()
    await sent(scene, session, hitl.Location(latitude=1.5, longitude=-2.25, title="Here", address="There 1"))
    text = last(scene, session)["content"]["text"]
    assert [line for line in text.splitlines() if line] == ["Here", "There 1", "Latitude: 1.5", "Longitude: -2.25"]


async def test_s205_a_bloc_is_one_message_an_item(scene):
    session = await scene.start()
    before = len(scene.conversation(session).messages)
    message = hitl.Bloc(items=(hitl.Text(text="look"), hitl.Image(url=PNG, name="a.png"), hitl.Text(text="nice")))
    await sent(scene, session, message)
    kinds = [message["content"]["type"] for message in scene.conversation(session).messages[before:]]
    assert kinds == ["text", "image", "text"]


# Files -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (hitl.Image(url=PNG, name="a.png"), "image"),
        (hitl.Image(url="data:image/svg+xml,<svg/>", name="a.svg"), "file"),
        (hitl.Audio(url="data:audio/ogg;base64,AAAA", name="a.ogg"), "file"),
        (hitl.Video(url="data:video/mp4;base64,AAAA", name="a.mp4"), "file"),
        (hitl.File(url="data:text/plain,hello", name="a.txt"), "file"),
    ],
)
async def test_s201_to_s204_pictures_are_images_and_all_else_files(scene, message, kind):
    session = await scene.start()
    await sent(scene, session, message)
    content = last(scene, session)["content"]
    assert (content["type"], content["altText"]) == (kind, message.name)
    (stored,) = scene.sim.records.files.values()
    assert stored.name == message.name


async def test_s262_a_file_zendesk_hosts_is_uploaded_again_to_this_conversation(scene):
    session = await scene.start()
    url = "https://acme.zendesk.com/sc/attachments/v2/old/kitten.png"
    scene.files[url] = Download(b"png", "image/png", "kitten.png")
    await sent(scene, session, hitl.Image(url=url))
    content = last(scene, session)["content"]
    assert content["mediaUrl"] != url
    assert content["altText"] == "kitten.png"
    assert "attachments" in scene.asked("POST")


async def test_f17_a_file_that_cannot_be_had_is_sent_as_its_link(scene):
    session = await scene.start()
    await sent(scene, session, hitl.File(url="https://example.com/gone.pdf", title="The bill"))
    assert last(scene, session)["content"] == {
        "type": "text",
        "text": "[ File - The bill: https://example.com/gone.pdf ]",
    }


async def test_f17_a_file_of_a_refused_type_is_sent_as_its_link(scene):
    session = await scene.start()
    scene.files["https://example.com/a.exe"] = Download(b"MZ", "application/x-msdownload", "a.exe")
    path = f"/sc/v2/apps/{scene.sim.settings('https://helpdesk.test')['app_id']}/attachments"
    scene.sim.faults.append(Fault(kind="answer", path=path, status=400))
    await sent(scene, session, hitl.File(url="https://example.com/a.exe"))
    assert "https://example.com/a.exe" in last(scene, session)["content"]["text"]


async def test_a_refused_file_without_a_link_is_told(scene):
    session = await scene.start()
    before = len(scene.conversation(session).messages)
    path = f"/sc/v2/apps/{scene.sim.settings('https://helpdesk.test')['app_id']}/attachments"
    scene.sim.faults.append(Fault(kind="answer", path=path, status=400))
    with pytest.raises(hitl.InvalidRequestError):
        await sent(scene, session, hitl.File(url="data:text/plain,hello", name="a.txt"))
    assert len(scene.conversation(session).messages) == before


async def test_a_long_file_name_is_cut_to_what_alternative_text_takes(scene):
    session = await scene.start()
    await sent(scene, session, hitl.File(url="data:text/plain,hello", name="n" * 300 + ".txt"))
    assert len(last(scene, session)["content"]["altText"]) <= 128


# Authors -----------------------------------------------------------------------------------------------------------


async def test_s210_the_customer_writes_as_themselves_and_everybody_else_as_the_business(scene):
    user = await scene.user()
    session = await scene.start(user=user)
    authors = [hitl.Author.user(user), hitl.Author.bot("Robin"), hitl.Author.system()]
    for author in authors:
        await sent(scene, session, "hello", author=author)
    assert [message["author"] for message in scene.conversation(session).messages[-3:]] == [
        {"type": "user", "userId": user.id},
        {"type": "business", "displayName": "Robin"},
        {"type": "business"},
    ]


async def test_f08_who_takes_no_part_in_the_conversation_is_named(scene):
    user = await scene.user()
    session = await scene.start(user=user)
    other = await scene.user(external_id="u2", name="Eve")
    await sent(scene, session, "me too", author=hitl.Author.user(other))
    assert last(scene, session)["author"] == {"type": "user", "userId": user.id, "displayName": "Eve"}


async def test_a_session_known_by_its_id_alone_is_asked_who_takes_part(scene):
    user = await scene.user()
    session = await scene.start(user=user)
    await sent(scene, session.ref, "hello", author=hitl.Author.user())
    assert last(scene, session)["author"] == {"type": "user", "userId": user.id}


async def test_every_message_carries_its_key(scene):
    session = await scene.start()
    await scene.connection.send_message(session, "hello", idempotency_key="k")
    assert last(scene, session)["metadata"] == {"hitlOwner": scene.connection.key, "hitlKey": "k/0"}


async def test_a_key_of_any_length_and_script_fits_into_metadata(scene):
    session = await scene.start()
    part = scene.connection.plan_message(session, "hello", idempotency_key="schlüssel-" * 1000)[0]
    since = scene.moment()
    made = await scene.connection.execute(part)
    found = await scene.connection.find_message(part, sent_after=since)
    assert isinstance(found, hitl.Found)
    assert found.sent == made


# The end -----------------------------------------------------------------------------------------------------------


async def test_a_late_message_is_refused_before_whatever_bot_answers_first_gets_it(scene):
    session = await scene.start()
    await scene.sim.close(session.id, agent=scene.sim.agent())
    before = len(scene.conversation(session).messages)
    with pytest.raises(hitl.SessionClosedError, match="new hand-off"):
        await sent(scene, session, "still there?")
    assert len(scene.conversation(session).messages) == before


async def test_a_full_conversation_says_what_to_do(scenes):
    async with scenes(most_messages=2) as scene:
        session = await scene.start()
        await sent(scene, session, "one more")
        with pytest.raises(hitl.InvalidRequestError, match="new hand-off") as refused:
            await sent(scene, session, "too many")
        assert (refused.value.status, refused.value.code) == (423, "locked")


@pytest.mark.parametrize("scope", ["app", "integration"])
async def test_s256_stopping_releases_control_whatever_the_key_may_do(scenes, scope):
    async with scenes(scope=scope) as scene:
        session = await scene.start()
        await scene.connection.stop_hitl(session)
        assert scene.conversation(session).active is None
        actions = [path.rpartition("/")[2] for path in scene.asked("POST")][-3:]
        expected = ["offerControl", "releaseControl"] if scope == "app" else ["acceptControl", "releaseControl"]
        assert actions[-2:] == expected


@pytest.mark.parametrize("scope", ["app", "integration"])
async def test_s256_stopping_what_has_ended_writes_nothing(scenes, scope):
    async with scenes(scope=scope) as scene:
        session = await scene.start()
        await scene.sim.close(session.id, agent=scene.sim.agent())
        before = len(scene.asked("POST"))
        await scene.connection.stop_hitl(session)
        assert len(scene.asked("POST")) == before


async def test_s256_a_bot_that_has_the_conversation_by_now_keeps_it(scene):
    session = await scene.start()
    await scene.sim.close(session.id, agent=scene.sim.agent())
    await scene.sim.customer_writes(session.id, "hello again")
    await scene.connection.stop_hitl(session)
    assert scene.conversation(session).active == "zd-answerBot"


async def test_s256_a_refusal_while_agents_have_it_is_told(scenes):
    """Without an offer to take up, a key of the integration cannot end what agents have."""
    async with scenes(scope="integration") as scene:
        session = await scene.start()
        scene.conversation(session).pending = None
        with pytest.raises(hitl.PermissionDeniedError):
            await scene.connection.stop_hitl(session)


async def test_stopping_names_no_reason_of_its_own_vocabulary(scene):
    """Zendesk takes two words for the reason; ours goes into metadata."""
    session = await scene.start()
    await scene.deliveries()
    await scene.connection.stop_hitl(session, hitl.StopReason.TIMEOUT)
    (webhook,) = await scene.deliveries()
    assert b'"hitlReason":"timeout"' in webhook.body
    assert b'"reason"' not in webhook.body


async def test_a_rate_limit_without_a_time_backs_off_and_goes_on(scene):
    session = await scene.start()
    scene.sim.faults.append(Fault(kind="answer", method="POST", status=429))
    await sent(scene, session, "hello")
    assert scene.texts(session)[-1] == "hello"


def test_the_picture_of_these_tests_is_one():
    assert base64.b64decode(PNG.partition(",")[2]).startswith(b"\x89PNG")
