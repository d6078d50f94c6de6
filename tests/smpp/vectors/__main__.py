"""``python -m tests.smpp.vectors FOLDER``: check a folder of vectors; 1 on any difference, each is printed."""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from tests.smpp.vectors.check import pdu_differences, read, receipt_differences

HERE = Path(__file__).parent
KINDS: Mapping[str, Callable[[Mapping[str, Any]], list[str]]] = {
    "pdus": pdu_differences,
    "receipts": receipt_differences,
}


def main(folder: Path) -> int:
    """Print every difference, the counts, and one JSON line last."""
    counts: dict[str, int] = {}
    for kind, differences_in in KINDS.items():
        rows = read(folder / f"{kind}.jsonl")
        different = 0
        for row in rows:
            found = differences_in(row)
            different += bool(found)
            for difference in found:
                click.echo(f"{kind} {row['name']}: {difference}")
        counts |= {kind: len(rows), f"{kind}_different": different}
        click.echo(f"{len(rows)} {kind}, {different} of them different")
    click.echo(json.dumps({"question": "vectors", **counts}))
    return 1 if any(number for name, number in counts.items() if name.endswith("_different")) else 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE))
