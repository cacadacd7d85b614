"""Rounds → medians → tables: ratios first, then targets, then the figures themselves. Pure."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.measure import LOW_RATE_PER_S

Medians = dict[str, dict[str, float]]

FIGURES = {
    "cpu_ms_per_request": "CPU ms per request",
    "cpu_us_per_chunk": "CPU µs per chunk",
    "tls_cpu_ms": "CPU ms per request, TLS to upstream",
    "tls_cpu_us_per_chunk": "CPU µs per chunk, TLS to upstream",
    "streams_held": "streams held",
    "added_latency_p50_ms": "added latency p50, ms",
    "added_latency_p99_ms": "added latency p99, ms",
    "added_first_chunk_p50_ms": "added to first chunk p50, ms",
    "added_first_chunk_p99_ms": "added to first chunk p99, ms",
    "image_cpu_ms": "CPU ms per 1 MB image",
    "agent_cpu_ms": "CPU ms per agent's request of 200 KB",
    "picture_in_cpu_ms": "CPU ms per request with 5 MB of picture",
    "lone_cpu_ms": "CPU ms per request, one client",
    "rss_mib": "RSS MiB, idle",
    "rss_200_mib": "RSS MiB, 200 streams",
    "rss_1000_mib": "RSS MiB, 1000 streams",
    "requests_per_s": "requests/s, 32 clients",
    "transit_p99_ms": "chunk under way p99, ms",
    "start_s": "first answer after the start, s",
}
MORE_IS_BETTER = {"streams_held", "requests_per_s"}
RATIOS = (
    "cpu_ms_per_request",
    "cpu_us_per_chunk",
    "streams_held",
    "added_latency_p50_ms",
    "added_first_chunk_p50_ms",
    "image_cpu_ms",
    "rss_1000_mib",
)
# What a feature costs is told in these.
COSTS = ("cpu_ms_per_request", "cpu_us_per_chunk")
MEASURED = "gateway"
DIRECT = "direct"


@dataclass(frozen=True, slots=True)
class Target:
    """`figure` of the gateway is at most `limit` (at least, where more is better) times that of
    `against`, or, without `against`, at most `limit` itself.
    """

    text: str
    figure: str
    against: str
    limit: float
    server: str = MEASURED

    def reached(self, medians: Medians) -> float | None:
        """The ratio or the figure; None when one of the two was not measured."""
        own = medians.get(self.server, {}).get(self.figure)
        if not self.against:
            return own
        other = medians.get(self.against, {}).get(self.figure)
        return None if own is None or not other else own / other

    def is_met(self, reached: float) -> bool:
        if self.figure in MORE_IS_BETTER:
            return reached >= self.limit
        return reached <= self.limit


TARGETS = (
    Target("CPU per request: Portkey's / 3", "cpu_ms_per_request", "portkey", 1 / 3),
    Target("CPU per request: LiteLLM's / 22", "cpu_ms_per_request", "litellm", 1 / 22),
    Target("CPU per request: 2.2 × the bare forwarder's", "cpu_ms_per_request", "forwarder", 2.2),
    Target(
        "CPU per request of a key without limits: 1.9 × the bare forwarder's",
        "cpu_ms_per_request",
        "forwarder",
        1.9,
        server="gateway-free",
    ),
    Target("CPU per request: 1.25 × a single-file Worker's", "cpu_ms_per_request", "worker", 1.25),
    Target("CPU per chunk: Portkey's / 1.7", "cpu_us_per_chunk", "portkey", 1 / 1.7),
    Target("CPU per chunk: LiteLLM's / 13", "cpu_us_per_chunk", "litellm", 1 / 13),
    Target("CPU per chunk: 1.3 × the bare forwarder's", "cpu_us_per_chunk", "forwarder", 1.3),
    Target("CPU per chunk: 0.4 × a single-file Worker's", "cpu_us_per_chunk", "worker", 0.4),
    Target("streams held: 1.4 × Portkey's", "streams_held", "portkey", 1.4),
    Target("streams held: 0.9 × the bare forwarder's", "streams_held", "forwarder", 0.9),
    Target("added latency p50: below Portkey's", "added_latency_p50_ms", "portkey", 1),
    Target(
        "added to first chunk p50: 1.8 × the bare forwarder's",
        "added_first_chunk_p50_ms",
        "forwarder",
        1.8,
    ),
    Target("CPU per request of a lone client: 1.2 ms", "lone_cpu_ms", "", 1.2),
    Target("CPU per request with 5 MB of picture: 8 ms", "picture_in_cpu_ms", "", 8),
    Target("CPU per agent's request: 2 × the bare forwarder's", "agent_cpu_ms", "forwarder", 2),
    Target("memory at 1000 streams: 100 MiB", "rss_1000_mib", "", 100),
    Target("first answer after the start: 1 s", "start_s", "", 1),
    Target("CPU per 1 MB image: below Portkey's", "image_cpu_ms", "portkey", 1),
    Target(
        "2 workers, PostgreSQL, Redis: 1.15 × the CPU per request",
        "cpu_ms_per_request",
        MEASURED,
        1.15,
        server="gateway-2",
    ),
)


def medians_of(rounds: Iterable[dict[str, Any]]) -> Medians:
    """Server → figure → median over the rounds; latencies as what the server adds."""
    gathered: dict[str, dict[str, list[float]]] = {}
    rounds = list(rounds)
    direct = {one["round"]: one["figures"] for one in rounds if one["server"] == DIRECT}
    for one in rounds:
        figures = with_added(one["figures"], direct.get(one["round"], {}))
        for name, value in figures.items():
            gathered.setdefault(one["server"], {}).setdefault(name, []).append(value)
    return {
        server: {name: statistics.median(values) for name, values in figures.items()}
        for server, figures in gathered.items()
    }


def with_added(figures: dict[str, float], direct: dict[str, float]) -> dict[str, float]:
    added = {
        f"added_{name}": figures[name] - direct[name]
        for name in ("latency_p50_ms", "latency_p99_ms", "first_chunk_p50_ms", "first_chunk_p99_ms")
        if name in figures and name in direct
    }
    return {**figures, **added}


def rounded(value: float | None) -> str:
    if value is None:
        return "–"
    if value == 0 or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def ratios_table(medians: Medians, titles: dict[str, str]) -> str:
    """How many times better the gateway is than each other server."""
    own = medians.get(MEASURED, {})
    others = [name for name in titles if name != MEASURED and name in medians]
    rows = []
    for name in others:
        cells = []
        for figure in RATIOS:
            here, there = own.get(figure), medians[name].get(figure)
            if not here or not there or here < 0 or there < 0:
                cells.append("–")
                continue
            better = here / there if figure in MORE_IS_BETTER else there / here
            cells.append(f"{rounded(better)} ×")
        rows.append([titles[name], *cells])
    return table(["against", *(FIGURES[figure] for figure in RATIOS)], rows)


def targets_table(medians: Medians) -> str:
    rows = []
    for target in TARGETS:
        reached = target.reached(medians)
        verdict = (
            "not measured" if reached is None else "met" if target.is_met(reached) else "**missed**"
        )
        sign = "≥" if target.figure in MORE_IS_BETTER else "≤"
        unit = " ×" if target.against else ""
        rows.append(
            [target.text, f"{sign} {rounded(target.limit)}{unit}", rounded(reached), verdict]
        )
    return table(["target", "limit", "reached", ""], rows)


def features_table(result: dict[str, Any]) -> str:
    """What a gateway with one more feature, or one less, takes more than the one of its round."""
    own = {one["round"]: one["figures"] for one in result["rounds"] if one["server"] == MEASURED}
    rows = []
    for name, told in result.get("features", {}).items():
        found = [one for one in result["rounds"] if one["server"] == name and one["round"] in own]
        cells = []
        for figure in COSTS:
            more = [
                one["figures"][figure] - own[one["round"]][figure]
                for one in found
                if figure in one["figures"] and figure in own[one["round"]]
            ]
            cells.append(with_spread(more))
        rows.append([told, *cells])
    return table(["", *(f"{FIGURES[figure]}, more" for figure in COSTS)], rows)


def with_spread(values: Sequence[float]) -> str:
    """The median with its sign and, of several, the least and the most."""
    if not values:
        return "–"
    middle = signed(statistics.median(values))
    if len(values) == 1:
        return middle
    return f"{middle} ({signed(min(values))} to {signed(max(values))})"


def signed(value: float) -> str:
    return f"{'−' if value < 0 else '+'}{rounded(abs(value))}"


def figures_table(medians: Medians, titles: dict[str, str]) -> str:
    names = [name for name in titles if name in medians]
    rows = [
        [label, *(rounded(medians[name].get(figure)) for name in names)]
        for figure, label in FIGURES.items()
        if any(figure in medians[name] for name in names)
    ]
    return table(["", *(titles[name] for name in names)], rows)


def titles_of(result: dict[str, Any]) -> dict[str, str]:
    """The servers that stand beside each other; features have a table of their own."""
    features = result.get("features", {})
    return {name: title for name, title in result["titles"].items() if name not in features}


def summary(result: dict[str, Any]) -> str:
    """What is printed after a run."""
    medians, titles = medians_of(result["rounds"]), titles_of(result)
    missing = result["missing"].items()
    parts = [
        "How many times better this gateway is:",
        ratios_table(medians, titles),
        "Targets:",
        targets_table(medians),
        "Figures:",
        figures_table(medians, titles),
        *(["What each feature costs:", features_table(result)] if result.get("features") else []),
        *(f"Not measured: {result['titles'][name]}: {why}." for name, why in missing),
        *doubts(result, medians),
    ]
    return "\n\n".join(parts)


def doubts(result: dict[str, Any], medians: Medians) -> list[str]:
    """Remarks on what makes a figure doubtful."""
    found = []
    titles = result["titles"]
    for name, figures in medians.items():
        title = titles.get(name, name)
        if figures.get("failures"):
            found.append(f"{title}: {rounded(figures['failures'])} requests of a round failed.")
        if figures.get("streams_load_limited"):
            found.append(f"{title}: its streams were limited by the load side, so it holds more.")
        served = figures.get("requests_per_s")
        if served is not None and served < LOW_RATE_PER_S:
            found.append(
                f"{title}: it serves {rounded(served)} requests a second, so at {LOW_RATE_PER_S} "
                "its latency is that of a queue."
            )
        running = figures.get("rss_1000_chunks_per_s")
        if running is not None and running < 900:
            found.append(f"{title}: of 1000 streams only about {rounded(running)} were kept up.")
    if result["load_average"] > 1:
        found.append(
            f"The machine was busy when the run began (load {result['load_average']:.1f})."
        )
    return found


def page(result: dict[str, Any]) -> str:
    """docs/benchmarks.md."""
    medians, titles = medians_of(result["rounds"]), titles_of(result)
    rounds = 1 + max(one["round"] for one in result["rounds"])
    does = "\n".join(
        f"- {titles[name]} ({result['versions'].get(name) or 'from this checkout'}): {text}"
        for name, text in result["does"].items()
        if name in medians and name in titles
    )
    missing = "\n".join(
        f"- {result['titles'][name]}: {why}" for name, why in result["missing"].items()
    )
    notes = "\n".join(f"- {line}" for line in doubts(result, medians))
    sections = [
        "# Benchmarks",
        f"Measured on {result['date']} with `make bench`: {rounds} interleaved rounds on "
        f"{result['machine']}, Python {result['python']}. Every figure is the median of the "
        "rounds. `make bench` writes this page.",
        "## How many times better this gateway is",
        ratios_table(medians, titles),
        "CPU is what holds on any machine: the requests a core can serve, and the streams it can "
        "carry, follow from it.",
        "## Targets",
        targets_table(medians),
        "Where a target is missed, [what each step costs](architecture.md#what-each-step-costs) "
        "says why.",
        "## Figures",
        figures_table(medians, titles),
        *(
            ["## What each feature costs", features_table(result), FEATURES.strip()]
            if result.get("features")
            else []
        ),
        "## What each does for a request",
        does,
        *(["Not measured:", missing] if missing else []),
        *(["Doubts:", notes] if notes else []),
        METHOD.strip(),
        *([growth_section(result["growth"])] if result.get("growth") else []),
    ]
    return "\n\n".join(sections) + "\n"


FEATURES = """
Each row is a gateway like the first one in the tables above but for what it names, measured beside
that one in every round: the difference, and in brackets the least and the most of the rounds. What
is smaller than that spread is not told apart from nothing.
"""

METHOD = """
## Method

The server's whole process tree is pinned to one core; the mock upstream and the load generator,
both of this project (`bench/`), share another. Each server runs with one worker as its own
documents recommend for production, but for the rows that name more: those are all on the server's
core, with PostgreSQL and Redis on the other; "on two cores" they run on both, beside the load, so
that only CPU is told. Rounds go through the servers in turn, every second one backwards, so that a
slow minute of the machine does not fall on one of them alone.

- CPU is user and system time of the whole tree, from `/proc`, over the same window in which answers
  are counted.
- CPU per request: 32 clients in a closed loop, a chat answer of 270 characters, not streamed.
- CPU per chunk: 150 streams, a chunk every 20 ms each, so that hardly two chunks share a read.
- Streams held: the most such streams whose 99th percentile of gaps between chunks stays below
  100 ms, with no error and at least 97 % of the chunks in time.
- Added latency: at 40 requests a second, streams at 10 a second, less what the mock alone takes.
- An agent's request: 60 tools and a history of calls and what they gave, 200 KB in all, 8 clients;
  with a picture of 5 MB as base64, 4 clients. One client: each request waits for the last answer.
- First answer: from the start of the command, its supervisor included, to the first byte of any
  answer.
- Memory, streams held, TLS, and all of LiteLLM and of nginx are measured in the first round alone.
- Memory: the largest process, after the load above, with streams of a chunk a second open.
- Image: a picture of 1 MB as base64, 4 clients. The gateway translates Workers AI's own form; the
  others pass OpenAI's on.

All traffic is on the loopback interface, and plain HTTP but for the two figures with TLS: there the
mock has a certificate that every server checks, and connections are kept as ever.
"""


def growth_section(growth: Sequence[dict[str, Any]]) -> str:
    rows = [
        [one["what"], rounded(one.get("cpu_ms_per_request")), rounded(one.get("latency_p50_ms"))]
        for one in growth
    ]
    head = ["", "CPU ms per request", "p50 ms at 40/s"]
    return "## How the cost grows\n\n" + table(head, rows) + "\n\n" + GROWTH.strip()


GROWTH = """
Read the rows of one kind beside each other: the machine's speed changes between them.

- Clients: one alone shares nothing. Each of its requests makes two commits of its own and wakes the
  process from idle each time. With more at once a commit carries many rows, and a turn of the loop
  many requests. Bodies are sent by 4 clients.
- Bodies: each byte is received, parsed once, checked, written anew for Workers AI and sent on.
- Keys, rows of the log and models: an index in memory or in the database finds what it needs.
"""
