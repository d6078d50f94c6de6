"""``carrierline backup``: a checked copy of a store, while it runs."""

from pathlib import Path

import attrs
import click

from cli import options, output


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("more", nargs=-1, metavar="", type=click.Path(path_type=Path))
@options.store
@options.as_json
def command(file: Path, more: tuple[Path, ...], store: Path | None, json_: bool) -> None:
    """Copy a store into FILE, which must not exist, and check every page and every counter of the copy.

    The connector that runs on the store goes on, and nobody waits.  While it is made the copy is called FILE.part.

    To restore: stop the connector, move its files (store, -wal, -shm) away, put FILE in the store's place and start.
    Whatever waits in a restored store is in doubt, for it may have been sent since: at the first start on it, and not
    later, `on_doubt` of its lane decides whether it is sent again, so look at the lanes before that start.  A carrier
    that was suspended when the copy was made is suspended in it.

    STORE.key is not in the copy: keep it apart, for without it erased numbers cannot be found any more.
    """
    from connector.offline import back_up

    if more:
        raise click.UsageError(f"one FILE only; the store is named by --store: backup {more[0]} --store {file}")
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
