"""The platform for AI assistants: tools, resources and prompts of the Model Context Protocol."""
