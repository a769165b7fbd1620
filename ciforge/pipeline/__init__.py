"""The GitLab child pipeline, from the plan alone."""
