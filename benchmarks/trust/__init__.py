"""Whether the verdicts can be trusted: models against themselves, and against themselves made slower."""
