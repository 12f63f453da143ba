"""What is so: status and conditions, decided from what was observed, and written to the state folder."""
