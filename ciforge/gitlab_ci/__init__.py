"""GitLab's CI language: YAML as GitLab reads it, includes, extends, references, expressions."""
