"""The `pointsman` command: reads arguments, calls the rooms below, and puts results and errors into words.

Each subcommand is a module of its own with a click command named `command`; `main` imports it when it is
asked for, so that `--help` and shell completion stay quick. Nothing is decided here; `beforehand` asks local
mode's own code what `validate` should say.
"""
