"""Each fact about Streamlit's inside that we build on, held against the installed one."""

import asyncio
import io
import json
import threading
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from hypothesis import given, settings, strategies as some
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Mount, Route
from streamlit import config
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.runtime_util import serialize_forward_msg
from streamlit.runtime.scriptrunner_utils.script_run_context import get_script_run_ctx
from streamlit.testing.v1 import AppTest
from streamlit.web.server.starlette import starlette_app_utils, starlette_websocket
from streamlit.web.server.starlette.starlette_app import create_starlette_app

from st_auth import streamlit_facts as facts
from tests.streamlit_runtime import a_loop, a_run, a_runtime, a_session, options, secrets_of

ORIGIN = "https://sales.acme.com"
CLAIMS = {
    "sub": "ada",
    "name": "Ада Лавлейс 🦉",
    "groups": ["finance", "größe", {"nested": [1, 2.5, None, True]}],
    "realm_access": {"roles": ["a", "b"]},
    "email_verified": True,
    "odd": "; , = \" ' \\ \n é",
    "half": "\ud83d",
}


@pytest.fixture(autouse=True)
def kept():
    with options():
        yield


@pytest.fixture
def runtime():
    with a_runtime() as runtime:
        yield runtime


def parsed_by_streamlit(cookies: str, origin: str = ORIGIN) -> dict:
    from starlette.requests import cookie_parser

    jar = cookie_parser(cookies)
    raw = starlette_websocket._get_signed_cookie_with_chunks(jar, "_streamlit_user")
    return starlette_websocket._parse_decoded_user_cookie(raw, origin) if raw else {}


# -- claims --------------------------------------------------------------------------------------------------------------------


def test_streamlit_reads_the_claims_cookie_with_lists_nested_values_and_any_letters():
    cookies = facts.claims_cookies(CLAIMS, "okta", ORIGIN, {})

    assert cookies.isascii()
    assert parsed_by_streamlit(cookies) == {**CLAIMS, "is_logged_in": True, "provider": "okta"}
    assert parsed_by_streamlit(f"a=1; _streamlit_xsrf=2|x; {cookies}")["name"] == CLAIMS["name"]


def test_streamlit_believes_the_claims_on_their_own_origin_only():
    assert parsed_by_streamlit(facts.claims_cookies(CLAIMS, "okta", ORIGIN, {}), "https://evil.example") == {}


def test_a_provider_cannot_say_that_it_is_another_one_or_that_nobody_is_logged_in():
    lies = {"origin": "https://evil.example", "is_logged_in": False, "provider": "entra"}

    assert parsed_by_streamlit(facts.claims_cookies(lies, "okta", ORIGIN, {})) == {"is_logged_in": True, "provider": "okta"}


def test_a_claims_cookie_of_a_hundred_kilobytes_arrives_whole():
    big = {"groups": [f"group-{n}" for n in range(8000)]}

    assert parsed_by_streamlit(facts.claims_cookies(big, "okta", ORIGIN, {}))["groups"] == big["groups"]


def test_streamlit_reads_the_tokens_from_the_second_cookie():
    from starlette.requests import cookie_parser

    jar = cookie_parser(facts.claims_cookies({}, "okta", ORIGIN, {"id_token": "x.y.z"}))

    assert json.loads(starlette_websocket._get_signed_cookie_with_chunks(jar, "_streamlit_user_tokens")) == {"id_token": "x.y.z"}


def test_a_cookie_that_another_secret_signed_is_nothing_to_streamlit():
    with secrets_of({"auth": {"cookie_secret": "one " * 8}}):
        cookies = facts.claims_cookies(CLAIMS, "okta", ORIGIN, {})
    with secrets_of({"auth": {"cookie_secret": "two " * 8}}):
        assert parsed_by_streamlit(cookies) == {}


def test_the_names_of_the_cookies_are_streamlits():
    assert facts.CLAIMS_COOKIES == (starlette_websocket.USER_COOKIE_NAME, starlette_websocket.TOKENS_COOKIE_NAME)


# -- the trusted header --------------------------------------------------------------------------------------------------------


def gathered(**headers) -> dict:
    from starlette.datastructures import Headers

    return starlette_websocket.gather_user_info(Headers(headers))


def test_a01_a_trusted_header_becomes_user_info_beside_the_authors_own():
    config.set_option("server.trustedUserHeaders", {"X-Team": "team"})
    told = []

    stop = facts.trust_login_header("x-st-auth-login-id", told.append)

    assert gathered(**{"x-st-auth-login-id": "abc", "x-team": "sales"}) == {"st_auth_login_id": "abc", "team": "sales"}
    assert told == [{"X-Team": "team", "x-st-auth-login-id": "st_auth_login_id"}]
    stop()


def test_a01_it_stays_trusted_when_streamlit_reads_its_configuration_again():
    told = []
    stop = facts.trust_login_header("x-st-auth-login-id", told.append)
    try:
        config.get_config_options(force_reparse=True)
        assert gathered(**{"x-st-auth-login-id": "abc"})["st_auth_login_id"] == "abc"
        assert len(told) == 2
    finally:
        stop()
    config.get_config_options(force_reparse=True)
    assert "st_auth_login_id" not in gathered(**{"x-st-auth-login-id": "abc"})


def test_a_mapping_that_was_wiped_is_set_again_when_asked():
    config.set_option("server.trustedUserHeaders", {})

    assert facts.keep_trusting("x-h") == {"x-h": "st_auth_login_id"}
    assert facts.keep_trusting("x-h") is facts.keep_trusting("x-h")


# -- options and secrets -------------------------------------------------------------------------------------------------------


def test_the_effective_options_say_where_the_server_is():
    config.set_option("server.port", 8777)
    config.set_option("server.baseUrlPath", "team")
    config._main_script_path = "/x/app.py"

    assert facts.server() == facts.ServerFacts(8777, "team", Path("/x/app.py"), is_port_fixed=True)


def test_the_defaults_of_streamlit_are_safe_and_each_unsafe_one_is_named():
    assert facts.unsafe_options() == []
    known = [name for name, _, _ in facts.options._UNSAFE if name in config._config_options_template]
    assert {"server.enableCORS", "server.enableXsrfProtection", "global.developmentMode"} <= set(known)

    for name in known:
        is_flag = isinstance(config.get_option(name), bool)
        config.set_option(name, not config.get_option(name) if is_flag else ["email"])

    assert [name for name, _ in facts.unsafe_options()] == known


def test_all_of_secrets_is_read_or_nothing_where_there_is_none(tmp_path):
    with secrets_of({"auth": {"a": 1}, "connections": {"x": {"b": [1]}}}):
        assert facts.secrets() == {"auth": {"a": 1}, "connections": {"x": {"b": [1]}}}
    config.set_option("secrets.files", [str(tmp_path / "none.toml")])
    with secrets_of(None):
        assert facts.secrets() == {}


def test_a_command_gets_the_options_of_streamlit_run():
    @click.command()
    @facts.streamlit_options
    def command(**given):
        seen.update(given)

    seen = {}
    command(["--server.port", "8777"], standalone_mode=False)

    assert seen["server_port"] == 8777


def test_streamlits_configuration_is_read_before_the_server_starts(tmp_path):
    facts.prepare(tmp_path / "app.py", {"server_port": 8765})

    assert facts.server().port == 8765
    assert facts.server().script == tmp_path / "app.py"
    assert facts.server().is_port_fixed


def test_the_signed_token_of_st_login_names_the_provider():
    from streamlit.auth_util import encode_provider_token

    with secrets_of({"auth": {"cookie_secret": "x" * 32}}):
        token = encode_provider_token("okta")
        assert facts.provider_of_token(token) == "okta"
        assert facts.provider_of_token(f"{token}x") is None
    with secrets_of({"auth": {"cookie_secret": "y" * 32}}):
        assert facts.provider_of_token(token) is None


@given(some.text(max_size=60))
@settings(max_examples=200)
def test_no_text_breaks_the_reading_of_that_token(text):
    assert facts.provider_of_token(text) is None
    assert facts.provider_of_token(f"{text}.{text}.{text}") is None


# -- anonymous -----------------------------------------------------------------------------------------------------------------


def test_a02_a_browser_is_known_by_its_cross_site_token_however_it_is_masked():
    one = starlette_app_utils.generate_xsrf_token_string(b"0123456789abcdef", 1)
    two = starlette_app_utils.generate_xsrf_token_string(b"0123456789abcdef", 2)

    assert one != two
    assert facts.anonymous_id(one) == facts.anonymous_id(two)
    assert facts.anonymous_id(one).startswith("anonymous-")
    assert facts.anonymous_id(starlette_app_utils.generate_xsrf_token_string()) != facts.anonymous_id(one)
    assert facts.anonymous_id("") == facts.anonymous_id("junk") == ""


@given(some.text(some.characters(max_codepoint=255), max_size=40))
def test_no_cookie_breaks_the_reading_of_that_token(value):
    assert facts.anonymous_id(value) == "" or facts.anonymous_id(value).startswith("anonymous-")
    assert facts.anonymous_id(f"2|{value}") == "" or facts.anonymous_id(f"2|{value}").startswith("anonymous-")


# -- messages to the browser ---------------------------------------------------------------------------------------------------


def forward(data: bytes) -> ForwardMsg:
    message = ForwardMsg()
    message.ParseFromString(data)
    return message


def test_a_redirect_is_the_message_that_st_login_sends():
    assert forward(facts.auth_redirect("/auth/ended?why=idle")).auth_redirect.url == "/auth/ended?why=idle"
    assert forward(facts.auth_redirect("/x")).WhichOneof("type") == "auth_redirect"


def test_a_notice_is_a_toast_in_the_event_container():
    from streamlit.proto.RootContainer_pb2 import RootContainer

    message = forward(facts.notice("Two minutes", 120))

    assert list(message.metadata.delta_path) == [RootContainer.EVENT, 0]
    assert message.delta.new_element.toast.body == "Two minutes"
    assert message.delta.new_element.toast.duration == 120
    assert forward(facts.notice("x", 1)).delta.new_element.toast.duration == 4


def test_the_end_of_a_run_is_told_from_other_messages():
    message = ForwardMsg()
    message.script_finished = ForwardMsg.FINISHED_SUCCESSFULLY

    assert facts.is_script_finished(serialize_forward_msg(message))
    assert not facts.is_script_finished(facts.auth_redirect("/x"))
    assert not facts.is_script_finished(b"\xff\xff")


def test_a_new_session_says_its_id():
    message = ForwardMsg()
    message.new_session.initialize.session_id = "session-1"

    assert facts.streamlit_session(message.SerializeToString()) == "session-1"
    assert facts.streamlit_session(facts.auth_redirect("/x")) == ""
    assert facts.streamlit_session(b"\xff\xff") == ""


# -- whose file is whose -------------------------------------------------------------------------------------------------------


def shown(script) -> list[bytes]:
    """What an app sends by these lines, in a session of its own."""
    with a_run({}) as (_, sent):
        script()
        return [message.SerializeToString() for message in sent]


def paths(messages: list[bytes], session_id: str = "session-1") -> list[str]:
    return [path for data in messages for path in facts.issued_paths(data, session_id)]


def pixel() -> bytes:
    """A picture of one dot, as PNG."""
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (1, 1)).save(file, "PNG")
    return file.getvalue()


def test_a10_the_addresses_of_downloads_and_pictures_are_found(runtime):
    import streamlit as st

    found = paths(shown(lambda: (st.download_button("x", b"data", "a.csv"), st.image(pixel()))))

    assert len(found) == 2
    assert all(path.startswith("/media/") for path in found)


def test_a10_an_address_that_somebody_typed_is_not_given(runtime):
    import streamlit as st

    theirs = paths(shown(lambda: st.download_button("x", b"data", "a.csv")))[0]

    with_it = shown(lambda: (st.markdown(f"![x]({theirs})"), st.text_input("x", theirs), st.caption(f"see {theirs}")))

    assert paths(with_it, "session-2") == []
    assert paths(with_it, "session-1") == [theirs] * len(with_it)


def test_a10_a_picture_in_markdown_is_found_for_its_own_session(runtime):
    import streamlit as st

    path = paths(shown(lambda: st.image(pixel())))[0]

    assert paths(shown(lambda: st.markdown(f"![x]({path})"))) == [path]


def test_a11_the_address_of_an_upload_is_found_for_its_own_session(runtime):
    message = ForwardMsg()
    entry = message.file_urls_response.file_urls.add()
    entry.upload_url = entry.delete_url = "/team/_stcore/upload_file/session-1/file-1"

    assert paths([message.SerializeToString()]) == ["/_stcore/upload_file/session-1/file-1"]
    assert paths([message.SerializeToString()], "session-2") == []
    assert paths([message.SerializeToString()], "") == []


def test_a10_a_download_that_is_made_at_the_click_is_for_its_session(runtime):
    message = ForwardMsg()
    message.backend_operation_response.deferred_file.url = "/media/late.csv"
    runtime.media_file_mgr._deferred_callables["file-1"] = {"session_id": "session-1"}

    assert paths([message.SerializeToString()], "any") == ["/media/late.csv"]
    assert facts.is_deferred_for("file-1", "session-1")
    assert not facts.is_deferred_for("file-1", "session-2")
    assert facts.is_deferred_for("unknown", "session-2")


def test_streamlit_keeps_its_files_by_session_as_we_read_them(runtime):
    import streamlit as st

    shown(lambda: st.download_button("x", b"data", "a.csv"))

    assert isinstance(runtime.media_file_mgr._deferred_callables, dict)
    assert list(runtime.media_file_mgr._files_by_session_and_coord) == ["session-1"]


def test_an_address_elsewhere_is_no_file_of_ours(runtime):
    message = ForwardMsg()
    message.delta.new_element.imgs.imgs.add().url = "https://cdn.example/media/x.png"
    message.delta.new_element.imgs.imgs.add().url = "//cdn.example/media/y.png"

    assert paths([message.SerializeToString()]) == []
    assert paths([b"/media/ is no message \xff"]) == []


# -- messages of the browser ---------------------------------------------------------------------------------------------------


def back(**fields) -> bytes:
    message = BackMsg()
    for name, value in fields.items():
        setattr(message, name, value)
    return message.SerializeToString()


def test_a14_what_a_person_does_is_told_from_what_a_tab_does_by_itself():
    rerun = BackMsg()
    rerun.rerun_script.query_string = "x=1"
    rerun.rerun_script.context_info.url = "http://localhost:8501/sales?old=1"
    auto = BackMsg()
    auto.rerun_script.is_auto_rerun = True
    click_ = BackMsg()
    click_.backend_operation_request.deferred_file.file_id = "file-1"
    files = BackMsg()
    files.file_urls_request.request_id = "x"

    assert facts.read_back_msg(rerun.SerializeToString()) == facts.BackFacts(
        "rerun_script", True, "http://localhost:8501/sales?x=1", whole_run=True
    )
    assert not facts.read_back_msg(auto.SerializeToString()).by_person
    assert facts.read_back_msg(click_.SerializeToString()) == facts.BackFacts("backend_operation_request", True, "", "file-1")
    assert facts.read_back_msg(files.SerializeToString()).by_person
    for kind in ("clear_cache", "stop_script", "set_run_on_save"):
        assert facts.read_back_msg(back(**{kind: True})).by_person
    for kind in ("app_heartbeat", "load_git_info"):
        assert not facts.read_back_msg(back(**{kind: True})).by_person


def test_every_kind_of_message_is_one_that_we_have_thought_of():
    kinds = {field.name for field in BackMsg.DESCRIPTOR.oneofs_by_name["type"].fields}

    assert kinds >= facts.messages._PERSON_ACTS
    assert kinds <= facts.messages._PERSON_ACTS | {
        *("rerun_script", "app_heartbeat", "load_git_info", "backend_operation_request"),
        *("debug_disconnect_websocket", "debug_shutdown_runtime"),
    }


@given(some.binary(max_size=60))
def test_whatever_a_browser_sends_is_read_or_is_no_message(data):
    facts.read_back_msg(data)


def test_what_is_no_message_is_none():
    assert facts.read_back_msg(b"\xff\xff") is None
    assert facts.read_back_msg(b"") == facts.BackFacts("", False, "")


# -- the running server --------------------------------------------------------------------------------------------------------


def test_our_core_hangs_on_the_runtime_and_goes_with_it():
    core = object()
    with a_runtime():
        assert facts.core() is None
        facts.set_core(core)
        assert facts.core() is core
        assert facts.runtime_exists()
    assert facts.core() is None
    assert not facts.runtime_exists()


def test_a_test_may_stand_in_for_it():
    one, two = object(), object()

    with facts.stand_in(one), facts.stand_in(two):
        assert facts.core() is two
    assert facts.core() is None


def test_of_several_apps_the_one_of_the_running_server_is_found(runtime):
    from starlette.applications import Starlette
    from starlette.routing import WebSocketRoute

    others = [Starlette(), Starlette(routes=[WebSocketRoute("/_stcore/stream", lambda _: None)])]
    with a_runtime() as another:
        others.append(create_starlette_app(another))
    mine = create_starlette_app(runtime)

    assert facts.app_of_runtime() is mine
    del others


def test_without_an_app_none_is_found(runtime):
    assert facts.app_of_runtime() is None


@pytest.mark.parametrize(
    ("thread", "location", "expected"),
    [
        ("ScriptRunner.scriptThread", "main_script", True),
        ("ScriptRunner.scriptThread", "fragment", True),
        ("ScriptRunner.scriptThread", "callback", False),
        ("ThreadPoolExecutor-0_0", "main_script", False),
    ],
)
def test_the_page_is_drawn_in_the_scripts_thread_and_not_in_a_callback_of_a_fragment(thread, location, expected):
    from streamlit.runtime.scriptrunner_utils.script_run_context import RunLocation, ThreadState

    said = []

    def run():
        ThreadState.initialize(run_location=RunLocation(location), fragment_id="f" if location != "main_script" else None)
        said.append(facts.is_for_drawing())

    one = threading.Thread(target=run, name=thread)
    one.start()
    one.join(20)
    assert said == [expected]


def test_a_scripts_thread_without_a_run_is_taken_as_it_is():
    said = []
    one = threading.Thread(target=lambda: said.append(facts.is_for_drawing()), name="ScriptRunner.scriptThread")
    one.start()
    one.join(20)
    assert said == [True]


def test_the_socket_of_a_session_is_the_object_in_its_scope(runtime):
    ours = object()
    a_session(runtime, "with", {facts.SOCKET_KEY: ours})
    a_session(runtime, "foreign", {})
    a_session(runtime, "without", None)

    assert facts.socket_of("with") is ours
    assert facts.socket_of("foreign") is facts.socket_of("without") is facts.socket_of("nobody") is None
    assert len(facts.open_sockets()) == 2


def test_without_a_server_nobody_has_a_socket():
    assert facts.socket_of("session-1") is None


def test_streamlits_client_keeps_its_websocket_where_we_look_for_it():
    websocket = SimpleNamespace(headers={}, cookies={}, client=None)

    async def make():
        return starlette_websocket.StarletteSessionClient(websocket)

    with a_loop() as loop:
        client = asyncio.run_coroutine_threadsafe(make(), loop).result(5)
        assert client._websocket is websocket

        async def stop():
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

        asyncio.run_coroutine_threadsafe(stop(), loop).result(5)


def test_a_started_runtime_has_the_loop_that_it_runs_in(runtime):
    with a_loop() as loop:
        asyncio.run_coroutine_threadsafe(runtime.start(), loop).result(10)
        try:
            assert facts.event_loop() is loop
        finally:
            loop.call_soon_threadsafe(runtime.stop)
            asyncio.run_coroutine_threadsafe(_wait(runtime), loop).result(10)


async def _wait(runtime):
    await runtime.stopped


# -- the script's run ----------------------------------------------------------------------------------------------------------


def test_a_run_has_a_context_and_a_thread_of_the_apps_own_has_none():
    assert facts.script_run_ctx() is None
    with a_run({"st_auth_login_id": "abc"}) as (context, _):
        assert facts.script_run_ctx() is context is get_script_run_ctx()
        assert context.user_info[facts.LOGIN_ID_KEY] == "abc"


def test_the_gate_hears_at_once_whose_run_this_is_and_where_our_core_hangs():
    ours = object()
    with facts.stand_in(ours):
        assert facts.login_and_core() == ("", None)
        for known, answer in (({"st_auth_login_id": "abc"}, ("abc", ours)), ({}, ("", None)), ({"st_auth_login_id": ""}, ("", ours))):
            with a_run(known):
                assert facts.login_and_core() == answer
    with a_run({"st_auth_login_id": "abc"}):
        assert facts.login_and_core() == ("abc", None)


def test_a_run_sends_its_tab_elsewhere():
    with a_run({}) as (context, sent):
        facts.send_to(context, "/auth/login")

    assert [message.auth_redirect.url for message in sent] == ["/auth/login"]


@pytest.mark.parametrize(
    ("url", "query", "path"),
    [
        ("http://localhost:8501/sales", "", "/sales"),
        ("http://localhost:8501/sales?old=1", "x=1&y=2", "/sales?x=1&y=2"),
        ("http://localhost:8501", "", "/"),
        ("http://localhost:8501/sales?x=1#there", "", "/sales?x=1"),
        ("", "", "/"),
    ],
)
def test_a_run_knows_its_tabs_address(url, query, path):
    with a_run({}, url, query) as (context, _):
        assert facts.tab_path(context) == path


def test_a_route_of_the_authors_own_is_told_from_streamlits():
    async def report(request):
        return Response()

    async def page(request):
        return Response()

    page.__module__ = "streamlit.web.server.starlette.starlette_routes"
    app = Starlette(routes=[Route("/api/report", report, methods=["POST"]), Mount("/files", app=report), Route("/{path:path}", page)])

    def asked(path, method="GET"):
        return facts.is_authors_route({"type": "http", "app": app, "path": path, "method": method, "headers": [], "root_path": ""})

    assert [asked("/api/report", "POST"), asked("/api/report"), asked("/files/x"), asked("/"), asked("/api")] == [
        True,
        True,
        True,
        False,
        False,
    ]
    assert facts.is_authors_route({"type": "http", "path": "/"}) is False


def test_a_folder_that_is_left_unwatched_stays_so_when_the_options_are_read_again(tmp_path):
    with options(server_folderWatchBlacklist=["/theirs"]):
        undo = facts.leave_unwatched(tmp_path)
        try:
            assert config.get_option("server.folderWatchBlacklist") == ["/theirs", str(tmp_path)]
            config.get_config_options(force_reparse=True)
            assert str(tmp_path) in config.get_option("server.folderWatchBlacklist")
        finally:
            undo()


def test_an_app_test_knows_its_script(tmp_path):
    (tmp_path / "page.py").write_text("")
    assert facts.script_of(AppTest.from_file(tmp_path / "page.py")) == tmp_path / "page.py"
