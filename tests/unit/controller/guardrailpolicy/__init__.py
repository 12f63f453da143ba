"""What follows from a GuardrailPolicy, without a cluster."""
