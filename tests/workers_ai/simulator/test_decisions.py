"""Decisions in a prompt: the simulated model carries them out, turn by turn."""

from typing import Any

import orjson

from workers_ai.simulator.chat.answers import Question, Thought, ToolCall, answer

READ = {"name": "read", "parameters": {"type": "object"}}
EDIT = {"name": "edit", "description": "Please mend the file", "parameters": {"type": "object"}}
STEPS = [{"read": {"path": "a.py"}}, {"edit": {"to": "]]"}, "read": {"path": "b.py"}}, "Done."]
PROMPT = {"role": "user", "content": f"Please mend it. [decide {orjson.dumps(STEPS).decode()}]"}


def said(*messages: dict[str, Any], tools: list[dict[str, Any]] | None = None) -> Thought:
    return answer(Question(list(messages), "m", [READ, EDIT] if tools is None else tools))


def called(*names: str) -> dict[str, Any]:
    calls = [{"function": {"name": name}} for name in names]
    return {"role": "assistant", "content": "", "tool_calls": calls}


RESULT = {"role": "tool", "content": "ok"}


def test_each_turn_does_the_next_step() -> None:
    assert said(PROMPT).tool_calls == (ToolCall("read", {"path": "a.py"}),)
    turns = [PROMPT, called("read"), RESULT]
    edit, read = said(*turns).tool_calls
    assert (edit.arguments, read.arguments) == ({"to": "]]"}, {"path": "b.py"})
    turns += [called("edit"), RESULT, called("read"), RESULT]
    assert said(*turns).content == "Done."


def test_a_question_beside_it_gets_a_usual_answer() -> None:
    title = said(PROMPT, tools=[])
    assert title.tool_calls == () and "You asked" in title.content
    other = {"name": "title", "description": "mend the file", "parameters": {}}
    assert said(PROMPT, tools=[other]).tool_calls == ()


def test_what_is_done_is_not_done_again() -> None:
    turns = [PROMPT, called("read"), RESULT, called("edit", "read"), RESULT, RESULT]
    done = [*turns, {"role": "assistant", "content": "Done."}]
    assert said(*done, {"role": "user", "content": "Say hello"}).content == "hello"
    assert said({"role": "user", "content": "Say [decide nothing] twice"}).tool_calls == ()
