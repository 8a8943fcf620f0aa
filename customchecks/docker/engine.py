"""The Docker Engine, as far as we use it: the only module that knows the Docker SDK.

Containers, images, networks and volumes are ids and the engine's own JSON here, of any version that ``engine_api``
chooses. What to ask for is decided in ``hardening``, ``sandbox``, ``network`` and ``images``.
"""

import json
import math
import os
import socket
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, cast
from urllib.parse import urlsplit

import docker
import docker.errors
import docker.types
import docker.utils
import urllib3.exceptions

from customchecks.docker import api_version, errors
from customchecks.docker.errors import EngineError as EngineError
from customchecks.docker.errors import EngineMismatch as EngineMismatch
from customchecks.docker.errors import EngineUnavailable as EngineUnavailable

MAX_CONNECTIONS = 128


class NotFound(EngineError):
    """The engine knows no such image, container, network or volume."""


class Conflict(EngineError):
    """The name is taken, or the thing is in use."""


def _release(error: BaseException | None) -> None:
    """Closes the sockets that the SDK left in the frames of a failed call; the garbage collector would be late."""
    for one in errors.chain(error):
        traceback.clear_frames(one.__traceback__)


class Engine:
    """A client of the engine. Thread-safe. ``timeout`` bounds every call in seconds, except attached streams.

    ``DOCKER_HOST`` and its kin are those of the moment when it is made.
    """

    def __init__(self, *, timeout: int = 30) -> None:
        self._timeout = timeout
        self._environ = dict(os.environ)
        self._connected: docker.APIClient | None = None
        self._connecting = threading.Lock()

    @property
    def _api(self) -> docker.APIClient:
        """Threads may negotiate at the same time: whoever waits for a slow engine makes nobody else wait longer."""
        if (connected := self._connected) is not None:
            return connected
        made = self._negotiated()
        with self._connecting:
            if self._connected is None:
                self._connected = made
            elif self._connected is not made:
                made.close()
            return self._connected

    def _negotiated(self) -> docker.APIClient:
        client = self._client(api_version.text(api_version.OLDEST))
        try:
            spoken = api_version.choose(client.version(api_version=False))
        except BaseException:
            client.close()
            raise
        if client.api_version == spoken:
            return client
        client.close()
        return self._client(spoken)

    def _client(self, version: str) -> docker.APIClient:
        kwargs = docker.utils.kwargs_from_env(environment=self._environ)
        client = docker.APIClient(version=version, timeout=self._timeout, max_pool_size=MAX_CONNECTIONS, **kwargs)
        client.trust_env = False  # else each call reads the whole environment for proxies, while others may write to it
        return client

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except docker.errors.NotFound as error:
            raise NotFound(str(error.explanation or error)) from error
        except docker.errors.APIError as error:
            raise self._refusal(error) from error
        except (
            docker.errors.DockerException,
            urllib3.exceptions.HTTPError,
            OSError,
        ) as error:
            # OSError is also what requests' are made of
            _release(error)
            raise errors.unavailable(error) from error

    def _refusal(self, error: docker.errors.APIError) -> EngineError:
        message = str(error.explanation or error)
        if api_version.is_refusal(message):
            self.close()  # the next call negotiates anew
            return EngineMismatch(f"The Docker Engine was exchanged for another version: {message}")
        return Conflict(message) if error.status_code == 409 else EngineError(message)

    @property
    def is_local(self) -> bool:
        """Whether it is asked on a socket of this machine."""
        return urlsplit(self._environ.get("DOCKER_HOST", "").strip() or "unix://").scheme == "unix"

    def close(self) -> None:
        if self._connected is not None:
            self._connected.close()
            self._connected = None

    def info(self) -> dict[str, Any]:
        with self._translated():
            return self._api.info()

    # Containers

    def create(self, config: Mapping[str, Any], *, name: str | None = None) -> str:
        """``config`` is the body of ``POST /containers/create``. Raises NotFound where the image is missing."""
        with self._translated():
            return cast(str, self._api.create_container_from_config(config, name)["Id"])

    def attach(self, container: str) -> socket.socket:
        """The container's streams as one socket: what is written is stdin, what is read is the multiplexed output.

        Close it before killing the container: an undrained one blocks kill, wait and inspect. The SDK's own objects are
        closed here, because they would close the socket when they are garbage; a TLS connection would not survive that.
        """
        with self._translated():
            stream = self._api.attach_socket(container, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
            try:
                return cast(socket.socket, getattr(stream, "_sock", stream)).dup()
            finally:
                stream._response.close()
                stream.close()

    def start(self, container: str) -> None:
        with self._translated():
            self._api.start(container)

    def inspect(self, container: str) -> dict[str, Any]:
        with self._translated():
            return cast(dict[str, Any], self._api.inspect_container(container))

    def events(self, container: str, *, until: float) -> list[str]:
        """What has happened to a container until then (seconds since the epoch), such as "start", "kill", "die".

        The engine knows the last few hundred events, and none from before its own start.
        """
        query = {"since": "1", "until": f"{until:.3f}", "filters": json.dumps({"container": [container]})}
        with self._translated():
            url = f"{self._api.base_url}/v{self._api.api_version}/events"
            reply = self._api.get(url, params=query, timeout=self._timeout)  # the SDK's own call may wait for ever
            reply.raise_for_status()
            return [str(json.loads(line)["Action"]) for line in reply.text.splitlines()]

    def wait(self, container: str, *, timeout: float) -> int:
        with self._translated():
            return int(self._api.wait(container, timeout=math.ceil(timeout))["StatusCode"])

    def kill(self, container: str) -> None:
        with self._translated():
            self._api.kill(container)

    def remove(self, container: str) -> None:
        """Also ends a running container and removes its anonymous volumes."""
        with self._translated():
            self._api.remove_container(container, force=True, v=True)

    def containers(self, labels: Mapping[str, str]) -> list[dict[str, Any]]:
        with self._translated():
            return cast(
                list[dict[str, Any]],
                self._api.containers(all=True, filters={"label": [f"{key}={value}" for key, value in labels.items()]}),
            )

    # Images

    def image(self, reference: str) -> dict[str, Any]:
        with self._translated():
            return cast(dict[str, Any], self._api.inspect_image(reference))

    def image_id(self, reference: str) -> str | None:
        """None where there is no such image."""
        try:
            return str(self.image(reference)["Id"])
        except NotFound:
            return None

    def images(self, labels: Mapping[str, str]) -> list[dict[str, Any]]:
        with self._translated():
            return cast(
                list[dict[str, Any]],
                self._api.images(filters={"label": [f"{key}={value}" for key, value in labels.items()]}),
            )

    def import_image(self, archive: IO[bytes], *, repository: str, tag: str, changes: list[str]) -> str:
        """Makes an image of a root file system's tar; ``changes`` are Dockerfile instructions (ENV, LABEL, …)."""
        with self._translated():
            self._api.import_image(src=archive, repository=repository, tag=tag, changes=changes)
        return str(self.image(f"{repository}:{tag}")["Id"])

    def build_image(
        self,
        context: IO[bytes],
        *,
        tag: str,
        arguments: Mapping[str, str],
        labels: Mapping[str, str],
        progress: Callable[[str], None],
        fresh: bool = False,
    ) -> str:
        """``context`` is a tar with a Dockerfile at its top; ``fresh`` takes no step from the engine's cache.

        Raises EngineError with the step that failed.
        """
        with self._translated():
            lines = self._api.build(
                fileobj=context,
                custom_context=True,
                tag=tag,
                buildargs=dict(arguments),
                labels=dict(labels),
                nocache=fresh,
                rm=True,
                forcerm=True,
                decode=True,
                timeout=1800,
            )
            built = ""
            for line in lines:
                if "error" in line:
                    raise EngineError(str(line["error"]).strip())
                if text := str(line.get("stream", "")).strip():
                    progress(text)
                built = (line.get("aux") or {}).get("ID", built)
        # Somebody else's build may have taken the tag meanwhile
        return cast(str, self.image(built or tag)["Id"])

    def pull_image(self, reference: str) -> Iterator[str]:
        """The engine's own lines about one image; the first one comes when a registry has answered."""
        with self._translated():
            for line in self._api.pull(reference, stream=True, decode=True):
                if "error" in line:
                    raise EngineError(str(line["error"]).strip())
                if "progressDetail" not in line:
                    yield str(line.get("status", ""))

    def tag_image(self, image: str, *, repository: str, tag: str) -> None:
        with self._translated():
            self._api.tag(image, repository, tag)

    def remove_image(self, reference: str) -> None:
        """A tag of an image that has others is only taken off. Raises Conflict when the image is in use."""
        with self._translated():
            self._api.remove_image(reference)

    # Networks and volumes

    def network(self, name: str) -> dict[str, Any]:
        with self._translated():
            return cast(dict[str, Any], self._api.inspect_network(name))

    def create_network(
        self, name: str, *, options: Mapping[str, str], labels: Mapping[str, str], subnet: str = ""
    ) -> str:
        """Without ``subnet`` the engine takes the next of its address pools. Never with IPv6, which engines can have
        as their default: the SDK has no way to say so."""
        body = {
            "Name": name,
            "Driver": "bridge",
            "CheckDuplicate": True,
            "EnableIPv6": False,
            "Options": dict(options),
            "Labels": dict(labels),
        }
        if subnet:
            body["IPAM"] = docker.types.IPAMConfig(pool_configs=[docker.types.IPAMPool(subnet=subnet)])
        with self._translated():
            api = cast(Any, self._api)
            return cast(str, api._result(api._post_json(api._url("/networks/create"), data=body), json=True)["Id"])

    def remove_network(self, name: str) -> None:
        with self._translated():
            self._api.remove_network(name)

    def create_volume(self, name: str, *, labels: Mapping[str, str]) -> None:
        with self._translated():
            self._api.create_volume(name, labels=dict(labels))

    def volume(self, name: str) -> dict[str, Any]:
        with self._translated():
            return self._api.inspect_volume(name)

    def volumes(self, labels: Mapping[str, str]) -> list[dict[str, Any]]:
        with self._translated():
            found = self._api.volumes(filters={"label": [f"{key}={value}" for key, value in labels.items()]})
            return cast(list[dict[str, Any]], found["Volumes"] or [])

    def remove_volume(self, name: str) -> None:
        with self._translated():
            self._api.remove_volume(name)
