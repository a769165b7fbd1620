"""Plans and graphs for people and for other tools: text, Markdown, Mermaid, DOT."""
