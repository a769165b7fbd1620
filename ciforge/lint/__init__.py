"""Says offline what GitLab's own parser would refuse, and where."""
