"""The gateway end to end: our own Envoy, programmed as a user's objects say, in front of stand-ins."""
