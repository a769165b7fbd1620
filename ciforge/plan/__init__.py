"""The plan: what happens to each service, and why. Its JSON is all that later steps read."""
