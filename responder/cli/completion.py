"""``responder completion``: scripts with which a shell completes commands, options and values."""

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(*, shell: str) -> None:
    """Print the script that completes `responder` in SHELL.

    \b
    bash: responder completion bash > ~/.local/share/bash-completion/completions/responder
    zsh:  responder completion zsh > "${fpath[1]}/_responder"
    fish: responder completion fish > ~/.config/fish/completions/responder.fish

    Exit status: 0, 2 for a wrong command line.
    """  # noqa: D301 - click reads the control character
    found = get_completion_class(shell)
    if found is None:
        raise click.ClickException(f"{shell} is not known")
    root = click.get_current_context().find_root().command
    click.echo(found(root, {}, "responder", "_RESPONDER_COMPLETE").source())
