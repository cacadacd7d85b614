"""The model that examples for coding agents name."""

from collections.abc import Callable

from catalog.suitable import agent_model
from tests.gateway import GatewayProcess


def chosen(gateway: GatewayProcess, allows: Callable[[str], bool]) -> tuple[str, int] | None:
    return gateway.database(lambda: agent_model(allows))


def test_it_is_the_largest_that_calls_tools_out_of_those_allowed(gateway: GatewayProcess) -> None:
    everywhere = chosen(gateway, lambda _name: True)
    of_meta = chosen(gateway, lambda name: name.startswith("@cf/meta/"))
    assert everywhere is not None and of_meta is not None
    assert everywhere[1] > of_meta[1] > 100_000
    assert of_meta[0] == "@cf/meta/llama-4-scout-17b-16e-instruct"
    # Neither draws pictures nor chats without tools.
    assert chosen(gateway, lambda name: "flux" in name or "llama-3-8b" in name) is None
