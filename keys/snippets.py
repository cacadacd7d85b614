"""Examples of code and of apps' settings that use a key, with the address of this gateway. Pure."""

from dataclasses import dataclass
from typing import Final

USUAL_MODEL: Final = "@cf/openai/gpt-oss-20b"
PLACEHOLDER: Final = "sk-wai-…"


@dataclass(frozen=True, slots=True)
class Snippet:
    """One example: `code` to copy as it is, or `steps` in the settings of an app."""

    name: str
    code: str = ""
    steps: tuple[tuple[str, str], ...] = ()


def snippets(origin: str, key: str = PLACEHOLDER, model: str = USUAL_MODEL) -> list[Snippet]:
    """`origin` is scheme and host without a path, such as https://gateway.example.com."""
    base_url = f"{origin}/v1"
    return [
        Snippet("Python", _PYTHON.format(base_url=base_url, key=key, model=model)),
        Snippet("Node", _NODE % {"base_url": base_url, "key": key, "model": model}),
        Snippet("curl", _CURL % {"base_url": base_url, "key": key, "model": model}),
        Snippet(
            "Cherry Studio",
            steps=(
                ("Settings → Model Provider → Add, type", "OpenAI"),
                ("API Key", key),
                ("API Host (it adds /v1 itself)", origin),
                ("Manage → add a model, such as", model),
            ),
        ),
        Snippet(
            "Open WebUI",
            steps=(
                ("Admin Settings → Connections → OpenAI API → Add, URL", base_url),
                ("Key", key),
                ("The model list fills by itself; choose, such as", model),
            ),
        ),
    ]


_PYTHON: Final = """\
from openai import OpenAI  # pip install openai

client = OpenAI(base_url="{base_url}", api_key="{key}")
answer = client.chat.completions.create(
    model="{model}",
    messages=[{{"role": "user", "content": "Say hello."}}],
)
print(answer.choices[0].message.content)
"""
_NODE: Final = """\
import OpenAI from "openai"; // npm install openai

const client = new OpenAI({ baseURL: "%(base_url)s", apiKey: "%(key)s" });
const answer = await client.chat.completions.create({
  model: "%(model)s",
  messages: [{ role: "user", content: "Say hello." }],
});
console.log(answer.choices[0].message.content);
"""
_CURL: Final = """\
curl %(base_url)s/chat/completions \\
  -H "Authorization: Bearer %(key)s" \\
  -H "Content-Type: application/json" \\
  -d '{"model": "%(model)s", "messages": [{"role": "user", "content": "Say hello."}]}'
"""
