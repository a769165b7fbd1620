"""ciforge.yaml: what detection can't know about a workspace."""
