"""Whether what a model meets is still what it was trained on."""
