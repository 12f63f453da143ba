"""GuardrailPolicies: native policies that hold, and what they find in the objects that are there already."""
