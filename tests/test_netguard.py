"""The address guard: which URLs and addresses pass, in every spelling known to fool one."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hitl_core.errors import ConfigurationError
from hitl_core.netguard import AddressPolicy, BlockedAddressError, HostNotFoundError, ParsedUrl, Target

PUBLIC_V4, PUBLIC_V6 = "93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"
STRICT = AddressPolicy()


class Names:
    """A resolver that answers from a list, one answer a call, and counts."""

    def __init__(self, *answers: list[str] | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append((host, port))
        answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("https://example.com", "https://example.com/"),
        ("HTTPS://EXAMPLE.com:443/a?b=c#d", "https://example.com/a?b=c"),
        ("https://example.com:8443/%2e%2e/x", "https://example.com:8443/%2e%2e/x"),
        ("https://bücher.example/ü b?q=ü", "https://xn--bcher-kva.example/%C3%BC%20b?q=%C3%BC"),
        ("https://example。com/", "https://example.com/"),
        (f"https://{PUBLIC_V4}/", f"https://{PUBLIC_V4}/"),
        ("https://[2606:2800:0220:0001:0248:1893:25C8:1946]:8443/x", f"https://[{PUBLIC_V6}]:8443/x"),
        ("https://_dmarc.under_score.example/", "https://_dmarc.under_score.example/"),
    ],
)
def test_a_public_url_passes_in_one_spelling(url, normal):
    parsed = STRICT.check_url(url)
    assert parsed.url == normal
    assert not parsed.trusted


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://example.com/", "not https"),
        ("ftp://example.com/", "https://"),
        ("file:///etc/passwd", "https://"),
        ("//example.com/", "https://"),
        ("example.com", "https://"),
        ("", "https://"),
        ("https://", "no host"),
        ("https:///path", "no host"),
        ("https://user@example.com/", "user name"),
        ("https://user:pass@example.com/", "user name"),
        ("https://example.com\\@evil.example/", "backslashes"),
        ("https://exa\nmple.com/", "control"),
        ("https://example.com/\r\nX: y", "control"),
        ("https://exam ple.com/", "no host"),
        ("https://example.com:/", "no host"),
        ("https://example.com:0/", "port"),
        ("https://example.com:65536/", "port"),
        ("https://example.com:٤٤٣/", "no host"),
        ("https://example.com:22/", "another service"),
        ("https://example.com./", "dot"),
        ("https://example..com/", "valid name"),
        ("https://.example.com/", "valid name"),
        ("https://-x.example/", "valid name"),
        (f"https://{'a' * 64}.example/", "valid name"),
        (f"https://{'a.' * 127}example/", "valid name"),
        ("https://exam%70le.com/", "no host"),
        ("https://[fe80::1%25eth0]/", "no host"),
        ("https://[::1/", "malformed"),
        ("https://[1:2:3]/", "malformed|IPv6"),
        ("https://[::1]evil.example/", "malformed|no host"),
        ("https://\u2100.example/", "malformed|domain name|valid name"),
        ("https://xn--\ud800.example/", "malformed|domain name"),
        (f"https://example.com/{'a' * 8192}", "longer"),
        # An IPv4 address written so that only some programs notice.
        ("https://2130706433/", "number"),
        ("https://0x7f000001/", "number"),
        ("https://0x7f.0.0.1/", "number"),
        ("https://0177.0.0.1/", "number"),
        ("https://127.1/", "number"),
        ("https://127.0.0.01/", "number"),
        ("https://1.2.3.4.5/", "number"),
        ("https://example.0x/", "number"),
        ("https://\uff11\uff12\uff17.0.0.1/", "number"),
        ("https://①②⑦.0.0.1/", "number|malformed"),
        ("https://[::ffff:93.184.216.34]/", "hides"),
        ("https://[::ffff:7f00:1]/", "hides"),
        ("https://[::127.0.0.1]/", "hides"),
        ("https://[64:ff9b::7f00:1]/", "hides"),
        ("https://[2002:7f00:1::]/", "hides"),
        ("https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/", "hides"),
        # Addresses that lead inside.
        ("https://127.0.0.1/", "private"),
        ("https://127.8.9.10/", "private"),
        ("https://10.0.0.1/", "private"),
        ("https://172.31.255.255/", "private"),
        ("https://192.168.1.1/", "private"),
        ("https://100.64.0.1/", "private"),
        ("https://[::1]/", "private"),
        ("https://[fd12::1]/", "private"),
        ("https://169.254.169.254/latest/meta-data/", "metadata"),
        ("https://100.100.100.200/", "metadata"),
        ("https://168.63.129.16/", "metadata"),
        ("https://[fd00:ec2::254]/", "metadata"),
        ("https://0.0.0.0/", "reserved"),
        ("https://[::]/", "reserved"),
        ("https://224.0.0.1/", "multicast"),
        ("https://[ff02::1]/", "multicast"),
        ("https://[fe80::1]/", "link-local"),
        ("https://255.255.255.255/", "reserved"),
        ("https://192.0.2.1/", "public Internet"),
        ("https://198.18.0.1/", "public Internet"),
        ("https://[2001:db8::1]/", "public Internet"),
        ("https://[64:ff9b:1::1]/", "public Internet"),
    ],
)
def test_a_url_that_leads_elsewhere_or_is_read_in_two_ways_is_refused(url, why):
    with pytest.raises(BlockedAddressError, match=why):
        STRICT.check_url(url)


def test_a_refusal_shows_no_query_and_no_credentials():
    for url in (
        "http://example.com/p?token=s3cret",
        "https://u:s3cret@example.com/",
        "https://127.0.0.1/s3cret?s3cret",
    ):
        with pytest.raises(BlockedAddressError) as caught:
            STRICT.check_url(url)
        assert "s3cret" not in str(caught.value)


def test_a_parsed_url_shows_no_path_and_no_query():
    assert "s3cret" not in repr(STRICT.check_url("https://example.com/s3cret?s3cret"))


@pytest.mark.parametrize(
    ("entry", "passing", "refused"),
    [
        ("localhost", ["http://localhost/", "https://LOCALHOST:25/"], ["http://localhost.example/", "http://x.localhost/"]),
        ("127.0.0.1:8080", ["http://127.0.0.1:8080/"], ["http://127.0.0.1:8081/", "http://127.0.0.2:8080/"]),
        ("[::1]:8080", ["http://[::1]:8080/", "http://[0:0::1]:8080/"], ["http://[::1]:80/"]),
        ("::1", ["http://[::1]/"], ["http://[::2]/"]),
        ("Bücher.example", ["http://xn--bcher-kva.example/"], ["http://bucher.example/"]),
        ("10.1.0.0/16", ["http://10.1.2.3:25/"], ["https://10.2.0.1/", "http://example.com/"]),
        ("fd12::/16", ["http://[fd12::1]/"], ["https://[fd13::1]/"]),
    ],
)  # fmt: skip
def test_the_allow_list_trusts_exactly_what_it_names(entry, passing, refused):
    policy = AddressPolicy(allow=frozenset({entry}))
    for url in passing:
        assert policy.check_url(url).trusted
    for url in refused:
        with pytest.raises(BlockedAddressError):
            policy.check_url(url)


@pytest.mark.parametrize(
    "entry",
    ["", "https://example.com", "10.0.0.1/8", "a b", "host:0", "host:x", "*.example.com", "user@host", "010.0.0.1"],
)
def test_an_allow_entry_that_is_no_destination_is_a_configuration_error(entry):
    with pytest.raises(ConfigurationError, match="Write a host"):
        AddressPolicy(allow={entry})


def test_allow_private_opens_private_addresses_over_https_and_no_others():
    policy = AddressPolicy(allow_private=True)
    for host in ("127.0.0.1", "10.0.0.1", "192.168.0.1", "100.64.0.1", "[::1]", "[fd12::1]"):
        policy.check_url(f"https://{host}/")
        with pytest.raises(BlockedAddressError, match="https"):
            policy.check_url(f"http://{host}/")
    for host in ("169.254.169.254", "100.100.100.200", "[fd00:ec2::254]", "0.0.0.1", "224.0.0.1", "192.0.2.1"):
        with pytest.raises(BlockedAddressError):
            policy.check_url(f"https://{host}/")


def test_metadata_stays_refused_whatever_is_allowed():
    policy = AddressPolicy(allow_private=True, allow={"169.254.169.254", "0.0.0.0/0", "::/0"})
    for host in ("169.254.169.254", "0.0.0.1", "[fe80::1]", "[fd00:ec2::254]"):
        with pytest.raises(BlockedAddressError, match="metadata"):
            policy.check_url(f"http://{host}/")


@pytest.mark.anyio
async def test_resolving_gives_all_addresses_once_each_in_order():
    names = Names([PUBLIC_V6, PUBLIC_V4, PUBLIC_V6])
    target = await AddressPolicy(resolver=names).resolve("https://example.com:8443/p")

    assert target == Target(ParsedUrl("https", "example.com", 8443, "/p"), (PUBLIC_V6, PUBLIC_V4))
    assert target.host == "example.com"
    assert names.asked == [("example.com", 8443)]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "inside",
    ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fe80::1%eth0", "::ffff:10.0.0.1", "64:ff9b::a00:1", "::7f00:1",
     "2002:7f00:1::", "fd00:ec2::254", "0.0.0.1", "::", "224.0.0.1", "100.64.0.1"],
)  # fmt: skip
async def test_one_inside_address_refuses_the_name_without_telling_the_address(inside):
    for answer in ([inside], [PUBLIC_V4, inside]):
        with pytest.raises(BlockedAddressError) as caught:
            await AddressPolicy(resolver=Names(answer)).resolve("https://evil.example/")
        assert inside not in str(caught.value)


@pytest.mark.anyio
async def test_translated_public_addresses_pass_so_that_networks_without_ipv4_work():
    for address in ("64:ff9b::5db8:d822", "::ffff:5db8:d822"):
        target = await AddressPolicy(resolver=Names([address])).resolve("https://example.com/")
        assert ipaddress.ip_address(target.addresses[0]) == ipaddress.ip_address(address)


@pytest.mark.anyio
async def test_a_name_is_judged_by_its_addresses_also_under_allow_rules():
    inside = Names(["10.1.2.3"])
    await AddressPolicy(allow={"hooks.internal"}, resolver=inside).resolve("http://hooks.internal/")
    await AddressPolicy(allow={"10.1.0.0/16"}, resolver=inside).resolve("https://hooks.internal/")
    await AddressPolicy(allow_private=True, resolver=inside).resolve("https://hooks.internal/")
    for policy in (
        AddressPolicy(allow={"10.1.2.3"}, resolver=inside),
        AddressPolicy(allow={"10.2.0.0/16"}, resolver=inside),
    ):
        with pytest.raises(BlockedAddressError, match="private"):
            await policy.resolve("https://hooks.internal/")
    with pytest.raises(BlockedAddressError, match="metadata"):
        await AddressPolicy(allow={"hooks.internal"}, resolver=Names(["169.254.169.254"])).resolve(
            "http://hooks.internal/"
        )


@pytest.mark.anyio
@pytest.mark.parametrize("answer", [OSError("no"), [], ["nonsense"]])
async def test_a_name_without_addresses_is_not_found(answer):
    with pytest.raises(HostNotFoundError, match=r"'gone\.example' does not resolve"):
        await AddressPolicy(resolver=Names(answer)).resolve("https://gone.example/")


@pytest.mark.anyio
async def test_a_literal_address_is_not_asked_for():
    names = Names(OSError("must not be asked"))
    assert (await AddressPolicy(resolver=names).resolve(f"https://[{PUBLIC_V6}]/")).addresses == (PUBLIC_V6,)
    assert names.asked == []


@pytest.mark.anyio
async def test_the_systems_resolver_answers_by_default():
    assert set(await AddressPolicy(allow={"localhost"}).resolve_host("localhost", 80)) <= {"127.0.0.1", "::1"}


ANY_TEXT = st.text(
    st.one_of(st.characters(), st.sampled_from("./:@[]%\\?#x0123456789af"), st.just("\ud800")), max_size=40
)


@given(url=st.one_of(ANY_TEXT, ANY_TEXT.map("https://".__add__)))
@example("https://[::ffff:1.2.3.4]:443/")
def test_any_text_is_refused_or_reads_the_same_a_second_time(url):
    try:
        parsed = STRICT.check_url(url)
    except BlockedAddressError:
        return
    assert STRICT.check_url(parsed.url) == parsed
    assert parsed.url.isascii()
    again = urlsplit(parsed.url)
    assert (again.scheme, again.hostname, again.port or 443) == ("https", parsed.host, parsed.port)


@given(address=st.ip_addresses())
@example(ipaddress.ip_address("192.88.99.1"))
@example(ipaddress.ip_address("3fff::1"))
def test_whatever_address_passes_is_global_unicast(address):
    host = f"[{address}]" if address.version == 6 else str(address)
    try:
        STRICT.check_url(f"https://{host}/")
    except BlockedAddressError:
        return
    assert address.is_global
    assert not any((address.is_multicast, address.is_reserved, address.is_link_local, address.is_unspecified))
