"""Files up and down: limits, types, who may open them, and how they are handed out."""

import stat

import pytest
import sqlalchemy as sa
from hitl_desk.server import create_app, tables
from hitl_desk.server.housekeeping import sweep

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 32


def upload(client, name="a.png", content=PNG, kind="image/png", **options):
    inbox = "X-CSRF-Token" in client.headers
    return client.post(
        "/inbox/api/attachments" if inbox else "/v1/attachments", files={"file": (name, content, kind)}, **options
    )


async def test_a_bots_file_reaches_agents_and_an_agents_file_the_customer(bot, agent, open_ticket, says):
    ticket = await open_ticket()
    photo = (await upload(bot, "broken.png")).json()
    assert photo == {
        "id": photo["id"],
        "name": "broken.png",
        "content_type": "image/png",
        "size": len(PNG),
        "url": f"https://desk.example/v1/attachments/{photo['id']}",
    }
    body = {"author": {"role": "customer"}, "message": {"type": "image", "ref": {"id": photo["id"]}, "title": "Look"}}
    assert (await bot.post(f"/v1/tickets/{ticket['id']}/messages", json=body)).status_code == 201
    extra = (await upload(bot, "notes.txt", b"hello", "text/plain")).json()
    with_file = says("See the file", attachments=[extra["id"]])
    posted = (await bot.post(f"/v1/tickets/{ticket['id']}/messages", json=with_file)).json()
    assert [each["id"] for each in posted["attachments"]] == [extra["id"]]

    lines = (await agent.get(f"/inbox/api/tickets/{ticket['id']}")).json()["messages"]
    assert lines[0]["message"]["url"] == f"/inbox/api/attachments/{photo['id']}"
    assert lines[0]["attachments"] == [], "what a message shows itself is not listed beside it"
    assert [each["url"] for each in lines[1]["attachments"]] == [f"/inbox/api/attachments/{extra['id']}"]
    opened = await agent.get(lines[0]["message"]["url"])
    assert (opened.content, opened.headers["content-type"]) == (PNG, "image/png")

    label = (await upload(agent, "label.png")).json()
    path = f"/inbox/api/tickets/{ticket['id']}/messages"
    only = (await agent.post(path, json={"attachments": [label["id"]]})).json()
    assert (only["message"]["type"], only["attachments"]) == ("image", [])
    form = (await upload(agent, "form.pdf", b"%PDF-1.7", "application/pdf")).json()
    both = (await agent.post(path, json={"text": "Fill this in", "attachments": [form["id"]]})).json()
    assert (both["message"]["text"], [each["id"] for each in both["attachments"]]) == ("Fill this in", [form["id"]])

    events = (await bot.get("/v1/events", params={"types": "message.created"})).json()["events"]
    image, bloc = (event["data"]["message"] for event in events)
    assert image["message"] == {
        "type": "image", "ref": {"id": label["id"], "data": {}}, "name": "label.png", "content_type": "image/png",
        "size": len(PNG),
    }  # fmt: skip
    assert [item["type"] for item in bloc["message"]["items"]] == ["text", "file"]
    assert bloc["attachments"][0]["url"] == f"https://desk.example/v1/attachments/{form['id']}"
    thread = (await bot.get(f"/v1/tickets/{ticket['id']}/messages")).json()["messages"]
    assert [message["message"] for message in thread[-2:]] == [image["message"], bloc["message"]]
    fetched = await bot.get(f"/v1/attachments/{form['id']}")
    assert fetched.content == b"%PDF-1.7"


async def test_files_are_handed_out_so_that_nothing_in_them_acts(bot, agent, open_ticket, says):
    ticket = await open_ticket()
    kinds = {"a.png": (PNG, "image/png"), "b.txt": (b"<script>", "text/plain"), "c.json": (b"{}", "application/json")}
    for name, (content, kind) in kinds.items():
        made = (await upload(bot, name, content, kind)).json()
        await bot.post(f"/v1/tickets/{ticket['id']}/messages", json=says(attachments=[made["id"]]))
        for client, path in ((bot, "/v1"), (agent, "/inbox/api")):
            answer = await client.get(f"{path}/attachments/{made['id']}")
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
            inline = client is agent and name == "a.png"
            assert answer.headers["content-disposition"].startswith("inline" if inline else "attachment")
        saved = await agent.get(f"/inbox/api/attachments/{made['id']}", params={"download": 1})
        assert saved.headers["content-disposition"] == f'attachment; filename="{name}"'


async def test_a_file_over_the_limit_is_refused_and_leaves_nothing(settings, pages, bot, tools):
    small = settings.model_copy(update={"max_attachment_bytes": 1000})
    app = create_app(small, sender=tools.Receiver(), static=pages)
    async with app.state.desk, tools.Client(app, headers=bot.headers) as client:
        fits = await upload(client, content=PNG.ljust(1000, b"\0"))
        assert fits.status_code == 201
        for size in (1001, 60_000, 200_000):
            refused = await upload(client, content=PNG.ljust(size, b"\0"))
            assert (refused.status_code, refused.json()["code"]) == (413, "too_large")
            assert refused.headers["content-type"] == "application/problem+json"
    assert [path.name for path in small.attachments_dir.iterdir()] == [fits.json()["id"]]


async def test_a_body_without_an_announced_length_is_cut_off_at_the_limit(bot):
    sent = 0

    async def pieces():
        nonlocal sent
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n' + PNG
        for _ in range(400):
            sent += 1
            yield b"\0" * 100_000

    answer = await bot.post(
        "/v1/attachments", content=pieces(), headers={"Content-Type": "multipart/form-data; boundary=b"}
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert sent < 220, "the rest was not read"


async def test_types_the_desk_does_not_take_are_refused(bot, desk):
    files = [
        ("a.svg", b"<svg/>", "image/svg+xml"),
        ("a.html", b"<script/>", "text/html"),
        ("a.exe", b"MZ", "application/x-msdownload"),
        ("a", b"?", "application/octet-stream"),
        ("a.html", b"<script/>", "application/octet-stream"),
        ("a.png", b"<html>", "image/png"),
        ("a.webp", b"RIFF1234WAVE", "image/webp"),
        ("a.txt", b"x", "no type at all"),
    ]
    for name, content, kind in files:
        answer = await upload(bot, name, content, kind)
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_attachment"), (name, kind)
    assert list(desk.settings.attachments_dir.iterdir()) == []


async def test_an_unknown_type_is_guessed_from_the_name(bot):
    made = await upload(bot, "a.pdf", b"%PDF", "application/octet-stream")
    assert made.json()["content_type"] == "application/pdf"


async def test_a_file_name_keeps_its_last_part_without_tricks(bot):
    names = {
        "../../etc/passwd.png": "passwd.png",
        "C:\\photos\\a.png": "a.png",
        "\u202egnp.exe\u2028.png": "gnp.exe.png",
        "Übersicht 🙂.png": "Übersicht 🙂.png",
        "x" * 400 + ".png": "x" * 251 + ".png",
        "...": "file",
    }
    for given, kept in names.items():
        made = (await upload(bot, given)).json()
        assert made["name"] == kept
        answer = await bot.get(f"/v1/attachments/{made['id']}")
        assert answer.status_code == 200
        assert "\n" not in answer.headers["content-disposition"]


async def test_a_file_belongs_to_one_message_of_whoever_uploaded_it(bot, agent, open_ticket, says):
    ticket = await open_ticket()
    path = f"/v1/tickets/{ticket['id']}/messages"
    made = (await upload(bot)).json()["id"]
    assert (await bot.post(path, json=says(attachments=[made]))).status_code == 201
    theirs = (await upload(agent)).json()["id"]
    for ids in ([made], [theirs], ["att_nothing"], ["../secret"]):
        answer = await bot.post(path, json=says(attachments=ids))
        assert (answer.status_code, answer.json()["code"]) == (422, "unknown_attachment")
    many = await bot.post(path, json=says(attachments=["att_x"] * 21))
    assert many.status_code == 422
    assert (await bot.get(f"/v1/attachments/{theirs}")).status_code == 404, "not sent to the customer"
    sent = await agent.post(f"/inbox/api/tickets/{ticket['id']}/messages", json={"attachments": [theirs]})
    assert (await bot.get(f"/v1/attachments/{theirs}")).status_code == 200
    await agent.delete(f"/inbox/api/messages/{sent.json()['id']}")
    assert (await bot.get(f"/v1/attachments/{theirs}")).status_code == 404, "taken back"


async def test_an_agent_cannot_open_what_no_ticket_has(bot, agent):
    made = (await upload(bot)).json()["id"]
    assert (await agent.get(f"/inbox/api/attachments/{made}")).status_code == 404


async def test_pictures_of_the_transcript_are_kept_with_their_ticket(bot, agent, desk, clock, open_ticket):
    used, unused = [(await upload(bot)).json()["id"] for _ in range(2)]
    image = {"author": {"role": "user"}, "message": {"type": "image", "ref": {"id": used}}}
    foreign = {"author": {"role": "user"}, "message": {"type": "image", "ref": {"id": "att_elsewhere"}}}
    ticket = await open_ticket(transcript=[image, foreign])
    shown = (await agent.get(f"/inbox/api/tickets/{ticket['id']}")).json()["transcript"]
    assert (await agent.get(shown[0]["message"]["url"])).content == PNG
    clock.advance(86_401)
    await sweep(desk)
    assert [path.name for path in desk.settings.attachments_dir.iterdir()] == [used]
    async with desk.read() as conn:
        assert (await conn.execute(sa.select(tables.attachments.c.id))).scalars().all() == [used]
    assert unused != used


async def test_files_and_secret_are_the_owners_alone(bot, desk):
    await upload(bot)
    folder = desk.settings.attachments_dir
    (path,) = folder.iterdir()
    for each, mode in ((path, 0o600), (folder, 0o700), (desk.settings.data_dir / "secret", 0o600)):
        assert stat.S_IMODE(each.stat().st_mode) == mode


async def test_a_file_lost_from_disk_is_not_found(bot, desk):
    made = (await upload(bot)).json()["id"]
    (desk.settings.attachments_dir / made).unlink()
    assert (await bot.get(f"/v1/attachments/{made}")).status_code == 404
