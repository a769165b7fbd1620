"""Process 1 of the real node's namespaces; k8s_node starts it, by its file name.

It has namespaces for mounts, network and process ids. So the kernel itself ends everything of the
node with it, however it ends: containerd, kubelet, shims, containers, mounts, interfaces.

    unshare … python k8s_namespace.py CONFIG HOST_NETWORK_FD
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

_Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET
_libc = ctypes.CDLL(None, use_errno=True)

# The kubelet refuses to run with other values. It is shown files that hold these, so that the
# machine keeps its own.
_KERNEL_SETTINGS = {
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1_000_000,
    "kernel/keys/root_maxbytes": 25_000_000,
}


def main() -> None:
    config = json.loads(Path(sys.argv[1]).read_text())
    host_network = int(sys.argv[2])
    os.set_inheritable(host_network, False)
    _prepare_mounts(Path(config["folder"]))
    _prepare_network(config["node_ip"])
    asyncio.run(_Node(config, host_network).run())


def _prepare_mounts(folder: Path) -> None:
    scratch = folder / "scratch"
    _run("mount", "-t", "tmpfs", "tmpfs", scratch)
    # containerd, CNI and the kubelet also write to places of their own choice; the machine
    # doesn't see it.
    for number, path in enumerate(("/run", "/var/lib", "/var/log")):
        upper, work = scratch / f"upper-{number}", scratch / f"work-{number}"
        upper.mkdir()
        work.mkdir()
        options = f"lowerdir={path},upperdir={upper},workdir={work}"
        _run("mount", "-t", "overlay", "overlay", "-o", options, path)
    for name, value in _KERNEL_SETTINGS.items():
        shown = scratch / name.replace("/", "-")
        shown.write_text(f"{value}\n")
        if Path("/proc/sys", name).exists():
            _run("mount", "--bind", shown, f"/proc/sys/{name}")
    # The kubelet's volumes must reach containers that run already.
    kubelet = folder / "kubelet"
    _run("mount", "--bind", kubelet, kubelet)
    _run("mount", "--make-rshared", kubelet)


def _prepare_network(node_ip: str) -> None:
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "address", "add", f"{node_ip}/32", "dev", "lo")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


class _Node:
    def __init__(self, config: dict[str, Any], host_network: int) -> None:
        self._config = config
        self._host_network = host_network
        self._own_network = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._children: dict[int, str] = {}
        self._forwarded: set[int] = set()
        self._ended = asyncio.Event()

    async def run(self) -> None:
        # Before the reaper is there: it would take the exit code of `ctr` away from us.
        self._spawn("containerd")
        self._import_image()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGCHLD, self._reap)
        loop.add_signal_handler(signal.SIGTERM, self._ended.set)
        await self._forward(self._config["api_port"])
        await self._serve_requests()
        self._spawn("kubelet")
        self._reap()
        await self._ended.wait()

    # -- processes ---------------------------------------------------------------------

    def _spawn(self, name: str) -> None:
        command, log = self._config["commands"][name], self._config["logs"][name]
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        child = os.posix_spawn(
            command[0],
            command,
            self._config["environment"],
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, log, flags, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        self._children[child] = name

    def _import_image(self) -> None:
        end = time.monotonic() + 60
        while True:
            done = subprocess.run(
                self._config["commands"]["import"],
                env=self._config["environment"],
                capture_output=True,
                text=True,
            )
            if done.returncode == 0:
                return
            if time.monotonic() > end:
                sys.exit(f"the pause image could not be imported: {done.stderr}")
            time.sleep(0.1)

    def _reap(self) -> None:
        """As process 1 this inherits all orphans. Without containerd or kubelet all ends."""
        with contextlib.suppress(ChildProcessError):
            while True:
                child, status = os.waitpid(-1, os.WNOHANG)
                if child == 0:
                    return
                if child in self._children:
                    code = os.waitstatus_to_exitcode(status)
                    print(f"{self._children[child]} ended with {code}", flush=True)
                    self._ended.set()

    # -- connections -------------------------------------------------------------------

    async def _forward(self, port: int) -> None:
        """PORT in here leads to 127.0.0.1:PORT on the machine, for the node and its pods."""
        if port not in self._forwarded:
            await asyncio.start_server(self._to_host(port), "0.0.0.0", port)
            self._forwarded.add(port)

    def _to_host(self, port: int) -> _Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            far = self._host_socket()
            try:
                await asyncio.get_running_loop().sock_connect(far, ("127.0.0.1", port))
                far_reader, far_writer = await asyncio.open_connection(sock=far)
            except OSError:
                far.close()
                writer.close()
                return
            await _join(reader, writer, far_reader, far_writer)

        return handle

    def _host_socket(self) -> socket.socket:
        """A socket stays in the namespace in which it was made."""
        _enter(self._host_network)
        try:
            made = socket.socket()
        finally:
            _enter(self._own_network)
        made.setblocking(False)
        return made

    async def _serve_requests(self) -> None:
        """A Unix socket is found by its file: from every network namespace."""
        path = Path(self._config["socket"])
        path.unlink(missing_ok=True)
        await asyncio.start_unix_server(self._answer, path)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """`CONNECT HOST:PORT` (the API server), or `FORWARD PORT` (k8s_node)."""
        try:
            request = (await reader.readuntil(b"\r\n\r\n")).decode().split()
            if request[0] == "FORWARD":
                await self._forward(int(request[1]))
                writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
                await writer.drain()
                writer.close()
                return
            host, _, port = request[1].rpartition(":")
            far_reader, far_writer = await asyncio.open_connection(host.strip("[]"), int(port))
        except (OSError, EOFError, ValueError, IndexError) as error:
            with contextlib.suppress(OSError):
                writer.write(f"HTTP/1.1 502 {error}\r\n\r\n".encode())
                await writer.drain()
            writer.close()
            return
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await _join(reader, writer, far_reader, far_writer)


async def _join(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    far_reader: asyncio.StreamReader,
    far_writer: asyncio.StreamWriter,
) -> None:
    await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
    writer.close()
    far_writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.close()


def _enter(network: int) -> None:
    if _libc.setns(network, _NEW_NETWORK) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
