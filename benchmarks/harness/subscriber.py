"""The subscriber of `steady` and `recovery`: a process of its own that records when a user's features become readable.

    python -m benchmarks.harness.subscriber --engines FILE --out F.npz

It subscribes to all users' channels and records (user, n, arrival in monotonic ns) of each message, which the script that
writes the features publishes. It prints "listening", goes on until SIGTERM, then writes the three arrays.
"""

import argparse
import resource
import select
import signal
import sys
import time
from array import array
from pathlib import Path
from typing import Any

import hiredis
import numpy as np

from features.engines.redis_address import RedisAddress
from features.engines.shared_engines import read_engines
from features.keys import user_channel

LIMIT = 50_000_000
"""Maximum number of messages recorded (24 bytes each)."""
PREFIX = user_channel(0)[:-1].encode()


class Listener:
    """A connection to Redis that records each message with the time of its bytes' arrival."""

    def __init__(self, address: RedisAddress) -> None:
        self._socket = address.open_socket(10)
        commands = [*address.greeting(), ("PSUBSCRIBE", PREFIX + b"*")]
        self._socket.sendall(b"".join(hiredis.pack_command(command) for command in commands))
        self._reader = hiredis.Reader()
        self._stop = False
        self.user, self.n, self.at = array("q"), array("q"), array("q")
        signal.signal(signal.SIGTERM, self._end)

    def _end(self, number: int, frame: object) -> None:
        self._stop = True

    def run(self) -> None:
        """Listen until told to stop, and read what has come by then. Raises ConnectionError if Redis goes away."""
        while True:
            is_stopped = self._stop
            ready, _, _ = select.select([self._socket], [], [], 0 if is_stopped else 0.2)
            if not ready:
                if is_stopped:
                    return
                continue
            data = self._socket.recv(1 << 18)
            now = time.monotonic_ns()
            if not data:
                raise ConnectionError("Redis closed the connection of the subscriber")
            self._reader.feed(data)
            while (message := self._reader.gets()) is not False:
                self._note(message, now)
            if len(self.at) > LIMIT:
                raise MemoryError(f"more than {LIMIT} words from Redis")

    def _note(self, message: Any, now: int) -> None:
        if message == b"OK":  # of the greeting
            return
        if message[0] == b"psubscribe":
            print("listening", flush=True)
            return
        _, _, channel, n = message
        self.user.append(int(channel[len(PREFIX) :]))
        self.n.append(int(n))
        self.at.append(now)

    def save(self, path: Path) -> None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        columns = {name: np.frombuffer(getattr(self, name), np.int64) for name in ("user", "n", "at")}
        np.savez(path, cpu_seconds=np.array(used.ru_utime + used.ru_stime), **columns)


def main() -> None:
    parser = argparse.ArgumentParser(description="Note when users' features become readable.")
    parser.add_argument("--engines", type=Path, required=True, help="run/engines.json of the home")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    listener = Listener(read_engines(given.engines).redis)
    try:
        listener.run()
    except (ConnectionError, MemoryError) as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        sys.exit(1)
    finally:
        listener.save(given.out)


if __name__ == "__main__":
    main()
