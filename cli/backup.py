"""``carrierline backup``: a checked copy of a store, while it runs."""

from pathlib import Path

import attrs
import click

from cli import options, output


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path))
@options.store
@options.as_json
def command(file: Path, store: Path | None, json_: bool) -> None:
    """Copy a store into FILE, which must not exist, and check every page and every counter of the copy.

    The connector that runs on the store goes on, and nobody waits.  The key of erased numbers, STORE.key, is not in the
    copy.  To restore: stop the connector, move its files (store, -wal, -shm) away, put FILE in the store's place and
    start.  Whatever waits in a restored store is in doubt, for it may have been sent since; its lanes decide.
    """
    from connector.offline import back_up

    if store is None:
        raise click.UsageError("which store? --store PATH says it")
    done = back_up(store, file)
    found = done.verification
    if json_:
        plain = attrs.asdict(done, filter=lambda field, _value: field.name != "verification")
        output.as_json({**plain, "messages": found.ledger.accepted, "ok": found.ok, "problems": found.problems})
    else:
        megabytes = done.bytes / 1_000_000
        output.line(f"{file}: {output.counted(found.ledger.accepted, 'message')}, {megabytes:.1f} MB")
        output.line(f"copied in {done.copied_s:.1f} s, checked in {done.checked_s:.1f} s")
        for problem in found.problems:
            output.line(f"PROBLEM {problem}")
        output.line("the copy is whole, its ledger balances" if found.ok else "its ledger does NOT balance")
    if not found.ok:
        raise SystemExit(1)
