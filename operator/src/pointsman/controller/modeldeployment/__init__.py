"""How one ModelDeployment is brought about: a snapshot of it and its children, and the decision on it."""
