"""A process that keeps messages one commit after another and prints every id once it is on disk, until it is killed.

A second thread copies the log into the file all the while.
"""

import sys

from connector.store import checkpoints
from connector.store.sqlite import SqliteEngine
from tests.store.world import NAMES, message


def main(path: str) -> None:
    checkpoints.COPY_PAGES = 50  # type: ignore[misc]
    engine = SqliteEngine(path)
    engine.start_copying(lambda: None)
    engine.begin()
    engine.queues(NAMES)
    engine.commit()
    number = engine.last_id()
    while True:
        batch = [message(number + n, refs=((f"ref:{number + n}", b"x"),)) for n in range(1, 6)]
        number += len(batch)
        engine.begin()
        engine.append(batch, (), owner=engine.owner, now=1_000.0)
        engine.commit()
        engine.tidy()
        sys.stdout.write("".join(f"{kept.id}\n" for kept in batch))
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
