"""`make demo-snowflake` as somebody at this machine sees it: two people, one click each, their own rows of the warehouse; then Ctrl+C."""

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.servers.processes import Process, clean_environment, free_port
from tests.test_conventions import ROOT


def children_of(pid: int) -> list[int]:
    """The processes that a process has started and that still run."""
    stats = [stat.read_text("utf-8", "replace") for stat in Path("/proc").glob("[0-9]*/stat")]
    return [int(stat.split()[0]) for stat in stats if int(stat.rpartition(")")[2].split()[1]) == pid]


@pytest.fixture
def demo(tmp_path):
    port = free_port()
    command = [sys.executable, str(ROOT / "tools" / "demo_snowflake.py"), "--server.port", str(port), "--server.headless", "true"]
    demo = Process(command, folder=ROOT, environment=clean_environment(tmp_path), log=tmp_path / "demo.log")
    try:
        demo.wait_until(lambda: f"http://localhost:{port}" in demo.output, "the demo says where it is", seconds=60)
        yield demo, f"http://localhost:{port}/"
    finally:
        demo.stop()


def test_the_demo_lets_each_person_see_their_own_rows_and_ends_all_it_started(demo, person):
    demo, url = demo
    seen = {}
    for name in ("Ana Analyst", "Ada Admin"):
        browser = person()
        at_provider = browser.open(url)
        assert "Acme login" in at_provider.text
        assert browser.press(at_provider, name).is_streamlit
        tab = browser.tab(f"{url}warehouse")
        assert tab.exceptions == []
        seen[name] = tab.text

    assert "ANA as ANALYST" in seen["Ana Analyst"]
    assert "ADA as ADMIN" in seen["Ada Admin"]
    totals = {name: next(line for line in text.splitlines() if line.startswith("Total: ")) for name, text in seen.items()}
    assert totals["Ana Analyst"] != totals["Ada Admin"]

    children = children_of(demo.pid)
    assert len(children) == 3
    os.kill(demo.pid, signal.SIGINT)
    assert demo.wait() == 0
    assert [child for child in children if Path(f"/proc/{child}").exists()] == []
    assert "leaked" not in demo.output
    assert "Traceback" not in demo.output
