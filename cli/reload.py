"""``carrierline reload``: the running connector reads its configuration again."""

from pathlib import Path
from typing import Any

import click
import trio

from cli import options, output
from connector.client import Client


@click.command("reload")
@options.connection
@options.as_json
def command(url: str, key_env: str, key_file: Path | None, json_: bool) -> None:
    """Make the connector read its configuration file, every secret and certificate again, and change what differs.

    Carriers that do not differ keep their binds and windows.  If anything in the file is wrong, or needs a restart,
    nothing changes, every problem is printed, and the exit status is 2.  An operator's API key is needed.

    A carrier that is gone from the file drains and unbinds: receipts it still owes are not heard any more.  Suspend it
    and wait for them first where they matter.

    A secret in an environment variable (*_env) changes only with a restart; *_file and *_command are read anew.
    """
    done = trio.run(_reload, url, options.read_key(key_env, key_file))
    if json_:
        output.as_json(done)
    else:
        output.reloaded(done["changed"], done["unchanged"], output.line)


async def _reload(url: str, key: str) -> dict[str, Any]:
    async with Client(url, key=key) as client:
        return await client.reload()
