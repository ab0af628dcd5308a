"""The figures of an artifact over time, and where they changed for good."""
