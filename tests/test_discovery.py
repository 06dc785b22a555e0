"""Providers are found by metadata, imported when selected, and checked before they are used."""

import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

from hitl_core import discovery
from hitl_core.errors import ConfigurationError, ProviderLoadError, UnknownProviderError

ROOT = Path(__file__).parents[1]
GOOD = """
from hitl_core.info import Capabilities, ProviderInfo
from hitl_core.spec import hookimpl


class Provider:
    info = ProviderInfo(name="{name}", title="Toy", capabilities=Capabilities({capabilities}))

    def __init__(self, ctx):
        pass

    @hookimpl
    async def create_user(self, request): ...

    @hookimpl(specname="start_hitl")
    async def create_ticket(self, request): ...

    @hookimpl
    async def send_message(self, request): ...

    @hookimpl
    async def stop_hitl(self, request): ...

    @hookimpl
    def verify_webhook(self, request): ...

    @hookimpl
    async def parse_webhook(self, request): ...

    @hookimpl
    async def check(self): ...

    @hookimpl
    async def identify(self, request): ...

{more}
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put a distribution with one provider on the path, without installing anything."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(name="toy", *, distribution="hitl-toy", source=None, capabilities="", more="", group="hitl.providers"):
        module = distribution.replace("-", "_")
        text = GOOD.format(name=name, capabilities=capabilities, more=textwrap.indent(textwrap.dedent(more), "    "))
        (tmp_path / f"{module}.py").write_text(text if source is None else source)
        info = tmp_path / f"{module}-1.2.3.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2.3\n")
        (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}:Provider\n")
        monkeypatch.delitem(sys.modules, module, raising=False)
        return module

    return install


def test_a_provider_is_found_by_its_entry_point_and_selected_by_name(install):
    module = install()
    cls, plugin = discovery.load_provider("toy")
    assert cls is sys.modules[module].Provider
    assert (plugin.name, plugin.origin) == ("toy", "hitl-toy 1.2.3")


def test_listing_imports_nothing(install):
    module = install()
    assert "toy" in [plugin.name for plugin in discovery.list_providers()]
    assert module not in sys.modules


def test_an_unknown_name_says_what_was_probably_meant(install):
    install()
    with pytest.raises(UnknownProviderError, match=r"no provider 'tyo'.*did you mean 'toy'"):
        discovery.load_provider("tyo")


@pytest.mark.parametrize("asked", ["desk", "dsek"])
def test_an_unknown_name_that_we_publish_says_how_to_install_it(asked):
    with pytest.raises(UnknownProviderError, match="pip install hitl-desk"):
        discovery.load_provider(asked, plugins=[])


def test_only_what_is_in_this_repository_is_said_to_be_published():
    projects = [tomllib.loads(path.read_text("utf-8"))["project"] for path in ROOT.glob("providers/*/pyproject.toml")]
    here = {name: project["name"] for project in projects for name in project["entry-points"][discovery.PROVIDERS]}
    assert discovery._published().items() <= here.items()
    with pytest.raises(UnknownProviderError) as caught:
        discovery.load_provider("nobodys-helpdesk")
    assert "pip install" not in str(caught.value)


def test_two_distributions_with_one_name_are_an_error_that_names_both(install):
    install()
    install(distribution="hitl-other")
    with pytest.raises(ConfigurationError, match=r"claimed by hitl-other 1\.2\.3 and hitl-toy 1\.2\.3"):
        discovery.load_provider("toy")


def test_one_broken_distribution_never_breaks_another(install):
    install("broken", distribution="hitl-broken", source="raise RuntimeError('boom')")
    install()
    assert discovery.load_provider("toy")
    with pytest.raises(ProviderLoadError, match=r"'broken' of hitl-broken 1\.2\.3 cannot be imported \(RuntimeError"):
        discovery.load_provider("broken")


def test_a_missing_module_is_named_with_the_next_step_and_nothing_else(install):
    install("lame", distribution="hitl-lame", source="import vendor_sdk.client")
    install("quiet", distribution="hitl-quiet", source="raise ModuleNotFoundError('SECRET')")
    with pytest.raises(ProviderLoadError) as caught:
        discovery.load_provider("lame")
    assert str(caught.value) == (
        "'lame' of hitl-lame 1.2.3 cannot be imported (No module named 'vendor_sdk' in hitl_lame:Provider); "
        "reinstall it with what it needs: pip install --force-reinstall hitl-lame"
    )
    with pytest.raises(ProviderLoadError, match=r"\(ModuleNotFoundError in hitl_quiet:Provider\)") as caught:
        discovery.load_provider("quiet")
    assert "SECRET" not in str(caught.value)


def test_broken_metadata_does_not_hide_the_others(install, tmp_path):
    install()
    (tmp_path / "bad-0.dist-info").mkdir()
    (tmp_path / "bad-0.dist-info" / "entry_points.txt").write_bytes(b"\xff\xfe[hitl.providers]\n=\n")
    assert "toy" in [plugin.name for plugin in discovery.list_providers()]


@pytest.mark.parametrize(
    ("more", "capabilities", "problem"),
    [
        (
            "@hookimpl\nasync def find_sesion(self, request): ...",
            "",
            "'find_sesion', which is no hook; did you mean 'find_session'",
        ),
        ("@hookimpl\nasync def list_events(self, session): ...", "pull=True", r"list_events takes \(session\)"),
        ("@hookimpl\ndef list_events(self, request): ...", "pull=True", r"list_events must be a coroutine"),
        ("async def list_events(self, request): ...", "pull=True", "has a hook's name but is not marked"),
        ("", "pull=True", "capability pull is declared, but its hook list_events is missing"),
        ("@hookimpl\nasync def list_events(self, request): ...", "", "its capability pull is not declared"),
        ("@hookimpl(wrapper=True)\nasync def list_events(self, request): ...", "pull=True", "is a wrapper"),
        (
            "@hookimpl(specname='start_hitl')\nasync def again(self, request): ...",
            "",
            "start_hitl is implemented twice",
        ),
        ("stop_hitl = None", "", "the required hook stop_hitl is missing"),
        ("@hookimpl\nasync def verify_webhook(self, request): ...", "", "verify_webhook must be a plain function"),
        ("info = None", "", "needs a class attribute `info`"),
        ("__init__ = object.__init__", "", r"Provider\(\) must take one argument, the context"),
        ("def __init__(self, ctx, token): ...", "", r"Provider\(ctx, token\) must take one argument, the context"),
        ("def __init__(self, *, ctx): ...", "", r"Provider\(\*, ctx\) must take one argument, the context"),
    ],
)
def test_a_provider_that_breaks_the_spec_is_refused_by_distribution_and_version(install, more, capabilities, problem):
    install(more=more, capabilities=capabilities)
    with pytest.raises(ProviderLoadError, match=rf"(?s)'toy' of hitl-toy 1\.2\.3 breaks the hook spec.*{problem}"):
        discovery.load_provider("toy")


def test_a_constructor_may_take_more_than_the_context_as_long_as_it_need_not(install):
    install(more="def __init__(self, ctx, now=None, **more): ...")
    assert discovery.load_provider("toy")


def test_info_and_entry_point_must_agree_on_the_name(install):
    install("tin", distribution="hitl-tin", source=GOOD.format(name="toy", capabilities="", more=""))
    with pytest.raises(ProviderLoadError, match=r"info\.name is 'toy', but the entry point is called 'tin'"):
        discovery.load_provider("tin")


def test_every_problem_is_told_at_once(install):
    install(capabilities="pull=True, typing=True")
    with pytest.raises(ProviderLoadError, match=r"(?s)list_events is missing.*send_typing is missing"):
        discovery.load_provider("toy")
