"""The page of all models, docs/zoo.md: published figures beside what was exported and counted here."""
