"""Three gateways behind the balancer of `docker compose up --scale gateway=3`.

On one machine: a gateway each in place of a container, and nginx with `balancer.conf`, all on the
server's core; PostgreSQL and Redis beside the load.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.gateways import Gateway
from bench.processes import free_port
from bench.server import ROOT, Place, Running, serving

BALANCER = ROOT / "balancer.conf"
HOSTS = 3
LOCAL = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Balanced(Gateway):
    def missing(self) -> str:
        return Gateway.missing(self) or ("" if shutil.which("nginx") else "nginx is not installed")

    @contextmanager
    def running(self, place: Place) -> Iterator[Running]:
        with ExitStack() as stack:
            environment = self.environment(place) | self.services(place, stack)
            environment["FORWARDED_ALLOW_IPS"] = LOCAL
            headers = (f"Authorization: Bearer {self.prepared(place, environment)}",)
            gateways = [
                stack.enter_context(self.one_gateway(place, environment)) for _ in range(HOSTS)
            ]
            config = place.folder / "balancer.conf"
            port = free_port()
            addresses = [url.removeprefix("http://") for _, url in gateways]
            config.write_text(balancer(BALANCER.read_text(), place.folder, port, addresses))
            url = f"http://{LOCAL}:{port}"
            command = ["nginx", "-e", "stderr", "-c", str(config)]
            nginx = stack.enter_context(serving(place, command, url))
            first = gateways[0][0]
            beside = (nginx.pid, *(gateway.pid for gateway, _ in gateways[1:]))
            yield Running(first, url + "/v1", headers, beside)


def balancer(text: str, folder: Path, port: int, gateways: Sequence[str]) -> str:
    """`balancer.conf` for gateways at these addresses, which Docker's DNS would have told."""
    servers = " ".join(f"server {address};" for address in gateways)
    for there, here in (
        ("listen 8000;", f"listen {LOCAL}:{port};"),
        ("set $gateway gateway:8000;", "set $gateway gateways;"),
        ("    server {", f"    upstream gateways {{ {servers} }}\n\n    server {{"),
        ("172.30.53.1", LOCAL),
        ("/tmp/", f"{folder}/"),
    ):
        if there not in text:
            raise RuntimeError(f"balancer.conf has no {there!r}")
        text = text.replace(there, here)
    return f"daemon off;\n{text}"


THREE_HOSTS = Balanced(
    "gateway-3-hosts",
    "three gateways behind the balancer, PostgreSQL, Redis",
    "as above: three gateways of one worker, and nginx, which shares requests among them",
    first_streams=300,
    extent="some",
    with_services=True,
)
