"""GitLab's limits as it is delivered.

Source: docs.gitlab.com/ci/yaml (needs, parallel) and the names of jobs in GitLab's database.
"""

MAX_NEEDS = 50
"""Jobs that one may need, after `parallel` is expanded."""

MAX_PARALLEL = 200
"""Jobs that one becomes."""

MAX_NAME = 255
"""Characters in the name of a job."""
