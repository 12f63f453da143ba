"""Evidence: what was judged, by which rules, when; as a record that shows tampering, and as reports."""
