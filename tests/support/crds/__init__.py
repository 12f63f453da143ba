"""What an API server makes of our definitions: damaged objects, verdicts, and a judge without a server."""
