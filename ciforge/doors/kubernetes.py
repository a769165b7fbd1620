"""The door to Kubernetes: kubectl, in one namespace of one context."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ciforge.doors.process import ProcessError, run
from ciforge.errors import OutsideError

Object = dict[str, Any]
_ASK = 20  # seconds for one question


class ExistsError(Exception):
    """There is an object of that name already."""


class ConflictError(Exception):
    """The object was changed, or removed, by somebody else meanwhile."""


class Kubectl:
    """`namespace` None: the one of the kube context."""

    def __init__(self, namespace: str | None, context: str | None = None) -> None:
        self.namespace = namespace
        self._context = [f"--context={context}"] if context else []

    def get(self, kind: str, name: str) -> Object | None:
        """One object, None when there is none. Raises OutsideError."""
        try:
            return self._json("get", kind, name)
        except ProcessError as error:
            if "(NotFound)" in error.stderr:
                return None
            raise _told(error) from error

    def items(self, kinds: str, *filters: str) -> list[Object]:
        """Objects of `kinds` (pods,events); empty when the cluster gives no answer just now."""
        try:
            found: list[Object] = self._json("get", kinds, *filters)["items"]
        except OutsideError:
            return []
        return found

    def logs(self, pod: str, container: str, *, previous: bool, lines: int) -> list[str]:
        """The last log lines of a container; empty when there are none to be had."""
        options = [f"--container={container}", f"--tail={lines}"]
        try:
            answer = self._run("logs", pod, *options, *(["--previous"] if previous else []))
        except OutsideError:
            return []
        return answer.decode("utf-8", "replace").splitlines()

    def create(self, thing: Mapping[str, Any]) -> Object:
        """Raises ExistsError when it is there already, OutsideError."""
        try:
            return self._json("create", "--filename=-", stdin=thing)
        except ProcessError as error:
            if "(AlreadyExists)" in error.stderr:
                raise ExistsError from error
            raise _told(error) from error

    def replace(self, thing: Mapping[str, Any]) -> Object:
        """Only the very version that `thing` names. Raises ConflictError, OutsideError."""
        try:
            return self._json("replace", "--filename=-", stdin=thing)
        except ProcessError as error:
            if "(Conflict)" in error.stderr or "(NotFound)" in error.stderr:
                raise ConflictError from error
            raise _told(error) from error

    def delete_version(self, path: str, version: str) -> None:
        """Deletes what stands at the API's `path`, if it is still this resourceVersion.

        Raises ConflictError, OutsideError.
        """
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"resourceVersion": version},
        }
        try:
            self._run("delete", f"--raw={path}", "--filename=-", stdin=options)
        except ProcessError as error:
            if any(word in error.stderr for word in ("Conflict", "NotFound")):
                raise ConflictError from error
            raise _told(error) from error

    def ensure_namespace(self) -> None:
        """Creates the namespace when it is missing.

        Raises OutsideError when the cluster does not answer, or it may not be created.
        """
        if self.namespace is None:
            return
        try:
            self._json("get", "namespace", self.namespace)
        except ProcessError as error:
            if "(Forbidden)" in error.stderr:
                return  # who may only work inside one need not see it
            if "(NotFound)" not in error.stderr:
                raise _told(error) from error
            try:
                self._run("create", "namespace", self.namespace)
            except ProcessError as second:
                if "(AlreadyExists)" not in second.stderr:
                    raise _told(second) from second

    def _json(self, *arguments: str, stdin: Mapping[str, Any] | None = None) -> Object:
        answer: Object = json.loads(self._run(*arguments, "--output=json", stdin=stdin))
        return answer

    def _run(self, *arguments: str, stdin: Mapping[str, Any] | None = None) -> bytes:
        where: Sequence[str] = [f"--namespace={self.namespace}"] if self.namespace else []
        return run(
            ["kubectl", *arguments, *where, *self._context, f"--request-timeout={_ASK}s"],
            stdin=None if stdin is None else json.dumps(stdin).encode(),
            timeout=2 * _ASK,
        )


def _told(error: ProcessError) -> OutsideError:
    """kubectl's own last line, without what comes before it."""
    last = error.stderr.splitlines()[-1] if error.stderr else str(error)
    return OutsideError(
        f"the cluster refuses, or can't be reached: {last}",
        hint="look at KUBECONFIG, --kube-context, the network and your rights",
    )
