"""`python -m workers_ai.simulator`: the simulator without Django."""

import argparse
import sys

from workers_ai.simulator.serve import add_arguments, serve_forever


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m workers_ai.simulator", description="Cloudflare Workers AI, simulated."
    )
    add_arguments(parser)
    return serve_forever(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
