"""Places of a model that can be written in several exact ways, and which way an export takes."""
