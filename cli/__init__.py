"""The command line: one command a file, loaded only when it is called."""

import importlib
import sys

import click

from connector import __version__

# name → (module, what --help says).  Here and not in the modules, so that --help imports none of them.
COMMANDS = {
    "demo": ("cli.demo", "Send sample messages through a simulated carrier and show what became of them."),
    "run": ("cli.run", "Run the connector of a configuration file."),
    "simulate": ("cli.simulate", "Run the SMSC simulator."),
    "send": ("cli.send", "Send one message, or a list of them from a CSV file."),
    "preview": ("cli.preview", "Show what would become of a message or a list, and why; nothing is sent."),
    "messages": ("cli.messages", "List messages, or show one with its timeline."),
    "receipts": ("cli.receipts", "List receipts that are kept without a message, and why."),
    "inbound": ("cli.inbound", "List messages from subscribers, or show one."),
    "status": ("cli.status", "Show every carrier and bind, and what holds each carrier back."),
    "carrier": ("cli.carrier", "Suspend or resume a carrier."),
    "reload": ("cli.reload", "Make the connector read its configuration again."),
    "verify": ("cli.verify", "Recount the whole store against its ledger."),
    "erase": ("cli.erase", "Erase a number and all that was said to it or by it."),
    "export": ("cli.export", "Print all that is kept of a number."),
    "backup": ("cli.backup", "Copy a store while it runs, and check the copy."),
    "explain": ("cli.explain", "Print what happens to a message when something fails."),
    "config": ("cli.config", "Check a configuration file, or print an example."),
    "decode": ("cli.decode", "Show what SMPP octets or receipt texts say."),
}


class _Commands(click.Group):
    """A group whose commands live in modules of their own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        from difflib import get_close_matches

        name = args[0]
        near = get_close_matches(name, COMMANDS, n=1)
        if name not in COMMANDS and not name.startswith("-") and near:
            raise click.UsageError(f"there is no command {name!r}, did you mean {near[0]!r}?", ctx)
        return super().resolve_command(ctx, args)


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="carrierline")
def cli() -> None:
    """Direct SMPP carrier binds behind a durable queue, and the SMSC simulator that proves them."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; ends the process with 0, 1 (it failed), 2 (it was called wrongly) or 130 (Ctrl-C).

    Called wrongly is also with a file, a name or a value that cannot be used: it ended before anything was asked.
    """
    from connector.errors import CarrierlineError, ConfigError, InputError

    try:
        status = cli.main(arguments, prog_name="carrierline", standalone_mode=False)
    except click.ClickException as error:
        _show_usage(error)
        status = error.exit_code
    except ConfigError as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        status = 2
    except (CarrierlineError, OSError) as error:
        click.echo(f"carrierline: {_sentence(error)}", err=True)
        status = 2 if isinstance(error, InputError) else 1
    except (click.Abort, KeyboardInterrupt):
        status = _INTERRUPTED
    except BaseExceptionGroup as group:
        status = _show_group(group)
    sys.exit(status)


_INTERRUPTED = 130


def _show_usage(error: click.ClickException) -> None:
    """Print what is wrong in one line, and where to read more; a command called with nothing at all shows its help."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return
    message = " ".join(error.format_message().split())
    context = getattr(error, "ctx", None)
    more = f" ({context.command_path} --help says more)" if context else ""
    click.echo(f"carrierline: {message}{more}", err=True)


def _show_group(group: BaseExceptionGroup[BaseException]) -> int:
    from connector.errors import CarrierlineError

    expected, others = group.split((CarrierlineError, OSError))
    if expected is None and group.split(KeyboardInterrupt)[1] is None:
        return _INTERRUPTED
    if others is not None or expected is None:
        raise group
    click.echo(f"carrierline: {_sentence(first_error(expected))}", err=True)
    return 1


def _sentence(error: BaseException) -> str:
    """Return what an error says, without the number that the system gives it."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def first_error(error: BaseException) -> BaseException:
    """Return the innermost error of nested groups: what went wrong first."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
