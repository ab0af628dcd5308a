"""The store: results and reports of many days in one append-only SQLite file."""
