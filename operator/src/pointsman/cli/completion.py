"""`pointsman completion SHELL`: the script that a shell loads to complete our commands and options."""

import click
from click.shell_completion import get_completion_class

from pointsman.errors import PointsmanError

PROGRAM = "pointsman"
# click answers completion requests when this variable is set; the scripts set it.
VARIABLE = "_POINTSMAN_COMPLETE"


@click.command(
    epilog="Example: pointsman completion bash > ~/.local/share/bash-completion/completions/pointsman"
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the completion script for a shell.

    \b
    bash: eval "$(pointsman completion bash)"
    zsh:  eval "$(pointsman completion zsh)"
    fish: pointsman completion fish | source
    """
    completion = get_completion_class(shell)
    if completion is None:
        raise PointsmanError(f"this version of click has no completion for {shell}", where="completion")
    click.echo(completion(context.find_root().command, {}, PROGRAM, VARIABLE).source())
