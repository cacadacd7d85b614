"""Examples of code and of clients' settings, each with this gateway's address and a key. Pure."""

from typing import Final

from keys.agent_snippets import agent_snippets
from keys.app_snippets import app_snippets
from keys.snippet import Part, Snippet, Target


def snippets(target: Target) -> list[Snippet]:
    return [*code_snippets(target), *agent_snippets(target), *app_snippets(target)]


def code_snippets(target: Target) -> list[Snippet]:
    words = {"base_url": target.base_url, "key": target.key, "model": target.model.name}
    return [
        Snippet(name, (Part("", kind, text % words),))
        for name, kind, text in (
            ("Python", "python", _PYTHON),
            ("Node", "js", _NODE),
            ("curl", "sh", _CURL),
        )
    ]


_PYTHON: Final = """\
from openai import OpenAI  # pip install openai

client = OpenAI(base_url="%(base_url)s", api_key="%(key)s")
answer = client.chat.completions.create(
    model="%(model)s",
    messages=[{"role": "user", "content": "Say hello."}],
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
