"""One way to listen: what cannot be had is one sentence with the options that give another."""

import socket

import pytest

from hitl_core.errors import ConfigurationError
from hitl_core.listening import listen, url_of


def test_a_listener_can_be_reached_before_any_server_takes_it():
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname(), timeout=5):
        assert url_of(listener, "localhost") == f"http://localhost:{listener.getsockname()[1]}"


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("::", "[::1]"),
        ("::1", "[::1]"),
        ("0.0.0.0", "127.0.0.1"),  # noqa: S104 - shown, not bound
        ("", "127.0.0.1"),
        ("localhost", "localhost"),
        ("10.0.0.7", "10.0.0.7"),
    ],
)
def test_addresses_are_shown_as_this_machine_reaches_them(host, shown):
    with listen("127.0.0.1", 0) as listener:
        assert url_of(listener, host) == f"http://{shown}:{listener.getsockname()[1]}"


def test_small_answers_leave_at_once():
    with listen("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP, "asyncio sets TCP_NODELAY on these alone"


def test_a_port_is_free_again_once_its_listener_is_closed():
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            listener.accept()[0].close()
    with listen("127.0.0.1", port) as again:
        assert again.getsockname()[1] == port


def test_a_taken_port_says_so():
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError) as refused:
            listen("127.0.0.1", port)
    assert str(refused.value) == (
        f"cannot listen on 127.0.0.1 port {port} (another program has it); name another with --host or --port"
    )


@pytest.mark.parametrize(
    ("host", "port", "why"),
    [
        ("192.0.2.1", 0, "this machine has no such address"),
        ("127.0.0.1", 70000, "ports go to 65535"),
        ("no-such-host.invalid", 0, "."),
    ],
)
def test_what_cannot_be_an_address_of_ours_says_why(host, port, why):
    with pytest.raises(ConfigurationError, match=rf"^cannot listen on {host} port {port} \(.*{why}.*\); name another"):
        listen(host, port)
