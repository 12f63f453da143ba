"""The operator's own record of evidence: what it sees of policies and objects, written once, by who leads."""
