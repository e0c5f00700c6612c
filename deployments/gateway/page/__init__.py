"""The dashboard: one page, its assets, and what it asks for beside the platform's other routes."""
