"""What is known of an answer before it comes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Expected:
    """What the request and the model say about the answer to come.

    `thinks_inline`: thoughts may stand in the text between tags; `thinks_unopened`: also without
    the opening tag. `forced_tools`: names of which one had to be called; empty when none was
    forced. `offered_tools`: names that may be called, where the answer is not asked for in JSON
    (`in_json`).
    `max_tokens`: the output limit that was sent. `legacy_functions`: the client speaks `functions`,
    not `tools`.
    """

    model: str
    thinks_inline: bool = False
    thinks_unopened: bool = False
    forced_tools: frozenset[str] = frozenset()
    offered_tools: frozenset[str] = frozenset()
    in_json: bool = False
    max_tokens: int | None = None
    legacy_functions: bool = False
    # Sequences to cut the answer at, for models that do not do so themselves.
    stops: tuple[str, ...] = ()
