"""`pointsman fetch-weights`: the init container of model pods, which brings the weights and ends."""

import os
import signal
import threading
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
    _end_when_asked()
    credential = os.environ.pop(CREDENTIAL, "").strip() or None
    told = [Item.from_argument(text) for text in items]
    for item in told:
        began = time.monotonic()
        click.echo(f"brings {item.shown} to {item.into}", err=True)
        try:
            # The credential is the model's: an adapter from elsewhere must not carry it there.
            shown = credential if item.shares_credentials_with(told[0]) else None
            came = fetch(item, shown, lambda line: click.echo(line, err=True))
        except WeightsError as error:
            click.echo(error.last_line(), err=True)
            return 1
        done = f"took {time.monotonic() - began:.0f} s" if came else "was there already"
        click.echo(f"{item.shown} {done}", err=True)
    return 0


def _end_when_asked() -> None:
    """End at SIGTERM, whatever is waited for; what has arrived is kept.

    The kernel keeps a signal from a container's first process that has not asked for it, so that a pod would
    hold its accelerators until its grace period is over.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def wait() -> None:
        signal.sigwait({signal.SIGTERM})
        os._exit(128 + signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()
