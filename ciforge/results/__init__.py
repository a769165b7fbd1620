"""What the stations after the plan hand to each other: images.json and smoke.json."""
