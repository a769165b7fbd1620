"""What a change affects, as `nx show projects --affected` answers it, and why."""
