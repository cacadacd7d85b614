"""The settings of chat apps. Pure. docs/clients.md shows the same."""

from typing import Final

from keys.snippet import Part, Snippet, Target


def app_snippets(target: Target) -> list[Snippet]:
    words = {"base_url": target.base_url, "key": target.key, "model": target.model.name}
    return [
        Snippet("Open WebUI", (Part("", "sh", _OPEN_WEBUI % words),)),
        Snippet(
            "LibreChat",
            (
                Part("librechat.yaml", "yaml", _LIBRECHAT % words),
                Part(".env", "env", f"WORKERS_AI_KEY={target.key}\n"),
            ),
        ),
        Snippet(
            "Cherry Studio",
            steps=(
                ("Settings → Model Provider → Add, type", "OpenAI"),
                ("API Key", target.key),
                ("API Host (it adds /v1 itself)", target.origin),
                ("Manage → add a model, such as", target.model.name),
            ),
        ),
        Snippet(
            "Chatbox",
            steps=(
                ("Settings → Model Provider → Add, mode", "OpenAI API Compatible"),
                ("API Key", target.key),
                ("API Host (it adds /v1 itself)", target.origin),
                ("Fetch → choose a model, such as", target.model.name),
            ),
        ),
    ]


_OPEN_WEBUI: Final = """\
export OPENAI_API_BASE_URL=%(base_url)s
export OPENAI_API_KEY=%(key)s
"""

_LIBRECHAT: Final = """\
version: 1.2.8
endpoints:
  custom:
    - name: Workers AI
      apiKey: ${WORKERS_AI_KEY}
      baseURL: %(base_url)s
      models:
        default: ["%(model)s"]
        fetch: true
      titleConvo: true
      titleModel: current_model
"""
