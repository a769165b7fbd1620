"""Finds a circle: things that need each other, or variables that name each other."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping


def circle(edges: Mapping[str, Collection[str]]) -> list[str]:
    """One circle, from its first member to that again; empty when there is none.

    Walks without recursion: a chain may be as long as a pipeline has jobs.
    """
    done: set[str] = set()
    for start in edges:
        if start in done:
            continue
        path: dict[str, Iterator[str]] = {start: iter(edges[start])}
        while path:
            current = next(reversed(path))
            for other in path[current]:
                if other in path:
                    members = list(path)
                    return [*members[members.index(other) :], other]
                if other not in done and other in edges:
                    path[other] = iter(edges[other])
                    break
            else:
                del path[current]
                done.add(current)
    return []
