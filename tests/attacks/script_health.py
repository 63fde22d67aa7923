"""Do in this process what Streamlit's script health check does: `python -m tests.attacks.script_health app.py`."""

import asyncio
import sys

from streamlit.runtime import Runtime, RuntimeConfig
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager

from st_auth import streamlit_facts as facts


async def check(script: str) -> None:
    storage = MemoryMediaFileStorage("/media")
    runtime = Runtime(RuntimeConfig(script, storage, MemoryUploadedFileManager("/upload")))
    await runtime.start()
    facts.set_core(object())  # as in a server that st_auth guards: nobody is logged in, and no attaching is tried
    print(await runtime.does_script_run_without_error(), flush=True)
    runtime.stop()
    await runtime.stopped


if __name__ == "__main__":
    asyncio.run(check(sys.argv[1]))
