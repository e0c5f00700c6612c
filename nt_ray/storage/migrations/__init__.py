"""The migration tree of the journal, for Alembic."""
