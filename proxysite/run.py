"""`make run`: sets up and serves a gateway in one command; a second start takes seconds.

Makes what is missing (a secret key, the database, the catalog, an operator, a first key), starts
the bundled simulator when there are no Cloudflare credentials, and then serves until Ctrl-C.
Secrets are printed once, when they are made. What it makes lies in `var/`, which git ignores, or in
VAR_DIR.

Django reads its settings when they are first asked for, which is after `fill_environment`, and has
models from `check_settings` on: they alone are imported where they are used.
"""

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import django
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.checks import ERROR
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.utils import Error

from proxysite import garbage, start_checks
from proxysite.setting_readers.env_file import read_settings_file
from storage.failure import in_one_line
from workers_ai.simulator import DEFAULT_ACCOUNT_ID, DEFAULT_API_TOKEN

BASE_DIR = Path(__file__).resolve().parent.parent
try:
    read_settings_file(BASE_DIR / ".env")
except ImproperlyConfigured as error:
    sys.exit(str(error))
VAR_DIR = BASE_DIR / (os.environ.get("VAR_DIR") or "var")
SECRET_FILE = VAR_DIR / "secret.env"
SIMULATOR_FILE = VAR_DIR / "simulator.env"
UPSTREAM_FILE = VAR_DIR / "upstream"


def main() -> int:
    garbage.look_seldom()
    os.chdir(BASE_DIR)
    simulator = None
    try:
        make_var_dir()
        fill_environment()
        check_settings()
        address = free_address()
        simulated = not credentials_are_set()
        if simulated:
            simulator = start_simulator()
        prepare_database(simulated=simulated)
        announce(address, simulated=simulated)
        return serve()
    except Stop as stop:
        print(stop, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        if simulator is not None:
            SIMULATOR_FILE.unlink(missing_ok=True)
            end(simulator)


def make_var_dir() -> None:
    """The folder of all that this makes, which it must be able to write in."""
    try:
        VAR_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=VAR_DIR):
            pass
    except OSError as error:
        raise Stop(
            f"{VAR_DIR} cannot be written by uid {os.geteuid()} ({error.strerror}): make it a "
            "folder of this account, or set VAR_DIR to another."
        ) from None


class Stop(Exception):
    """The start cannot go on; the text is one line that says why."""


def fill_environment() -> None:
    """What a first run needs and nobody set: a secret of its own, plain HTTP on this machine."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "proxysite.settings"
    os.environ["HTTPS"] = os.environ.get("HTTPS") or "off"
    if not os.environ.get("SECRET_KEY") and not SECRET_FILE.exists():
        keep(SECRET_FILE, {"SECRET_KEY": secrets.token_urlsafe(50)})


def keep(path: Path, values: dict[str, str]) -> None:
    """Writes settings that Django's settings will read; only this account can read the file."""
    path.touch(mode=0o600)
    path.write_text("".join(f"{name}={value}\n" for name, value in values.items()))


def check_settings() -> None:
    """Reads the settings for the first time: a bad value ends the start with its own line."""
    try:
        django.setup()
    except ImproperlyConfigured as error:
        raise Stop(str(error)) from None
    for found in start_checks.run():
        if found.level >= ERROR:
            raise Stop(found.msg)
        print(found.msg, file=sys.stderr)


def credentials_are_set() -> bool:
    """Whether the operator gave any; a run that was killed may have left the simulator's behind."""
    return settings.CLOUDFLARE_ACCOUNT_ID not in ("", DEFAULT_ACCOUNT_ID)


def free_address() -> str:
    """`host:port` to serve on, after seeing that nobody else does. PORT 0 becomes a free one."""
    host, port = settings.HOST, settings.PORT
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Stop(
                f"Port {port} on {host} cannot be used ({error.strerror}): "
                "stop what runs there or choose another with PORT=…"
            ) from None
        port = probe.getsockname()[1]
    # For gunicorn, which is to listen on the port that is told.
    os.environ["PORT"] = str(port)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def start_simulator() -> "subprocess.Popen[str]":
    """The bundled Workers AI, on any free port; points the settings at it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "workers_ai.simulator", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    base_url = process.stdout.readline().strip().rpartition(" ")[2]
    if not base_url.startswith("http"):
        raise Stop("The bundled Workers AI simulator did not start.")
    values = {
        "CLOUDFLARE_ACCOUNT_ID": DEFAULT_ACCOUNT_ID,
        "CLOUDFLARE_API_TOKEN": DEFAULT_API_TOKEN,
        "CLOUDFLARE_API_BASE_URL": base_url,
        "UPSTREAM_PROXY": "",  # what is on this machine is reached by no proxy
    }
    keep(SIMULATOR_FILE, values)
    for name, value in values.items():
        setattr(settings, name, value)
    return process


def prepare_database(*, simulated: bool) -> None:
    try:
        call_command("migrate", verbosity=0, interactive=False)
        refresh_catalog(simulated=simulated)
        prepare_operator_and_key()
    except Error as error:
        raise Stop(in_one_line(error)) from None


def refresh_catalog(*, simulated: bool) -> None:
    """The catalog as upstream has it; when it has none now, the start goes on with what is there.

    The simulator's models and Cloudflare's are not the same, so a change from one to the other is
    no mistake that the refresh has to guard against.
    """
    from catalog.models import CatalogModel

    known = CatalogModel.objects.filter(retired_at=None).exists()
    upstream = "simulator" if simulated else "cloudflare"
    before = UPSTREAM_FILE.read_text().strip() if UPSTREAM_FILE.exists() else upstream
    try:
        with Path(os.devnull).open("w") as nowhere:
            call_command("refresh_catalog", force=before != upstream, stdout=nowhere)
        UPSTREAM_FILE.write_text(upstream + "\n")
    except CommandError as error:
        print(f"The catalog was not refreshed: {error}", file=sys.stderr)
        if not known:
            print(
                "It is empty, so no model can be used yet. Once Workers AI answers, run: "
                ".venv/bin/python manage.py refresh_catalog",
                file=sys.stderr,
            )


def prepare_operator_and_key() -> None:
    """An operator and a first key when there are none; both secrets are printed this once."""
    from keys.models import Key

    users = get_user_model().objects
    if not users.filter(is_superuser=True).exists():
        password = secrets.token_urlsafe(12)
        users.create_superuser("operator", password=password)
        print(f"Operator account (shown once): operator / {password}")
    if not Key.objects.filter(is_static=False).exists():
        owner = users.filter(is_superuser=True).order_by("pk").first()
        assert owner is not None
        _, secret = Key.issue(name="first key", owner=owner)
        print(f"First API key    (shown once): {secret}")


def announce(address: str, *, simulated: bool) -> None:
    connection.close()  # the workers make their own
    if simulated:
        print(
            "No Cloudflare credentials are set: answers come from the bundled simulator, "
            "not from Workers AI."
        )
    print(
        f"Serving on http://{address} (base URL http://{address}/v1, admin http://{address}/admin/)"
    )
    sys.stdout.flush()


def serve() -> int:
    """gunicorn in the foreground to its end; Ctrl-C and SIGTERM let requests in flight finish."""
    gunicorn = subprocess.Popen([sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py"])
    for received in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(received, lambda *_: gunicorn.terminate())
    return max(0, gunicorn.wait())


def end(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    deadline = time.monotonic() + 5
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    if process.poll() is None:
        process.kill()


if __name__ == "__main__":
    sys.exit(main())
