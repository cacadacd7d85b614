"""What is known of an answer before it arrives."""

from dataclasses import dataclass


# Never changed once made, but not frozen: that takes twice as long to make.
@dataclass(slots=True)
class Expected:
    """What the request and the model say about the answer to come.

    `thinks_inline`: thoughts may stand in the text between tags; `thinks_unopened`: also without
    the opening tag. `forced_tools`: tools of which the client forces one; empty when it forces
    none. `offered_tools`: tools that may be called, where the answer is not asked for in JSON
    (`in_json`). `max_tokens`: the output limit that was sent. `legacy_functions`: the client uses
    `functions`, not `tools`. `custom_tools`: functions that stand for custom tools. `one_call`: the
    client takes one tool call at most, whether the model knows that or not. `hides_thoughts`: it
    wants none.
    """

    model: str
    thinks_inline: bool = False
    thinks_unopened: bool = False
    forced_tools: frozenset[str] = frozenset()
    offered_tools: frozenset[str] = frozenset()
    in_json: bool = False
    max_tokens: int | None = None
    legacy_functions: bool = False
    custom_tools: frozenset[str] = frozenset()
    one_call: bool = False
    hides_thoughts: bool = False
    # Stop sequences to cut the answer at here, for models that do not support them.
    stops: tuple[str, ...] = ()
