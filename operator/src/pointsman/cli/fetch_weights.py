"""`pointsman fetch-weights`: the init container of model pods, which brings the weights and ends."""

import os
import time

import click

from pointsman.weights import Item, WeightsError, fetch

CREDENTIAL = "POINTSMAN_WEIGHTS_CREDENTIAL"


@click.command(name="fetch-weights")
@click.option(
    "--item", "items", multiple=True, required=True, help="What to bring and where to, as JSON. May repeat."
)
def command(items: tuple[str, ...]) -> int:
    """Bring weights and adapters into a volume. Pods run it.

    The last line of a failure begins with its reason in one word. The environment variable
    POINTSMAN_WEIGHTS_CREDENTIAL holds what the source asks for: a token, or a store's settings as JSON.
    """
    credential = os.environ.pop(CREDENTIAL, "").strip() or None
    told = [Item.from_argument(text) for text in items]
    for item in told:
        began = time.monotonic()
        click.echo(f"brings {item.source} to {item.into}", err=True)
        try:
            # The credential is the model's: an adapter from elsewhere must not carry it there.
            shown = credential if item.shares_credentials_with(told[0]) else None
            came = fetch(item, shown, lambda line: click.echo(line, err=True))
        except WeightsError as error:
            click.echo(error.last_line(), err=True)
            return 1
        done = f"took {time.monotonic() - began:.0f} s" if came else "was there already"
        click.echo(f"{item.source} {done}", err=True)
    return 0
