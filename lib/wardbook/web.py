"""Asking publishers: over https alone, no faster than they allow, again where a server is busy, and never for too much.

What is asked for, and where it goes, is in `fetch`. httpx asks, tenacity tries again, msgspec holds a JSON answer to its
shape, and fsspec reads a remote archive where it is needed.
"""

from __future__ import annotations

import stat
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TypeVar

import httpx
import msgspec
import tenacity
from fsspec.spec import AbstractBufferedFile
from tqdm import tqdm

from wardbook import catalogue
from wardbook.sources.reading import ZIP_TROUBLES

_BUSY = (429, 500, 502, 503, 504)
_TRIES = 5
_CONNECT_SECONDS = 8.0
_LONGEST_WAIT = 120  # seconds; a server that asks for more is left for another run
_LARGEST_FILE = 200_000_000  # bytes of an answer or of a member of an archive; the largest one wanted has 25 million
_LARGEST_ARCHIVE = 5_000_000_000  # a monthly archive has 1.7 thousand million, where it cannot be read in part
_BLOCK = 1 << 18

Answer = TypeVar("Answer")


class FetchError(Exception):
    """A file that could not be had, in words for its reader."""


class NotThere(FetchError):
    """An address that answers 404."""


class _Busy(httpx.TransportError):
    """A server that asks to be asked again; `seconds` later, where it says so."""

    seconds = 0


@dataclass(frozen=True)
class Manners:
    """How long a silent server is waited for, and the clocks, which tests replace."""

    read_seconds: float = 20.0
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


class _Mirror(httpx.HTTPTransport):
    """Asks one server for every address, as MIRROR/host/path."""

    def __init__(self, mirror: str):
        super().__init__()
        self.mirror = mirror.rstrip("/")

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = httpx.URL(f"{self.mirror}/{str(request.url).split('://', 1)[1]}")
        headers = {**request.headers, "host": url.netloc.decode()}
        return super().handle_request(httpx.Request("GET", url, headers=headers, extensions=request.extensions))


class Web:
    """Requests with their manners."""

    def __init__(self, mirror: str | None, manners: Manners):
        self.manners = manners
        self.reached: set[str] = set()
        self.down: set[str] = set()
        self._turns: dict[str, float] = {}
        self.client = httpx.Client(
            transport=_Mirror(mirror) if mirror else None,
            timeout=httpx.Timeout(manners.read_seconds, connect=_CONNECT_SECONDS),
            headers={"User-Agent": "wardbook", "Accept-Encoding": "identity"},
            follow_redirects=True,
            max_redirects=5,
            event_hooks={"request": [self._admit]},  # called for each redirect too
        )
        self._retry = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(httpx.TransportError),
            wait=_wait,
            stop=tenacity.stop_after_attempt(_TRIES),
            sleep=manners.sleep,
            reraise=True,
        )

    def _admit(self, request: httpx.Request) -> None:
        """Let a request go when it is its host's turn, and only over https."""
        if request.url.scheme != "https":
            raise FetchError(f"{request.url}: only https addresses are asked")
        host, pause = request.url.host, 1 / catalogue.limits().get(request.url.host, float("inf"))
        wait = self._turns.get(host, 0.0) - self.manners.monotonic()
        if wait > 0:
            self.manners.sleep(wait)
        self._turns[host] = self.manners.monotonic() + pause

    def ask(
        self,
        url: str,
        work: Callable[[httpx.Response], Answer],
        headers: dict[str, str] | None = None,
        accept: Sequence[int] = (200,),
    ) -> Answer:
        """What `work` makes of an answer; a busy server, or a body that breaks off, is tried again, waiting longer each time.

        Raises
        ------
        NotThere
            for an address that answers 404.
        FetchError
            for everything else that is no such answer; a host that no connection was ever made to is asked once a run.
        """
        try:
            return self._retry(self._ask_once, url, work, headers, accept)
        except httpx.TransportError as error:
            raise FetchError(f"{url}: {error or type(error).__name__}, {_TRIES} times running") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise FetchError(f"{url}: {error}") from error

    def _ask_once(
        self, url: str, work: Callable[[httpx.Response], Answer], headers: dict | None, accept: Sequence[int]
    ) -> Answer:
        host = httpx.URL(url).host
        if host in self.down:
            raise FetchError(f"{host} could not be reached")
        try:
            with self.client.stream("GET", url, headers=headers) as response:
                self.reached.add(host)
                status = response.status_code
                if status in accept:
                    return work(response)
                busy = _Busy(f"answered {status} {response.reason_phrase}".rstrip())
                if status not in _BUSY:
                    raise (NotThere if status == 404 else FetchError)(f"{url}: {busy}")
                asked = response.headers.get("retry-after", "").strip()
                busy.seconds = int(asked) if asked.isdecimal() else 0
                if busy.seconds > _LONGEST_WAIT:
                    raise FetchError(f"{url} asks to wait {busy.seconds:,} seconds: run the command again later")
                raise busy
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            if host in self.reached:
                raise
            self.down.add(host)
            raise FetchError(f"{host} could not be reached") from error

    def _body(self, response: httpx.Response, most: int) -> Iterator[bytes]:
        """The body, held to `most` bytes (httpx holds it to its length)."""
        size = 0
        for chunk in response.iter_bytes():
            size += len(chunk)
            if size > most:
                raise FetchError(f"{response.url}: more than {most:,} bytes: not what was asked for")
            yield chunk

    def read(self, url: str, part: tuple[int, int] | None = None) -> bytes:
        """An answer; of a file a part alone, from a byte up to another."""
        start, end = part or (0, _LARGEST_FILE)
        asked = ({"Range": f"bytes={start}-{end - 1}"}, (206,)) if part else ()
        most = min(end - start, _LARGEST_FILE)
        return self.ask(url, lambda response: b"".join(self._body(response, most)), *asked)

    def json(self, url: str, kind: type[Answer]) -> Answer:
        """A JSON answer of this type; an error page with status 200 is told apart."""
        body = self.read(url)
        try:
            return msgspec.json.decode(body, type=kind)
        except (ValueError, RecursionError) as error:
            page = body.lstrip().startswith(b"<")
            found = "a web page (an error page saved as data?)" if page else f"something else ({error})"
            raise FetchError(f"{url}: expected a JSON answer of the documented shape; found {found}") from error

    def download(self, url: str, staged: Path, *, etag: str = "") -> str | None:
        """Write a file to `staged`, with a bar on a terminal; returns its ETag, or None if it is still the one `etag` names."""
        staged.parent.mkdir(parents=True, exist_ok=True)

        def write(response: httpx.Response) -> str | None:
            if response.status_code == 304:
                return None
            length = response.headers.get("content-length", "")
            form = {"unit": "B", "unit_scale": True, "leave": False, "disable": not sys.stderr.isatty()}
            bar = tqdm(total=int(length) if length.isdecimal() else None, desc=staged.name, **form)
            with staged.open("wb") as handle, bar:
                for chunk in self._body(response, _LARGEST_ARCHIVE):
                    bar.update(handle.write(chunk))
            return response.headers.get("etag", "")

        return self.ask(url, write, {"If-None-Match": etag}, (200, 304)) if etag else self.ask(url, write)

    def open_zip(self, url: str, whole: Path) -> zipfile.ZipFile:
        """A remote zip: read in parts, or downloaded to `whole` from a server that sends whole files only."""

        def measure(response: httpx.Response) -> int | None:
            total = response.headers.get("content-range", "").rpartition("/")[2]
            return int(total) if response.status_code == 206 and total.isdecimal() else None

        size = self.ask(url, measure, {"Range": "bytes=0-0"}, (200, 206))
        if size is None:
            self.download(url, whole)
        return read_zip(whole if size is None else _RemoteFile(self, url, size), url)


def _wait(state: tenacity.RetryCallState) -> float:
    """What the server asked for, else twice as long each time."""
    return getattr(state.outcome.exception(), "seconds", 0) or 2.0 ** (state.attempt_number - 1)


class _RemoteFile(AbstractBufferedFile):
    """A file on a server, read where it is needed: a 1.7 GB archive costs its directory and one member."""

    def __init__(self, web: Web, url: str, size: int):
        self.web = web
        super().__init__(None, url, block_size=_BLOCK, size=size)

    def _fetch_range(self, start: int, end: int) -> bytes:
        return self.web.read(self.path, part=(start, end))


def read_zip(file: Path | AbstractBufferedFile, url: str) -> zipfile.ZipFile:
    """Open an archive that came from an address."""
    try:
        return zipfile.ZipFile(file)
    except ZIP_TROUBLES as error:
        raise FetchError(f"{url}: expected a zip archive; found something else ({error})") from error


def copy_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, staged: Path) -> None:
    """One member to a place of the caller's choosing.

    Its name is not used, yet a name that points out of its folder, or a link, says that the archive is not what it should
    be: refused.
    """
    path, mode = PurePosixPath(info.filename), info.external_attr >> 16
    if path.is_absolute() or ".." in path.parts or "\\" in info.filename or ":" in info.filename or stat.S_ISLNK(mode):
        raise FetchError(f"{info.filename!r} in the archive is a link or points out of its folder: refused")
    if info.file_size > _LARGEST_FILE:
        raise FetchError(f"{info.filename!r} in the archive unpacks to {info.file_size:,} bytes: refused")
    try:
        content = archive.read(info)
    except ZIP_TROUBLES as error:
        raise FetchError(f"{info.filename!r} in the archive cannot be unpacked: {error}") from error
    staged.parent.mkdir(parents=True, exist_ok=True)
    staged.write_bytes(content)
