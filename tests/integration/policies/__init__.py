"""GuardrailPolicies against a real API server: what it says is what our evaluator says."""
