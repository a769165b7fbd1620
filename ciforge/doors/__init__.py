"""One door for each outside thing: processes, git, Nx, the registry, GitLab, files."""
