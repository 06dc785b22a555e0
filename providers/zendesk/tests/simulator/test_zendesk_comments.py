"""Comments of the simulated Zendesk: their text, their author, their files, and how they are read and hidden."""

import pytest
from hitl_zendesk.simulator.account import BOT_ID
from hitl_zendesk.simulator.texts import BLOCK

pytestmark = pytest.mark.anyio

KEYS = "id type author_id body html_body plain_body public attachments audit_id via created_at metadata"
FILE_KEYS = (
    "url id file_name content_url mapped_content_url content_type size width height inline deleted "
    "malware_access_override malware_scan_result thumbnails"
)
KIM = "8447388090496"


async def written(call, ticket, **comment):
    assert (await call.update(ticket, comment=comment)).status == 200
    return (await call.comments(ticket))[-1]


# Text -----------------------------------------------------------------------------------------------------------


async def test_a_comment_has_every_key_and_three_forms_of_its_text(call):
    ticket = await call.ticket()
    comment = await written(call, ticket, html_body="<p>Hello,<br>you &amp; me</p>")
    assert set(comment) == set(KEYS.split())
    assert comment["html_body"] == '<div class="zd-comment" dir="auto"><p>Hello,<br>you &amp; me</p></div>'
    assert comment["plain_body"] == comment["body"] == "Hello,\nyou & me"


async def test_a_body_loses_tags_and_runs_of_blanks(call):
    comment = await written(call, await call.ticket(), body="a   b\n\n\nc <b>bold</b>\n  kept")
    assert comment["html_body"].endswith('<p dir="auto">a b<br>c bold<br> kept</p></div>')


async def test_markdown_in_a_body_is_rendered_for_agents_alone(call):
    user = await call.user()
    ticket = await call.ticket(requester_id=user["id"])
    ours = await written(call, ticket, body="**bold**")
    theirs = await written(call, ticket, body="**bold**", author_id=user["id"])
    assert "<strong>bold</strong>" in ours["html_body"]
    assert "**bold**" in theirs["html_body"]


async def test_scripts_do_not_survive(call):
    comment = await written(call, await call.ticket(), html_body="<p onclick='x()'>a<script>alert(1)</script></p>")
    assert comment["html_body"] == '<div class="zd-comment" dir="auto"><p>a</p></div>'


async def test_what_is_longer_than_64_kb_is_cut_without_a_word(call):
    comment = await written(call, await call.ticket(), html_body="é" * 40_000)
    assert comment["plain_body"] == "é" * 32_768


async def test_placeholders_are_expanded_in_agents_words_and_unknown_ones_removed(call):
    ticket = await call.ticket()
    comment = await written(call, ticket, html_body="<p>{{ticket.id}}|{{ ticket.external_id }}|{{customer.mood}}|</p>")
    assert comment["plain_body"] == f"{ticket['id']}|||"


async def test_an_opener_in_entities_is_one_all_the_same(call):
    ticket = await call.ticket()
    comment = await written(call, ticket, html_body="<p>&#123;&lcub;ticket.id}}</p>")
    assert comment["plain_body"] == str(ticket["id"])


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"html_body": "<p><code>{{ticket.id}}</code></p>"}, "{{ticket.id}}"),
        ({"body": "\\\\{{ticket.id}}"}, "{{ticket.id}}"),
        ({"html_body": "<p>{ {ticket.id}}</p>"}, "{ {ticket.id}}"),
    ],
)
async def test_placeholders_can_be_shown(call, given, shown):
    assert (await written(call, await call.ticket(), **given))["plain_body"] == shown


async def test_placeholders_of_end_users_are_their_words(call):
    user = await call.user()
    ticket = await call.ticket(requester_id=user["id"])
    comment = await written(call, ticket, html_body="<p>{{ticket.id}}</p>", author_id=user["id"])
    assert comment["plain_body"] == "{{ticket.id}}"


# Authors --------------------------------------------------------------------------------------------------------


async def test_the_author_is_the_caller_unless_named(call):
    user = await call.user()
    ticket = await call.ticket(requester_id=user["id"])
    ours, theirs = await written(call, ticket, body="a"), await written(call, ticket, body="b", author_id=user["id"])
    assert [ours["author_id"], theirs["author_id"]] == [BOT_ID, user["id"]]
    audits = (await call("GET", f"tickets/{ticket['id']}/audits"))["audits"]
    assert [audit["author_id"] for audit in audits] == [BOT_ID] * 3, "whoever is shown, the caller made the update"


async def test_an_author_nobody_knows_is_refused(call):
    ticket = await call.ticket()
    for nobody in (1, -1):
        refused = await call.update(ticket, comment={"body": "a", "author_id": nobody})
        assert refused.described == {"author": "Author: is invalid"}


async def test_who_is_no_part_of_the_ticket_is_flagged(call):
    user, stranger = await call.user(), await call.user()
    ticket = await call.ticket(requester_id=user["id"])
    known = await written(call, ticket, body="a", author_id=user["id"])
    unknown = await written(call, ticket, body="b", author_id=stranger["id"])
    assert "flags" not in known["metadata"]
    assert unknown["metadata"]["flags"] == [2]
    await call.update(ticket, email_cc_ids=[stranger["id"]])
    assert "flags" not in (await written(call, ticket, body="c", author_id=stranger["id"]))["metadata"]


async def test_who_writes_in_an_agents_name_is_flagged(call):
    comment = await written(call, await call.ticket(), body="a", author_id=int(KIM))
    assert comment["metadata"]["flags"] == [11]


async def test_the_first_comments_visibility_is_the_default_for_later_ones(call):
    ticket = await call.ticket(comment={"body": "for agents", "public": False})
    assert ticket["is_public"] is False
    given = [{"body": "x"}, {"body": "y", "public": True}, {"body": "z"}]
    assert [(await written(call, ticket, **comment))["public"] for comment in given] == [False, True, False]
    assert (await call("GET", f"tickets/{ticket['id']}"))["ticket"]["is_public"] is True, "one of them can be seen"


async def test_a_ticket_holds_so_many_comments_and_no_more(call, simulator):
    simulator.account.comments_per_ticket = 2
    ticket = await call.ticket()
    await written(call, ticket, body="second")
    refused = await call.update(ticket, comment={"body": "third"})
    assert (refused.status, list(refused["details"])) == (422, ["base"])


# Reading --------------------------------------------------------------------------------------------------------


async def test_comments_are_read_by_cursor(call):
    ticket = await call.ticket("0")
    for number in range(1, 5):
        await written(call, ticket, body=str(number))
    path, seen, query = f"tickets/{ticket['id']}/comments", [], {"page[size]": 2}
    while True:
        page = await call("GET", path, **query)
        assert set(page["meta"]) == {"has_more", "after_cursor", "before_cursor"}
        assert set(page["links"]) == {"prev", "next"}
        seen.append([each["body"] for each in page["comments"]])
        if not page["meta"]["has_more"]:
            break
        query["page[after]"] = page["meta"]["after_cursor"]
    assert seen == [["0", "1"], ["2", "3"], ["4"]]


async def test_a_cursor_goes_on_where_it_was_once_there_is_more(call):
    ticket = await call.ticket()
    path = f"tickets/{ticket['id']}/comments"
    cursor = (await call("GET", path, **{"page[size]": 100}))["meta"]["after_cursor"]
    query = {"page[size]": 100, "page[after]": cursor}
    empty = await call("GET", path, **query)
    assert (empty["comments"], empty["meta"]["after_cursor"]) == ([], None)
    await written(call, ticket, body="new")
    assert [each["body"] for each in (await call("GET", path, **query))["comments"]] == ["new"]


async def test_comments_are_read_by_number_as_well(call):
    ticket = await call.ticket("0")
    for number in range(1, 3):
        await written(call, ticket, body=str(number))
    path = f"tickets/{ticket['id']}/comments"
    first, second = await call("GET", path, per_page=2), await call("GET", path, per_page=2, page=2)
    assert [each["body"] for each in first["comments"]] == ["0", "1"]
    assert [each["body"] for each in second["comments"]] == ["2"]
    assert (first["count"], first["previous_page"], second["next_page"]) == (3, None, None)
    assert "page=2" in first["next_page"]
    assert "page=1" in second["previous_page"]


@pytest.mark.parametrize(
    "query", [{"sort": "-created_at"}, {"sort_order": "desc"}, {"sort": "-created_at", "page[size]": "2"}]
)
async def test_the_newest_can_come_first(call, query):
    ticket = await call.ticket("first")
    await written(call, ticket, body="second")
    assert [each["body"] for each in await call.comments(ticket, **query)] == ["second", "first"]


async def test_a_cursor_goes_backwards_in_time_as_well(call):
    ticket = await call.ticket("0")
    for number in (1, 2):
        await written(call, ticket, body=str(number))
    query = {"sort": "-created_at", "page[size]": 2}
    path = f"tickets/{ticket['id']}/comments"
    page = await call("GET", path, **query)
    assert [each["body"] for each in page["comments"]] == ["2", "1"]
    page = await call("GET", path, **query, **{"page[after]": page["meta"]["after_cursor"]})
    assert [each["body"] for each in page["comments"]] == ["0"]
    assert page["meta"]["has_more"] is False


async def test_authors_are_sent_along_when_asked_for(call):
    ticket = await call.ticket()
    await written(call, ticket, body="x")
    page = await call("GET", f"tickets/{ticket['id']}/comments", include="users")
    assert [user["id"] for user in page["users"]] == [ticket["requester_id"], BOT_ID]
    assert "users" not in (await call("GET", f"tickets/{ticket['id']}/comments")).json


@pytest.mark.parametrize("query", [{"page[size]": "101"}, {"page[after]": "!"}, {"page": "0"}, {"per_page": "x"}])
async def test_paging_that_makes_no_sense_is_refused(call, query):
    ticket = await call.ticket()
    assert (await call("GET", f"tickets/{ticket['id']}/comments", **query)).status == 400


# Files ----------------------------------------------------------------------------------------------------------


async def test_an_upload_is_answered_as_text(call):
    answer = await call.upload("Ünï 5.txt", "ü".encode())
    upload = answer["upload"]
    assert (answer.status, answer.headers["content-type"]) == (201, "text/plain; charset=utf-8")
    assert set(upload) == {"token", "expires_at", "attachment", "attachments"}
    assert set(upload["attachment"]) == set(FILE_KEYS.split())
    assert (upload["attachment"]["file_name"], upload["attachment"]["size"]) == ("Ünï 5.txt", 2)
    assert answer.headers["location"] == upload["attachment"]["url"]


async def test_one_token_may_hold_several_files(call):
    first = (await call.upload("a.txt"))["upload"]
    second = (await call.upload("b.txt", token=first["token"]))["upload"]
    assert second["token"] == first["token"]
    assert [file["file_name"] for file in second["attachments"]] == ["a.txt", "b.txt"]
    ticket = await call.ticket()
    comment = await written(call, ticket, body="two", uploads=[first["token"]])
    assert [file["file_name"] for file in comment["attachments"]] == ["a.txt", "b.txt"]


@pytest.mark.parametrize("bare", [True, False])
async def test_uploads_are_a_list_or_one_bare_token(call, bare):
    token = (await call.upload())["upload"]["token"]
    comment = await written(call, await call.ticket(), body="x", uploads=token if bare else [token])
    assert [file["file_name"] for file in comment["attachments"]] == ["a.txt"]


async def test_a_token_counts_once_and_not_for_ever(call, clock):
    ticket, used, old = await call.ticket(), (await call.upload())["upload"], (await call.upload())["upload"]
    await written(call, ticket, body="x", uploads=[used["token"]])

    async def status(token):
        return (await call.update(ticket, comment={"body": "x", "uploads": [token]})).status

    assert [await status(used["token"]), await status("nobody")] == [422, 422]
    clock.advance(3600)
    assert await status(old["token"]) == 422
    assert len(await call.comments(ticket)) == 2


async def test_an_upload_can_be_taken_back(call):
    upload = (await call.upload())["upload"]
    assert (await call("DELETE", f"uploads/{upload['token']}")).status == 204
    assert (await call("GET", f"attachments/{upload['attachment']['id']}")).status == 404


async def test_a_file_is_read_where_its_record_says_without_credentials(call, simulator):
    simulator.settings("https://helpdesk.test")
    file = (await call.upload("ü.txt", b"content"))["upload"]["attachment"]
    record = (await call("GET", f"attachments/{file['id']}"))["attachment"]
    assert record == file
    call.authorization = None
    got = await call("GET", record["content_url"])
    assert (got.status, got.raw, got.headers["content-type"]) == (200, b"content", "text/plain")
    assert got.headers["content-disposition"].endswith("filename*=UTF-8''%C3%BC.txt")


async def test_a_file_that_is_too_big_is_left_out_and_flagged(call, simulator):
    upload = (await call.upload("big.txt", b"x" * 200))["upload"]
    simulator.account.file_bytes = 100
    comment = await written(call, await call.ticket(), body="x", uploads=[upload["token"]])
    assert (comment["attachments"], comment["metadata"]["flags"]) == ([], [5])
    assert (await call.upload("big.txt", b"x" * 200)).status == 422


async def test_pictures_in_the_text_are_listed_only_when_asked_for(call):
    upload = (await call.upload("a.png"))["upload"]
    ticket = await call.ticket()
    html = f'<p><img src="{upload["attachment"]["content_url"]}"></p>'
    await written(call, ticket, html_body=html, uploads=[upload["token"]])
    assert (await call.comments(ticket))[-1]["attachments"] == []
    (file,) = (await call.comments(ticket, include_inline_images="true"))[-1]["attachments"]
    assert file["inline"] is True


# Hiding ---------------------------------------------------------------------------------------------------------


async def test_a_comment_can_be_made_private(call):
    ticket = await call.ticket()
    comment = await written(call, ticket, body="x")
    path = f"tickets/{ticket['id']}/comments/{comment['id']}/make_private"
    assert (await call("PUT", path, {})).status == 200
    assert (await call.comments(ticket))[-1]["public"] is False


async def test_words_of_a_comment_can_be_redacted(call):
    ticket = await call.ticket()
    comment = await written(call, ticket, html_body="<p>My number is 4711</p>")
    path = f"tickets/{ticket['id']}/comments/{comment['id']}/redact"
    assert (await call("PUT", path, {"text": "4711"}))["comment"]["body"] == f"My number is {BLOCK * 4}"
    marked = {"ticket_id": ticket["id"], "html_body": "<p><redact>My</redact> number</p>"}
    answer = await call("PUT", f"comment_redactions/{comment['id']}", marked)
    assert answer["comment"]["body"] == f"{BLOCK * 2} number"


async def test_a_redacted_file_becomes_an_empty_text(call):
    upload = (await call.upload())["upload"]
    ticket = await call.ticket()
    comment = await written(call, ticket, body="x", uploads=[upload["token"]])
    file = upload["attachment"]["id"]
    path = f"tickets/{ticket['id']}/comments/{comment['id']}/attachments/{file}/redact"
    assert (await call("PUT", path, {}))["attachment"]["file_name"] == "redacted.txt"
    (left,) = (await call.comments(ticket))[-1]["attachments"]
    assert (left["file_name"], left["size"]) == ("redacted.txt", 0)
    assert (await call("GET", f"attachments/{file}")).status == 404


async def test_a_closed_tickets_words_are_redacted_by_the_newer_request_alone(call):
    ticket = await call.ticket("secret")
    (comment,) = await call.comments(ticket)
    await call.update(ticket, status="closed")
    path = f"tickets/{ticket['id']}/comments/{comment['id']}/redact"
    assert (await call("PUT", path, {"text": "secret"})).status == 422
    marked = {"ticket_id": ticket["id"], "html_body": "<p><redact>secret</redact></p>"}
    assert (await call("PUT", f"comment_redactions/{comment['id']}", marked)).status == 200
