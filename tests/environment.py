"""The environment of a test run, set before Django reads its settings: nothing of the machine's.

pytest loads this file as a plugin (`-p tests.environment` in pyproject.toml), which is earlier than
any conftest.
"""

import os
import tempfile
from pathlib import Path

import certifi
from hypothesis import HealthCheck, settings

from workers_ai.simulator import DEFAULT_ACCOUNT_ID, DEFAULT_API_TOKEN

SCRATCH = Path(tempfile.mkdtemp(prefix="gateway-tests-"))

# Everything that the settings read and a developer's shell or `.env` may hold.
_CLEARED = (
    *("CLOUDFLARE_AI_GATEWAY", "PROXY_API_KEY", "REDIS_URL", "DEFAULT_IMAGE_MODEL"),
    *("DEFAULT_IMAGE_SIZE", "MAX_IMAGE_COUNT", "CORS_ALLOWED_ORIGINS", "DEBUG", "HOST", "PORT"),
    *("MEMBER_MAX_KEYS", "MEMBER_KEY_LIMITS", "OIDC_ISSUER", "OIDC_CLIENT_ID"),
    *("OIDC_CLIENT_SECRET", "OIDC_NAME", "OIDC_EMAIL_DOMAINS"),
    *("WEB_CONCURRENCY", "ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS", "FORWARDED_ALLOW_IPS"),
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


for name in _CLEARED:
    os.environ.pop(name, None)
os.environ.update(
    {
        "ENV_FILE": os.devnull,
        "SECRET_KEY": "only-for-checks-and-tests-which-sign-nothing",
        "HTTPS": "off",
        "DATABASE_URL": f"sqlite:///{SCRATCH / 'tests.sqlite3'}",
        "CLOUDFLARE_ACCOUNT_ID": DEFAULT_ACCOUNT_ID,
        "CLOUDFLARE_API_TOKEN": DEFAULT_API_TOKEN,
        # Nothing listens on port 1: a test that reaches out without a simulator fails at once.
        "CLOUDFLARE_API_BASE_URL": "http://127.0.0.1:1/client/v4",
        "SSL_CERT_FILE": str(one_certificate()),
        "SSL_CERT_DIR": str(SCRATCH / "no-authorities"),
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
