"""The settings of coding agents. Pure. docs/clients.md shows the same; `make clients` runs some.

Each tells the agent its model's window where the agent has a field for it: one that does not know
the window takes an unknown model for as large as its own vendor's, and finds out by a refusal.
"""

from typing import Final

from keys.snippet import Part, Snippet, Target


def agent_snippets(target: Target) -> list[Snippet]:
    words = target.agent_words
    agents = [
        Snippet(name, tuple(Part(where, kind, text % words) for where, kind, text in parts))
        for name, parts in _AGENTS.items()
    ]
    return [*agents, _cursor(target)]


def _cursor(target: Target) -> Snippet:
    return Snippet(
        "Cursor",
        steps=(
            ("Settings → Models → API Keys, OpenAI API Key", target.key),
            ("Override OpenAI Base URL (on)", target.base_url),
            ("Add model", target.agent_model.name),
        ),
    )


_CLAUDE_CODE: Final = """\
{
  "env": {
    "ANTHROPIC_BASE_URL": "%(origin)s",
    "ANTHROPIC_AUTH_TOKEN": "%(key)s",
    "ANTHROPIC_MODEL": "%(model)s",
    "ANTHROPIC_DEFAULT_OPUS_MODEL": "%(model)s",
    "ANTHROPIC_DEFAULT_SONNET_MODEL": "%(model)s",
    "ANTHROPIC_DEFAULT_HAIKU_MODEL": "%(model)s",
    "CLAUDE_CODE_MAX_CONTEXT_TOKENS": "%(context)d",
    "CLAUDE_CODE_MAX_OUTPUT_TOKENS": "%(answer)d",
    "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"
  },
  "permissions": { "deny": ["WebSearch"] }
}
"""

_KEY_COMMAND: Final = """\
export WORKERS_AI_KEY=%(key)s
"""

_CODEX: Final = """\
model = "%(model)s"
model_provider = "workers-ai"
model_context_window = %(context)d
web_search = "disabled"

[model_providers.workers-ai]
name = "Workers AI Gateway"
base_url = "%(base_url)s"
env_key = "WORKERS_AI_KEY"
wire_api = "responses"
"""

_OPENCODE: Final = """\
{
  "$schema": "%(schema)s",
  "model": "workers-ai/%%(model)s",
  "provider": {
    "workers-ai": {
      "npm": "@ai-sdk/openai-compatible",
      "name": "Workers AI Gateway",
      "options": { "baseURL": "%%(base_url)s", "apiKey": "{env:WORKERS_AI_KEY}" },
      "models": {
        "%%(model)s": { "limit": { "context": %%(context)d, "output": %%(answer)d } }
      }
    }
  }
}
"""

_AIDER: Final = """\
model: openai/%(model)s
openai-api-base: %(base_url)s
openai-api-key: %(key)s
edit-format: diff
"""

_AIDER_MODEL: Final = """\
{
  "openai/%(model)s": {
    "litellm_provider": "openai",
    "mode": "chat",
    "max_input_tokens": %(context)d,
    "max_output_tokens": %(answer)d
  }
}
"""

_COPILOT: Final = """\
export COPILOT_PROVIDER_BASE_URL=%(base_url)s
export COPILOT_PROVIDER_API_KEY=%(key)s
export COPILOT_MODEL=%(model)s
export COPILOT_PROVIDER_MAX_PROMPT_TOKENS=%(prompt)d
export COPILOT_PROVIDER_MAX_OUTPUT_TOKENS=%(answer)d
"""

# A command: pi 0.73 takes a variable's bare name as well, pi 1 takes `$NAME` alone.
_PI: Final = """\
{
  "providers": {
    "workers-ai": {
      "baseUrl": "%(base_url)s",
      "api": "openai-completions",
      "apiKey": "!printenv WORKERS_AI_KEY",
      "models": [
        {
          "id": "%(model)s",
          "reasoning": true,
          "contextWindow": %(context)d,
          "maxTokens": %(answer)d
        }
      ]
    }
  }
}
"""

_PI_DEFAULTS: Final = """\
{
  "defaultProvider": "workers-ai",
  "defaultModel": "%(model)s"
}
"""

_CLINE: Final = """\
cline auth --provider openai --baseurl %(base_url)s --modelid %(model)s --apikey %(key)s
"""

_CONTINUE: Final = """\
name: Workers AI Gateway
version: 1.0.0
schema: v1
models:
  - name: Workers AI
    provider: openai
    model: "%(model)s"
    apiBase: %(base_url)s
    apiKey: %(key)s
    roles: [chat, edit, apply]
    capabilities: [tool_use]
    defaultCompletionOptions:
      contextLength: %(context)d
      maxTokens: %(answer)d
"""

_QWEN_CODE: Final = """\
{
  "security": { "auth": { "selectedType": "openai" } },
  "model": { "name": "%(model)s" },
  "modelProviders": {
    "openai": [
      {
        "id": "%(model)s",
        "name": "Workers AI",
        "baseUrl": "%(base_url)s",
        "envKey": "WORKERS_AI_KEY",
        "generationConfig": { "contextWindowSize": %(context)d }
      }
    ]
  }
}
"""

_OPENHANDS: Final = """\
export LLM_MODEL=openai/%(model)s
export LLM_BASE_URL=%(base_url)s
export LLM_API_KEY=%(key)s
"""

_GOOSE: Final = """\
export GOOSE_PROVIDER=openai
export GOOSE_MODEL=%(model)s
export GOOSE_CONTEXT_LIMIT=%(context)d
export GOOSE_MAX_TOKENS=%(answer)d
export OPENAI_HOST=%(origin)s
export OPENAI_BASE_PATH=v1/chat/completions
export OPENAI_API_KEY=%(key)s
"""

_VS_CODE: Final = """\
[
  {
    "name": "Workers AI Gateway",
    "vendor": "customendpoint",
    "apiKey": "%(key)s",
    "apiType": "chat-completions",
    "models": [
      {
        "id": "%(model)s",
        "name": "Workers AI",
        "url": "%(base_url)s/chat/completions",
        "toolCalling": true,
        "vision": false,
        "maxInputTokens": %(prompt)d,
        "maxOutputTokens": %(answer)d
      }
    ]
  }
]
"""

_AGENTS: Final = {
    "Claude Code": [("~/.claude/settings.json", "json", _CLAUDE_CODE)],
    "Codex": [("~/.codex/config.toml", "toml", _CODEX), ("", "sh", _KEY_COMMAND)],
    "opencode": [
        (
            "~/.config/opencode/opencode.json",
            "json",
            _OPENCODE % {"schema": "https://opencode.ai/config.json"},
        ),
        ("", "sh", _KEY_COMMAND),
    ],
    "aider": [
        ("~/.aider.conf.yml", "yaml", _AIDER),
        ("~/.aider.model.metadata.json", "json", _AIDER_MODEL),
    ],
    "Copilot CLI": [("", "sh", _COPILOT)],
    "pi": [
        ("~/.pi/agent/models.json", "json", _PI),
        ("~/.pi/agent/settings.json", "json", _PI_DEFAULTS),
        ("", "sh", _KEY_COMMAND),
    ],
    "Cline": [("", "sh", _CLINE)],
    "Kilo": [
        (
            "~/.config/kilo/kilo.json",
            "json",
            _OPENCODE % {"schema": "https://app.kilo.ai/config.json"},
        ),
        ("", "sh", _KEY_COMMAND),
    ],
    "Continue": [("~/.continue/config.yaml", "yaml", _CONTINUE)],
    "qwen-code": [("~/.qwen/settings.json", "json", _QWEN_CODE), ("", "sh", _KEY_COMMAND)],
    "OpenHands": [("", "sh", _OPENHANDS)],
    "Goose": [("", "sh", _GOOSE)],
    "VS Code": [("chatLanguageModels.json", "json", _VS_CODE)],
}
