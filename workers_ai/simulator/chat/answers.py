"""The small deterministic "model" that answers conversations. Pure.

It is no language model, but its answers depend on the question, so that a test can tell them
apart: it repeats what it is told to, counts, adds, remembers a name from earlier turns, reads tool
results, calls tools, fills in JSON schemas and looks at pictures. Where a user wrote decisions
(decisions.py) it carries them out.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import orjson

from workers_ai.simulator.chat.decisions import Turn, decision, is_decided
from workers_ai.simulator.chat.schema_values import proper_names, value_for

_CAPITALS = {
    "france": "Paris", "germany": "Berlin", "italy": "Rome", "spain": "Madrid", "japan": "Tokyo",
    "england": "London", "the uk": "London", "portugal": "Lisbon", "austria": "Vienna",
    "sweden": "Stockholm", "norway": "Oslo", "canada": "Ottawa", "china": "Beijing",
    "india": "New Delhi", "greece": "Athens", "ireland": "Dublin", "peru": "Lima",
}  # fmt: skip
_WORDS = (
    "the", "river", "keeps", "its", "own", "time", "and", "carries", "leaves", "stones", "past",
    "every", "quiet", "town", "while", "people", "on", "the", "bridge", "count", "boats",
)  # fmt: skip
_FILLERS = {"get", "set", "list", "find", "fetch", "search", "the", "for", "and", "tool", "of", "a"}
MAX_PARALLEL_CALLS = 4


@dataclass(frozen=True)
class ToolCall:
    """`written` is what came of the arguments' text before the output limit."""

    name: str
    arguments: dict[str, Any]
    written: str | None = None

    @property
    def text(self) -> str:
        return orjson.dumps(self.arguments).decode() if self.written is None else self.written


@dataclass(frozen=True)
class Picture:
    """What a model sees of a picture."""

    width: int
    height: int
    colour: str


@dataclass
class Question:
    """A conversation, whatever form it came in."""

    messages: list[dict[str, Any]]
    model: str
    tools: list[dict[str, Any]] = field(default_factory=list)
    # "auto", "none", "required", or the name of a function that must be called.
    tool_choice: str = "auto"
    forced_name: str = ""
    parallel: bool = True
    # None: text. A dict, possibly empty: JSON that fits it.
    json_schema: dict[str, Any] | None = None
    pictures: list[Picture] = field(default_factory=list)

    @property
    def last_user_text(self) -> str:
        texts = [text_of(m.get("content")) for m in self.messages if m.get("role") == "user"]
        return texts[-1] if texts else ""


@dataclass(frozen=True)
class Thought:
    content: str
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()


def text_of(content: Any) -> str:
    """The text in a message's content, which may be a string, parts, or nothing."""
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        content = [content]
    if isinstance(content, list):
        parts = [p.get("text") for p in content if isinstance(p, dict)]
        return "\n".join(part for part in parts if isinstance(part, str))
    return "" if content is None else str(content)


def answer(question: Question) -> Thought:
    """What the model says to the last turn, or which tools it calls."""
    asked = question.last_user_text
    reasoning = f"The user wrote {len(asked.split())} words. I answer what was asked and no more."
    last = question.messages[-1] if question.messages else {}
    turns = _turns(question)
    decided = decision(turns, {tool["name"] for tool in question.tools})
    if decided and decided.text:
        return Thought(decided.text, reasoning)
    calls: tuple[ToolCall, ...] = ()
    if decided:
        calls = tuple(ToolCall(name, given) for name, given in decided.calls)
    elif not is_decided(turns) and last.get("role") not in ("tool", "function"):
        calls = wanted_calls(question)
    if calls:
        names = " and ".join(dict.fromkeys(call.name for call in calls))
        return Thought("", f"{names} can tell me that. {reasoning}", calls)
    text = _after_tools(question) or _prose(question)
    if question.json_schema is not None:
        text = _as_json(question.json_schema, asked, text)
    elif _told_to_shout(question):
        text = text.upper()
    return Thought(text, reasoning)


def _turns(question: Question) -> list[Turn]:
    return [
        Turn(str(m.get("role")), text_of(m.get("content")), len(m.get("tool_calls") or ()))
        for m in question.messages
    ]


def _as_json(schema: dict[str, Any], asked: str, prose: str) -> str:
    known = any(key in schema for key in ("properties", "$ref", "anyOf", "oneOf", "allOf", "items"))
    value = value_for(schema, asked) if known or "type" in schema else {"answer": prose}
    if value == {}:
        value = {"answer": prose}
    return orjson.dumps(value).decode()


def _told_to_shout(question: Question) -> bool:
    system = [m for m in question.messages if m.get("role") in ("system", "developer")]
    return any("uppercase" in text_of(m.get("content")).lower() for m in system)


def wanted_calls(question: Question) -> tuple[ToolCall, ...]:
    """The calls that the question asks for, or the forced one."""
    if not question.tools or question.tool_choice == "none":
        return ()
    asked = question.last_user_text
    if question.forced_name:
        chosen = [tool for tool in question.tools if tool["name"] == question.forced_name]
    else:
        chosen = [tool for tool in question.tools if _is_asked_for(tool, asked)]
        if not chosen and question.tool_choice == "required":
            chosen = question.tools[:1]
    calls = [call for tool in chosen for call in _calls_of(tool, asked)]
    return tuple(calls[: MAX_PARALLEL_CALLS if question.parallel else 1])


def _is_asked_for(tool: dict[str, Any], asked: str) -> bool:
    words = set(re.findall(r"[a-z]+", asked.lower()))
    name = set(re.findall(r"[A-Z]?[a-z]+", tool["name"].replace("_", " ")))
    if ({part.lower() for part in name} - _FILLERS) & words:
        return True
    described = set(re.findall(r"[a-z]{4,}", str(tool.get("description") or "").lower()))
    return len(described & words) >= 2


def _calls_of(tool: dict[str, Any], asked: str) -> list[ToolCall]:
    """One call, or one for each place when the text names several and the tool takes one."""
    schema = tool.get("parameters") or {}
    arguments = value_for(schema, asked) if schema.get("properties") else {}
    names = list(dict.fromkeys(proper_names(asked)))
    single = [key for key, value in arguments.items() if names and value == names[0]]
    if len(names) > 1 and len(single) == 1:
        return [ToolCall(tool["name"], {**arguments, single[0]: name}) for name in names]
    return [ToolCall(tool["name"], arguments)]


def _after_tools(question: Question) -> str:
    """The results of the tools that were called since anybody spoke."""
    results = []
    for message in reversed(question.messages):
        if message.get("role") in ("tool", "function"):
            results.append(text_of(message.get("content")))
        elif not message.get("tool_calls"):
            break
    if not results:
        return ""
    return "Here is what I found: " + "; ".join(reversed(results))


def _prose(question: Question) -> str:
    asked = question.last_user_text.strip()
    if question.pictures:
        return _describe(question.pictures)
    for pattern, reply in _REPLIES:
        found = re.search(pattern, asked, re.IGNORECASE | re.DOTALL)
        if found and (text := reply(found, question)):
            return text
    if not asked:
        return "There was no question."
    shown = asked if len(asked) <= 400 else asked[:400] + "…"
    return (
        f"You asked: “{shown}” I am {question.model}, simulated, so this answer is made up: "
        f"your question has {len(asked.split())} words and {len(asked)} characters."
    )


def _describe(pictures: list[Picture]) -> str:
    seen = [f"{p.width} x {p.height} pixels and mostly {p.colour}" for p in pictures]
    if len(seen) == 1:
        return f"The picture is {seen[0]}."
    return " ".join(f"Picture {number} is {one}." for number, one in enumerate(seen, 1))


def _repeat(found: re.Match[str], _question: Question) -> str:
    return found.group(1).strip().strip("\"“”'")


def _add(found: re.Match[str], _question: Question) -> str:
    left, sign, right = found.groups()
    a, b = float(left), float(right)
    if sign == "/" and b == 0:
        return "That cannot be divided."
    total = {"+": a + b, "-": a - b, "*": a * b, "x": a * b, "×": a * b, "/": a / (b or 1)}[sign]
    return f"{left} {sign} {right} = {total:g}"


def _count(found: re.Match[str], _question: Question) -> str:
    first = int(found.group(1) or 1)
    last = int(found.group(2))
    step = 1 if last >= first else -1
    return ", ".join(str(n) for n in range(first, last + step, step)[:2000])


def _capital(found: re.Match[str], _question: Question) -> str:
    country = found.group(1).strip().lower()
    known = _CAPITALS.get(country)
    return f"The capital of {found.group(1).strip()} is {known}." if known else ""


def _remembered_name(_found: re.Match[str], question: Question) -> str:
    for message in reversed(question.messages):
        said = re.search(r"my name is ([\w-]+)", text_of(message.get("content")), re.IGNORECASE)
        if said:
            return f"Your name is {said.group(1)}."
    return "You have not told me your name."


def _words(found: re.Match[str], _question: Question) -> str:
    count = min(int(found.group(1)), 100_000)
    return " ".join(_WORDS[i % len(_WORDS)] for i in range(count)).capitalize() + "."


def _who(_found: re.Match[str], question: Question) -> str:
    return f"I am {question.model}, simulated."


def _greet(_found: re.Match[str], _question: Question) -> str:
    return "Hello! How can I help you today?"


_REPLIES = [
    (
        r"^(?:please )?(?:repeat(?: after me)?|echo|say|(?:reply|answer) with)(?: exactly)?"
        r"[:,]?\s+(.+)$",
        _repeat,
    ),
    (r"(-?\d+(?:\.\d+)?)\s*([-+*/x×])\s*(-?\d+(?:\.\d+)?)", _add),
    (r"count (?:from (-?\d+) )?to (-?\d+)", _count),
    (r"capital of ([a-z ]+?)[?.!]?$", _capital),
    (r"(?:what is|what's|know|remember) my name", _remembered_name),
    (r"\b(\d+) words", _words),
    (r"who are you|which model|what model", _who),
    (r"^(?:hi|hello|hey|good (?:morning|evening))\b[\w ,]{0,20}[.!?]*$", _greet),
]
