"""The venue as a process: prints one JSON line about itself, and serves until it is told to end."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from pathlib import Path

from tests.support.venue.server import DIALECTS, VenueServer


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.support.venue", description=__doc__)
    parser.add_argument("--venue", choices=sorted(DIALECTS), required=True)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--tls", type=Path, metavar="FOLDER", help="serve TLS, and write the authority there")
    parser.add_argument("--state", type=Path, metavar="FILE", help="write ledger and log there at the end")
    asyncio.run(_serve(parser.parse_args()))


async def _serve(asked: argparse.Namespace) -> None:
    server, ended = VenueServer(asked.venue), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await server.start(asked.port, asked.tls)
    print(json.dumps(server.about()), flush=True)
    try:
        await ended.wait()
    finally:
        await server.stop()
        if asked.state is not None:
            asked.state.write_text(json.dumps(server.state()), encoding="utf-8")


if __name__ == "__main__":
    main()
