"""The environment of a test run, set before Django reads its settings: nothing of the machine's.

pytest loads this file as a plugin (`-p tests.environment` in pyproject.toml), which is earlier than
any conftest.
"""

import atexit
import os
import re
import shutil
import tempfile
from pathlib import Path

import certifi
from hypothesis import HealthCheck, settings

from proxysite.garbage import look_seldom
from workers_ai.simulator import DEFAULT_ACCOUNT_ID, DEFAULT_API_TOKEN

# Of the process that began this run: the processes that it starts, pytest-xdist's too, know it.
_SHARED = "GATEWAY_TESTS_SHARED"
if _SHARED in os.environ:
    SCRATCH = Path(tempfile.mkdtemp(prefix="process-", dir=os.environ[_SHARED]))
else:
    SCRATCH = Path(tempfile.mkdtemp(prefix="gateway-tests-"))
    os.environ[_SHARED] = str(SCRATCH)
    # A server that runs as another account reaches its files there.
    SCRATCH.chmod(0o755)
    atexit.register(shutil.rmtree, SCRATCH, ignore_errors=True)
SHARED = Path(os.environ[_SHARED])

ROOT = Path(__file__).resolve().parent.parent

# Everything that the settings read, and a developer's shell may hold.
_CLEARED = (
    *re.findall(r"^#([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE),
    # Or every process that a test starts would compile the whole gateway again.
    "PYTHONDONTWRITEBYTECODE",
)


def one_certificate() -> Path:
    """The first of the authorities that are trusted everywhere. No test speaks TLS, and an HTTP
    client that reads all of them, as each new one does, takes twenty times as long to make."""
    end = "-----END CERTIFICATE-----\n"
    path = SCRATCH / "authority.pem"
    path.write_text(certifi.contents().partition(end)[0] + end)
    return path


def no_certificates() -> Path:
    folder = SCRATCH / "no-authorities"
    folder.mkdir()
    return folder


# As the gateway's own processes do. Thousands of tests, once collected, stay for good.
look_seldom()

for name in _CLEARED:
    os.environ.pop(name, None)
if any(os.environ.get(name) for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")):
    # pip may need it; the tests' own servers are here.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "localhost,127.0.0.1,::1"
os.environ.update(
    {
        # Not the checkout's, where `make run` may have been, or may be running.
        "ENV_FILE": os.devnull,
        "VAR_DIR": str(SCRATCH / "var"),
        "SECRET_KEY": "only-for-checks-and-tests-which-sign-nothing",
        "HTTPS": "off",
        "DATABASE_URL": f"sqlite:///{SCRATCH / 'tests.sqlite3'}",
        "CLOUDFLARE_ACCOUNT_ID": DEFAULT_ACCOUNT_ID,
        "CLOUDFLARE_API_TOKEN": DEFAULT_API_TOKEN,
        # Nothing listens on port 1: a test that reaches out without a simulator fails at once.
        "CLOUDFLARE_API_BASE_URL": "http://127.0.0.1:1/client/v4",
        "SSL_CERT_FILE": str(one_certificate()),
        "SSL_CERT_DIR": str(no_certificates()),
    }
)

# The same examples in every run, and none given up because the machine is busy: what failed here
# fails there. To look for new ones, run with HYPOTHESIS_PROFILE=explore.
settings.register_profile(
    "suite",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("explore", settings.get_profile("suite"), derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))
