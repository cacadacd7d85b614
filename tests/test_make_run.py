"""`make run` in a copy of the checkout: what a person who tries the gateway meets, start to end.

The copy borrows this Python's packages, so nothing is installed and no network is needed.
"""

import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from openai import OpenAI
from PIL import Image

from tests.checkout import copy_checkout
from tests.gateway import free_port
from tests.needs import program

PATIENCE_S = 60.0
CHAT_MODEL = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
IMAGE_MODEL = "@cf/black-forest-labs/flux-1-schnell"
KEY = re.compile(r"sk-wai-\w+")


class Run:
    """One `make run`, in a process group of its own as a terminal would make it."""

    def __init__(self, folder: Path, port: int, **settings: str) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.lines: list[str] = []
        self._more = threading.Condition()
        self.process = subprocess.Popen(
            [program("make"), "run"],
            cwd=folder,
            env=environment(PORT=str(port), **settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            for line in output:
                with self._more:
                    self.lines.append(line.rstrip("\n"))
                    self._more.notify_all()

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def wait_for(self, words: str) -> None:
        with self._more:
            assert self._more.wait_for(lambda: words in self.text, PATIENCE_S), self.text

    def serving(self) -> "Run":
        self.wait_for("Serving on")
        answered(lambda: httpx.get(self.url + "/healthz").status_code == 200)
        return self

    def ctrl_c(self) -> float:
        """As the terminal sends it: to all processes of the group. Seconds until all have ended."""
        began = time.monotonic()
        os.killpg(self.process.pid, signal.SIGINT)
        self.ended()
        return time.monotonic() - began

    def ended(self) -> int:
        status = self.process.wait(PATIENCE_S)
        # Whoever still holds the pipe is a process left behind.
        self._reader.join(PATIENCE_S)
        assert not self._reader.is_alive(), "a process of the run goes on"
        return status

    def kill(self) -> None:
        """Whatever still runs, so that a failed test leaves nothing behind."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)


def environment(**settings: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "PYTHONUNBUFFERED": "1", **settings}


def answered(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    pause = threading.Event()
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            if ready():
                return
        pause.wait(0.05)
    raise AssertionError("the gateway does not answer")


def nobody_in_group(pid: int) -> bool:
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return True
    return False


def installed_checkout(folder: Path) -> Path:
    copy_checkout(folder, without=["tests", "docs"])
    venv = folder / ".venv"
    venv.mkdir()
    for name in ("bin", "lib", "lib64", "pyvenv.cfg"):
        if (Path(sys.prefix) / name).exists():
            (venv / name).symlink_to(Path(sys.prefix) / name)
    (venv / ".installed").touch()
    return folder


def manage(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """As from another terminal: nothing in the environment."""
    return subprocess.run(
        [".venv/bin/python", "manage.py", *words],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed_checkout(tmp_path_factory.mktemp("checkout") / "gateway")


@pytest.fixture(scope="module")
def first(folder: Path) -> Iterator[Run]:
    """The first start on a machine without credentials, running."""
    run = Run(folder, free_port())
    yield run.serving()
    run.kill()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Starts in a copy of its own: `start(PORT=…)`."""
    runs: list[Run] = []

    def begin(*, port: int | None = None, **settings: str) -> Run:
        folder = tmp_path / "gateway"
        if not folder.exists():
            installed_checkout(folder)
        runs.append(Run(folder, free_port() if port is None else port, **settings))
        return runs[-1]

    yield begin
    for run in runs:
        run.kill()


@pytest.fixture
def sdk(first: Run) -> Iterator[OpenAI]:
    key = KEY.search(first.text)
    assert key is not None, first.text
    with OpenAI(base_url=first.url + "/v1", api_key=key[0], max_retries=0) as client:
        yield client


def test_the_first_start_prints_each_secret_once(first: Run) -> None:
    assert len(KEY.findall(first.text)) == 1
    assert len(re.findall(r"operator / \S+", first.text)) == 1


def test_without_credentials_one_line_says_that_it_is_a_simulator(first: Run) -> None:
    assert sum("simulator" in line for line in first.lines) == 1


def test_what_it_keeps_is_for_this_account_only(first: Run, folder: Path) -> None:
    assert (folder / "var").stat().st_mode & 0o077 == 0
    assert (folder / "var" / "secret.env").stat().st_mode & 0o077 == 0


def test_the_printed_key_lists_models(sdk: OpenAI) -> None:
    assert {CHAT_MODEL, IMAGE_MODEL} <= {model.id for model in sdk.models.list()}


def test_the_printed_key_chats(sdk: OpenAI) -> None:
    answer = sdk.chat.completions.create(
        model=CHAT_MODEL, messages=[{"role": "user", "content": "hello"}]
    )
    assert answer.choices[0].message.content


def test_the_first_token_arrives_long_before_the_last(sdk: OpenAI) -> None:
    stream = sdk.chat.completions.create(
        model=CHAT_MODEL,
        messages=[{"role": "user", "content": "Tell me a story of some length."}],
        stream=True,
    )
    began = time.monotonic()
    arrived = [
        time.monotonic() - began
        for chunk in stream
        if chunk.choices and chunk.choices[0].delta.content
    ]
    assert len(arrived) > 5
    assert arrived[0] < arrived[-1] / 2


def test_the_printed_key_makes_a_picture_that_opens(sdk: OpenAI) -> None:
    answer = sdk.images.generate(model=IMAGE_MODEL, prompt="a red lighthouse")
    assert answer.data and answer.data[0].b64_json
    with Image.open(io.BytesIO(b64decode(answer.data[0].b64_json))) as picture:
        picture.load()
        assert min(picture.size) > 0


def test_another_terminal_commands_the_running_gateway(first: Run, folder: Path) -> None:
    keys = json.loads(manage(folder, "list_keys", "--json").stdout)
    assert [key["name"] for key in keys] == ["first key"]
    refreshed = manage(folder, "refresh_catalog")
    assert refreshed.returncode == 0, refreshed.stderr


def test_ctrl_c_ends_all_and_the_second_start_knows_what_was(start: Callable[..., Run]) -> None:
    run = start().serving()
    key = KEY.findall(run.text)[0]
    # No request runs, so there is nothing to wait for: the grace would be 30 seconds.
    assert run.ctrl_c() < 25
    assert nobody_in_group(run.process.pid)
    assert "Traceback" not in run.text

    second = start(STOP_GRACE="2").serving()
    assert not KEY.search(second.text) and "operator /" not in second.text
    listed = httpx.get(second.url + "/v1/models", headers={"x-api-key": key})
    assert listed.status_code == 200
    ctrl_c_during_a_stream(second, key)


def ctrl_c_during_a_stream(run: Run, key: str) -> None:
    body = {
        "model": CHAT_MODEL,
        "stream": True,
        "messages": [{"role": "user", "content": "[simulate slow-tokens seconds=1] A long story"}],
    }
    with (
        httpx.Client(timeout=PATIENCE_S, headers={"x-api-key": key}) as http,
        http.stream("POST", run.url + "/v1/chat/completions", json=body) as response,
    ):
        next(response.iter_raw())
        assert run.ctrl_c() < 25
    assert nobody_in_group(run.process.pid)


def test_a_taken_port_is_one_line_and_the_other_gateway_goes_on(first: Run, folder: Path) -> None:
    port = int(first.url.rpartition(":")[2])
    second = Run(folder, port)
    assert second.ended() != 0
    said = [line for line in second.lines if not line.startswith("make")]
    assert len(said) == 1 and f"Port {port} on 127.0.0.1 cannot be used" in said[0]
    assert httpx.get(first.url + "/readyz").status_code == 200
    assert manage(folder, "refresh_catalog").returncode == 0


def test_any_free_port_is_told(start: Callable[..., Run]) -> None:
    run = start(port=0)
    run.wait_for("Serving on")
    told = re.search(r"Serving on (http://127\.0\.0\.1:[1-9]\d*) ", run.text)
    assert told is not None, run.text
    run.url = told[1]
    run.serving()


def test_a_bad_setting_is_one_line(start: Callable[..., Run]) -> None:
    for name, value in (("MAX_IMAGE_COUNT", "9"), ("PROXY_API_KEY", "hunter2")):
        run = start(**{name: value})
        assert run.ended() != 0
        said = [line for line in run.lines if not line.startswith("make")]
        assert len(said) == 1 and said[0].startswith(name)
        assert "hunter2" not in run.text


@pytest.mark.parametrize(
    ("setting", "value", "missing"),
    [
        # Nobody, root neither, can make a folder there.
        ("VAR_DIR", "/proc/gateway", "/proc/gateway cannot be written by uid "),
        ("DATABASE_URL", "sqlite:////proc/gateway/db", "the folder /proc/gateway does not exist"),
    ],
)
def test_a_folder_that_cannot_be_used_is_one_line(
    start: Callable[..., Run], setting: str, value: str, missing: str
) -> None:
    run = start(**{setting: value})
    assert run.ended() != 0
    said = [line for line in run.lines if not line.startswith("make")]
    assert len(said) == 1 and missing in said[0], run.text


def test_upstream_down_at_the_first_start_serves_and_says_how_to_go_on(
    start: Callable[..., Run],
) -> None:
    run = start(
        CLOUDFLARE_ACCOUNT_ID="0123456789abcdef" * 2,
        CLOUDFLARE_API_TOKEN="not-a-token-at-all",
        CLOUDFLARE_API_BASE_URL=f"http://127.0.0.1:{free_port()}/client/v4",
        UPSTREAM_RETRIES="0",
        # As lines of .env that nobody has filled in.
        SECRET_KEY="",
        HTTPS="",
    ).serving()
    assert "simulator" not in run.text and "not-a-token-at-all" not in run.text
    assert "It is empty" in run.text and "manage.py refresh_catalog" in run.text
    ready = httpx.get(run.url + "/readyz")
    assert ready.status_code == 503
    assert "refresh_catalog" in ready.json()["checks"]["catalog"]
    assert httpx.get(run.url + "/admin/login/").status_code == 200
    assert run.ctrl_c() < 25
